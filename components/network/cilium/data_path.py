"""Cilium's data path in one normal form, whichever way it was written: stack file (`Cilium.data_path`), Helm values
or `cilium-config`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.core.versions import matches
from components.network.cilium.chart import settings
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import Path, nearest, releases
from components.network.cilium.chart.nested import Leaves, keys
from components.network.cilium.chart.settings import on, text
from components.network.mtu import cilium_overheads, measured

AUTO_CIDR = "auto"
"""The agents find the network by themselves: clouds' own address management, and the masquerade agent's list."""
_FINDS_ITS_OWN_CIDR = ("eni", "azure", "alibabacloud", "delegated-plugin")
_LAST_WITH_TUNNEL = "1.13"


@dataclass(frozen=True, kw_only=True)
class DataPath:
    """What the agents of one release are told, in the agents' own words; defaults are theirs."""

    release: str
    """The release whose behaviour counts."""
    routing: str = "tunnel"
    protocol: str = "vxlan"
    """What encapsulates; without a tunnel, how DSR packs the client's address."""
    lb_mode: str = "snat"
    dispatch: str = "opt"
    acceleration: str = "disabled"
    replaces_proxy: bool = False
    node_ports: bool = False
    """Node ports by eBPF: kube-proxy is replaced, or `nodePort.enabled` beside it."""
    direct_routes: bool = False
    masquerades: bool = True
    bpf_masquerade: bool = False
    native_cidr: str = ""
    pod_cidr: str = settings.POD_NETWORK
    """Which native CIDR to propose."""
    encryption: str = ""
    """`wireguard` or `ipsec`; empty: none."""
    l7_proxy: bool = True
    gateway_api: bool = False
    l2_announcements: bool = False
    mtu: int = 0
    """Of the links; 0: the agents look for it."""
    routing_written: bool = True
    """Whether somebody chose a routing, or the release's default runs."""

    @property
    def native(self) -> bool:
        """No tunnel."""
        return self.routing == "native"

    @property
    def name(self) -> str:
        """The routing in words."""
        return "native routing" if self.native else "a Geneve tunnel" if self.protocol == "geneve" else "a VXLAN tunnel"

    @property
    def overheads(self) -> dict[str, int]:
        """Bytes between the links' MTU and the pods', by what takes them."""
        return cilium_overheads("" if self.native else self.protocol, self.encryption, self.release)

    @property
    def overhead_is_measured(self) -> bool:
        """Whether the agents' own arithmetic was run on this release."""
        return not self.encryption or (self.encryption == "wireguard" and measured(self.release))


def known_release(version: str) -> str:
    """The release by which a version is judged: the nearest known, and the newest where nothing is known."""
    return nearest(version.removeprefix("v")) or releases()[-1]


def from_values(found: Leaves, release: str) -> DataPath:
    """The data path of Helm values, as far as the release's chart and agents take them."""

    def word(path: Path, default: str = "") -> str:
        value = text(found.get(path))
        return default if not value or "$" in value else value  # a shell variable holds what is not seen here

    tunnel = word(settings.TUNNEL) if settings.tunnel_verdict(release) is Verdict.HONOURED else ""
    old = settings.routing_mode_verdict(release) is Verdict.IGNORED
    mode, protocol = ("", "") if old else (word(settings.ROUTING_MODE), word(settings.PROTOCOL))
    routing, encapsulates = _of_tunnel(tunnel)
    proxy, honoured = found.get(settings.KPR), settings.proxy_verdict(found.get(settings.KPR), release)
    replaces = text(proxy) in ("strict", "true") and honoured is Verdict.HONOURED
    gateway, mtu = on(found.get(settings.GATEWAY)), text(found.get(settings.MTU))
    node_ports = on(found.get(settings.NODE_PORT)) or _enables_node_ports(gateway, release)
    off = [text(found.get(path)) == "false" for path in (settings.MASQUERADE, settings.IPV4)]
    encryption = text(found.get(settings.ENCRYPTION_TYPE)) or "ipsec"
    pool = found.get(settings.POD_POOL)
    return DataPath(
        release=release,
        routing=mode or routing or "tunnel",
        protocol=protocol or encapsulates or "vxlan",
        lb_mode=word(settings.LB_MODE, "snat"),
        dispatch=word(settings.DISPATCH, "opt"),
        acceleration=word(settings.ACCELERATION, "disabled"),
        replaces_proxy=replaces,
        node_ports=replaces or (_selects(text(proxy), release) and node_ports),
        direct_routes=text(found.get(settings.AUTO_ROUTES)) == "true",
        masquerades=not any(off),
        bpf_masquerade=text(found.get(settings.BPF_MASQUERADE)) == "true",
        native_cidr=_native_cidr(found, release),
        pod_cidr=text(found.get(settings.OLD_CIDR))
        or text(pool[0] if isinstance(pool, list) and pool else pool)
        or settings.POD_NETWORK,
        encryption=encryption if on(found.get(settings.ENCRYPTION)) else "",
        l7_proxy=text(found.get(settings.L7_PROXY)) != "false",
        gateway_api=gateway,
        l2_announcements=on(found.get(settings.ANNOUNCEMENTS)),
        mtu=int(mtu) if mtu.isdecimal() and len(mtu) < 10 else 0,
        routing_written=settings.written_routing(found) != "",
    )


