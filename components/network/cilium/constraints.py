"""Keys that are each well spelled and together make a network that cannot work, or another than was meant."""

from collections.abc import Iterator
from typing import Any

from components.core.versions import version_tuple
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import Path, within
from components.network.cilium.chart.nested import Leaves, dotted, keys
from components.network.cilium.effective import (
    CIDR,
    DISPATCH,
    DSR_MODES,
    ENCRYPTION,
    ENCRYPTION_TYPE,
    KPR,
    L7_PROXY,
    LB_MODE,
    MASQUERADE,
    POD_NETWORK,
    PROTOCOL,
    ROUTING_MODE,
    TUNNEL,
    UPGRADE_COMPATIBILITY,
    default_proxy,
    effective,
    lacks_cidr,
    on,
    pod_overhead,
    proxy_verdict,
    spell_proxy,
    text,
)
from components.network.mtu import VXLAN_OVERHEAD

MTU = keys("MTU")
GATEWAY = keys("gatewayAPI.enabled")
AUTO_ROUTES, BPF_MASQUERADE = keys("autoDirectNodeRoutes"), keys("bpf.masquerade")
CLUSTER_NAME, POD_POOL = keys("cluster.name"), keys("ipam.operator.clusterPoolIPv4PodCIDRList")
ACCELERATION, ANNOUNCEMENTS = keys("loadBalancer.acceleration"), keys("l2announcements.enabled")
LINK_MTUS = (1500, 9000, 9001)
"""What links usually carry (Ethernet, jumbo frames, AWS): a smaller MTU that misses one by the overhead was meant
for pods."""

Exclusion = tuple[Path, Verdict, str, tuple[tuple[str, Any], ...]]


def exclusions(found: Leaves, release: str) -> Iterator[Exclusion]:
    """What is wrong with a key because of the others: path, verdict, why, and what to write instead."""
    yield from _native(found, release)
    yield from _tunnel(found, release)
    yield from _dsr(found, release)
    yield from _acceleration(found, release)
    yield from _announcements(found, release)
    yield from _encryption(found, release)
    yield from _mtu(found, release)
    yield from _gateway(found, release)
    yield from _names(found, release)
    yield from _compatibility(found, release)


