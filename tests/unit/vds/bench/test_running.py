"""A measurement from its first object to its last, against an API server in memory."""

import os
import signal

import pytest

from components.kubernetes_api import ApiError, UnreachableError
from tests.support.bench_api import REFUSED, TCP, FakeApi, ended, running, waiting
from tests.support.fake_cluster import fake_clock
from vds.bench.manifests import NAMESPACE, RUN
from vds.bench.readings import Latency, Loss, Throughput
from vds.bench.running import GONE_SECONDS, Bench
from vds.shared.errors import OperationError


class Run(Bench):
    """A run of 10 seconds from osl-cp-1 to osl-w-1; `said` is what an operator would read."""

    def __init__(self, api: FakeApi) -> None:
        self.said: list[str] = []
        super().__init__(
            api, "r1", "r.example.no/bench:1", "osl-cp-1", "osl-w-1", 10, 100, self.said.append, fake_clock()
        )


def test_everything_is_measured_and_nothing_stays():
    api = FakeApi()
    measured = Run(api).measure()
    assert isinstance(measured.throughput, Throughput)
    assert isinstance(measured.loss, Loss)
    assert isinstance(measured.latency, Latency)
    assert api.namespace is None


def test_servers_are_pinned_to_the_one_node_and_clients_to_the_other():
    api = FakeApi()
    Run(api).measure()
    pinned = {
        name: body["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
            "nodeSelectorTerms"
        ][0]["matchFields"][0]["values"]
        for name, body in api.made.items()
        if body["kind"] == "Pod"
    }
    servers = {name for name, nodes in pinned.items() if nodes == ["osl-w-1"]}
    assert servers == {"iperf-server", "latency-server"}
    assert {name for name, nodes in pinned.items() if nodes == ["osl-cp-1"]} == {"throughput-1", "loss-1", "latency-1"}


def test_clients_ask_the_servers_own_address():
    api = FakeApi(iperf_server=[waiting("ContainerCreating"), running("10.244.7.7")])
    Run(api).measure()
    assert "10.244.7.7" in api.made["throughput-1"]["spec"]["containers"][0]["command"]


def test_a_server_that_is_not_listening_yet_is_asked_again():
    api = FakeApi(throughput_1=[ended(REFUSED, 1, "Error")], throughput_2=[ended(TCP)])
    assert isinstance(Run(api).measure().throughput, Throughput)


def test_a_network_that_lets_nothing_through_is_not_asked_again_and_the_rest_is_measured():
    timed_out = '{"end": {}, "error": "unable to connect to server: Connection timed out"}'
    api = FakeApi(throughput_1=[ended(timed_out, 1, "Error")])
    measured = Run(api).measure()
    assert measured.throughput == "pod throughput-1 ended with 1: unable to connect to server: Connection timed out"
    assert isinstance(measured.loss, Loss)


def test_an_image_without_python_measures_the_rest():
    missing = 'exec: "python3": executable file not found in $PATH'
    measured = Run(FakeApi(latency_server=[ended(missing, 128, "StartError")])).measure()
    assert isinstance(measured.throughput, Throughput)
    assert isinstance(measured.latency, str)
    assert missing in measured.latency
    assert "needs python3" in measured.latency


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (waiting("ImagePullBackOff", "manifest unknown"), "ImagePullBackOff: manifest unknown"),
        (waiting("ErrImagePull", "this machine's own iperf3, which is not installed"), "not installed"),
        (ended('exec: "iperf3": not found', 128, "StartError"), "not found"),
        ({"phase": "Pending", "conditions": [{"status": "False", "message": "0/3 nodes are available"}]}, "0/3 nodes"),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, "DeadlineExceeded"),
    ],
)
def test_without_a_server_there_is_nothing_to_measure_and_nothing_stays(status, says):
    api = FakeApi(iperf_server=[status])
    with pytest.raises(OperationError, match=says):
        Run(api).measure()
    assert api.namespace is None


def test_nodes_that_can_not_take_part_are_named_all_at_once_before_anything_is_made():
    api = FakeApi()
    api.nodes = {"osl-w-1": "Unknown"}
    with pytest.raises(OperationError, match=r"osl-cp-1 is not in the cluster.*osl-w-1 is not ready"):
        Run(api).measure()
    assert api.made == {}


def test_another_runs_namespace_is_left_alone_and_named():
    api = FakeApi()
    api.namespace = {"metadata": {"name": NAMESPACE, "uid": "u9", "labels": {RUN: "another"}}}
    with pytest.raises(OperationError, match=f"kubectl delete namespace {NAMESPACE}"):
        Run(api).measure()
    assert api.namespace
    assert "DELETE" not in {method for method, _ in api.calls}


def test_a_refusal_says_what_may_not_be_made():
    api = FakeApi()

    def forbid(method: str, path: str) -> None:
        if path.endswith("/serviceaccounts"):
            raise ApiError(403, "serviceaccounts is forbidden")

    api.before = forbid
    with pytest.raises(OperationError, match="ServiceAccount bench can not be made"):
        Run(api).measure()
    assert api.namespace is None


def test_whoever_may_not_make_namespaces_is_told_that_and_nothing_else():
    api = FakeApi()

    def forbid(method: str, path: str) -> None:
        if "/namespaces" in path:
            raise ApiError(403, "namespaces is forbidden")

    api.before = forbid
    with pytest.raises(OperationError, match=rf"Namespace {NAMESPACE} can not be made \(403\)"):
        Run(api).measure()


def test_an_api_server_that_is_silent_for_a_moment_does_not_end_a_measurement():
    api = FakeApi()
    api.unreachable_once("GET", "/pods/throughput-1")
    assert isinstance(Run(api).measure().throughput, Throughput)


def test_an_answer_that_was_lost_leaves_no_namespace_behind():
    api = FakeApi()
    made = api._make

    def make_and_lose(body):
        made(body)
        raise UnreachableError("https://192.0.2.10:6443: no answer in time")

    api._make = make_and_lose  # type: ignore[method-assign]
    with pytest.raises(UnreachableError):
        Run(api).measure()
    assert api.namespace is None


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_whoever_interrupts_it_finds_nothing_of_it_left(stop):
    api = FakeApi()

    def interrupt(method: str, path: str) -> None:
        if path.endswith("/pods/loss-1"):
            raise stop

    api.before = interrupt
    with pytest.raises(stop):
        Run(api).measure()
    assert api.namespace is None


def test_a_second_signal_does_not_stop_the_cleaning_up():
    api = FakeApi()

    def kill(method: str, path: str) -> None:
        if method == "DELETE":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)

    api.before = kill
    Run(api).measure()
    assert api.namespace is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_namespace_that_does_not_go_is_said():
    api = FakeApi()
    api.lingers = 10_000
    run = Run(api)
    run.measure()
    assert f"not gone after {GONE_SECONDS} s" in run.said[-1]
