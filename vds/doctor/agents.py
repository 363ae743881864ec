"""Asks Cilium's agents how they carry packets, and compares it with the stack file."""

import json
from collections.abc import Iterator
from typing import Any

from components.network.cilium.model import Cilium
from components.network.model import NetworkSpec
from components.network.mtu import solve
from vds.doctor.diagnosis import GatewayFinding
from vds.inspect.nodes import script
from vds.shared.ssh import Run, outputs_of
from vds.shared.stack import Opened

_SECONDS = 30
_RESTART = "run `pulumi up`; if it changes nothing, run `kubectl -n kube-system rollout restart daemonset/cilium`"
_DISPATCH = {"opt": "IP Option/Extension", "geneve": "Geneve"}
"""`dsrMode` of the agent's status, by `loadBalancing.dispatch`."""


def examine_agents(opened: Opened) -> list[GatewayFinding]:
    """One row for each node's agent; nothing for another CNI than Cilium, without a cluster, or without an SSH key."""
    spec = opened.spec
    if not isinstance(spec.cni, Cilium) or opened.admin is None or not opened.ssh_private_key:
        return []
    scripts = [script("cilium_live", node.name) for node in spec.nodes]
    asked = outputs_of(opened, spec.nodes, scripts, _SECONDS)
    return [agent_row(spec.cni, spec.network, run, output) for run, output in asked]


def agent_row(cni: Cilium, network: NetworkSpec, run: Run, output: str) -> GatewayFinding:
    """The agent of a node: `output` is what `cilium_live` of `inspect.sh` printed there."""
    item = f"node {run.node}, Cilium"
    if run.status != 0:
        reason = run.errors.removeprefix(f"node {run.node}").strip(": ") or "its agent does not answer"
        return GatewayFinding(item, "unknown", reason[-300:], f"see `vds inspect cni --node {run.node}`")
    try:
        status, end = json.JSONDecoder().raw_decode(output)
        live = _live(status, output[end:])
    except (ValueError, KeyError, TypeError):
        return GatewayFinding(item, "unknown", "its agent's answer can't be read", "run the doctor of this release")
    wanted = list(_wanted(cni, network))
    wrong = [f"{name} is {live[name]}, wanted {value}" for name, value in wanted if live[name] != value]
    if wrong:
        return GatewayFinding(item, "fails", "; ".join(wrong), _RESTART)
    return GatewayFinding(item, "ok", ", ".join(f"{name} {value}" for name, value in wanted))


def _live(status: dict[str, Any], mtus: str) -> dict[str, str]:
    routing, proxy = status["routing"], status["kube-proxy-replacement"]
    tunnel = routing["inter-host-routing-mode"] == "Tunnel"
    services = proxy["features"].get("nodePort") or {}
    rows = [line.split() for line in mtus.splitlines()]
    [route] = [row[2] for row in rows if row and row[0] == "0.0.0.0/0"]  # columns: prefix, device, route, encrypted
    return {
        "routing": f"tunnel {routing['tunnel-protocol']}" if tunnel else "native",
        "kube-proxy replacement": proxy["mode"].lower(),
        "load balancing": str(services.get("mode", "off")).lower(),
        "dispatch": str(services.get("dsrMode", "none")),
        "encryption": ((status.get("encryption") or {}).get("mode") or "Disabled").lower(),
        "pod MTU": str(int(route)),
    }


def _wanted(cni: Cilium, network: NetworkSpec) -> Iterator[tuple[str, str]]:
    path = cni.data_path(network)
    yield "routing", "native" if path.native else f"tunnel {path.protocol}"
    yield "kube-proxy replacement", str(path.replaces_proxy).lower()
    if path.replaces_proxy:  # else kube-proxy carries Services
        yield "load balancing", path.lb_mode
        if path.lb_mode != "snat":
            yield "dispatch", _DISPATCH[path.dispatch]
    yield "encryption", path.encryption or "disabled"
    yield "pod MTU", str(solve(cni, network.underlay_mtu).pod)
