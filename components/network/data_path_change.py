"""Announces at preview that the data path changes, and what that interrupts."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.kubernetes_api import ApiError, Cluster, KubeconfigError, UnreachableError, get
from components.network.cilium.data_path import DataPath, from_config
from components.network.cilium.model import Cilium
from components.network.model import AnyCni, NetworkSpec

_CONFIG = f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/{CILIUM_CONFIG}"

_MIXED = "until the last agent has restarted, packets between nodes with the old and the new one are lost"
_INTERRUPTS = {
    "routing": _MIXED,
    "encryption": "until the last agent has restarted, packets between some nodes are lost or not encrypted",
    "load balancing": "open connections to load-balancer addresses and node ports break when a node's agent restarts",
    "kube-proxy replacement": "open connections to Services break, and kube-proxy has to be installed or removed",
    "link MTU": "pods get their new MTU when their node's agent restarts",
}
"""What a change of each interrupts. Routing was seen: of 40 requests through the gateway 28 failed while one of two
agents was native and the other used VXLAN."""


def announce_change(cni: AnyCni, network: NetworkSpec, kubeconfig: pulumi.Input[str]) -> None:
    """At preview, a warning for each setting of the data path that the running agents have and the stack file changes.

    Nothing for other CNIs than Cilium, and while the kubeconfig is not known: then there is no cluster yet.
    """

    if not (isinstance(cni, Cilium) and pulumi.runtime.is_dry_run()):
        return
    cilium: Cilium = cni

    async def ask(text: str) -> int:
        lines = await asyncio.to_thread(_read, text, cilium, network)
        for line in lines:
            pulumi.log.warn(line)
        return len(lines)

    pulumi.Output.from_input(kubeconfig).apply(ask)  # type: ignore[arg-type]  # a coroutine is awaited


def _read(kubeconfig: str, cni: Cilium, network: NetworkSpec) -> list[str]:
    try:
        found = get(Cluster(kubeconfig), _CONFIG)
    except (ApiError, UnreachableError, KubeconfigError) as error:
        return [f"cni: whether the data path changes is not known: {CILIUM_CONFIG} can't be read ({error})"]
    return list(changes(cni, network, found.get("data") or {})) if found else []


def changes(cni: Cilium, network: NetworkSpec, config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each setting that differs from the data of the `cilium-config` in the cluster."""
    old, new = _settings(from_config(config)), _settings(cni.data_path(network))
    for name, interrupts in _INTERRUPTS.items():
        if old[name] != new[name]:
            yield (
                f"cni: the data path changes: {name} {old[name]} → {new[name]}: agents restart one after the other; "
                f"{interrupts}"
            )


def _settings(path: DataPath) -> dict[str, str]:
    balancing = path.lb_mode if path.lb_mode == "snat" else f"{path.lb_mode} with {path.dispatch}"
    return {
        "routing": path.name,
        "encryption": path.encryption or "none",
        "load balancing": balancing if path.replaces_proxy else "by kube-proxy",
        "kube-proxy replacement": "on" if path.replaces_proxy else "off",
        "link MTU": str(path.mtu or "found by the agents"),
    }
