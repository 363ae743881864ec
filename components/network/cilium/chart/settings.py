"""The chart's keys for routing, encryption and Services, and which of their values a release reads."""

import re
from typing import Any

from components.core.versions import between, matches, parse
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import Path
from components.network.cilium.chart.nested import Leaves, keys

KPR = keys("kubeProxyReplacement")
NODE_PORT = keys("nodePort.enabled")
TUNNEL, ROUTING_MODE, PROTOCOL = keys("tunnel"), keys("routingMode"), keys("tunnelProtocol")
CIDR, OLD_CIDR = keys("ipv4NativeRoutingCIDR"), keys("nativeRoutingCIDR")
POD_POOL = keys("ipam.operator.clusterPoolIPv4PodCIDRList")
MASQUERADE, BPF_MASQUERADE = keys("enableIPv4Masquerade"), keys("bpf.masquerade")
AUTO_ROUTES, IPV4 = keys("autoDirectNodeRoutes"), keys("ipv4.enabled")
UPGRADE_COMPATIBILITY = keys("upgradeCompatibility")
ENCRYPTION, ENCRYPTION_TYPE, L7_PROXY = keys("encryption.enabled"), keys("encryption.type"), keys("l7Proxy")
LB_MODE, DISPATCH, ACCELERATION = (keys(f"loadBalancer.{key}") for key in ("mode", "dsrDispatch", "acceleration"))
GATEWAY, ANNOUNCEMENTS, MTU = keys("gatewayAPI.enabled"), keys("l2announcements.enabled"), keys("MTU")
POD_NETWORK = "<the pod network, as in 10.244.0.0/16>"
"""Stands for a value that only the author knows."""


def text(value: Any) -> str:
    """A value as a template prints it; Pulumi hands whole numbers over as `1500.0`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def on(value: Any) -> bool:
    """Whether a template that asks `if` goes in: Go's templates take any text but the empty one, `"false"` too.

    For keys that switch a part of the chart; what it prints into the agents' configuration is compared as `text`.
    """
    return bool(value)


def tunnel_verdict(release: str) -> Verdict:
    """What a release does with `tunnel`."""
    if matches(release, "<1.15"):
        return Verdict.HONOURED
    silent = matches(release, ">=1.15,<=1.15.7") or matches(release, ">=1.16,<=1.16.1")
    return Verdict.IGNORED if silent else Verdict.FAILS


def routing_mode_verdict(release: str) -> Verdict:
    """What a release does with `routingMode`: from 1.14.0 to 1.14.2 the ConfigMap holds the key twice."""
    if matches(release, "<1.14"):
        return Verdict.IGNORED
    return Verdict.OTHERWISE if matches(release, "<1.14.3") else Verdict.HONOURED


def proxy_verdict(value: Any, release: str) -> Verdict:
    """What a release does with a value of `kubeProxyReplacement`."""
    word = text(value)
    if word in ("", "disabled", "strict", "partial"):
        return Verdict.HONOURED if not word or matches(release, "<1.16") else Verdict.FAILS
    if matches(release, ">=1.14"):
        return Verdict.HONOURED if word in ("true", "false") else Verdict.FAILS
    if isinstance(value, bool):
        return Verdict.FAILS if value else Verdict.HONOURED  # false is left to the template's default
    if word == "probe" and not matches(release, ">=1.13.4"):
        return Verdict.HONOURED
    checked = (("1.11.18", "1.11.20"), ("1.12.11", "1.12.19"), ("1.13.4", "1.13.18"))
    return Verdict.FAILS if any(between(release, *span) for span in checked) else Verdict.REFUSED


def proxy_value(replaces: bool, release: str) -> str:
    """The value of `kubeProxyReplacement` on a release."""
    if matches(release, ">=1.14"):
        return "true" if replaces else "false"
    return "strict" if replaces else "disabled"


def routing_values(meaning: str, release: str) -> dict[Path, Any]:
    """`native`, `vxlan` or `geneve` in the keys that a release honours without a doubt."""
    if matches(release, "<1.14.3"):
        return {TUNNEL: "disabled" if meaning == "native" else meaning or "vxlan"}
    if meaning == "native":
        return {ROUTING_MODE: "native"}
    return {ROUTING_MODE: "tunnel", PROTOCOL: meaning or "vxlan"}


def default_proxy(found: Leaves, release: str) -> str:
    """The word that stands for `kubeProxyReplacement` where none was written.

    It depends on `upgradeCompatibility`, and until 1.18.2 it may be a word that the release itself refuses.
    """
    first = text(found.get(UPGRADE_COMPATIBILITY))
    since = parse(release)
    if re.fullmatch(r"v?[0-9]+(\.[0-9]+)*", first):
        since = min(since, parse(first))
    if matches(release, ">=1.18.3") or since >= parse("1.14"):
        return "false"
    return "probe" if since < parse("1.12") and matches(release, ">=1.12") else "disabled"


def written_routing(found: Leaves) -> str:
    """`native`, `vxlan` or `geneve` as the author wrote it, with or without effect; empty: nothing written."""
    mode, tunnel = text(found.get(ROUTING_MODE)), text(found.get(TUNNEL))
    if mode:
        return "native" if mode == "native" else text(found.get(PROTOCOL)) or "vxlan"
    return "native" if tunnel == "disabled" else tunnel or text(found.get(PROTOCOL))
