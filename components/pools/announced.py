"""Which nodes announce the gateway's address: a Service has an address before a node announces it."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from components.core.engine_document import ClusterDocument
from components.core.labels import EXCLUDED
from components.core.names import KUBE_SYSTEM, PYTHON
from components.kubernetes_api import Api, ApiError, get, list_items
from components.pools.model import L2, MetalLbSpec

Owner = Literal["metallb", "cilium"]
ANNOUNCED = f"exec {PYTHON} -m vds announced"
SECONDS = 120
"""How long an update waits: speakers elect one of them in seconds, and start within a minute."""

_STATUSES = ("servicel2statuses", "servicebgpstatuses")
"""MetalLB's speakers write one for each Service that they announce, since 0.14.6 and 0.15."""


class Wait(ClusterDocument):
    """What `vds announced` waits for."""

    namespace: str
    gateway: str
    owner: Owner | None
    """Who says which nodes announce the address; None: that is not known."""
    ports: tuple[int, ...] = ()
    """TCP ports that must answer; none: no connection is made."""


class Announcement(NamedTuple):
    """The address of a gateway, and who announces it."""

    address: str
    """Empty while the gateway has none."""
    nodes: tuple[str, ...] | None = ()
    """None: not known."""

    @property
    def reason(self) -> str:
        """Why it can't be reached; empty if it can."""
        if not self.address:
            return "the gateway has no address"
        return f"no node announces {self.address}" if self.nodes == () else ""


def owner(spec: MetalLbSpec) -> Owner | None:
    """Who says that it announces an address. None where Cilium does by BGP: its agents write it nowhere."""
    if spec.install.kind != "cilium":
        return "metallb"
    return "cilium" if all(isinstance(pool.advertisement, L2) for pool in spec.pools) else None


def announcement(api: Api, namespace: str, gateway: str, by: Owner | None) -> Announcement:
    """As it is now. Raises ApiError, UnreachableError."""
    found = get(api, f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{gateway}") or {}
    addresses = [str(one["value"]) for one in (found.get("status") or {}).get("addresses") or ()]
    if not addresses:
        return Announcement("")
    if by is None:
        return Announcement(addresses[0], None)
    services = list(_services(api, addresses[0]))
    nodes = _by_metallb(api, services) if by == "metallb" else _by_cilium(api, services)
    return Announcement(addresses[0], tuple(sorted(set(nodes))))


def remedy(api: Api, by: Owner | None) -> str:
    """What to look at when no node announces an address. Raises ApiError, UnreachableError."""
    if by is None:
        return "see `kubectl describe gateway`, and the pools"
    nodes = list_items(api, "/api/v1/nodes", query=[("labelSelector", EXCLUDED)])
    excluded = ", ".join(sorted(str(node["metadata"]["name"]) for node in nodes))
    if by == "metallb" and excluded:
        left_out = f"speakers leave out nodes with the label {EXCLUDED} ({excluded}); "
    else:
        left_out = ""
    pods = "the speakers in metallb-system" if by == "metallb" else "the Cilium agents"
    return f"{left_out}compare the pool's nodeSelectors and interfaces with the nodes, and see the logs of {pods}"


def _services(api: Api, address: str) -> Iterator[tuple[str, str]]:
    for service in list_items(api, "/api/v1/services"):
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        if any(one.get("ip") == address for one in given):
            yield service["metadata"]["namespace"], service["metadata"]["name"]


def _by_metallb(api: Api, services: Sequence[tuple[str, str]]) -> Iterator[str]:
    for kind in _STATUSES:
        try:
            found = list_items(api, f"/apis/metallb.io/v1beta1/{kind}")
        except ApiError as error:
            if error.status != 404:  # a release that does not have the kind
                raise
            continue
        for one in found:
            status = one.get("status") or {}
            if (status.get("serviceNamespace"), status.get("serviceName")) in services and status.get("node"):
                yield str(status["node"])


def _by_cilium(api: Api, services: Sequence[tuple[str, str]]) -> Iterator[str]:
    for namespace, name in services:
        lease = f"cilium-l2announce-{namespace}-{name}"
        found = get(api, f"/apis/coordination.k8s.io/v1/namespaces/{KUBE_SYSTEM}/leases/{lease}") or {}
        if holder := (found.get("spec") or {}).get("holderIdentity"):
            yield str(holder)