def _instead(values: dict[Path, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((dotted(path), value) for path, value in values.items())


def _native(found: Leaves, release: str) -> Iterator[Exclusion]:
    if not lacks_cidr(found, release):
        return
    fails = on(found.get(MASQUERADE)) and within(release, "1.18.0", "")
    verdict, effect = (
        (Verdict.FAILS, "Helm renders nothing") if fails else (Verdict.REFUSED, "it renders, and every agent exits")
    )
    meant = next((found[path] for path in (keys("nativeRoutingCIDR"), POD_POOL) if found.get(path)), POD_NETWORK)
    cidr = meant[0] if isinstance(meant, list) else meant
    where = ROUTING_MODE if found.get(ROUTING_MODE) else TUNNEL
    says = f"{effect}: native routing that masquerades needs ipv4NativeRoutingCIDR, and none takes effect"
    yield where, verdict, says, _instead({CIDR: cidr})


def _tunnel(found: Leaves, release: str) -> Iterator[Exclusion]:
    here = effective(found, release)
    if text(found.get(AUTO_ROUTES)) == "true" and not here.native:
        says = f"it renders, and every agent exits: {here.name} runs, and direct routes need native routing"
        yield AUTO_ROUTES, Verdict.REFUSED, says, _instead({AUTO_ROUTES: False})
    if text(found.get(BPF_MASQUERADE)) == "true" and not here.replaces_proxy:
        newer = within(release, "1.15.0", "")
        says = (
            "it renders, and every agent exits: masquerade in eBPF needs kube-proxy replacement"
            if newer
            else "without kube-proxy replacement the agent falls back to iptables"
        )
        yield BPF_MASQUERADE, Verdict.REFUSED if newer else Verdict.OTHERWISE, says, _instead({BPF_MASQUERADE: False})


def _dsr(found: Leaves, release: str) -> Iterator[Exclusion]:
    mode = text(found.get(LB_MODE))
    if mode in ("", "snat") or "$" in mode:
        return
    here, dispatch = effective(found, release), text(found.get(DISPATCH)) or "opt"
    if mode not in DSR_MODES:
        # `Invalid value for --node-port-mode`, daemon/cmd/kube_proxy_replacement.go: words are compared as they stand.
        wrong = Verdict.REFUSED if here.replaces_proxy else Verdict.IGNORED
        effect = (
            "it renders, and every agent exits" if here.replaces_proxy else "does nothing: kube-proxy carries Services"
        )
        meant = mode.lower() if mode.lower() in ("snat", *DSR_MODES) else "snat"
        yield LB_MODE, wrong, f"{effect}; the agents know snat, dsr and hybrid", _instead({LB_MODE: meant})
        return
    if not here.replaces_proxy:
        says = "does nothing: kube-proxy carries Services; it needs kube-proxy replacement"
        yield LB_MODE, Verdict.IGNORED, says, _instead({KPR: spell_proxy(True, release)})
        return
    if not here.native and (here.protocol == "vxlan" or dispatch != "geneve"):
        asked = "" if here.written else " (the default: no routing was written)"
        way = "" if here.protocol == "vxlan" else f" with dispatch {dispatch}"
        says = f"it renders, and every agent exits: {mode}{way} over {here.name}{asked}; it needs native routing"
        geneve = {TUNNEL: "disabled"}
        if within(release, "1.14.3", ""):  # DSR in Geneve came with 1.14, whose first charts spell the tunnel twice
            says, geneve = f"{says}, or Geneve with dispatch geneve", {PROTOCOL: "geneve", DISPATCH: "geneve"}
        yield LB_MODE, Verdict.REFUSED, says, _instead(geneve)
    elif here.native and dispatch == "geneve" and here.protocol != "geneve" and within(release, "1.15.0", ""):
        says = "it renders, and every agent exits: since 1.15 dispatch geneve needs tunnelProtocol: geneve, native too"
        yield DISPATCH, Verdict.REFUSED, says, _instead({PROTOCOL: "geneve"})


def _acceleration(found: Leaves, release: str) -> Iterator[Exclusion]:
    """XDP over a tunnel: `Cannot use NodePort acceleration with tunneling`, until cilium#21364 for 1.13."""
    here = effective(found, release)
    wanted = text(found.get(ACCELERATION)) not in ("", "disabled")
    if wanted and here.replaces_proxy and not here.native and within(release, "", "1.12.19"):
        says = f"it renders, and every agent exits: before 1.13 XDP needs native routing, and {here.name} runs"
        yield ACCELERATION, Verdict.REFUSED, says, _instead({ACCELERATION: "disabled"})


def _announcements(found: Leaves, release: str) -> Iterator[Exclusion]:
    """Addresses that nobody carries: Cilium's page on L2 announcements wants kube-proxy replacement."""
    if on(found.get(ANNOUNCEMENTS)) and within(release, "1.14.0", "") and not effective(found, release).replaces_proxy:
        says = "does nothing: it needs kube-proxy replacement, so that Cilium carries what it announces"
        yield ANNOUNCEMENTS, Verdict.IGNORED, says, _instead({KPR: spell_proxy(True, release)})


def _encryption(found: Leaves, release: str) -> Iterator[Exclusion]:
    """Encryption with what an old agent can't encrypt: it exits, and says so in its own log only.

    cilium-cli#1405 and #1529: `Wireguard (--enable-wireguard) is not compatible with L7 proxy`, lifted by 1.14.
    cilium#31760: `IPSec cannot be used with BPF NodePort`, which 1.16 no longer says.
    """
    here = effective(found, release)
    where = ENCRYPTION_TYPE if ENCRYPTION_TYPE in found else ENCRYPTION
    before_1_14 = within(release, "", "1.13.18")
    if here.encryption == "wireguard" and before_1_14 and text(found.get(L7_PROXY)) != "false":
        says = "it renders, and every agent exits: before 1.14 WireGuard excludes the L7 proxy, which is on by default"
        yield where, Verdict.REFUSED, says, _instead({L7_PROXY: False})
    if here.encryption == "ipsec" and here.replaces_proxy and within(release, "", "1.15.19"):
        says = "it renders, and every agent exits: before 1.16 IPsec excludes kube-proxy replacement"
        wireguard: dict[Path, Any] = {ENCRYPTION_TYPE: "wireguard", **({L7_PROXY: False} if before_1_14 else {})}
        yield where, Verdict.REFUSED, says, _instead(wireguard)


def mtu_effect(found: Leaves, release: str) -> str:
    """What pods get of a written MTU, with the arithmetic; empty where the agents look for it themselves."""
    mtu = text(found.get(MTU))
    if not mtu.isdecimal() or int(mtu) == 0:
        return ""
    here = effective(found, release)
    overhead, measured = pod_overhead(here, release)
    sure = "" if measured else " (not measured on this release: prove it with DF pings)"
    return f"the links' MTU: pods get {mtu} − {overhead} = {int(mtu) - overhead} over {here.name}{sure}"


def _mtu(found: Leaves, release: str) -> Iterator[Exclusion]:
    effect = mtu_effect(found, release)
    if not effect or within(release, "", "1.12.19"):
        return
    mtu = int(text(found[MTU]))
    overhead, _ = pod_overhead(effective(found, release), release)
    link = next((link for link in LINK_MTUS if overhead and mtu in (link - overhead, link - VXLAN_OVERHEAD)), None)
    if link:
        says = (
            f"takes effect as {effect}; right only where links carry no more than {mtu}. "
            f"Over links of {link} pods get {link - overhead} if you write {link}, or leave it out"
        )
        yield MTU, Verdict.OTHERWISE, says, _instead({MTU: link})


def _gateway(found: Leaves, release: str) -> Iterator[Exclusion]:
    if not on(found.get(GATEWAY)) or within(release, "", "1.12.19"):
        return
    here = effective(found, release)
    replaces = here.replaces_proxy or (text(found.get(KPR)) == "partial" and within(release, "", "1.13.18"))
    if text(found.get(L7_PROXY)) == "false":
        stops = found[L7_PROXY] is False and within(release, "1.13.7", "")  # the template takes the text for true
        effect = "Helm renders nothing" if stops else "it renders, and the operator does nothing"
        verdict = Verdict.FAILS if stops else Verdict.IGNORED
        yield GATEWAY, verdict, f"{effect}: it needs l7Proxy", _instead({L7_PROXY: True})
    elif not replaces:
        old = within(release, "", "1.13.18")
        effect = "Helm renders nothing" if old else "it renders, and the operator does nothing"
        spelled = _instead({KPR: spell_proxy(True, release)})
        verdict = Verdict.FAILS if old else Verdict.IGNORED
        yield GATEWAY, verdict, f"{effect}: it needs kube-proxy replacement", spelled


def _names(found: Leaves, release: str) -> Iterator[Exclusion]:
    name = text(found.get(CLUSTER_NAME))
    bad = len(name) > 32 or name != name.lower() or name.strip("-_.") != name
    spared = version_tuple(release)[:2] == (1, 16) and text(found.get(UPGRADE_COMPATIBILITY))
    if CLUSTER_NAME in found and "$" not in name and bad and within(release, "1.16.0", "") and not spared:
        says = "Helm renders nothing: a cluster's name has at most 32 characters, lower case, digits and '-'"
        yield CLUSTER_NAME, Verdict.FAILS, says, ()


def _compatibility(found: Leaves, release: str) -> Iterator[Exclusion]:
    default = default_proxy(found, release)
    asked = UPGRADE_COMPATIBILITY in found and text(found.get(KPR)) == ""
    if asked and proxy_verdict(default, release) is Verdict.FAILS:
        says = f"Helm renders nothing: it makes {default} the default of kubeProxyReplacement, which {release} refuses"
        yield UPGRADE_COMPATIBILITY, Verdict.FAILS, says, _instead({KPR: spell_proxy(False, release)})
