import pytest

from components.network.mtu import solve
from components.network.rules import kernel_floor
from tests.support.networks import cilium
from tests.support.stacks import problems, stack, stack_data


def said(name="oslo", network=None, **cni):
    data = stack_data(name)
    data["cni"].update(cni)
    data["network"].update(network or {})
    return problems(data)


@pytest.mark.parametrize("mode", ["dsr", "hybrid"])
def test_dsr_over_vxlan_cannot_be_written(mode):
    (problem,) = said("lab", loadBalancing={"mode": mode, "dispatch": "opt"})
    assert problem.startswith(f"cni.loadBalancing: {mode} over a VXLAN tunnel does not exist")
    assert "write mode: snat" in problem


def test_an_ip_option_in_a_geneve_tunnel_cannot_be_written():
    (problem,) = said(
        "lab", routing={"mode": "tunnel", "protocol": "geneve"}, loadBalancing={"mode": "dsr", "dispatch": "opt"}
    )
    assert "dispatch: geneve" in problem


@pytest.mark.parametrize("dispatch", ["opt", "geneve"])
def test_native_routing_carries_every_dispatch(dispatch):
    assert said(loadBalancing={"mode": "dsr", "dispatch": dispatch}) == []


def test_dsr_needs_its_dispatch_written():
    (problem,) = said(loadBalancing={"mode": "dsr"})
    assert "with dispatch: opt or geneve" in problem


def test_a_pod_mtu_that_the_arithmetic_does_not_give_is_refused():
    (problem,) = said("lab", podMtu=1500)
    assert problem == (
        "cni.podMtu: 1500, but pods get 1500 − 50 (VXLAN) = 1450: write podMtu: 1450, or leave it out "
        "(the links' MTU is network.underlayMtu)"
    )


def test_links_too_small_for_the_overlay_are_refused():
    (problem,) = said("lab", podMtu=None, network={"underlayMtu": 1300})
    assert "less than the 1280 bytes" in problem


@pytest.mark.parametrize("version", ["1.17.18", "1.21.0", "2.0.0"])
def test_a_version_whose_charts_are_not_known_is_refused(version):
    (problem,) = said(version=version)
    assert f"cni.version: {version} is not between 1.18 and 1.20" in problem


@pytest.mark.parametrize(
    ("cni", "rule"),
    [
        ({"serviceProxy": "iptables", "loadBalancing": {"mode": "dsr", "dispatch": "opt"}}, "serviceProxy: ebpf"),
        ({"serviceProxy": "nftables", "gatewayApi": True}, "kube-proxy replacement"),
        ({"gatewayApi": True, "l7Proxy": False}, "no agent reads its Envoy configuration"),
        ({"routing": {"mode": "native", "nativeCidr": "10.245.0.0/16", "routes": "bgp"}}, "does not hold podCidr"),
        ({"routing": {"mode": "native", "nativeCidr": "0.0.0.0/0", "routes": "bgp"}}, "reverse-path filter"),
    ],
)
def test_what_excludes_each_other_is_refused(cni, rule):
    (problem,) = said(**cni)
    assert rule in problem


def test_ipsec_takes_its_bytes_and_says_that_nobody_measured_them():
    mtu = solve(cilium(encryption="ipsec"), 1500)
    assert mtu.pod == 1500 - 50 - 77
    assert "not measured" in mtu.arithmetic


def test_networks_that_overlap_are_refused():
    found = said(network={"serviceCidr": "10.244.128.0/20"})
    assert found == [
        "network.serviceCidr: 10.244.128.0/20 overlaps podCidr 10.244.0.0/16: an address in both can be reached "
        "in one of them only: choose ranges that are apart"
    ]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("10.96.0.1", "is a Service's, of serviceCidr 10.96.0.0/16"),
        ("10.244.3.7", "is a pod's, of podCidr 10.244.0.0/16"),
        ("127.0.0.1", "is each node itself, and workers have no API server on port 6443"),
        ("localhost", "is each node itself"),
        ("kubernetes.default.svc.cluster.local", "is a Service's name"),
        ("kubernetes", "is a Service's name"),
        ("198.51.100.999", "is no IPv4 address: four numbers from 0 to 255"),
        ("198.51.100", "is no IPv4 address"),
        ("0.0.0.0", "is no host's address"),  # noqa: S104  nobody binds to it here
        ("224.0.0.1", "is no host's address"),
    ],
)
def test_an_api_server_that_no_node_reaches_is_refused(host, why):
    (problem,) = said(network={"apiServer": {"host": host, "port": 6443}})
    assert problem.startswith(f"network.apiServer.host: {host} {why}")
    assert problem.endswith(": write a control plane's address, or one or a name in front of all of them")


@pytest.mark.parametrize(("host", "port"), [("api.example.no", 6443), ("203.0.113.9", 443), ("127.0.0.1", 6444)])
def test_an_api_server_that_nodes_find_by_themselves_loads(host, port):
    """6444 is where k3s' agents pass it on, on every node."""
    assert said(network={"apiServer": {"host": host, "port": port}}) == []


def test_bgp_or_encapsulation_calico_needs_one():
    data = stack_data("oslo")
    data["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}, "encapsulation": "None"}
    (problem,) = problems(data)
    assert "no node would know where another's pods are" in problem
    data["cni"]["bgp"] = True
    assert problems(data) == []


@pytest.mark.parametrize(
    ("version", "encryption", "floor"),
    [("1.18.0", "none", "5.10"), ("1.20.2", "wireguard", "5.10")],
)
def test_the_kernel_floor_follows_the_version(version, encryption, floor):
    assert kernel_floor(cilium(version, encryption=encryption))[0] == floor


def test_the_floor_says_who_asks_for_it():
    assert kernel_floor(stack("lab").cni) == ("5.10", "Cilium 1.20.2")
