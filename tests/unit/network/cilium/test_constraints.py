"""One table of constraints judges the stack file and `cilium-config`, which every chart renders."""

from dataclasses import replace

import pytest

from components.network.cilium.changes import as_values, proxy_value
from components.network.cilium.chart.nested import flatten
from components.network.cilium.chart.trial import Made
from components.network.cilium.constraints import CONSTRAINTS, broken, remedies
from components.network.cilium.data_path import DataPath, from_config
from components.network.cilium.releases import NEWEST
from tests.support.cilium_trials import trial
from tests.support.foreign import cilium_config
from tests.support.policy import findings

NATIVE = {"routingMode": "native", "ipv4NativeRoutingCIDR": "10.244.0.0/16"}
NATIVE_CONFIG = {"routing-mode": "native", "ipv4-native-routing-cidr": "10.244.0.0/16"}
REPLACED = {"kubeProxyReplacement": "true", "k8sServiceHost": "192.0.2.1"}
REPLACED_CONFIG = {"kube-proxy-replacement": "true"}

WRONG = {
    "dsr-geneve-needs-geneve": (
        {**NATIVE, **REPLACED, "loadBalancer": {"mode": "dsr", "dsrDispatch": "geneve"}, "tunnelProtocol": "vxlan"},
        {**NATIVE_CONFIG, **REPLACED_CONFIG, "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": "geneve"},
        "every agent exits",
    ),
    "lb-mode-unknown": (
        {**NATIVE, **REPLACED, "loadBalancer": {"mode": "DSR"}},
        {**NATIVE_CONFIG, **REPLACED_CONFIG, "bpf-lb-mode": "DSR"},
        "every agent exits",
    ),
    "routing-mode-unknown": (
        {**NATIVE, "routingMode": "Native"},
        {**NATIVE_CONFIG, "routing-mode": "Native"},
        "every agent exits",
    ),
    "gateway-needs-replacement": (
        {"gatewayAPI": {"enabled": True}, "kubeProxyReplacement": "false"},
        {"enable-gateway-api": "true", "kube-proxy-replacement": "false"},
        "the Gateway controller needs kube-proxy replacement",
    ),
    "gateway-needs-l7-proxy": (
        {**REPLACED, "gatewayAPI": {"enabled": True}, "l7Proxy": False},
        {**REPLACED_CONFIG, "enable-gateway-api": "true", "enable-l7-proxy": "false"},
        "no agent reads its Envoy configuration",
    ),
}


@pytest.mark.parametrize("row", WRONG)
def test_a_state_refused_as_helm_values_is_refused_as_cilium_config(row):
    """The five states of which only the values were refused."""
    values, data, says = WRONG[row]
    made = trial("1.18.2").of(flatten(values))
    if row == "gateway-needs-l7-proxy":
        assert "requires .Values.l7Proxy" in made.words  # since 1.14 the chart refuses it first
    else:
        assert [found.id for found in broken(from_config(made.config, "1.18.2"))] == [row]
    assert [found.id for found in broken(from_config(data, "1.18.2"))] == [row]
    [problem] = findings("cni-consistent", cilium_config(**data))
    assert says in problem.message
    assert problem.remedy.startswith("write ")


