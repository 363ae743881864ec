"""The judgement on a canary's split, and what is waited for before it."""

import json
import subprocess
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.layout import Layout
from lab.proof import gateway, network
from lab.proof.binomial import SIGNIFICANCE, binomial_p
from lab.proof.gateway import gateway_address
from lab.verify import wait_for_workloads
from tests.support.stacks import stack


def test_exactly_the_weight_is_as_likely_as_can_be() -> None:
    assert binomial_p(100, 1000, 0.1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("successes", "trials", "probability", "expected"), [(3, 10, 0.5, 0.34375), (0, 5, 0.5, 0.0625)]
)
def test_the_test_is_the_exact_two_sided_one(successes: int, trials: int, probability: float, expected: float) -> None:
    assert binomial_p(successes, trials, probability) == pytest.approx(expected)


@pytest.mark.parametrize("canary", [0, 50, 150, 200, 1000])
def test_a_split_that_is_not_90_to_10_is_called_so(canary: int) -> None:
    assert binomial_p(canary, 1000, 0.1) < SIGNIFICANCE


@pytest.mark.parametrize("canary", [80, 95, 110, 125])
def test_what_chance_does_to_90_to_10_is_let_pass(canary: int) -> None:
    assert binomial_p(canary, 1000, 0.1) > SIGNIFICANCE


def test_no_answers_prove_nothing() -> None:
    assert binomial_p(0, 0, 0.1) == 0.0


@pytest.mark.parametrize(("canary", "expected"), [(0, 1.0), (1, 0.0)])
def test_a_weight_of_zero_allows_no_answer_at_all(canary: int, expected: float) -> None:
    assert binomial_p(canary, 10, 0.0) == expected


def test_an_address_that_comes_late_is_waited_for_and_may_go_again_when_it_was_seen():
    class Late(Cluster):
        """A cluster whose Gateway is programmed before it has an address."""

        def __init__(self) -> None:
            self.answers = iter([{}, {"status": {}}, {"status": {"addresses": [{"value": "192.0.2.200"}]}}])

        def request(self, *_: object, **__: object) -> dict[str, Any]:
            return next(self.answers)

    assert gateway_address(Late(), stack("lab")) == "192.0.2.200"


def test_the_split_is_measured_when_every_pod_of_the_gateway_knows_every_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new, old = ({"counts": counts, "failures": {}} for counts in ({"stable": 90, "canary": 10}, {"stable": 100}))
    asked: list[int] = []

    def ask(_: object, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked.append(len(questions))
        return [new] * (len(questions) - 1) + [old if len(asked) == 1 else new]

    monkeypatch.setattr(gateway, "ask", ask)
    assert gateway.until_served({"address": "192.0.2.200"}, {"stable", "canary"}) == new
    assert asked == [12, 12, 1]


def test_an_agent_that_does_not_know_its_data_path_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = {"mode": "True", "features": {"nodePort": {"mode": "SNAT"}}}
    whole = {"cilium": {"msg": "1.20.0 (v1)"}, "routing": {"tunnel-protocol": "vxlan"}, "kube-proxy-replacement": proxy}
    said = iter(["", json.dumps({**whole, "kube-proxy-replacement": {}}), json.dumps(whole)])
    monkeypatch.setattr(network, "ssh", lambda *_: subprocess.CompletedProcess([], 0, next(said), ""))
    assert network.agent_path(Layout(), "192.0.2.11") == {
        "version": "1.20.0",
        "routing": {"tunnel-protocol": "vxlan"},
        "load_balancing": "SNAT",
        "kube_proxy_replacement": "True",
    }


def test_the_lab_is_ready_when_every_workload_is_rolled_out_and_a_probe_runs_on_every_node() -> None:
    probe = _workload("lab-probe", "probe", spec={}, desiredNumberScheduled=3, updatedNumberScheduled=3, numberReady=3)
    server = _workload("kube-system", "coredns", spec={"replicas": 2}, replicas=2, updatedReplicas=2)
    ready = _workload(
        "kube-system", "coredns", spec={"replicas": 2}, replicas=2, updatedReplicas=2, availableReplicas=2
    )

    class Starting(Cluster):
        def __init__(self) -> None:
            self.answers = iter([[ready], [], [server], [probe], [ready], [probe]])

        def request(self, *_: object, **__: object) -> dict[str, Any]:
            return {"items": next(self.answers)}

    cluster = Starting()
    wait_for_workloads(cluster, stack("lab"))
    assert list(cluster.answers) == []


def _workload(namespace: str, name: str, *, spec: dict[str, Any], **status: int) -> dict[str, Any]:
    meta = {"namespace": namespace, "name": name, "generation": 1}
    return {"metadata": meta, "spec": spec, "status": {"observedGeneration": 1, **status}}
