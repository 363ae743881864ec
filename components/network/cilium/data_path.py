"""Cilium's data path in one normal form, whichever way it was written: stack file (`Cilium.data_path`) or
`cilium-config`, which every chart renders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.core.versions import matches
from components.network.cilium.releases import NEWEST
from components.network.mtu import cilium_overheads, measured

POD_NETWORK = "<the pod network, as in 10.244.0.0/16>"
"""Stands for a value that only the author knows."""
AUTO_CIDR = "auto"
"""The agents find the network by themselves: clouds' own address management, and the masquerade agent's list."""
_FINDS_ITS_OWN_CIDR = ("eni", "azure", "alibabacloud", "delegated-plugin")
_LAST_WITH_TUNNEL = NEWEST["1.13"]
_NEWEST = list(NEWEST.values())[-1]
"""Judged by where no version is known."""


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
    proxy: str = ""
    """The word for kube-proxy replacement; empty: none was written."""
    replaces_proxy: bool = False
    node_ports: bool = False
    """Node ports by eBPF: kube-proxy is replaced, or `nodePort.enabled` beside it (to 1.18)."""
    direct_routes: bool = False
    ipv4: bool = True
    ipv6: bool = False
    ipam: str = "cluster-pool"
    masquerades: bool = True
    """IPv4 leaves the cluster with the node's address."""
    masquerades_ipv6: bool = False
    bpf_masquerade: bool = False
    ip_masq_agent: bool = False
    egress_gateway: bool = False
    no_conntrack: bool = False
    """iptables rules that keep pods' packets out of the node's connection tracking."""
    native_cidr: str = ""
    native_cidr_ipv6: str = ""
    pod_cidr: str = POD_NETWORK
    """Which native CIDR to propose."""
    encryption: str = ""
    """`wireguard` or `ipsec`; empty: none."""
    l7_proxy: bool = True
    gateway_api: bool = False
    l2_announcements: bool = False
    mtu: int = 0
    """Of the links; 0: the agents look for it."""

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


def text(value: Any) -> str:
    """A value as a template prints it; Pulumi hands whole numbers over as `1500.0`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def from_config(data: Mapping[str, Any], version: str = "") -> DataPath:
    """The data path of the `cilium-config` ConfigMap's data. Without a version it is judged as the newest release; one
    that has `tunnel` and no `routing-mode` was written for 1.13 or older. A placeholder counts as not written."""

    def word(*keys: str) -> str:
        words = (text(data.get(key)) for key in keys)
        return next((value for value in words if value and not is_placeholder(value)), "")

    def is_true(key: str, default: str = "false") -> bool:
        return (word(key) or default) == "true"

    old = "routing-mode" not in data and bool(data.get("tunnel"))
    release = version or (_LAST_WITH_TUNNEL if old else _NEWEST)
    routing, protocol = _of_tunnel(word("tunnel")) if old else (word("routing-mode"), "")
    proxy, mtu, gateway = word("kube-proxy-replacement"), word("mtu"), is_true("enable-gateway-api")
    encryption = " and ".join(name for name in ("wireguard", "ipsec") if is_true(f"enable-{name}"))
    replaces = proxy in ("true", "strict")
    node_ports = is_true("enable-node-port") or (gateway and encryption != "ipsec" and matches(release, "<1.16"))
    own = word("ipam") in _FINDS_ITS_OWN_CIDR or is_true("enable-ip-masq-agent")
    ipv4, ipv6 = is_true("enable-ipv4", "true"), is_true("enable-ipv6")
    return DataPath(
        release=release,
        routing=routing or "tunnel",
        protocol=word("tunnel-protocol") or protocol or "vxlan",
        lb_mode=word("bpf-lb-mode", "node-port-mode") or "snat",
        dispatch=word("bpf-lb-dsr-dispatch") or "opt",
        acceleration=word("bpf-lb-acceleration", "node-port-acceleration") or "disabled",
        proxy=proxy,
        replaces_proxy=replaces,
        node_ports=replaces or (_selects(proxy, release) and node_ports),
        direct_routes=is_true("auto-direct-node-routes"),
        ipv4=ipv4,
        ipv6=ipv6,
        ipam=word("ipam") or "cluster-pool",
        masquerades=ipv4 and is_true("enable-ipv4-masquerade", "true"),
        masquerades_ipv6=ipv6 and is_true("enable-ipv6-masquerade", "true"),
        bpf_masquerade=is_true("enable-bpf-masquerade"),
        ip_masq_agent=is_true("enable-ip-masq-agent"),
        egress_gateway=is_true("enable-ipv4-egress-gateway") or is_true("enable-egress-gateway"),
        no_conntrack=is_true("install-no-conntrack-iptables-rules"),
        native_cidr=word("ipv4-native-routing-cidr", "native-routing-cidr") or (AUTO_CIDR if own else ""),
        native_cidr_ipv6=word("ipv6-native-routing-cidr") or (AUTO_CIDR if is_true("enable-ip-masq-agent") else ""),
        pod_cidr=word("cluster-pool-ipv4-cidr") or POD_NETWORK,
        encryption=encryption,
        l7_proxy=is_true("enable-l7-proxy", "true"),
        gateway_api=gateway,
        l2_announcements=is_true("enable-l2-announcements"),
        mtu=int(mtu) if re.fullmatch(r"-?[0-9]{1,9}", mtu) else 0,
    )


def is_placeholder(value: Any) -> bool:
    """Whether a later step puts the value in: `${X}`, `$X`, `{{ x }}`."""
    return isinstance(value, str) and _PLACEHOLDER.search(value) is not None


_PLACEHOLDER = re.compile(r"\$\{(?:(?!\$\{)[^}])*\}|\$[A-Za-z_]|\{\{(?:(?!\{\{).)*?\}\}", re.DOTALL)


def _of_tunnel(word: str) -> tuple[str, str]:
    """Routing and protocol of the word that stood for both up to 1.14; a word that agents do not know stays."""
    if word in ("vxlan", "geneve"):
        return "tunnel", word
    return ("native" if word == "disabled" else word), ""


def _selects(proxy: str, release: str) -> bool:
    """Whether features are switched on one by one beside kube-proxy: `partial` up to 1.13, `false` up to 1.18."""
    if matches(release, "<1.14"):
        return proxy in ("partial", "probe")
    return proxy in ("", "false", "partial") and matches(release, "<1.19")
