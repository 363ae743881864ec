"""What a Cilium data path may not be: one table, whichever way the data path was written.

A row holds for the releases that it names. Sources are files of Cilium's own repository, read at 1.13.18, 1.14.4,
1.15.19, 1.16.1, 1.18.2, 1.19.6 and 1.20.2, and its issues.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from components.core.versions import matches
from components.network.cilium.chart.history import Verdict
from components.network.cilium.data_path import DataPath

ROUTINGS, PROTOCOLS, DSR_MODES = ("native", "tunnel"), ("vxlan", "geneve"), ("dsr", "hybrid")

Change = Mapping[str, Any]
"""Fields of a data path, with what to make of them."""


class Constraint(NamedTuple):
    """A row of the table."""

    id: str
    field: str
    """Of the data path: the setting to blame."""
    releases: str
    """Specifiers, as in `>=1.15,<1.19`; empty: every release."""
    broken: Callable[[DataPath], bool]
    effect: Verdict
    """What the agents or the operator do: `REFUSED`, `IGNORED`, or something else than was meant (`OTHERWISE`)."""
    reason: Callable[[DataPath], str]
    source: str
    remedies: Callable[[DataPath], tuple[Change, ...]]
    """Each of them is enough, the best first."""

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
    asked = "" if path.routing_written else " (the default: no routing was written)"
    way = "" if path.protocol == "vxlan" else f" with dispatch {path.dispatch}"
    geneve = ", or Geneve with dispatch geneve" if matches(path.release, ">=1.14.3") else ""
    return f"{path.lb_mode}{way} over {path.name}{asked}; it needs native routing{geneve}"


def _carries_dsr(path: DataPath) -> tuple[Change, ...]:
    # 1.14 has DSR in Geneve, and its first charts write the tunnel into the configuration twice.
    geneve = ({"protocol": "geneve", "dispatch": "geneve"},) if matches(path.release, ">=1.14.3") else ()
    return (*geneve, {"routing": "native"})


def _wireguard_instead(path: DataPath) -> tuple[Change, ...]:
    without_proxy = {"l7_proxy": False} if matches(path.release, "<1.14") else {}
    return {"encryption": "wireguard", **without_proxy}, {"replaces_proxy": False}


def lacks_cidr(path: DataPath) -> bool:
    """Native routing that masquerades and was not told where to stop."""
    return path.native and path.masquerades and not path.native_cidr


_KPR_GO = "kube_proxy_replacement.go"
_DAEMON_GO = "daemon/cmd/daemon.go"
_GATEWAY_GO = "operator/pkg/gateway-api/cell.go"
_NEEDS_REPLACEMENT = "kube-proxy carries Services; it needs kube-proxy replacement"
_REPLACED: Change = {"replaces_proxy": True}

CONSTRAINTS = (
    Constraint(
        "routing-mode-unknown",
        "routing",
        "",
        lambda path: path.routing not in ROUTINGS,
        Verdict.REFUSED,
        _says("the agents know native and tunnel"),
        "pkg/option/config.go",
        lambda path: ({"routing": path.routing.lower() if path.routing.lower() in ROUTINGS else "tunnel"},),
    ),
    Constraint(
        "tunnel-protocol-unknown",
        "protocol",
        "",
        lambda path: path.protocol not in PROTOCOLS,
        Verdict.REFUSED,
        _says("the agents know vxlan and geneve"),
        "pkg/datapath/tunnel/tunnel.go",
        lambda path: ({"protocol": path.protocol.lower() if path.protocol.lower() in PROTOCOLS else "vxlan"},),
    ),
    Constraint(
        "lb-mode-unknown",
        "lb_mode",
        "",
        lambda path: path.lb_mode not in ("snat", *DSR_MODES) and (path.node_ports or matches(path.release, ">=1.18")),
        Verdict.REFUSED,
        _says("the agents know snat, dsr and hybrid"),
        f"{_KPR_GO}; since 1.18 pkg/loadbalancer/config.go, with and without kube-proxy",
        lambda path: ({"lb_mode": path.lb_mode.lower() if path.lb_mode.lower() in DSR_MODES else "snat"},),
    ),
    Constraint(
        "lb-mode-needs-replacement",
        "lb_mode",
        "",
        lambda path: path.lb_mode != "snat" and not path.node_ports,
        Verdict.IGNORED,
        _says(_NEEDS_REPLACEMENT),
        _KPR_GO,
        _always(_REPLACED, {"lb_mode": "snat"}),
    ),
    Constraint(
        "dsr-over-tunnel",
        "lb_mode",
        "",
        lambda path: (
            _dsr(path)
            and path.node_ports
            and not path.native
            and (path.protocol == "vxlan" or path.dispatch != "geneve")
        ),
        Verdict.REFUSED,
        _no_dsr_through_the_tunnel,
        _KPR_GO,
        _carries_dsr,
    ),
    Constraint(
        "dsr-geneve-needs-geneve",
        "dispatch",
        ">=1.15",
        lambda path: (
            _dsr(path) and path.node_ports and path.native and path.dispatch == "geneve" and path.protocol == "vxlan"
        ),
        Verdict.REFUSED,
        _says("since 1.15 dispatch geneve needs the tunnel protocol geneve, with native routing too"),
        _KPR_GO,
        _always({"protocol": "geneve"}, {"dispatch": "opt"}),
    ),
    Constraint(
        "dsr-geneve-is-of-1.14",
        "dispatch",
        "<1.14",
        lambda path: _dsr(path) and path.node_ports and path.dispatch == "geneve",
        Verdict.REFUSED,
        _says("dispatch geneve came with Cilium 1.14"),
        _KPR_GO,
        _always({"dispatch": "opt"}),
    ),
    Constraint(
        "xdp-over-tunnel",
        "acceleration",
        "<1.13",
        lambda path: path.acceleration != "disabled" and path.node_ports and not path.native,
        Verdict.REFUSED,
        lambda path: f"before 1.13 XDP needs native routing, and {path.name} runs",
        "cilium#21364",
        _always({"acceleration": "disabled"}),
    ),
    Constraint(
        "direct-routes-over-tunnel",
        "direct_routes",
        "",
        lambda path: path.direct_routes and not path.native,
        Verdict.REFUSED,
        lambda path: f"{path.name} runs, and direct routes need native routing",
        "daemon/cmd/daemon_main.go",
        _always({"direct_routes": False}),
    ),
    Constraint(
        "bpf-masquerade-falls-back",
        "bpf_masquerade",
        "<1.15",
        lambda path: path.bpf_masquerade and not path.node_ports,
        Verdict.OTHERWISE,
        _says("without kube-proxy replacement the agent falls back to iptables"),
        _DAEMON_GO,
        _always({"bpf_masquerade": False}),
    ),
    Constraint(
        "bpf-masquerade-needs-replacement",
        "bpf_masquerade",
        ">=1.15,<1.19",
        lambda path: path.bpf_masquerade and path.masquerades and not path.node_ports,
        Verdict.REFUSED,
        _says("masquerade in eBPF needs kube-proxy replacement"),
        f"{_DAEMON_GO}; no longer since 1.19, cilium#41380",
        _always({"bpf_masquerade": False}, _REPLACED),
    ),
    Constraint(
        "native-routing-needs-cidr",
        "native_cidr",
        "",
        lacks_cidr,
        Verdict.REFUSED,
        _says("native routing that masquerades needs ipv4NativeRoutingCIDR, and none takes effect"),
        "pkg/option/config.go",
        lambda path: ({"native_cidr": path.pod_cidr},),
    ),
    Constraint(
        "l2-announcements-need-replacement",
        "l2_announcements",
        ">=1.14",
        lambda path: path.l2_announcements and not path.replaces_proxy,
        Verdict.IGNORED,
        _says("it needs kube-proxy replacement, so that Cilium carries what it announces"),
        "Cilium's page on L2 announcements",
        _always(_REPLACED),
    ),
    Constraint(
        "one-encryption",
        "encryption",
        "",
        lambda path: path.encryption == "wireguard and ipsec",
        Verdict.REFUSED,
        _says("WireGuard and IPsec exclude each other"),
        _DAEMON_GO,
        _always({"encryption": "wireguard"}),
    ),
    Constraint(
        "wireguard-excludes-l7-proxy",
        "encryption",
        "<1.14",
        lambda path: path.encryption == "wireguard" and path.l7_proxy,
        Verdict.REFUSED,
        _says("before 1.14 WireGuard excludes the L7 proxy, which is on by default"),
        "cilium-cli#1405, cilium-cli#1529",
        _always({"l7_proxy": False}),
    ),
    Constraint(
        "ipsec-excludes-replacement",
        "encryption",
        "<1.16",
        lambda path: path.encryption == "ipsec" and path.node_ports,
        Verdict.REFUSED,
        _says("before 1.16 IPsec excludes kube-proxy replacement"),
        f"{_KPR_GO}, cilium#31760",
        _wireguard_instead,
    ),
    Constraint(
        "gateway-is-of-1.13",
        "gateway_api",
        "<1.13",
        lambda path: path.gateway_api,
        Verdict.IGNORED,
        lambda path: f"Cilium {path.release} has no Gateway controller",
        "Cilium 1.13's release notes",
        _always({"gateway_api": False}),
    ),
    Constraint(
        "gateway-needs-l7-proxy",
        "gateway_api",
        ">=1.13",
        lambda path: path.gateway_api and not path.l7_proxy,
        Verdict.IGNORED,
        _says("the operator accepts Gateways, and without the L7 proxy no agent reads its Envoy configuration"),
        "pkg/ciliumenvoyconfig/controller.go, pkg/proxy/cell.go",
        _always({"l7_proxy": True}, {"gateway_api": False}),
    ),
    Constraint(
        "gateway-needs-replacement",
        "gateway_api",
        ">=1.13",
        lambda path: (
            path.gateway_api and not (path.replaces_proxy if matches(path.release, ">=1.19") else path.node_ports)
        ),
        Verdict.IGNORED,
        _says("the operator starts no Gateway controller: it needs kube-proxy replacement"),
        _GATEWAY_GO,
        _always(_REPLACED, {"gateway_api": False}),
    ),
)


def broken(path: DataPath) -> Iterator[Constraint]:
    """Every constraint that the data path breaks; of those on one setting only the first counts."""
    seen: set[str] = set()
    for row in CONSTRAINTS:
        if row.field not in seen and (not row.releases or matches(path.release, row.releases)) and row.broken(path):
            seen.add(row.field)
            yield row
