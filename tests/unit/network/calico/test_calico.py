"""Calico beside its Installation: BGP, Felix, the API server's endpoint; and what may not be written together."""

import jsonschema
import pytest

from components.core.manifests import label
from components.network.calico.values import after_calico, before_calico, calico_values
from components.network.kinds import cni_advice
from components.network.model import Calico, ChartContext
from components.network.mtu import solve
from components.network.rules import kernel_floor
from tests.support.go_types import go_schema
from tests.support.modules import CALICO_API, source, versions
from tests.support.stacks import problems, stack, stack_data

NETWORK = stack("oslo").network
PEERING = {
    "asNumber": 64513,
    "serviceNetworks": ["203.0.113.0/26"],
    "peers": [{"name": "rack-a", "address": "198.51.100.1", "asNumber": 64500, "passwordSecret": "rack-a"}],
}


def calico(**more):
    return Calico.model_validate({"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}, **more})


def said(**cni):
    data = stack_data("oslo")
    data["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}, **cni}
    return problems(data)


def schema_errors(schema, spec):
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(spec)]


def api_errors(manifest):
    """What the newest types of Calico's API that the tests know say against a spec."""
    folder = source(CALICO_API, versions(CALICO_API)[-1]) / "pkg/apis/projectcalico/v3"
    return schema_errors(go_schema(folder, f"{manifest['kind']}Spec"), manifest["spec"])


# What the operator's CRD (tigera/operator 1.42, of Calico 3.32) says of the fields that we write; an excerpt by hand,
# because Go's proxy need not have the operator's module.
ON = {"enum": ["Enabled", "Disabled"]}
POOL = {
    "type": "object",
    "required": ["cidr"],
    "additionalProperties": False,
    "properties": {
        "blockSize": {"type": "integer"},
        "cidr": {"type": "string"},
        "encapsulation": {"enum": ["IPIPCrossSubnet", "IPIP", "VXLAN", "VXLANCrossSubnet", "None"]},
        "natOutgoing": ON,
    },
}
CALICO_NETWORK = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "bgp": ON,
        "ipPools": {"type": "array", "maxItems": 25, "items": POOL},
        "linuxDataplane": {"enum": ["Iptables", "BPF", "VPP", "Nftables"]},
        "mtu": {"type": "integer"},
    },
}
INSTALLATION = {"type": "object", "additionalProperties": False, "properties": {"calicoNetwork": CALICO_NETWORK}}


def test_bgp_without_encapsulation_as_in_2018():
    cni = calico(encapsulation="None", bgp=True, bgpPeering=PEERING)
    configuration, peer = after_calico(cni)
    assert [label(item) for item in (configuration, peer)] == ["BGPConfiguration default", "BGPPeer rack-a"]
    assert configuration["spec"] == {
        "asNumber": 64513,
        "nodeToNodeMeshEnabled": True,
        "serviceLoadBalancerIPs": [{"cidr": "203.0.113.0/26"}],
    }
    assert peer["spec"]["password"] == {"secretKeyRef": {"name": "rack-a", "key": "password"}}
    assert solve(cni, 1500).pod == 1500


@pytest.mark.parametrize("external", ["snat", "dsr"])
def test_felix_and_bgp_objects_fit_calicos_own_types(external):
    cni = calico(
        dataplane="BPF",
        encapsulation="None",
        bgp=True,
        bgpPeering=PEERING,
        encryption="wireguard",
        externalServices=external,
    )
    made = after_calico(cni)
    assert [item["kind"] for item in made] == ["FelixConfiguration", "BGPConfiguration", "BGPPeer"]
    for item in made:
        assert api_errors(item) == []


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("BGPPeer", {"peerIp": "198.51.100.1"}, "'peerIp' was unexpected"),
        ("BGPPeer", {"peerIP": ["198.51.100.1"]}, "is not of type 'string'"),
        ("BGPConfiguration", {"serviceLoadBalancerIPs": ["203.0.113.0/26"]}, "is not of type 'object'"),
        ("FelixConfiguration", {"bpfExternalServiceMode": "hybrid"}, "does not match"),
        ("FelixConfiguration", {"wireguardEnabled": "yes"}, "is not of type 'boolean'"),
    ],
)
def test_calicos_own_types_refuse_what_they_do_not_know(kind, spec, said):
    [error] = api_errors({"kind": kind, "spec": spec})
    assert said in error