PATH = DataPath(release="1.18.12")
DSR = {"lb_mode": "dsr", "replaces_proxy": True, "node_ports": True}
NATIVELY = {"routing": "native", "native_cidr": "10.244.0.0/16"}
EBPF = {"replaces_proxy": True, "node_ports": True, "bpf_masquerade": True}
BREAKS = {
    "proxy-word-unknown": [
        ("1.13.2", {"proxy": "probe"}),
        ("1.11.5", {"proxy": "true"}),
        ("1.16.0", {"proxy": "disabled"}),
    ],
    "native-routing-needs-ipv6-cidr": [("1.12.0", {**NATIVELY, "ipv6": True, "masquerades_ipv6": True})],
    "no-ipv4-over-tunnel": [("1.17.18", {"ipv4": False, "ipv6": True, "masquerades": False})],
    "egress-gateway-needs-bpf-masquerade": [
        ("", {"egress_gateway": True}),
        ("1.11.5", {**EBPF, "egress_gateway": True, "masquerades": False}),
    ],
    "ip-masq-agent-needs-bpf-masquerade": [("", {"ip_masq_agent": True}), ("1.20.2", {"ip_masq_agent": True})],
    "no-conntrack-over-tunnel": [("", {**EBPF, "no_conntrack": True})],
    "no-conntrack-needs-ebpf": [
        ("", {**NATIVELY, "no_conntrack": True}),
        ("", {**NATIVELY, **EBPF, "bpf_masquerade": False, "no_conntrack": True}),
    ],
    "multi-pool-over-tunnel": [("1.17.18", {"ipam": "multi-pool"})],
    "multi-pool-with-ipsec": [
        ("1.17.18", {**NATIVELY, "ipam": "multi-pool", "encryption": "ipsec"}),
        ("1.18.0", {**NATIVELY, "ipam": "multi-pool", "encryption": "ipsec"}),
    ],
    "mtu-below-ipv6-minimum": [("", {"mtu": -5}), ("", {"mtu": 1279})],
    "routing-mode-unknown": [("", {"routing": "Native"})],
    "tunnel-protocol-unknown": [("", {"protocol": "VXLAN"})],
    "lb-mode-unknown": [
        ("1.11.5", {**DSR, **NATIVELY, "lb_mode": "DSR"}),
        ("1.18.0", {"lb_mode": "DSR"}),
    ],
    "lb-mode-needs-replacement": [("", {"lb_mode": "hybrid"}), ("1.17.18", {"lb_mode": "DSR"})],
    "dsr-over-tunnel": [
        ("", DSR),
        ("", {**DSR, "dispatch": "geneve"}),
        ("", {**DSR, "protocol": "geneve"}),
        ("", {**DSR, "lb_mode": "hybrid", "replaces_proxy": False}),
    ],
    "dsr-geneve-needs-geneve": [
        ("1.15.0", {**DSR, **NATIVELY, "dispatch": "geneve"}),
        ("1.20.2", {**DSR, **NATIVELY, "dispatch": "geneve"}),
    ],
    "dsr-geneve-is-of-1.14": [("1.13.18", {**DSR, **NATIVELY, "dispatch": "geneve", "protocol": "geneve"})],
    "xdp-over-tunnel": [("1.12.19", {"acceleration": "native", "replaces_proxy": True, "node_ports": True})],
    "direct-routes-over-tunnel": [("", {"direct_routes": True})],
    "bpf-masquerade-falls-back": [("1.14.19", {"bpf_masquerade": True})],
    "bpf-masquerade-needs-replacement": [("1.15.0", {"bpf_masquerade": True}), ("1.18.12", {"bpf_masquerade": True})],
    "native-routing-needs-cidr": [("", {"routing": "native"})],
    "l2-announcements-need-replacement": [("1.14.0", {"l2_announcements": True, "node_ports": True})],
    "one-encryption": [("", {"encryption": "wireguard and ipsec"})],
    "wireguard-excludes-l7-proxy": [("1.13.18", {"encryption": "wireguard"})],
    "ipsec-excludes-replacement": [
        ("1.13.18", {"encryption": "ipsec", "replaces_proxy": True, "node_ports": True}),
        ("1.15.19", {"encryption": "ipsec", "node_ports": True}),
    ],
    "gateway-is-of-1.13": [("1.12.19", {"gateway_api": True, "node_ports": True, "replaces_proxy": True})],
    "gateway-needs-l7-proxy": [("1.13.0", {"gateway_api": True, "l7_proxy": False, "node_ports": True})],
    "gateway-needs-replacement": [
        ("1.18.12", {"gateway_api": True}),
        ("1.19.0", {"gateway_api": True, "node_ports": True}),
    ],
}
KEEPS = [
    ("", {}),
    ("1.12.0", {"proxy": "probe"}),
    ("1.15.19", {"proxy": "strict", "replaces_proxy": True, "node_ports": True}),
    ("1.11.5", {**NATIVELY, "ipv6": True, "masquerades_ipv6": True}),
    ("", {**NATIVELY, "ipv6": True, "masquerades_ipv6": True, "native_cidr_ipv6": "fd00::/104"}),
    ("1.18.0", {"ipv4": False, "ipv6": True, "masquerades": False}),
    ("", {**EBPF, "egress_gateway": True, "ip_masq_agent": True}),
    ("", {**EBPF, "ipv6": True, "masquerades": False, "masquerades_ipv6": True, "ip_masq_agent": True}),
    ("", {**NATIVELY, **EBPF, "no_conntrack": True}),
    ("", {**NATIVELY, **EBPF, "bpf_masquerade": False, "masquerades": False, "no_conntrack": True}),
    ("1.18.0", {"ipam": "multi-pool", "encryption": "ipsec"}),
    ("1.19.0", {**NATIVELY, "ipam": "multi-pool", "encryption": "ipsec"}),
    ("", {"mtu": 1280}),
    ("1.17.18", {**NATIVELY, "lb_mode": "dsr", "node_ports": True}),
    ("", {**DSR, "dispatch": "geneve", "protocol": "geneve"}),
    ("1.14.19", {**DSR, **NATIVELY, "dispatch": "geneve"}),
    ("1.15.0", {**DSR, **NATIVELY, "dispatch": "geneve", "protocol": "geneve"}),
    ("1.14.0", {**DSR, **NATIVELY, "dispatch": "geneve", "protocol": "geneve"}),
    ("1.13.0", {"acceleration": "native", "replaces_proxy": True, "node_ports": True}),
    ("1.12.19", {**NATIVELY, "acceleration": "native", "replaces_proxy": True, "node_ports": True}),
    ("", {**NATIVELY, "direct_routes": True}),
    ("1.15.0", {"bpf_masquerade": True, "node_ports": True}),
    ("1.15.0", {"bpf_masquerade": True, "masquerades": False}),
    ("1.19.0", {"bpf_masquerade": True}),
    ("", {"routing": "native", "masquerades": False}),
    ("1.13.18", {"l2_announcements": True}),
    ("1.13.18", {"encryption": "wireguard", "l7_proxy": False}),
    ("1.14.0", {"encryption": "wireguard"}),
    ("1.15.19", {"encryption": "ipsec"}),
    ("1.16.0", {"encryption": "ipsec", "node_ports": True}),
    ("1.18.12", {"gateway_api": True, "node_ports": True}),
    ("1.19.0", {"gateway_api": True, "replaces_proxy": True, "node_ports": True}),
]


