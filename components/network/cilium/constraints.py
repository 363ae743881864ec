"""What a Cilium data path may not be: one table, whichever way the data path was written.

A row holds for the releases that it names. Sources are files of Cilium's own repository, read at 1.13.18, 1.14.4,
1.15.19, 1.16.1, 1.18.2, 1.19.6 and 1.20.2, and its issues.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple

from components.core.versions import matches
from components.network.cilium.data_path import DataPath

MINIMUM_MTU = 1280
"""The smallest MTU of a link that carries IPv6, in bytes."""
ROUTINGS, PROTOCOLS, DSR_MODES = ("native", "tunnel"), ("vxlan", "geneve"), ("dsr", "hybrid")


class Verdict(StrEnum):
    """What a key really does."""

    HONOURED = "honoured"
    KNOWN = "known"  # the chart has it, and with these values it changes nothing
    OTHERWISE = "otherwise"  # it does something, but hardly what was meant
    IGNORED = "ignored"
    FAILS = "fails"  # Helm renders nothing
    REFUSED = "refused"  # it renders, and the agent exits


Change = Mapping[str, Any]
"""Fields of a data path, with what to make of them."""


class Constraint(NamedTuple):
    """A row of the table."""

    id: str
    field: str
    """Of the data path: the setting to blame."""
    broken: Callable[[DataPath], bool]
    reason: Callable[[DataPath], str]
    source: str
    remedies: Callable[[DataPath], tuple[Change, ...]]
    """Each ends the breach, the best first. What else it needs is added by `remedies`."""
    releases: str = ""
    """Specifiers, as in `>=1.15,<1.19`; empty: every release."""
    effect: Verdict = Verdict.REFUSED
    """What the agents or the operator do: `REFUSED`, `IGNORED`, or something else than was meant (`OTHERWISE`)."""

    @property
    def fixed_in(self) -> str:
        """The first minor that the constraint is not of; empty: it still holds."""
        return next((part[1:] for part in self.releases.split(",") if part.startswith("<")), "")


def _always(*changes: Change) -> Callable[[DataPath], tuple[Change, ...]]:
    return lambda _: changes


def _says(reason: str) -> Callable[[DataPath], str]:
    return lambda _: reason


def _dsr(path: DataPath) -> bool:
    return path.lb_mode in DSR_MODES


def _no_dsr_through_the_tunnel(path: DataPath) -> str:
    way = "" if path.protocol == "vxlan" else f" with dispatch {path.dispatch}"
    geneve = ", or Geneve with dispatch geneve" if matches(path.release, ">=1.14.3") else ""
    return f"{path.lb_mode}{way} over {path.name}; it needs native routing{geneve}"


def _carries_dsr(path: DataPath) -> tuple[Change, ...]:
    # 1.14 has DSR in Geneve, and its first charts write the tunnel into the configuration twice.
    geneve = ({"protocol": "geneve", "dispatch": "geneve"},) if matches(path.release, ">=1.14.3") else ()
    return (*geneve, {"routing": "native"})


def proxy_words(release: str) -> tuple[str, ...]:
    """The words for kube-proxy replacement that the agents of a release know."""
    if matches(release, ">=1.16"):
        return "true", "false"
    words = ("strict", "partial", "disabled")
    return ("true", "false", *words) if matches(release, ">=1.14") else words + ("probe",) * matches(release, "<1.13")


def _known_word(path: DataPath) -> Change:
    replaces = path.proxy in ("true", "strict")
    return {"replaces_proxy": replaces}


def _incomplete_no_conntrack(path: DataPath) -> bool:
    masquerades = path.masquerades or path.masquerades_ipv6
    return path.no_conntrack and not (path.replaces_proxy and (path.bpf_masquerade or not masquerades))


def _no_bpf_masquerade(path: DataPath) -> bool:
    return not (path.bpf_masquerade and (path.masquerades or path.masquerades_ipv6))


_KPR_GO = "kube_proxy_replacement.go"
_DAEMON_GO = "daemon/cmd/daemon.go"
_GATEWAY_GO = "operator/pkg/gateway-api/cell.go"
_CONFIG_GO = "pkg/option/config.go"
_NEEDS_REPLACEMENT = "kube-proxy carries Services; it needs kube-proxy replacement"
_REPLACED: Change = {"replaces_proxy": True}

CONSTRAINTS = (
    Constraint(
        "proxy-word-unknown",
        "replaces_proxy",
        lambda path: path.proxy != "" and path.proxy not in proxy_words(path.release),
        lambda path: f"the agents of {path.release} know {', '.join(proxy_words(path.release))}",
        _KPR_GO,
        lambda path: (_known_word(path),),
    ),
    Constraint(
        "routing-mode-unknown",
        "routing",
        lambda path: path.routing not in ROUTINGS,
        _says("the agents know native and tunnel"),
        "pkg/option/config.go",
        lambda path: ({"routing": path.routing.lower() if path.routing.lower() in ROUTINGS else "tunnel"},),
    ),
    Constraint(
        "tunnel-protocol-unknown",
        "protocol",
        lambda path: path.protocol not in PROTOCOLS,
        _says("the agents know vxlan and geneve"),
        "pkg/datapath/tunnel/tunnel.go",
        lambda path: ({"protocol": path.protocol.lower() if path.protocol.lower() in PROTOCOLS else "vxlan"},),
    ),
    Constraint(
        "lb-mode-unknown",
        "lb_mode",
        lambda path: path.lb_mode not in ("snat", *DSR_MODES) and (path.node_ports or matches(path.release, ">=1.18")),
        _says("the agents know snat, dsr and hybrid"),
        f"{_KPR_GO}; since 1.18 pkg/loadbalancer/config.go, with and without kube-proxy",
        lambda path: ({"lb_mode": path.lb_mode.lower() if path.lb_mode.lower() in DSR_MODES else "snat"},),
    ),
    Constraint(
        "lb-mode-needs-replacement",
        "lb_mode",
        lambda path: path.lb_mode != "snat" and not path.node_ports,
        _says(_NEEDS_REPLACEMENT),
        _KPR_GO,
        _always(_REPLACED, {"lb_mode": "snat"}),
        effect=Verdict.IGNORED,
    ),
    Constraint(
        "dsr-over-tunnel",
        "lb_mode",
        lambda path: _dsr(path) and not path.native and (path.protocol == "vxlan" or path.dispatch != "geneve"),
        _no_dsr_through_the_tunnel,
        _KPR_GO,
        _carries_dsr,
    ),
    Constraint(
        "dsr-geneve-needs-geneve",
        "dispatch",
        lambda path: (
            _dsr(path) and path.node_ports and path.native and path.dispatch == "geneve" and path.protocol == "vxlan"
        ),
        _says("since 1.15 dispatch geneve needs the tunnel protocol geneve, with native routing too"),
        _KPR_GO,
        _always({"protocol": "geneve"}, {"dispatch": "opt"}),
        releases=">=1.15",
    ),
    Constraint(
        "dsr-geneve-is-of-1.14",
        "dispatch",
        lambda path: _dsr(path) and path.node_ports and path.dispatch == "geneve",
        _says("dispatch geneve came with Cilium 1.14"),
        _KPR_GO,
        _always({"dispatch": "opt"}),
        releases="<1.14",
    ),
    Constraint(
        "xdp-over-tunnel",
        "acceleration",
        lambda path: path.acceleration != "disabled" and path.node_ports and not path.native,
        lambda path: f"before 1.13 XDP needs native routing, and {path.name} runs",
        "cilium#21364",
        _always({"acceleration": "disabled"}),
        releases="<1.13",
    ),
    Constraint(
        "direct-routes-over-tunnel",
        "direct_routes",
        lambda path: path.direct_routes and not path.native,
        lambda path: f"{path.name} runs, and direct routes need native routing",
        "daemon/cmd/daemon_main.go",
        _always({"direct_routes": False}),
    ),
    Constraint(
        "bpf-masquerade-falls-back",
        "bpf_masquerade",
        lambda path: path.bpf_masquerade and not path.node_ports,
        _says(
            "without node ports in eBPF (kube-proxy replacement, or nodePort.enabled) the agent falls back to iptables"
        ),
        _DAEMON_GO,
        _always({"bpf_masquerade": False}),
        releases="<1.15",
        effect=Verdict.OTHERWISE,
    ),
    Constraint(
        "bpf-masquerade-needs-replacement",
        "bpf_masquerade",
        lambda path: path.bpf_masquerade and path.masquerades and not path.node_ports,
        _says("masquerade in eBPF needs node ports in eBPF: kube-proxy replacement, or nodePort.enabled"),
        f"{_DAEMON_GO}; no longer since 1.19, cilium#41380",
        _always({"bpf_masquerade": False}, _REPLACED),
        releases=">=1.15,<1.19",
    ),
    Constraint(
        "native-routing-needs-cidr",
        "native_cidr",
        lambda path: path.native and path.masquerades and not path.native_cidr,
        _says("native routing that masquerades needs ipv4NativeRoutingCIDR, and none takes effect"),
        _CONFIG_GO,
        lambda path: ({"native_cidr": path.pod_cidr},),
    ),
    Constraint(
        "native-routing-needs-ipv6-cidr",
        "native_cidr_ipv6",
        lambda path: path.native and path.masquerades_ipv6 and not path.native_cidr_ipv6,
        _says("native routing that masquerades IPv6 needs ipv6NativeRoutingCIDR"),
        f"{_CONFIG_GO}, checkIPv6NativeRoutingCIDR",
        _always({"native_cidr_ipv6": "<the pods' IPv6 network>"}, {"masquerades_ipv6": False}),
        releases=">=1.12",
    ),
    Constraint(
        "no-ipv4-over-tunnel",
        "ipv4",
        lambda path: not path.ipv4 and not path.native,
        _says("before 1.18 a tunnel needs IPv4 between the nodes"),
        "cilium#21538, cilium#17240",
        _always({"ipv4": True}, {"routing": "native"}),
        releases="<1.18",
    ),
    Constraint(
        "egress-gateway-needs-bpf-masquerade",
        "egress_gateway",
        lambda path: path.egress_gateway and not (path.masquerades and path.bpf_masquerade),
        _says("the egress gateway needs IPv4 masquerade in eBPF (enableIPv4Masquerade and bpf.masquerade)"),
        "pkg/egressgateway/manager.go; before 1.15 daemon/cmd/daemon.go",
        _always({"bpf_masquerade": True, "masquerades": True}, {"egress_gateway": False}),
    ),
    Constraint(
        "ip-masq-agent-needs-bpf-masquerade",
        "ip_masq_agent",
        lambda path: path.ip_masq_agent and _no_bpf_masquerade(path),
        _says("the ip-masq-agent needs masquerade in eBPF (enableIPv4Masquerade and bpf.masquerade)"),
        _DAEMON_GO,
        _always({"bpf_masquerade": True, "masquerades": True}, {"ip_masq_agent": False}),
    ),
    Constraint(
        "no-conntrack-over-tunnel",
        "no_conntrack",
        lambda path: path.no_conntrack and not path.native,
        lambda path: f"rules without connection tracking need native routing, and {path.name} runs",
        "daemon/cmd/daemon_main.go",
        _always({"no_conntrack": False}),
    ),
    Constraint(
        "no-conntrack-needs-ebpf",
        "no_conntrack",
        _incomplete_no_conntrack,
        _says("rules without connection tracking need full kube-proxy replacement, and bpf.masquerade"),
        f"{_KPR_GO}, cilium#16046",
        _always({"replaces_proxy": True, "bpf_masquerade": True}, {"no_conntrack": False}),
    ),
    Constraint(
        "multi-pool-over-tunnel",
        "ipam",
        lambda path: path.ipam == "multi-pool" and not path.native,
        lambda path: f"before 1.18 multi-pool IPAM needs native routing, and {path.name} runs",
        "daemon/cmd/daemon_main.go, 1.14 to 1.17",
        _always({"ipam": "cluster-pool"}, {"routing": "native"}),
        releases="<1.18",
    ),
    Constraint(
        "multi-pool-with-ipsec",
        "ipam",
        # Before 1.18 a tunnel breaks the row above.
        lambda path: path.ipam == "multi-pool" and path.encryption == "ipsec" and path.native,
        _says("multi-pool IPAM with IPsec needs a tunnel on 1.18, and does not exist before"),
        "daemon/cmd/daemon_main.go, 1.14 to 1.18",
        _always({"ipam": "cluster-pool"}, {"encryption": "wireguard"}),
        releases="<1.19",
    ),
    Constraint(
        "mtu-below-ipv6-minimum",
        "mtu",
        lambda path: path.mtu != 0 and path.mtu < MINIMUM_MTU,
        _says(f"it is the links' MTU, which is {MINIMUM_MTU} or more; 0 lets the agents find it"),
        "RFC 8200, section 5; pkg/mtu",
        _always({"mtu": 0}),
    ),
    Constraint(
        "l2-announcements-need-replacement",
        "l2_announcements",
        lambda path: path.l2_announcements and not path.replaces_proxy,
        _says("it needs kube-proxy replacement, so that Cilium carries what it announces"),
        "Cilium's page on L2 announcements",
        _always(_REPLACED),
        releases=">=1.14",
        effect=Verdict.IGNORED,
    ),
    Constraint(
        "one-encryption",
        "encryption",
        lambda path: path.encryption == "wireguard and ipsec",
        _says("WireGuard and IPsec exclude each other"),
        _DAEMON_GO,
        _always({"encryption": "wireguard"}),
    ),
    Constraint(
        "wireguard-excludes-l7-proxy",
        "encryption",
        lambda path: path.encryption == "wireguard" and path.l7_proxy,
        _says("before 1.14 WireGuard excludes the L7 proxy, which is on by default"),
        "cilium-cli#1405, cilium-cli#1529",
        _always({"l7_proxy": False}),
        releases="<1.14",
    ),
    Constraint(
        "ipsec-excludes-replacement",
        "encryption",
        lambda path: path.encryption == "ipsec" and path.node_ports,
        _says("before 1.16 IPsec excludes node ports in eBPF: kube-proxy replacement, and nodePort.enabled"),
        f"{_KPR_GO}, cilium#31760",
        _always({"encryption": "wireguard"}, {"replaces_proxy": False}),
        releases="<1.16",
    ),
    Constraint(
        "gateway-is-of-1.13",
        "gateway_api",
        lambda path: path.gateway_api,
        lambda path: f"Cilium {path.release} has no Gateway controller",
        "Cilium 1.13's release notes",
        _always({"gateway_api": False}),
        releases="<1.13",
        effect=Verdict.IGNORED,
    ),
    Constraint(
        "gateway-needs-l7-proxy",
        "gateway_api",
        lambda path: path.gateway_api and not path.l7_proxy,
        _says("the operator accepts Gateways, and without the L7 proxy no agent reads its Envoy configuration"),
        "pkg/ciliumenvoyconfig/controller.go, pkg/proxy/cell.go",
        _always({"l7_proxy": True}, {"gateway_api": False}),
        releases=">=1.13",
        effect=Verdict.IGNORED,
    ),
    Constraint(
        "gateway-needs-replacement",
        "gateway_api",
        lambda path: (
            path.gateway_api and not (path.replaces_proxy if matches(path.release, ">=1.19") else path.node_ports)
        ),
        _says("the Gateway controller needs kube-proxy replacement, or to 1.18 nodePort.enabled"),
        _GATEWAY_GO,
        _always(_REPLACED, {"gateway_api": False}),
        releases=">=1.13",
        effect=Verdict.IGNORED,
    ),
)


def broken(path: DataPath) -> Iterator[Constraint]:
    """Every constraint that the data path breaks; of those on one setting only the first counts."""
    seen: set[str] = set()
    for row in CONSTRAINTS:
        if row.field not in seen and (not row.releases or matches(path.release, row.releases)) and row.broken(path):
            seen.add(row.field)
            yield row


def remedies(row: Constraint, path: DataPath) -> tuple[Change, ...]:
    """What ends a breach: each change is enough and breaks no other row, the best first. It has what it needs."""
    there = {other.id for other in broken(path)}
    return tuple(whole for change in row.remedies(path) if (whole := _whole(change, path, there)) is not None)


def _whole(change: Change, path: DataPath, there: set[str]) -> Change | None:
    """A change with the remedies of what it would break, which was not broken before; None if there are none."""
    for _ in CONSTRAINTS:
        then = _with(path, change)
        new = next((row for row in broken(then) if row.id not in there), None)
        if new is None:
            return change
        more = next((one for one in new.remedies(then) if not one.keys() & change.keys()), None)
        if more is None:
            return None
        change = {**change, **more}
    return None


def _with(path: DataPath, change: Change) -> DataPath:
    """The data path after a change. With kube-proxy replacement it has node ports, and a word that is known."""
    if "replaces_proxy" not in change:
        return replace(path, **change)
    return replace(path, **change, node_ports=change["replaces_proxy"], proxy="")