@pytest.mark.parametrize("dataplane", ["Iptables", "Nftables", "BPF"])
@pytest.mark.parametrize("encryption", ["none", "wireguard"])
def test_installations_fit_what_the_operators_crd_says(dataplane, encryption):
    cni = calico(dataplane=dataplane, encryption=encryption)
    spec = calico_values(cni, NETWORK, ChartContext("oslo"))["installation"]
    assert schema_errors(INSTALLATION, {key: value for key, value in spec.items() if key != "enabled"}) == []


def test_the_bpf_data_plane_is_told_where_the_api_server_is():
    (endpoint,) = before_calico(calico(dataplane="BPF"), NETWORK)
    assert label(endpoint) == "ConfigMap tigera-operator/kubernetes-services-endpoint"
    assert endpoint["data"] == {"KUBERNETES_SERVICE_HOST": "198.51.100.10", "KUBERNETES_SERVICE_PORT": "6443"}
    assert before_calico(calico(), NETWORK) == []


def test_felix_is_told_of_encryption_and_of_direct_answers():
    (felix,) = after_calico(calico(dataplane="BPF", encryption="wireguard", externalServices="dsr"))
    assert felix["spec"] == {"wireguardEnabled": True, "bpfExternalServiceMode": "DSR"}
    assert after_calico(calico()) == []


@pytest.mark.parametrize(
    ("encapsulation", "pod"), [("None", 1440), ("VXLAN", 1440), ("IPIP", 1440), ("VXLANCrossSubnet", 1440)]
)
def test_wireguard_takes_sixty_bytes_and_is_never_inside_a_tunnel(encapsulation, pod):
    cni = calico(encapsulation=encapsulation, encryption="wireguard", bgp=True)
    assert solve(cni, 1500).pod == pod
    assert solve(cni, 1500).arithmetic == "1500 − 60 (WireGuard) = 1440"
    assert (51820, "Calico's WireGuard") in cni.requirements().udp_ports


@pytest.mark.parametrize("encapsulation", ["None", "IPIP", "VXLAN"])
@pytest.mark.parametrize("external", ["snat", "dsr"])
def test_the_bpf_data_plane_takes_vxlans_bytes_and_port_whatever_carries_pods(encapsulation, external):
    """Calico's page on MTU, eBPF mode: node ports go from node to node in VXLAN."""
    cni = calico(dataplane="BPF", encapsulation=encapsulation, bgp=True, externalServices=external)
    assert solve(cni, 1500)[:2] == (1450, 1450)
    assert 4789 in dict(cni.requirements().udp_ports)
    assert solve(calico(dataplane="BPF", encapsulation="None", bgp=True, encryption="wireguard"), 1500).pod == 1440


def test_calico_without_encapsulation_is_not_called_native_routing():
    cni = calico(encapsulation="None", bgp=True)
    assert solve(cni, 1500).arithmetic == "1500 − 0 (no encapsulation) = 1500"
    assert cni.requirements().udp_ports == ()


def test_every_data_plane_needs_the_kernel_of_calicos_requirements():
    for dataplane in ("Iptables", "BPF"):
        assert kernel_floor(calico(dataplane=dataplane, encryption="wireguard"))[0] == "5.10"


