"""The wait for a node that announces the gateway's address."""

import io
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from components.kubernetes_api import ApiError, CredentialsError, UnreachableError
from components.pools.announced import SECONDS, Wait, owner
from components.pools.model import Bgp, ByCilium
from tests.support.stacks import stack
from vds.announced import command
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

ADDRESS = "192.0.2.200"
GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/gateway-system/gateways/public"
L2 = "/apis/metallb.io/v1beta1/servicel2statuses"
BGP = "/apis/metallb.io/v1beta1/servicebgpstatuses"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cilium-l2announce-gateway-system-traefik"
METALLB = Wait(namespace="gateway-system", gateway="public", owner="metallb", kubeconfig=SecretStr("k"))
CILIUM = METALLB.model_copy(update={"owner": "cilium"})


def status(node: str, name: str = "traefik") -> dict[str, Any]:
    return {"status": {"node": node, "serviceName": name, "serviceNamespace": "gateway-system"}}


class Cluster:
    """A gateway with an address of a Service, which nobody announces unless a test says so."""

    def __init__(self, **answers: Any) -> None:
        service = {
            "metadata": {"namespace": "gateway-system", "name": "traefik"},
            "status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}},
        }
        self.answers: dict[str, Any] = {
            GATEWAY: {"status": {"addresses": [{"value": ADDRESS}]}},
            "/api/v1/services": {"items": [{"metadata": {"namespace": "d", "name": "k"}, "status": {}}, service]},
            "/api/v1/nodes": {"items": [{"metadata": {"name": "osl-cp-1"}}]},
            L2: {"items": [status("osl-w-9", "another")]},
            **answers,
        }
        self.seconds = 0.0

    def request(self, _method: str, path: str, _body: Any = None, *, query: Sequence[tuple[str, str]] = ()) -> Any:
        assert bool(query) == (path == "/api/v1/nodes")
        answer = self.answers.get(path)
        answer = answer(self.seconds) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise ApiError(404, "not found")
        return answer

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def wait(self, wanted: Wait = METALLB, connect: command.Connect | None = None) -> Any:
        self.said: list[str] = []
        clock = Clock(lambda: self.seconds, self.sleep)
        return command.wait(wanted, self, clock, report=self.said.append, connect=connect)


def test_it_ends_when_a_speaker_announces_the_service_of_the_address() -> None:
    cluster = Cluster(**{L2: lambda at: {"items": [status("osl-w-1")] if at >= 10 else []}})
    assert cluster.wait() == (ADDRESS, ("osl-w-1",))
    assert cluster.seconds == 10
    assert cluster.said == [f"gateway gateway-system/public: no node announces {ADDRESS}: waiting"]


def test_bgp_and_ciliums_leases_count_too() -> None:
    assert Cluster(**{BGP: {"items": [status("osl-w-2"), status("osl-w-1")]}}).wait().nodes == ("osl-w-1", "osl-w-2")
    assert Cluster(**{LEASE: {"spec": {"holderIdentity": "osl-w-1"}}}).wait(CILIUM).nodes == ("osl-w-1",)
    with pytest.raises(IncompleteError, match="the Cilium agents"):
        Cluster(**{LEASE: {"spec": {"holderIdentity": ""}}}).wait(CILIUM)


def test_an_address_that_no_node_announces_fails_with_the_nodes_that_are_left_out() -> None:
    cluster = Cluster()
    with pytest.raises(IncompleteError) as caught:
        cluster.wait()
    assert str(caught.value).startswith(f"gateway gateway-system/public: no node announces {ADDRESS} after {SECONDS} s")
    assert "exclude-from-external-load-balancers (osl-cp-1)" in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({GATEWAY: {"status": {}}}, "the gateway has no address"),
        ({GATEWAY: UnreachableError("https://192.0.2.10:6443: no answer in time")}, "the cluster does not answer"),
    ],
)
def test_what_is_missing_is_said(answers: dict[str, Any], said: str) -> None:
    with pytest.raises(IncompleteError, match=said):
        Cluster(**answers).wait()


def test_an_address_that_is_announced_and_does_not_answer_is_waited_for_and_fails() -> None:
    """Announced by a node, with a firewall or a dead gateway behind it: the update had said that it was done."""
    wanted = METALLB.model_copy(update={"ports": (80, 443)})
    cluster = Cluster(**{L2: {"items": [status("osl-w-1")]}})
    cluster.wait(wanted, lambda _, port: "Connection refused" if port == 443 and cluster.seconds < 30 else "")
    assert cluster.seconds == 30
    assert cluster.said == [
        f"gateway gateway-system/public: {ADDRESS} port 443 does not answer (Connection refused): waiting"
    ]
    with pytest.raises(IncompleteError) as caught:
        cluster.wait(wanted, lambda *_: "No route to host")
    assert f"{ADDRESS} port 80 does not answer (No route to host) after {SECONDS} s: it is announced by osl-w-1" in str(
        caught.value
    )
    assert "write gateway.connect: false" in str(caught.value)


def test_where_it_is_not_known_who_announces_the_address_must_answer_all_the_same() -> None:
    wanted = METALLB.model_copy(update={"owner": None, "ports": (443,)})
    silent = {(ADDRESS, 443): "Connection refused"}
    assert Cluster().wait(wanted, lambda *_: "") == (ADDRESS, None)
    with pytest.raises(IncompleteError, match=r"443 does not answer .* s: see the gateway's pods"):
        Cluster().wait(wanted, lambda address, port: silent[address, port])
    with pytest.raises(IncompleteError, match="has no address after"):
        Cluster(**{GATEWAY: {"status": {}}}).wait(wanted)


def test_a_connection_is_really_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert command.answers("127.0.0.1", port) == ""
    assert command.answers("127.0.0.1", port) == "Connection refused"


def test_a_certificate_that_has_ended_has_its_own_remedy() -> None:
    error = CredentialsError("https://192.0.2.11:6443: its certificate ended on 2026-11-25: renew it")
    with pytest.raises(OperationError, match=r"ended on 2026-11-25: renew it$"):
        Cluster(**{L2: error}).wait()


def test_a_refusal_is_no_announcement() -> None:
    with pytest.raises(OperationError, match="administrator"):
        Cluster(**{L2: ApiError(403, "forbidden")}).wait()


def test_an_api_server_that_starts_is_waited_for() -> None:
    starting = ApiError(429, "storage is (re)initializing")
    cluster = Cluster(**{L2: lambda at: {"items": [status("osl-w-1")]} if at >= 10 else starting})
    assert cluster.wait() == (ADDRESS, ("osl-w-1",))
    assert "can't answer now (storage is (re)initializing)" in cluster.said[0]


def test_a_wrong_document_is_refused_without_being_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"kubeconfig": "hunter2", "owner": "x"}'))
    with pytest.raises(OperationError) as caught:
        command.announced()
    assert "owner" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_nothing_is_waited_for_where_nobody_says_who_announces() -> None:
    """Cilium's agents write nowhere which Service they announce by BGP."""
    metallb = stack("lab").metallb
    by_cilium = metallb.model_copy(update={"install": ByCilium(kind="cilium")})
    bgp = metallb.pools[0].model_copy(update={"advertisement": Bgp(kind="bgp", peers=("r",))})
    assert owner(metallb) == owner(metallb.model_copy(update={"pools": (bgp,)})) == "metallb"
    assert owner(by_cilium) == "cilium"
    assert owner(by_cilium.model_copy(update={"pools": (bgp,)})) is None