def path_of(release, settings):
    return DataPath(**{"release": release or PATH.release, **settings})


CASES = [(row, *case) for row, cases in BREAKS.items() for case in cases]


@pytest.mark.parametrize(("row", "release", "settings"), CASES)
def test_each_row_has_a_data_path_that_breaks_it(row, release, settings):
    assert [found.id for found in broken(path_of(release, settings))] == [row]


@pytest.mark.parametrize(("release", "settings"), KEEPS)
def test_a_data_path_beside_a_row_breaks_none(release, settings):
    assert list(broken(path_of(release, settings))) == []


def test_every_row_has_its_own_name_and_a_test():
    assert sorted(row.id for row in CONSTRAINTS) == sorted(BREAKS)


@pytest.mark.parametrize(("row", "release", "settings"), CASES)
def test_every_remedy_is_one(row, release, settings):
    """Each proposed change, made alone, ends the breach that it is for, and begins no other."""
    path = path_of(release, settings)
    [found] = broken(path)
    changes = remedies(found, path)
    assert changes
    for change in changes:
        written = dict(change)
        if "replaces_proxy" in change:
            written["node_ports"] = change["replaces_proxy"]
            written["proxy"] = proxy_value(change["replaces_proxy"], path.release)
        assert list(broken(path_of(release, {**settings, **written}))) == []


def test_wireguard_instead_of_ipsec_breaks_nothing_else():
    """Before 1.14 WireGuard excludes the L7 proxy, so the remedy switches that off too."""
    path = path_of("1.13.18", {"encryption": "ipsec", "replaces_proxy": True, "node_ports": True})
    [found] = broken(path)
    assert list(broken(replace(path, **remedies(found, path)[0]))) == []


