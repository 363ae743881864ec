"""What values amount to on one release: the data path that runs, and the one that was written down."""

import re
from typing import Any, NamedTuple

from components.core.versions import version_tuple
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import within
from components.network.cilium.chart.nested import Leaves, keys
from components.network.mtu import (
    GENEVE_OVERHEAD,
    IPSEC_OVERHEAD,
    VXLAN_OVERHEAD,
    WIREGUARD_OVERHEAD,
    WIREGUARD_OVERHEAD_1_19,
    measured,
)

KPR = keys("kubeProxyReplacement")
TUNNEL, ROUTING_MODE, PROTOCOL = keys("tunnel"), keys("routingMode"), keys("tunnelProtocol")
CIDR, OLD_CIDR = keys("ipv4NativeRoutingCIDR"), keys("nativeRoutingCIDR")
MASQUERADE = keys("enableIPv4Masquerade")
UPGRADE_COMPATIBILITY = keys("upgradeCompatibility")
ENCRYPTION, ENCRYPTION_TYPE, L7_PROXY = keys("encryption.enabled"), keys("encryption.type"), keys("l7Proxy")
LB_MODE, DISPATCH = keys("loadBalancer.mode"), keys("loadBalancer.dsrDispatch")
DSR_MODES = ("dsr", "hybrid")
POD_NETWORK = "<the pod network, as in 10.244.0.0/16>"
"""Stands for a value that only the author knows."""
_FINDS_ITS_OWN_CIDR = ("eni", "azure", "alibabacloud", "delegated-plugin")


class Effective(NamedTuple):
    """The data path of values on a release."""

    native: bool
    protocol: str
    """`vxlan` or `geneve`: what encapsulates, or how DSR packs the client's address without a tunnel."""
    written: str
    """`native`, `vxlan` or `geneve` as the author wrote it, with or without effect; empty: nothing written."""
    replaces_proxy: bool
    masquerades: bool
    cidr: str
    """The native CIDR that takes effect; empty: none."""
    encryption: str
    """`wireguard` or `ipsec`; empty: none."""

    @property
    def name(self) -> str:
        """In words."""
        return "native routing" if self.native else "a Geneve tunnel" if self.protocol == "geneve" else "a VXLAN tunnel"


def text(value: Any) -> str:
    """A value as a template prints it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def on(value: Any) -> bool:
    """Whether a template that asks `if` goes in: Go's templates take any text but the empty one, `"false"` too.

    For keys that switch a part of the chart; what it prints into the agents' configuration is compared as `text`.
    """
    return bool(value)


def tunnel_verdict(release: str) -> Verdict:
    """What a release does with `tunnel`."""
    if within(release, "", "1.14.19"):
        return Verdict.HONOURED
    silent = within(release, "1.15.0", "1.15.7") or within(release, "1.16.0", "1.16.1")
    return Verdict.IGNORED if silent else Verdict.FAILS


def routing_mode_verdict(release: str) -> Verdict:
    """What a release does with `routingMode`: from 1.14.0 to 1.14.2 the ConfigMap holds the key twice."""
    if within(release, "", "1.13.18"):
        return Verdict.IGNORED
    return Verdict.OTHERWISE if within(release, "", "1.14.2") else Verdict.HONOURED


def proxy_verdict(value: Any, release: str) -> Verdict:
    """What a release does with a value of `kubeProxyReplacement`."""
    word = text(value)
    if word in ("", "disabled", "strict", "partial"):
        return Verdict.HONOURED if not word or within(release, "", "1.15.19") else Verdict.FAILS
    if within(release, "1.14.0", ""):
        return Verdict.HONOURED if word in ("true", "false") else Verdict.FAILS
    if isinstance(value, bool):
        return Verdict.FAILS if value else Verdict.HONOURED  # false is left to the template's default
    if word == "probe" and not within(release, "1.13.4", ""):
        return Verdict.HONOURED
    checked = (("1.11.18", "1.11.20"), ("1.12.11", "1.12.19"), ("1.13.4", "1.13.18"))
    return Verdict.FAILS if any(within(release, *span) for span in checked) else Verdict.REFUSED


def spell_proxy(replaces: bool, release: str) -> str:
    """Whether kube-proxy is replaced, in the release's own word."""
    if within(release, "1.14.0", ""):
        return "true" if replaces else "false"
    return "strict" if replaces else "disabled"


