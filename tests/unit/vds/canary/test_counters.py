"""Requests are counted through the API server's port forwarding: in gateway pods, in a Prometheus, and by probes."""

from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from components.gateway.canary.traffic import Totals
from components.kubernetes_api import ApiError, Cluster
from tests.support.api import kubeconfig
from tests.support.port_forward import answering, forwarding, pod
from tests.support.prometheus_answers import COUNTED, NOW, answer
from tests.support.rollouts import Rollout
from vds.canary import counters

PROBES: dict[str, Any] = {
    "gates": [{"kind": "success", "source": "probe"}, {"kind": "latency", "source": "probe"}],
    "probe": {"path": "/healthz", "requests": 2},
}
ROUTE = Rollout().canaried.route
_CANARY = (
    "httproute-butikk-api-gw-gateway-system-public-ep-tcp-443-0-8dc832f7051eb3cbd138"
    "-svc-butikk-api-canary-1@kubernetesgateway"
)
TEXT = (
    f'traefik_service_requests_total{{code="500",method="GET",protocol="http",service="{_CANARY}"}} 7\n'
    + "x\n" * 90_000
)


def service(namespace: str, name: str, port: int, *pods: str, ready: bool = True) -> dict[str, Any]:
    """A Service with a named port and its pods, as the API server has them."""
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": one}} for one in pods]
    slices = [
        {"metadata": {"name": "one"}, "ports": [{"name": "http", "port": 9000}], "endpoints": endpoints},
        {"metadata": {"name": "two"}, "ports": [{"name": "other", "port": 9001}], "endpoints": endpoints},
    ]
    spec = {"ports": [{"name": "http", "port": port}, {"name": "other", "port": port + 1}]}
    return {
        f"/api/v1/namespaces/{namespace}/services/{name}": {"spec": spec},
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}": {"items": slices if pods else []},
    }


def test_each_running_pod_is_asked_and_one_that_can_not_be_read_says_why():
    pods = [pod(), pod("traefik-2"), pod("traefik-3", phase="Pending")]
    with answering(TEXT) as port, forwarding(pods, {"traefik-1": port}) as url:
        found = counters.gateway(Cluster(kubeconfig(url)), ROUTE)
    assert found["uid-traefik-1"] == {"stable": Totals(), "canary": Totals(7, 7, 0, {})}
    assert "pod traefik-2: Handshake status 403" in str(found["uid-traefik-2"])
    assert len(found) == 2


def test_an_answer_that_is_none_is_not_read_as_no_requests():
    with answering("not here", status=404) as port, forwarding([pod()], {"traefik-1": port}) as url:
        found = counters.gateway(Cluster(kubeconfig(url)), ROUTE)
    assert found == {"uid-traefik-1": "pod traefik-1: port 8082 answers with status 404"}


@pytest.mark.parametrize("status", [403, 500])
def test_without_the_right_to_list_pods_there_is_one_reason_and_no_counter(status: int) -> None:
    class Refusing:
        def request(self, *_: object, **__: object) -> None:
            raise ApiError(status, "pods is forbidden")

    if status == 403:
        assert counters.gateway(Refusing(), ROUTE) == {"": "pods is forbidden"}  # type: ignore[arg-type]
    else:  # it may be another answer in a moment
        with pytest.raises(ApiError):
            counters.gateway(Refusing(), ROUTE)  # type: ignore[arg-type]


def test_a_prometheus_is_asked_in_its_own_pod():
    asked: list[str] = []
    objects = service("monitoring-system", "prometheus", 9090, "prometheus-0")
    with (
        answering(answer(*COUNTED), asked=asked) as port,
        forwarding([], {"prometheus-0": port}, objects) as url,
    ):
        found = counters.collected(Cluster(kubeconfig(url)), ROUTE, counters.PROMETHEUS, NOW - 10)
    assert found == {"10.1.0.7:8082": {"stable": Totals(99, 9, 99, {"0.1": 40}), "canary": Totals(11)}}
    assert urlparse(asked[0]).path == "/api/v1/query"
    assert "httproute" in parse_qs(urlparse(asked[0]).query)["query"][0]