@pytest.mark.parametrize(("word", "replaces"), [("strict", True), ("partial", False)])
def test_a_word_that_an_agent_no_longer_knows_is_replaced_by_one_of_the_same_meaning(word, replaces):
    path = path_of("1.18.2", {"proxy": word})
    [found] = broken(path)
    assert remedies(found, path)[0]["replaces_proxy"] is replaces


@pytest.mark.parametrize(("release", "has_geneve"), [("1.14.2", False), ("1.14.3", True)])
def test_dsr_in_geneve_is_proposed_since_the_chart_can_have_it(release, has_geneve):
    path = path_of(release, DSR)
    [found] = broken(path)
    assert ("protocol" in remedies(found, path)[0]) is has_geneve
    assert ("Geneve" in found.reason(path)) is has_geneve


@pytest.mark.parametrize("release", ["1.11.5", "1.13.18", "1.14.19", "1.18.2", "1.20.0"])
@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("routing", ["native", "vxlan", "geneve"])
def test_a_change_as_values_is_rendered_as_what_it_says(release, replaced, routing):
    written = as_values({"routing": routing, "replaces_proxy": replaced, "native_cidr": "10.0.0.0/8"}, release)
    made = trial(release).of(written)
    assert isinstance(made, Made), made
    path = from_config(made.config, release)
    assert (path.native, path.replaces_proxy, path.node_ports) == (routing == "native", replaced, replaced)
    assert path.native or path.protocol == routing


@pytest.mark.parametrize(
    ("version", "values", "node_ports"),
    [
        ("1.13.18", {"kubeProxyReplacement": "partial", "nodePort": {"enabled": True}}, True),
        ("1.13.18", {"kubeProxyReplacement": "disabled", "nodePort": {"enabled": True}}, False),
        ("1.17.1", {"kubeProxyReplacement": "false", "nodePort": {"enabled": True}}, True),
        ("1.19.6", {"kubeProxyReplacement": "false", "nodePort": {"enabled": True}}, False),
    ],
)
def test_node_ports_may_be_cilium_s_beside_kube_proxy(version, values, node_ports):
    made = trial(version).of(flatten(values))
    assert isinstance(made, Made)
    assert from_config(made.config, version).node_ports is node_ports


@pytest.mark.parametrize(
    ("data", "read"),
    [
        ({}, {"routing": "tunnel", "protocol": "vxlan", "release": NEWEST["1.20"]}),
        ({"tunnel": "disabled"}, {"routing": "native", "release": "1.13.18"}),
        ({"tunnel": "geneve"}, {"routing": "tunnel", "protocol": "geneve"}),
        ({"tunnel": "vxlan", "routing-mode": "native"}, {"routing": "native", "release": NEWEST["1.20"]}),
        ({"enable-wireguard": "true", "enable-ipsec": "true"}, {"encryption": "wireguard and ipsec"}),
        ({"mtu": "9000"}, {"mtu": 9000}),
        ({"mtu": "-5"}, {"mtu": -5}),
        ({"mtu": "${MTU}", "routing-mode": "${MODE}"}, {"mtu": 0, "routing": "tunnel"}),
        ({"enable-ip-masq-agent": "true"}, {"ip_masq_agent": True, "native_cidr": "auto", "native_cidr_ipv6": "auto"}),
        ({"ipam": "eni"}, {"native_cidr": "auto"}),
        ({"enable-node-port": "true", "kube-proxy-replacement": "false"}, {"node_ports": False}),
    ],
)
def test_a_configuration_of_any_release_is_read(data, read):
    path = from_config(data)
    assert {field: getattr(path, field) for field in read} == read


def test_of_two_encryptions_one_is_switched_off():
    [problem] = findings("cni-consistent", cilium_config(**{"enable-wireguard": "true", "enable-ipsec": "true"}))
    assert problem.remedy == 'write enable-wireguard: "true", enable-ipsec: "false"'
