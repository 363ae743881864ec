from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from components.core.versions import parse
from components.network.cilium.chart.nested import flatten
from components.network.cilium.chart.trial import Made
from components.network.cilium.data_path import from_config
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext, Cni
from components.network.mtu import fitting, solve
from components.network.rules import cni_problems, kernel_floor
from tests.support.cilium_trials import trial
from tests.support.examples import examples
from tests.support.stacks import stack

NETWORK = stack("oslo").network
SNAT = {"mode": "snat"}
DSR_GENEVE = {"mode": "dsr", "dispatch": "geneve"}
HYBRID = {"mode": "hybrid", "dispatch": "opt"}
PATHS = {
    "vxlan": ({"mode": "tunnel", "protocol": "vxlan"}, [SNAT]),
    "geneve": ({"mode": "tunnel", "protocol": "geneve"}, [SNAT, DSR_GENEVE]),
    "native": (
        {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"},
        [SNAT, DSR_GENEVE, HYBRID],
    ),
}


versions = st.builds("1.{}.{}".format, st.integers(16, 20), st.integers(0, 30))
RENDERED = ["1.18.2", "1.19.6", "1.20.2"]


@st.composite
def cilium_files(draw):
    """What an author may write, every field on its own."""
    routing, balancing = PATHS[draw(st.sampled_from(sorted(PATHS)))]
    return {
        "kind": "cilium",
        "version": draw(versions),
        "install": {"kind": "helm"},
        "routing": routing,
        "loadBalancing": draw(st.sampled_from(balancing)),
        "serviceProxy": draw(st.sampled_from(["ebpf", "iptables", "ipvs", "nftables"])),
        "encryption": draw(st.sampled_from(["none", "wireguard", "ipsec"])),
        "l7Proxy": draw(st.booleans()),
        "hubble": draw(st.booleans()),
        "gatewayApi": draw(st.booleans()),
        "healthProbes": draw(st.booleans()),
    }


ciliums = cilium_files().map(TypeAdapter(Cni).validate_python)
underlays = st.integers(1500, 9216)


@given(ciliums, underlays)
def test_pods_and_overheads_fit_the_link_and_the_arithmetic_says_so(cni, underlay):
    mtu = solve(cni, underlay)
    assert 0 < mtu.pod <= underlay
    left, right = mtu.arithmetic.split(" = ")
    terms = [int(term.split(" (")[0]) for term in left.split(" − ")]
    assert terms[0] - sum(terms[1:]) == int(right) == mtu.pod


@given(ciliums, underlays)
def test_a_larger_link_never_gives_smaller_pods(cni, underlay):
    assert solve(cni, underlay + 1).pod == solve(cni, underlay).pod + 1


@given(ciliums)
def test_no_rendered_values_hold_two_settings_that_exclude_each_other(cni):
    if cni_problems(cni, NETWORK):
        return
    values = cilium_values(cni, NETWORK, ChartContext("oslo"))
    balancing = values["loadBalancer"]
    path = cni.data_path(NETWORK)
    if not path.native:
        assert "autoDirectNodeRoutes" not in values
        assert (path.protocol, balancing["mode"]) not in {("vxlan", "dsr"), ("vxlan", "hybrid")}
        assert balancing.get("dsrDispatch") != "opt"
    else:
        assert values["ipv4NativeRoutingCIDR"]
    if balancing.get("dsrDispatch") == "geneve":
        assert values["tunnelProtocol"] == "geneve"
    replaces = values["kubeProxyReplacement"] == "true"
    assert replaces == path.replaces_proxy
    assert replaces == values["bpf"]["masquerade"]
    assert replaces or balancing["mode"] == "snat"
    assert not values["gatewayAPI"]["enabled"] or (replaces and values["l7Proxy"])


@examples(8)  # each renders a chart
@given(ciliums, st.sampled_from(RENDERED))
def test_what_the_chart_renders_is_what_the_model_says(cni, version):
    cni = cni.model_copy(update={"version": version})
    if cni_problems(cni, NETWORK):
        return
    made = trial(version).of(flatten(cilium_values(cni, NETWORK, ChartContext("oslo"))))
    assert isinstance(made, Made), made
    runs = from_config(made.config, version)
    # The word for the replacement, and the pod network, are in no field of the model's.
    assert replace(runs, proxy="", pod_cidr="") == replace(cni.data_path(NETWORK), pod_cidr="")


@given(ciliums)
def test_rendering_is_deterministic_and_sorted(cni):
    values = cilium_values(cni, NETWORK, ChartContext("oslo"))
    assert values == cilium_values(cni, NETWORK, ChartContext("oslo"))
    assert list(values) == sorted(values)


@given(ciliums)
def test_a_spec_written_out_is_the_spec(cni):
    assert TypeAdapter(Cni).validate_python(cni.model_dump(mode="json", by_alias=True)) == cni


LAYERS = st.lists(st.sampled_from(["vxlan", "geneve", "ipip", "wireguard"]), max_size=3, unique=True)
others = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("calico"),
            "version": st.just("3.32.1"),
            "install": st.just({"kind": "helm"}),
            "bgp": st.just(True),
            "encapsulation": st.sampled_from(["None", "VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet"]),
            "dataplane": st.sampled_from(["Iptables", "Nftables", "BPF"]),
            "encryption": st.sampled_from(["none", "wireguard"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("flannel"),
            "legacy": st.booleans(),
            "backend": st.sampled_from(["vxlan", "host-gw"]),
            "serviceProxy": st.sampled_from(["iptables", "ipvs", "nftables"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("unmanaged"),
            "name": st.just("other"),
            "layers": LAYERS,
            "podMtu": st.integers(1280, 9216),
            "serviceProxy": st.sampled_from(["ebpf", "iptables", "ipvs", "nftables"]),
            "networkPolicies": st.booleans(),
        }
    ),
).map(TypeAdapter(Cni).validate_python)


@given(others, underlays)
def test_what_passes_the_rules_fits_the_link_whoever_installs_it(cni, underlay):
    network = NETWORK.model_copy(update={"underlay_mtu": underlay})
    if any(problem.rule == "cni-pod-mtu" for problem in cni_problems(cni, network)):
        return
    mtu, fits = solve(cni, underlay), fitting(cni, underlay)
    assert mtu.pod == mtu.configured <= fits.pod <= underlay
    assert fits.arithmetic.endswith(f"= {fits.pod}")


@given(others)
def test_every_networks_needs_and_words_are_total(cni):
    assert cni.summary()
    assert parse(kernel_floor(cni)[0]) >= parse("3.10")
    assert all(0 < port < 65536 for port, _ in (*cni.requirements().tcp_ports, *cni.requirements().udp_ports))
    assert isinstance(cni.requirements().same_segment + cni.requirements().foreign_sources, str)
    assert TypeAdapter(Cni).validate_python(cni.model_dump(mode="json", by_alias=True)) == cni
