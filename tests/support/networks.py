"""CNIs for tests, as a stack file writes them."""

from typing import Any

from pydantic import TypeAdapter

from components.network.model import Cni

VXLAN = {"mode": "tunnel", "protocol": "vxlan"}
GENEVE = {"mode": "tunnel", "protocol": "geneve"}
NATIVE = {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"}


def cilium(version: str = "1.18.2", routing: Any = VXLAN, **more: Any) -> Any:
    """Cilium, valid but for what `more` says."""
    return TypeAdapter(Cni).validate_python(
        {"kind": "cilium", "version": version, "install": {"kind": "helm"}, "routing": routing, **more}
    )