def from_config(data: Mapping[str, Any], version: str = "") -> DataPath:
    """The data path of the `cilium-config` ConfigMap's data. Without a version it is judged as the newest release; one
    that has `tunnel` and no `routing-mode` was written for 1.13 or older."""

    def word(*keys: str) -> str:
        return next((value for key in keys if (value := text(data.get(key)))), "")

    def is_true(key: str, default: str = "false") -> bool:
        return (word(key) or default) == "true"

    old = "routing-mode" not in data and bool(data.get("tunnel"))
    release = known_release(version or (_LAST_WITH_TUNNEL if old else ""))
    routing, protocol = _of_tunnel(word("tunnel")) if old else (word("routing-mode"), "")
    proxy, mtu, gateway = word("kube-proxy-replacement"), word("mtu"), is_true("enable-gateway-api")
    replaces = proxy in ("true", "strict")
    node_ports = is_true("enable-node-port") or _enables_node_ports(gateway, release)
    own = word("ipam") in _FINDS_ITS_OWN_CIDR or is_true("enable-ip-masq-agent")
    return DataPath(
        release=release,
        routing=routing or "tunnel",
        protocol=word("tunnel-protocol") or protocol or "vxlan",
        lb_mode=word("bpf-lb-mode", "node-port-mode") or "snat",
        dispatch=word("bpf-lb-dsr-dispatch") or "opt",
        acceleration=word("bpf-lb-acceleration", "node-port-acceleration") or "disabled",
        replaces_proxy=replaces,
        node_ports=replaces or (_selects(proxy, release) and node_ports),
        direct_routes=is_true("auto-direct-node-routes"),
        masquerades=is_true("enable-ipv4-masquerade", "true") and is_true("enable-ipv4", "true"),
        bpf_masquerade=is_true("enable-bpf-masquerade"),
        native_cidr=word("ipv4-native-routing-cidr", "native-routing-cidr") or (AUTO_CIDR if own else ""),
        pod_cidr=word("cluster-pool-ipv4-cidr") or settings.POD_NETWORK,
        encryption=" and ".join(name for name in ("wireguard", "ipsec") if is_true(f"enable-{name}")),
        l7_proxy=is_true("enable-l7-proxy", "true"),
        gateway_api=gateway,
        l2_announcements=is_true("enable-l2-announcements"),
        mtu=int(mtu) if mtu.isdecimal() and len(mtu) < 10 else 0,
    )


def _of_tunnel(word: str) -> tuple[str, str]:
    """Routing and protocol of the word that stood for both up to 1.14; a word that agents do not know stays."""
    if word in ("vxlan", "geneve"):
        return "tunnel", word
    return ("native" if word == "disabled" else word), ""


def _selects(proxy: str, release: str) -> bool:
    """Whether features are switched on one by one beside kube-proxy: `partial` up to 1.13, `false` up to 1.18."""
    if matches(release, "<1.14"):
        return proxy == "partial"
    return proxy in ("", "false", "partial") and matches(release, "<1.19")


def _enables_node_ports(gateway: bool, release: str) -> bool:
    """Up to 1.13 the operator asks for nothing, and agents switch node ports on for Envoy's configuration."""
    return gateway and matches(release, "<1.14")


def _native_cidr(found: Leaves, release: str) -> str:
    """Native routing that masquerades has to be told where to stop: every agent exits otherwise.

    Clouds' own IPAM modes and the masquerade agent know it by themselves.
    """
    cidr = text(found.get(settings.CIDR)) or (text(found.get(settings.OLD_CIDR)) if matches(release, "<1.12") else "")
    own = found.get(keys("ipam.mode")) in _FINDS_ITS_OWN_CIDR or on(found.get(keys("eni.enabled")))
    from_pool = on(found.get(keys("nativeRoutingCIDRFromClusterPool"))) and matches(release, ">=1.20")
    masked = on(found.get(keys("ipMasqAgent.enabled")))
    return cidr or (AUTO_CIDR if own or from_pool or masked else "")
