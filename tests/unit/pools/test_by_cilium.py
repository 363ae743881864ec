"""Cilium in MetalLB's place: the same addresses, one owner, and objects that its own CRDs take."""

import pytest

from components.core.manifests import label
from components.core.versions import matches
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.nested import flatten
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext
from components.pools.by_cilium import POOL, announcements, cilium_pool_manifests
from components.stackfile.parsing import parse
from tests.support.cilium_trials import trial
from tests.support.modules import CILIUM, cilium_versions
from tests.support.schemas import crd_errors
from tests.support.stacks import ROOT, problems, stack_data

ROUTER = {"name": "rack-a", "address": "198.51.100.1", "peerAsn": 64500, "myAsn": 64512, "passwordSecret": "rack-a"}
L2 = {"name": "public", "addresses": ["198.51.100.200-198.51.100.220"], "advertisement": {"kind": "l2"}}
BGP = {"name": "routed", "addresses": ["203.0.113.0/28"], "advertisement": {"kind": "bgp", "peers": ["rack-a"]}}
TWO_ROUTES = {
    **BGP,
    "advertisement": {
        "kind": "bgp",
        "peers": ["rack-a"],
        "routes": [{"aggregationLength": 28}, {"communities": ["64512:100", "large:64512:1:2"]}],
    },
}


def data(*pools, cni=None, install="cilium", gateway="existing"):
    found = stack_data("oslo")
    found["cni"].update(cni or {})
    found["metallb"] = {
        "install": {"kind": install, **({"version": "0.16.1"} if install == "helm" else {})},
        "pools": list(pools) or [L2],
        "peers": [ROUTER],
    }
    found["gateway"]["install"] = {"kind": gateway, **({"version": "3.7.9"} if gateway == "traefik" else {})}
    return found


def made(*pools):
    return cilium_pool_manifests(parse(data(*pools), base_dir=ROOT).metallb)


@pytest.mark.parametrize("version", [version for version in cilium_versions() if matches(version, ">=1.18")])
def test_every_object_fits_ciliums_own_crds(version):
    selected = {**L2, "advertisement": {"kind": "l2", "nodeSelectors": [{"matchLabels": {"edge": "a"}}] * 2}}
    for pools in ([L2], [selected], [BGP], [selected, BGP], [TWO_ROUTES]):
        for item in made(*pools):
            assert crd_errors(item, CILIUM, version) == []


def test_one_pool_is_for_every_service():
    pool, policy = made(L2)
    assert pool["spec"] == {"blocks": [{"start": "198.51.100.200", "stop": "198.51.100.220"}]}
    assert policy["spec"]["loadBalancerIPs"] is True
    assert policy["spec"]["serviceSelector"]["matchExpressions"][0]["operator"] == "NotIn"


def test_of_several_pools_a_service_names_its_own():
    pools = [item for item in made(L2, BGP) if item["kind"] == "CiliumLoadBalancerIPPool"]
    assert [pool["spec"]["serviceSelector"]["matchLabels"] for pool in pools] == [{POOL: "public"}, {POOL: "routed"}]
    (kept,) = [item for item in made({**L2, "autoAssign": False}) if item["kind"] == "CiliumLoadBalancerIPPool"]
    assert kept["spec"]["serviceSelector"]["matchLabels"] == {POOL: "public"}


def test_a_router_hears_of_the_pools_that_name_it():
    peer, advertisement, cluster = made(BGP)[1:]
    assert [label(item) for item in (peer, advertisement, cluster)] == [
        "CiliumBGPPeerConfig rack-a",
        "CiliumBGPAdvertisement routed",
        "CiliumBGPClusterConfig platform",
    ]
    wanted = peer["spec"]["families"][0]["advertisements"]["matchLabels"]
    assert wanted.items() <= advertisement["metadata"]["labels"].items()
    assert peer["spec"]["authSecretRef"] == "rack-a"
    assert cluster["spec"]["bgpInstances"][0]["localASN"] == 64512


def test_each_route_has_its_own_length_and_communities():
    wide, narrow = made(TWO_ROUTES)[2]["spec"]["advertisements"]
    assert (wide["service"]["aggregationLengthIPv4"], "attributes" in wide) == (28, False)
    assert "aggregationLengthIPv4" not in narrow["service"]
    assert narrow["attributes"] == {"communities": {"standard": ["64512:100"], "large": ["64512:1:2"]}}


def test_what_only_metallb_can_is_refused():
    found = data({**BGP, "priority": 1, "avoidBuggyIps": True, "namespaces": ["a"]})
    found["metallb"]["bfdProfiles"] = [{"name": "fast"}]
    selected = [{"matchLabels": {"a": "b"}}]
    found["metallb"]["peers"] = [{**ROUTER, "bfdProfile": "fast", "nodeSelectors": selected}]
    fields = ["pools[routed].avoidBuggyIps", "pools[routed].priority", "pools[routed].namespaces"]
    fields += ["peers[rack-a].bfdProfile", "peers[rack-a].nodeSelectors"]
    assert problems(found) == [f"metallb.{field}: works only with MetalLB: remove it" for field in fields]


@pytest.mark.parametrize(
    ("pool", "version", "owner", "key"),
    [
        (L2, "1.18.2", "lbipam", "l2announcements"),
        (L2, "1.20.0", "lbipam", "l2announcements"),
        (BGP, "1.19.6", "lbipam", "bgpControlPlane"),
    ],
)
def test_the_chart_is_told_who_owns_the_addresses(pool, version, owner, key):
    spec = parse(data(pool, cni={"version": version}), base_dir=ROOT)
    values = cilium_values(spec.cni, spec.network, ChartContext("oslo", announces=announcements(spec.metallb)))
    assert values.get("defaultLBServiceIPAM") == owner
    assert values[key] == {"enabled": True}
    assert [item for item in explain(flatten(values), trial(version)) if not item.as_meant] == []


def test_where_metallb_owns_them_cilium_is_told_to_keep_off():
    spec = parse(data(install="helm"), base_dir=ROOT)
    assert announcements(spec.metallb) == frozenset()
    assert cilium_values(spec.cni, spec.network, ChartContext("oslo"))["defaultLBServiceIPAM"] == "none"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cni": {"serviceProxy": "nftables"}}, "needs serviceProxy: ebpf"),
        ({"gateway": "traefik"}, "does not work with externalTrafficPolicy: Local"),
    ],
)
def test_what_layer_2_by_cilium_cannot_do(changed, says):
    (problem,) = problems(data(L2, **changed))
    assert says in problem


def test_bgp_by_cilium_is_spoken_by_all_nodes():
    advertisement = {"kind": "bgp", "peers": ["rack-a"], "nodeSelectors": [{"matchLabels": {"edge": "a"}}]}
    (problem,) = problems(data({**BGP, "advertisement": advertisement}))
    assert problem.startswith("metallb.pools[routed].advertisement.nodeSelectors: works only with MetalLB")


def test_calico_owns_nothing_of_ciliums():
    found = data(L2)
    found["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}}
    (problem,) = problems(found)
    assert "kind cilium, but cni.kind is calico" in problem


def test_an_address_has_one_owner():
    found = data(L2, install="helm")
    found["cni"] = {
        "kind": "calico",
        "version": "3.32.1",
        "install": {"kind": "helm"},
        "bgp": True,
        "bgpPeering": {"serviceNetworks": ["198.51.100.192/26"]},
    }
    (problem,) = problems(found)
    assert "is announced by MetalLB (l2) and" in problem
    assert "an address has one owner" in problem
    found["cni"]["bgpPeering"]["serviceNetworks"] = ["203.0.113.0/26"]
    assert problems(found) == []