@pytest.mark.parametrize(
    ("cni", "rule"),
    [
        ({"externalServices": "dsr"}, "cni.externalServices: dsr is the BPF data plane's"),
        ({"dataplane": "BPF", "kubeProxy": "ipvs"}, "the BPF data plane replaces kube-proxy"),
        ({"dataplane": "Nftables", "kubeProxy": "ipvs"}, "needs kube-proxy with nftables"),
        ({"bgpPeering": PEERING}, "bgp is false"),
        ({"bgp": True, "bgpPeering": {"nodeMesh": False}}, "no node would hear of another's pods"),
        ({"bgp": True, "bgpPeering": {"peers": PEERING["peers"] * 2}}, "'rack-a' occurs twice"),
        ({"podMtu": 1500}, "pods get 1500 − 50 (VXLAN) = 1450"),
    ],
)
def test_what_excludes_each_other_is_refused(cni, rule):
    (problem,) = said(**cni)
    assert rule in problem


def test_ipip_with_the_bpf_data_plane_is_slow_and_no_mistake():
    """Calico's page on eBPF recommends VXLAN for speed; only over IPv6 is there no IPIP."""
    slow = {"dataplane": "BPF", "encapsulation": "IPIP", "bgp": True}
    assert said(**slow) == []
    (advice,) = cni_advice(calico(**slow), 1500)
    assert "VXLAN is much faster there" in advice.message
    assert cni_advice(calico(**{**slow, "encapsulation": "VXLAN"}), 1500) == cni_advice(calico(), 1500) == []


@pytest.mark.parametrize("encapsulation", ["VXLANCrossSubnet", "IPIPCrossSubnet", "None"])
def test_what_goes_unencapsulated_within_a_subnet_needs_foreign_sources(encapsulation):
    assert calico(encapsulation=encapsulation, bgp=True).requirements().foreign_sources == (
        f"Calico with encapsulation: {encapsulation}"
    )
    assert (
        calico(encapsulation="VXLAN").requirements().foreign_sources
        == calico(encapsulation="IPIP", bgp=True).requirements().foreign_sources
        == ""
    )


def test_without_encapsulation_and_without_routers_nodes_share_a_segment():
    assert "no router among bgpPeering.peers" in calico(encapsulation="None", bgp=True).requirements().same_segment
    assert calico(encapsulation="None", bgp=True, bgpPeering=PEERING).requirements().same_segment == ""
    assert calico(encapsulation="VXLANCrossSubnet").requirements().same_segment == ""


def test_a_router_takes_one_session_from_a_node():
    data = stack_data("oslo")
    data["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}, "encapsulation": "None"}
    data["cni"] |= {"bgp": True, "bgpPeering": PEERING}
    data["metallb"]["peers"] = [{"name": "uplink", "address": "198.51.100.1", "peerAsn": 64500, "myAsn": 64513}]
    (problem,) = problems(data)
    assert problem.startswith("metallb.peers[uplink]: 198.51.100.1 is cni.bgpPeering.peers[rack-a] too")
    data["metallb"]["peers"][0]["address"] = "198.51.100.2"
    assert problems(data) == []


def test_flow_logs_are_off_unless_the_stack_file_wants_them():
    """Calico 3.30's chart installs Goldmane and Whisker by default."""
    made = calico_values(calico(), NETWORK, ChartContext("oslo"))
    assert (made["goldmane"], made["whisker"]) == ({"enabled": False}, {"enabled": False})
    wanted = {"kind": "helm", "values": {"goldmane": {"enabled": True}}}
    assert said(install=wanted) == []
    made = calico_values(calico(install=wanted), NETWORK, ChartContext("oslo"))
    assert (made["goldmane"], made["whisker"]) == ({"enabled": True}, {"enabled": False})
    assert "goldmane" not in calico_values(calico(version="3.29.3"), NETWORK, ChartContext("oslo"))


def test_a_chart_of_crds_that_helm_can_not_record_is_refused():
    assert any("can't be installed with Helm" in problem for problem in said(version="3.33.0"))
    assert said(version="3.32.2") == []


def test_each_of_them_alone_is_right():
    assert said(dataplane="BPF", externalServices="dsr", encryption="wireguard", podMtu=1440) == []
    assert said(kubeProxy="ipvs") == []
    assert said(encapsulation="None", bgp=True, bgpPeering=PEERING) == []
