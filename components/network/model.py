"""The cluster's network: one of the CNIs, and the networks that it connects."""

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag

from components.core.types import RefusedError
from components.network.calico.model import Calico, CalicoHelm
from components.network.cilium.model import Cilium, CiliumGeneve, CiliumNative, CiliumVxlan, member
from components.network.kind import Helm
from components.network.networks import ApiServer, ChartContext, NetworkSpec
from components.network.unmanaged.model import Flannel, Unmanaged

__all__ = [
    "AnyCni",
    "ApiServer",
    "Calico",
    "CalicoHelm",
    "ChartContext",
    "Cilium",
    "CiliumGeneve",
    "CiliumNative",
    "CiliumVxlan",
    "Cni",
    "Flannel",
    "Helm",
    "NetworkSpec",
    "Unmanaged",
]


def _cni(value: Any) -> str | None:
    kind = member(value, "kind")
    if kind != "cilium":
        return kind if kind in _KINDS else None
    routing = member(value, "routing")
    mode, protocol = member(routing, "mode"), member(routing, "protocol")
    return "cilium-native" if mode == "native" else "cilium-geneve" if protocol == "geneve" else "cilium-vxlan"


_KINDS = ("cilium", "calico", "flannel", "unmanaged")


def _one_of_the_kinds(value: Any) -> Any:
    if isinstance(value, dict) and value.get("kind") not in _KINDS:
        raise RefusedError(
            "is not one of the kinds" if "kind" in value else "has no kind",
            "write kind: cilium or kind: calico, or kind: unmanaged for one that somebody else installs (Flannel "
            "enforces no policies: only with legacy: true)",
            field="kind",
        )
    return value


Cni = Annotated[
    Annotated[CiliumVxlan, Tag("cilium-vxlan")]
    | Annotated[CiliumGeneve, Tag("cilium-geneve")]
    | Annotated[CiliumNative, Tag("cilium-native")]
    | Annotated[Calico, Tag("calico")]
    | Annotated[Flannel, Tag("flannel")]
    | Annotated[Unmanaged, Tag("unmanaged")],
    Discriminator(_cni),
    BeforeValidator(_one_of_the_kinds),
]
AnyCni: TypeAlias = Cilium | Calico | Flannel | Unmanaged