def default_proxy(found: Leaves, release: str) -> str:
    """The word that stands for `kubeProxyReplacement` where none was written.

    It depends on `upgradeCompatibility`, and until 1.18.2 it may be a word that the release itself refuses.
    """
    first = text(found.get(UPGRADE_COMPATIBILITY))
    since = version_tuple(release)
    if re.fullmatch(r"v?[0-9]+(\.[0-9]+)*", first):
        since = min(since, version_tuple(first))
    if within(release, "1.18.3", "") or since >= (1, 14):
        return "false"
    return "probe" if since < (1, 12) and within(release, "1.12.0", "") else "disabled"


def effective(found: Leaves, release: str) -> Effective:
    """What runs, as far as the release honours what was written; its own defaults for the rest."""
    tunnel, mode, protocol = (text(found.get(path)) for path in (TUNNEL, ROUTING_MODE, PROTOCOL))
    if tunnel_verdict(release) is not Verdict.HONOURED:
        tunnel = ""
    if routing_mode_verdict(release) is Verdict.IGNORED:
        mode = protocol = ""
    native = mode == "native" if mode else tunnel == "disabled"
    proxy = text(found.get(KPR))
    cidr = text(found.get(CIDR)) or (text(found.get(OLD_CIDR)) if within(release, "", "1.11.20") else "")
    return Effective(
        native,
        protocol or (tunnel if tunnel in ("vxlan", "geneve") else "vxlan"),
        _written(found),
        proxy in ("strict", "true") and proxy_verdict(found.get(KPR), release) is Verdict.HONOURED,
        "false" not in (text(found.get(MASQUERADE)), text(found.get(keys("ipv4.enabled")))),
        cidr,
        (text(found.get(ENCRYPTION_TYPE)) or "ipsec") if on(found.get(ENCRYPTION)) else "",
    )


def _written(found: Leaves) -> str:
    mode, tunnel = text(found.get(ROUTING_MODE)), text(found.get(TUNNEL))
    if mode:
        return "native" if mode == "native" else text(found.get(PROTOCOL)) or "vxlan"
    return "native" if tunnel == "disabled" else tunnel or text(found.get(PROTOCOL))


def lacks_cidr(found: Leaves, release: str) -> bool:
    """Native routing that masquerades and was not told where to stop: every agent exits.

    Said of IPAM modes that give pods addresses of Kubernetes or Cilium; clouds' own modes and the masquerade
    agent know where to stop, and are left alone.
    """
    here = effective(found, release)
    if not here.native or here.cidr or not here.masquerades:
        return False
    own = found.get(keys("ipam.mode")) in _FINDS_ITS_OWN_CIDR or on(found.get(keys("eni.enabled")))
    from_pool = on(found.get(keys("nativeRoutingCIDRFromClusterPool"))) and within(release, "1.20.0", "")
    return not (own or from_pool or on(found.get(keys("ipMasqAgent.enabled"))))


def pod_overhead(here: Effective, release: str) -> tuple[int, bool]:
    """Bytes between the links' MTU and the pods', and whether that was measured on this release.

    From the agents' own arithmetic of 1.11.5 to 1.14.4, 1.16.1 to 1.18.2, 1.19.6 and 1.20.0.
    """
    tunnel = 0 if here.native else VXLAN_OVERHEAD if here.protocol == "vxlan" else GENEVE_OVERHEAD
    if not here.encryption:
        return tunnel, True
    if here.encryption == "ipsec":
        return tunnel + IPSEC_OVERHEAD, False
    version = version_tuple(release)
    if version < (1, 16):
        return WIREGUARD_OVERHEAD, measured(version)  # those take off the larger of the two only
    wireguard = WIREGUARD_OVERHEAD_1_19 if version >= (1, 19) else WIREGUARD_OVERHEAD
    return tunnel + wireguard, measured(version)
