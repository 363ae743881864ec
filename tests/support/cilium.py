"""Cilium in a stack file, and its charts."""

from functools import cache
from typing import Any

import yaml
from pydantic import TypeAdapter

from components.network.cilium.chart.nested import leaves
from components.network.model import Cni
from tests.support.modules import cilium_chart, cilium_versions

VXLAN = {"mode": "tunnel", "protocol": "vxlan"}
GENEVE = {"mode": "tunnel", "protocol": "geneve"}
NATIVE = {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"}
VERSIONS = cilium_versions()


def cilium(version: str = "1.18.2", routing: Any = VXLAN, **more: Any) -> Any:
    """A CNI of kind `cilium`, validated."""
    return TypeAdapter(Cni).validate_python(
        {"kind": "cilium", "version": version, "install": {"kind": "helm"}, "routing": routing, **more}
    )


@cache
def chart(version: str) -> tuple[str, Any]:
    """The text of a chart's values, and every value by its path."""
    text = (cilium_chart(version) / "values.yaml").read_text()
    return text, leaves(yaml.load(text, Loader=yaml.CSafeLoader))
