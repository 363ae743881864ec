"""What a CNI's configuration, anyone's, says about packet sizes, held against what the solver proves."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.charts.reference import chart_name
from components.core.finding import Finding
from components.network.model import Calico, CalicoHelm, Cilium, CiliumGeneve, CiliumNative, CiliumVxlan, Helm
from components.network.mtu import solve

ETHERNET_MTU = 1500
"""IEEE 802.3's payload: what a link carries unless somebody has set all of it otherwise."""

_NEWEST = "1.20.0"
"""Assumed where a ConfigMap doesn't tell Cilium's version: the newest arithmetic leaves the smallest packet."""


def cilium_config_problems(config: Mapping[str, Any], underlay: int) -> list[Finding]:
    """The `cilium-config` ConfigMap that every agent reads."""
    data = config.get("data") or {}
    network = _cilium(
        native=data.get("routing-mode", "tunnel") == "native",
        protocol=data.get("tunnel-protocol") or "vxlan",
        wireguard=data.get("enable-wireguard") == "true",
        version=_NEWEST,
    )
    return _cilium_problems("ConfigMap cilium-config", "data.mtu", data.get("mtu"), network, underlay)


def release_problems(release: Mapping[str, Any], underlay: int) -> list[Finding]:
    """A Helm Release of Cilium's or Calico's chart, from any repository; other charts are none of ours."""
    chart = chart_name(str(release.get("chart") or ""))
    values = release.get("values") or {}
    if chart == "cilium":
        encryption = values.get("encryption") or {}
        network = _cilium(
            native=values.get("routingMode", "tunnel") == "native",
            protocol=values.get("tunnelProtocol") or "vxlan",
            wireguard=bool(encryption.get("enabled")) and encryption.get("type") == "wireguard",
            version=str(release.get("version") or _NEWEST).removeprefix("v"),
        )
        return _cilium_problems("Release of chart cilium", "values.MTU", values.get("MTU"), network, underlay)
    if chart == "tigera-operator":
        return _calico_problems("Release of chart tigera-operator", values.get("installation") or {}, underlay)
    return []


def installation_problems(installation: Mapping[str, Any], underlay: int) -> list[Finding]:
    """Calico's `Installation`."""
    return _calico_problems("Installation default", installation.get("spec") or {}, underlay)


def _cilium(*, native: bool, protocol: str, wireguard: bool, version: str) -> Cilium:
    """The network as far as packet sizes go; what else a model needs is filled in."""
    common = {
        "kind": "cilium",
        "version": version if re.fullmatch(r"\d+\.\d+\.\d+", version) else _NEWEST,
        "install": Helm(kind="helm"),
        "encryption": "wireguard" if wireguard else "none",
    }
    if native:
        routing = {"mode": "native", "nativeCidr": "10.0.0.0/8", "routes": "provider"}
        return CiliumNative.model_validate({**common, "routing": routing})
    if protocol == "geneve":
        return CiliumGeneve.model_validate({**common, "routing": {"mode": "tunnel", "protocol": "geneve"}})
    return CiliumVxlan.model_validate({**common, "routing": {"mode": "tunnel", "protocol": "vxlan"}})


def _cilium_problems(item: str, field: str, written: Any, network: Cilium, underlay: int) -> list[Finding]:
    if written in (None, "", "0", 0):  # detected from the link
        return []
    mtu = int(written)
    if mtu == underlay:
        return []
    fits = solve(network, underlay)
    effect = f"pods would get {solve(network, mtu).arithmetic} where {fits.arithmetic} fits"
    if mtu > underlay:
        effect = f"pods would send {solve(network, mtu).pod} bytes where only {fits.arithmetic} fits: the rest is lost"
    return [
        Finding(
            "cni-mtu",
            item,
            f"{field} {mtu} on links of {underlay}: to Cilium it is the link's MTU, from which it subtracts, so "
            f"{effect}; write {underlay}, or 0 to have it detected",
        )
    ]


def _calico_problems(item: str, spec: Mapping[str, Any], underlay: int) -> list[Finding]:
    network = spec.get("calicoNetwork") or {}
    written = network.get("mtu")
    if written in (None, 0):  # detected from the link
        return []
    proofs = [solve(calico, underlay) for calico in _calicos(network)]
    proof = min(proofs, key=lambda found: found.pod)
    # WireGuard is Felix's setting, which stands elsewhere: its number is right where it is on.
    encrypted = min(solve(c.model_copy(update={"encryption": "wireguard"}), underlay).pod for c in _calicos(network))
    if int(written) in (proof.pod, encrypted):
        return []
    return [
        Finding(
            "cni-mtu",
            item,
            f"calicoNetwork.mtu {int(written)}: to Calico it is the pods' MTU, and pods get {proof.arithmetic}; "
            f"write {proof.pod}, or leave it out to have it detected",
        )
    ]


def _calicos(network: Mapping[str, Any]) -> Iterator[Calico]:
    pools = network.get("ipPools") or [{}]
    for pool in pools:
        encapsulation = pool.get("encapsulation") or "IPIP"  # the operator's default
        install = CalicoHelm(kind="helm")
        yield Calico.model_validate(
            {"kind": "calico", "version": "3.32.1", "install": install, "encapsulation": encapsulation}
        )
