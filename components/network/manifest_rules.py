"""What a Cilium that runs, or a Release of its chart, may not be: keys that exclude each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.finding import Finding
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import nearest, releases
from components.network.cilium.chart.nested import leaves
from components.network.cilium.effective import DSR_MODES

_WRONG = (Verdict.FAILS, Verdict.REFUSED, Verdict.IGNORED)


def chart_problems(values: Mapping[str, Any], version: str) -> Iterator[Finding]:
    """Values that Helm or the agent refuses, or that nothing reads, on this release of Cilium's chart."""
    release = nearest(version.removeprefix("v")) or releases()[-1]
    for finding in explain(leaves(values), release):
        if not finding.as_meant and finding.verdict in _WRONG:
            instead = ", ".join(f"{key}: {value}" for key, value in finding.instead)
            remedy = f"; write {instead}" if instead else "; take it out"
            message = f"values.{finding.key} on {release}: {finding.says}{remedy}"
            yield Finding("cni-consistent", "Release of chart cilium", message)


def config_problems(config: Mapping[str, Any]) -> Iterator[Finding]:
    """The `cilium-config` that every agent reads: what makes it exit, or carry Services otherwise than written."""
    data = config.get("data") or {}
    native = data.get("routing-mode", "tunnel") == "native"
    protocol = data.get("tunnel-protocol") or "vxlan"
    mode, dispatch = data.get("bpf-lb-mode") or "snat", data.get("bpf-lb-dsr-dispatch") or "opt"
    replaces = data.get("kube-proxy-replacement") in ("true", "strict")

    def found(message: str) -> Finding:
        return Finding("cni-consistent", "ConfigMap cilium-config", message)

    if mode in DSR_MODES and not native and (protocol == "vxlan" or dispatch != "geneve"):
        yield found(
            f"bpf-lb-mode {mode} with dispatch {dispatch} over a {protocol} tunnel: every agent exits; write "
            "routing-mode: native, or tunnel-protocol: geneve with bpf-lb-dsr-dispatch: geneve"
        )
    if mode in DSR_MODES and not replaces:
        yield found(f"bpf-lb-mode {mode} without kube-proxy-replacement does nothing: write it true, or snat")
    if data.get("auto-direct-node-routes") == "true" and not native:
        yield found("auto-direct-node-routes over a tunnel: every agent exits; write false, or routing-mode: native")
    if data.get("enable-bpf-masquerade") == "true" and not replaces:
        yield found("enable-bpf-masquerade without kube-proxy-replacement: every agent exits; write either")
    masquerades = data.get("enable-ipv4-masquerade", "true") == "true"
    if native and masquerades and not data.get("ipv4-native-routing-cidr"):
        yield found("routing-mode native with masquerade and no ipv4-native-routing-cidr: every agent exits; write it")
    if data.get("enable-l2-announcements") == "true" and not replaces:
        yield found("enable-l2-announcements without kube-proxy-replacement does nothing: write kube-proxy-replacement")