@pytest.mark.parametrize(
    ("status", "pods", "ready", "said"),
    [
        (503, ["prometheus-0"], True, "port 9000 answers with status 503"),
        (200, ["prometheus-0"], True, "its answer is none of Prometheus' HTTP API"),
        (200, ["prometheus-0"], False, "no pod of it is ready"),
        (200, [], True, "no pod of it is ready"),
        (200, ["prometheus-1"], True, "Handshake status 403"),
    ],
)
def test_a_prometheus_that_does_not_answer_says_why(status: int, pods: list[str], ready: bool, said: str):
    objects = service("monitoring-system", "prometheus", 9090, *pods, ready=ready)
    with answering("x", status) as port, forwarding([], {"prometheus-0": port}, objects) as url:
        [why] = counters.collected(Cluster(kubeconfig(url)), ROUTE, counters.PROMETHEUS, 0.0).values()
        missing = counters.collected(Cluster(kubeconfig(url)), ROUTE, counters.PROMETHEUS._replace(name="other"), 0.0)
    assert isinstance(why, str)
    assert why.startswith("Prometheus monitoring-system/prometheus:9090: ")
    assert said in why
    assert missing == {
        "": "Prometheus monitoring-system/other:9090: Service monitoring-system/other:9090: is not in the cluster"
    }


@pytest.fixture
def probed() -> Rollout:
    return Rollout(**PROBES)


def test_probes_ask_pods_of_both_versions_and_only_200_is_good(probed: Rollout):
    asked: list[str] = []
    objects = service("butikk", "api-stable", 8080, "one", "two") | service("butikk", "api-canary", 8080, "three")
    with (
        answering("ok", asked=asked) as good,
        answering("no", status=404, asked=asked) as bad,
        forwarding([], {"one": good, "two": good, "three": bad}, objects) as url,
    ):
        [found] = counters.probed(Cluster(kubeconfig(url)), probed.canaried.route).values()
    assert not isinstance(found, str)
    assert asked == ["/healthz"] * 4
    assert found["stable"][:3] == (2, 0, 2)
    assert found["canary"][:3] == (2, 2, 2)
    assert found["stable"].within["5"] == 2
    assert set(found["canary"].within.values()) == {0}, "a failed probe is slower than every limit"


def test_a_version_that_accepts_no_connection_or_has_no_ready_pod_fails_its_probes(probed: Rollout):
    objects = service("butikk", "api-stable", 8080) | service("butikk", "api-canary", 8080, "three")
    with answering("ok") as port, forwarding([], {"three": port}, objects) as url:
        [found] = counters.probed(Cluster(kubeconfig(url)), probed.canaried.route).values()
    assert not isinstance(found, str)
    assert (found["stable"].failed, found["canary"].failed) == (2, 0)
    with forwarding([], {"three": port}, objects) as url:  # nothing listens there now
        [found] = counters.probed(Cluster(kubeconfig(url)), probed.canaried.route).values()
    assert not isinstance(found, str)
    assert (found["stable"].failed, found["canary"].failed) == (2, 2)


def test_probes_that_can_not_be_sent_count_nothing(probed: Rollout):
    stable = service("butikk", "api-stable", 8080, "one")
    with answering("ok") as port, forwarding([], {"one": port}, stable) as url:
        found = counters.probed(Cluster(kubeconfig(url)), probed.canaried.route)
    assert found == {"": "probe: Service butikk/api-canary:8080: is not in the cluster"}
    forbidden = stable | service("butikk", "api-canary", 8080, "three")
    with answering("ok") as port, forwarding([], {"one": port}, forbidden) as url:
        [why] = counters.probed(Cluster(kubeconfig(url)), probed.canaried.route).values()
    assert "Handshake status 403" in str(why)
