"""What anyone's configuration of a CNI says about packet sizes, compared with what fits the links.

The entry points are `cilium_config_problems`, `installation_problems`, and `release_problems` for Calico, whose
operator makes more than its chart shows.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from components.charts.reference import chart_name
from components.core.finding import Finding
from components.core.manifests import FieldError, Fields
from components.network.cilium.data_path import DataPath, from_config, text
from components.network.model import Calico, CalicoHelm
from components.network.mtu import arithmetic, solve

ETHERNET_MTU = 1500
"""IEEE 802.3's payload: what a link carries unless somebody has set all of it otherwise."""

_CONFIG = ("tunnel", "routing-mode", "tunnel-protocol", "enable-wireguard", "enable-ipsec", "mtu")
"""All that decides packet sizes: what else is unknown at preview does not matter to them."""


def cilium_config_problems(config: Mapping[str, Any], underlay: int, version: str = "") -> Iterator[Finding]:
    """The `cilium-config` ConfigMap that every agent reads. `version` is Cilium's, where it is known."""
    data = Fields(config).group("data").raw
    read = {key: data[key] for key in _CONFIG if key in data}
    path = from_config(read, version)
    return _cilium_problems("ConfigMap cilium-config", "data.mtu", read.get("mtu"), path, underlay)


def release_problems(release: Mapping[str, Any], underlay: int) -> Iterator[Finding]:
    """A Helm Release of Calico's chart; other charts are none of ours."""
    fields = Fields(release)
    if chart_name(fields.text("chart")) != "tigera-operator":
        return iter(())
    installation = fields.group("values").group("installation")
    return _calico_problems("Release of chart tigera-operator", installation, underlay)


def installation_problems(installation: Mapping[str, Any], underlay: int) -> Iterator[Finding]:
    """Calico's `Installation`."""
    return _calico_problems("Installation default", Fields(installation).group("spec"), underlay)


def _cilium_problems(item: str, field: str, written: Any, path: DataPath, underlay: int) -> Iterator[Finding]:
    if not re.fullmatch(r"\d{0,9}|\$.+", text(written)):
        yield Finding("cni-mtu", item, f"{field} is no number", f"write {underlay}, or 0 to have it detected")
        return
    if path.mtu in (0, underlay):  # 0: detected from the link
        return
    overheads = path.overheads
    gets, fits = (arithmetic(link, overheads, "native routing") for link in (path.mtu, underlay))
    if path.mtu > underlay:
        sent = path.mtu - sum(overheads.values())
        effect = f"pods would send {sent} bytes where only {fits} fits: the rest is lost"
    else:
        effect = f"pods would get {gets} where {fits} fits"
    yield Finding(
        "cni-mtu",
        item,
        f"{field} {path.mtu} on links of {underlay}: to Cilium it is the link's MTU, from which it subtracts, so "
        f"{effect}",
        f"write {underlay}, or 0 to have it detected",
    )


def _calico_problems(item: str, spec: Fields, underlay: int) -> Iterator[Finding]:
    network = spec.group("calicoNetwork")
    mtu = network.number("mtu")
    if mtu == 0:  # detected from the link
        return
    proofs = [solve(calico, underlay) for calico in _calicos(network)]
    proof = min(proofs, key=lambda found: found.pod)
    # WireGuard is Felix's setting, which stands elsewhere: its number is right where it is on.
    encrypted = min(solve(c.model_copy(update={"encryption": "wireguard"}), underlay).pod for c in _calicos(network))
    if mtu in (proof.pod, encrypted):
        return
    yield Finding(
        "cni-mtu",
        item,
        f"calicoNetwork.mtu {mtu}: to Calico it is the pods' MTU, and pods get {proof.arithmetic}",
        f"write {proof.pod}, or leave it out to have it detected",
    )


def _calicos(network: Fields) -> Iterator[Calico]:
    for pool in network.groups("ipPools") or [Fields({})]:
        encapsulation = pool.text("encapsulation", "IPIP")  # the operator's default
        install = CalicoHelm(kind="helm")
        try:
            yield Calico.model_validate(
                {"kind": "calico", "version": "3.32.1", "install": install, "encapsulation": encapsulation}
            )
        except ValidationError:
            raise FieldError(pool.at("encapsulation"), "is none of Calico's encapsulations") from None
