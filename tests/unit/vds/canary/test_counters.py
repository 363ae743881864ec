"""The gateway's counters come through the API server's port forwarding."""

import pytest

from components.gateway.canary.traffic import Totals
from components.kubernetes_api import ApiError, Cluster
from tests.support.api import kubeconfig
from tests.support.port_forward import answering, forwarding, pod
from tests.support.rollouts import Rollout
from vds.canary import counters

ROUTE = Rollout().canaried.route
_CANARY = (
    "httproute-butikk-api-gw-gateway-system-public-ep-tcp-443-0-8dc832f7051eb3cbd138"
    "-svc-butikk-api-canary-1@kubernetesgateway"
)
TEXT = (
    f'traefik_service_requests_total{{code="500",method="GET",protocol="http",service="{_CANARY}"}} 7\n'
    + "x\n" * 90_000
)


def test_each_running_pod_is_asked_and_one_that_can_not_be_read_says_why():
    pods = [pod(), pod("traefik-2"), pod("traefik-3", phase="Pending")]
    with answering(TEXT) as port, forwarding(pods, port) as url:
        found = counters.read(Cluster(kubeconfig(url)), ROUTE)
    assert found["uid-traefik-1"] == {"stable": Totals(), "canary": Totals(7, 7, 0, {})}
    assert "pod traefik-2: Handshake status 403" in str(found["uid-traefik-2"])
    assert len(found) == 2


def test_an_answer_that_is_none_is_not_read_as_no_requests():
    with answering("not here", status=404) as port, forwarding([pod()], port) as url:
        found = counters.read(Cluster(kubeconfig(url)), ROUTE)
    assert found == {"uid-traefik-1": "pod traefik-1: port 8082 answers with status 404"}


@pytest.mark.parametrize("status", [403, 500])
def test_without_the_right_to_list_pods_there_is_one_reason_and_no_counter(status: int) -> None:
    class Refusing:
        def request(self, *_: object, **__: object) -> None:
            raise ApiError(status, "pods is forbidden")

    if status == 403:
        assert counters.read(Refusing(), ROUTE) == {"": "pods is forbidden"}  # type: ignore[arg-type]
    else:  # it may be another answer in a moment
        with pytest.raises(ApiError):
            counters.read(Refusing(), ROUTE)  # type: ignore[arg-type]
