"""The command: which nodes, which image, what is printed, and how it ends."""

import json
import os
import signal
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from tests.support.bench_api import UDP, FakeApi, ended, waiting
from tests.support.stacks import stack
from vds.bench import command
from vds.bench.command import app, choose, may_use
from vds.shared.errors import OperationError
from vds.shared.stack import Opened

IMAGE = "localhost/lab/iperf3"
TODAY = "2026-11-21"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """The lab's stack with an API server in memory."""
    fake = FakeApi()
    fake.lingers = 0
    monkeypatch.setattr(command, "open_stack", lambda name, **_: Opened(name, stack("lab"), "key", "kubeconfig"))
    monkeypatch.setattr(command, "Cluster", lambda _: fake)
    before = signal.getsignal(signal.SIGTERM)
    yield fake
    signal.signal(signal.SIGTERM, before)


def run(*words: str):
    return CliRunner().invoke(app, ["network", "-s", "lab", "--image", IMAGE, *words])


def test_two_workers_are_chosen_where_none_is_named():
    assert choose(stack("lab"), None, None) == ("osl-w-1", "osl-w-2")
    assert choose(stack("oslo"), None, None) == ("osl-w-1", "osl-w-2")


def test_one_named_end_finds_another():
    assert choose(stack("lab"), "osl-w-1", None) == ("osl-w-1", "osl-w-2")
    assert choose(stack("lab"), None, "osl-cp-1") == ("osl-w-1", "osl-cp-1")
    assert choose(stack("oslo"), "osl-w-1", "osl-cp-1") == ("osl-w-1", "osl-cp-1")


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("osl-cp-1", "osl-cp-1", "both osl-cp-1: name two nodes"),
        ("osl-cp-1", "osl-9", r"--to osl-9: the stack has no such node: did you mean osl-"),
        ("olso-1", None, "--from olso-1: the stack has no such node"),
    ],
)
def test_ends_that_are_no_two_nodes_of_the_stack_are_refused(source, target, says):
    with pytest.raises(OperationError, match=says):
        choose(stack("lab"), source, target)


def test_a_stack_of_one_node_has_nothing_to_measure():
    lab = stack("lab")
    with pytest.raises(OperationError, match="one node, osl-cp-1"):
        choose(lab.model_copy(update={"nodes": lab.nodes[:1]}), None, None)


def test_an_image_of_a_declared_registry_may_be_used():
    may_use(IMAGE, stack("lab"), TODAY)
    may_use("quay.io/agency/bench@sha256:" + "0" * 64, stack("oslo"), TODAY)


@pytest.mark.parametrize("image", ["networkstatic/iperf3", "ghcr.io/agency/bench:1"])
def test_an_image_of_an_undeclared_registry_is_refused_with_what_to_declare(image):
    with pytest.raises(OperationError, match=r"which no declared place holds: write one in residency\.places"):
        may_use(image, stack("lab"), TODAY)


def test_an_exception_that_has_ended_lets_no_image_through():
    with pytest.raises(OperationError, match="ended on"):
        may_use("quay.io/agency/bench:1", stack("oslo"), "2030-01-01")


def test_a_table_for_a_reader_names_its_source(api: FakeApi):
    done = run()
    assert done.exit_code == 0, done.output
    for words in ("pod on osl-w-1 → pod on osl-w-2", "17.1 Gbps", "9.2 Gbps", "0.9 ms", "145 ms", "Packet Storm"):
        assert words in done.stdout
    assert api.namespace is None


def test_json_is_all_that_is_printed(api: FakeApi):
    done = run("--json", "--from", "osl-w-1", "--to", "osl-cp-1")
    document = json.loads(done.stdout)
    assert (document["from"], document["to"], document["ok"]) == ("osl-w-1", "osl-cp-1", True)
    assert {row["item"]: row["comparison"] for row in document["rows"]} == {
        "throughput": "like dedicated",
        "latency p99": "like dedicated",
        "loss": "like dedicated",
    }
    assert done.stderr == ""


def test_a_network_like_a_shared_vps_ends_with_1(api: FakeApi):
    lossy = json.loads(UDP)
    lossy["end"]["sum"]["lost_packets"] = 76
    api.statuses["loss-1"] = [ended(json.dumps(lossy))]
    done = run()
    assert done.exit_code == 1
    assert "76 of 763 UDP packets" in done.stdout


def test_what_could_not_be_measured_ends_with_1_and_is_said(api: FakeApi):
    api.statuses["latency-server"] = [ended("python3: not found", 127, "Error")]
    done = run()
    assert done.exit_code == 1
    assert "not measured" in done.stdout


def test_nothing_measured_at_all_is_an_operators_problem(api: FakeApi):
    api.statuses["iperf-server"] = [waiting("ErrImagePull", "no such image")]
    assert isinstance(run().exception, OperationError)
    assert api.namespace is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_leaves_nothing(api: FakeApi, number: signal.Signals, code: int):
    def kill(method: str, path: str) -> None:
        if path.endswith("/pods/throughput-1"):
            api.before = lambda *_: None
            os.kill(os.getpid(), number)

    api.before = kill
    assert run().exit_code == code
    assert api.namespace is None


def test_an_image_must_be_named(api: FakeApi):
    done = CliRunner().invoke(app, ["network", "-s", "lab"])
    assert done.exit_code == 2
    assert "--image" in done.output
    assert api.calls == []
