"""What pools, advertisements and peers may not be."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.pools.model import BgpRoute, MetalLbSpec, NodeSelector
from components.pools.rules import metallb_problems
from tests.support.stacks import stack

L2 = {"kind": "l2"}


def problems(pools: list[dict[str, Any]], peers: list[dict[str, Any]] | None = None, **parts: Any) -> list[str]:
    lab = stack("lab")
    data = {"install": {"kind": "existing"}, "pools": pools, "peers": peers or [], **parts}
    spec = MetalLbSpec.model_validate(data)
    return [str(problem) for problem in metallb_problems(spec, lab.network, lab.nodes)]


def pool(*addresses: str, name: str = "public", advertisement: dict[str, Any] = L2) -> dict[str, Any]:
    return {"name": name, "addresses": list(addresses), "advertisement": advertisement}


def peer(**fields: Any) -> dict[str, Any]:
    return {"name": "router", "address": "192.0.2.1", "peerAsn": 64512, "myAsn": 64513, **fields}


def test_a_pool_apart_from_everything_is_fine() -> None:
    assert problems([pool("192.0.2.200-192.0.2.220")]) == []


def test_a_pool_of_ipv6_is_refused_on_a_cluster_that_has_ipv4_only() -> None:
    [problem] = problems([pool("192.0.2.200-192.0.2.220", "2001:db8::/112")])
    assert problem.startswith("pool 'public': 2001:db8::/112 is IPv6")


def test_a_pool_that_contains_a_node_is_refused() -> None:
    assert problems([pool("192.0.2.20-192.0.2.25")]) == [
        "pool 'public': 192.0.2.20-192.0.2.25 contains node osl-w-1 (192.0.2.21): MetalLB would cut off SSH to it: "
        "shrink the pool",
        "pool 'public': 192.0.2.20-192.0.2.25 contains node osl-w-2 (192.0.2.22): MetalLB would cut off SSH to it: "
        "shrink the pool",
    ]


def test_a_pool_that_contains_the_api_server_is_refused() -> None:
    [problem] = problems([pool("192.0.2.10/32")])
    assert "contains the API server (192.0.2.10): MetalLB would answer for it" in problem


@pytest.mark.parametrize(
    ("block", "what"), [("192.0.2.0/29", "the network address"), ("192.0.2.240/28", "the broadcast address")]
)
def test_a_pool_that_contains_an_end_of_the_nodes_network_is_refused(block: str, what: str) -> None:
    [problem] = problems([pool(block)])
    assert f"contains {what}" in problem


@pytest.mark.parametrize(
    ("block", "where"),
    [("10.244.200.0/28", "podCidr 10.244.0.0/16"), ("10.96.0.200-10.96.0.220", "serviceCidr 10.96.0.0/16")],
)
def test_a_pool_of_addresses_that_the_cluster_gives_out_itself_is_refused(block: str, where: str) -> None:
    [problem] = problems([pool(block)])
    assert f"{block} is within network.{where}" in problem
    assert "choose addresses of the nodes' network 192.0.2.0/24" in problem


def test_pools_that_share_an_address_are_refused_also_within_one_pool() -> None:
    [between] = problems([pool("192.0.2.200/31"), pool("192.0.2.201/32", name="other")])
    assert between == (
        "pool 'other': 192.0.2.201/32 overlaps 192.0.2.200/31 of pool 'public': give each address to one pool"
    )
    [within] = problems([pool("192.0.2.200/31", "192.0.2.201/32")])
    assert "of pool 'public'" in within


def test_a_name_that_occurs_twice_is_refused() -> None:
    assert problems([pool("192.0.2.200/32"), pool("192.0.2.201/32")]) == [
        "pool 'public': occurs twice: rename one of them"
    ]


def test_a_bgp_pool_names_peers_that_there_are() -> None:
    bgp = {"kind": "bgp", "peers": ["router"]}
    assert problems([pool("192.0.2.200/32", advertisement=bgp)], [peer()]) == []
    [problem] = problems([pool("192.0.2.200/32", advertisement=bgp)])
    assert "names the peer 'router', which metallb.peers does not have (it is empty)" in problem


def test_a_route_wider_than_its_pool_is_refused() -> None:
    bgp = {"kind": "bgp", "peers": ["router"], "routes": [{"aggregationLength": 24}]}
    [problem] = problems([pool("192.0.2.200/30", advertisement=bgp)], [peer()])
    assert "is smaller than a /24" in problem


def test_multihop_between_one_as_is_refused() -> None:
    [problem] = problems([pool("192.0.2.200/32")], [peer(myAsn=64512, multihop=True)])
    assert "leave multihop out" in problem


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"keepaliveSeconds": 91}, "keepaliveSeconds 91 is more than holdSeconds 90: write keepaliveSeconds: 30"),
        ({"bfdProfile": "slow"}, "names the BFD profile 'slow', which metallb.bfdProfiles does not have (fast)"),
        (
            {"multihop": True, "bfdProfile": "fast"},
            "multihop with the BFD profile 'fast', which has echoMilliseconds (RFC 5883, 4)",
        ),
        ({"sourceAddress": "192.0.2.21"}, "sourceAddress 192.0.2.21 is not an address of osl-cp-1, osl-w-2, which has"),
    ],
)
def test_a_session_that_cannot_work_is_refused(fields: dict[str, Any], says: str) -> None:
    fast = {"name": "fast", "echoMilliseconds": 50}
    [problem] = problems([pool("192.0.2.200/32")], [peer(**fields)], bfdProfiles=[fast])
    assert f"peer 'router': {says}" in problem


def test_a_least_ttl_is_for_far_routers() -> None:
    far = {"name": "far", "minimumTtl": 250}
    assert problems([pool("192.0.2.200/32")], [peer(multihop=True, bfdProfile="far")], bfdProfiles=[far]) == []
    [problem] = problems([pool("192.0.2.200/32")], [peer(bfdProfile="far")], bfdProfiles=[far])
    assert "has minimumTtl, which is for routers with multihop" in problem


def test_a_source_address_is_one_nodes() -> None:
    one = {"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": "osl-w-1"}}]}
    assert problems([pool("192.0.2.200/32")], [peer(sourceAddress="192.0.2.21", **one)]) == []


def test_a_local_preference_is_for_routers_of_the_same_as() -> None:
    bgp = {"kind": "bgp", "peers": ["router"], "routes": [{"localPreference": 200}]}
    assert problems([pool("192.0.2.200/32", advertisement=bgp)], [peer(myAsn=64512)]) == []
    [problem] = problems([pool("192.0.2.200/32", advertisement=bgp)], [peer()])
    assert "localPreference 200 is not sent to router, which is of another AS" in problem


@pytest.mark.parametrize(
    ("community", "says"),
    [
        ("64512:70000", "has a number over 65535"),
        ("no-export", "write two numbers"),
        ("large:1:2", "write two numbers"),
    ],
)
def test_a_community_is_numbers(community: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        BgpRoute.model_validate({"communities": [community]})


@pytest.mark.parametrize(
    ("conditions", "selected"),
    [
        ({"matchLabels": {"rack": "a"}}, True),
        ({"matchExpressions": [{"key": "rack", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "rack", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "rack", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"rack": "a"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
    ],
)
def test_a_selector_selects_as_kubernetes_does(conditions: dict[str, Any], selected: bool) -> None:
    assert NodeSelector.model_validate(conditions).matches({"rack": "a"}) is selected


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"matchExpressions": [{"key": "rack", "operator": "In"}]},
        {"matchExpressions": [{"key": "rack", "operator": "Exists", "values": ["a"]}]},
    ],
)
def test_a_selector_without_a_condition_or_with_a_wrong_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NodeSelector.model_validate(wrong)
