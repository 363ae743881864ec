"""MetalLB's objects fit its CRDs, and every advertisement selects its pool."""

import pytest

from components.metallb.model import MetalLbSpec
from components.metallb.render import metallb_values, webhook_mark
from tests.support.manifests import metallb_manifests
from tests.support.schemas import crd_errors

SPEC = MetalLbSpec.model_validate(
    {
        "install": {"kind": "existing"},
        "pools": [
            {"name": "public", "addresses": ["192.0.2.200-192.0.2.220"], "advertisement": {"kind": "l2"}},
            {
                "name": "inside",
                "addresses": ["198.51.100.0/28", "2001:db8::/112"],
                "advertisement": {
                    "kind": "l2",
                    "interfaces": ["eth1"],
                    "nodeSelectors": [{"matchLabels": {"edge": "true"}}],
                },
                "autoAssign": False,
            },
            {
                "name": "routed",
                "addresses": ["203.0.113.0/24"],
                "advertisement": {
                    "kind": "bgp",
                    "peers": ["router"],
                    "aggregationLength": 24,
                    "nodeSelectors": [{"matchLabels": {"edge": "true"}}],
                },
            },
        ],
        "peers": [
            {
                "name": "router",
                "address": "192.0.2.1",
                "peerAsn": 64512,
                "myAsn": 64513,
                "passwordSecret": "router-password",
            }
        ],
    }
)


@pytest.mark.parametrize("made", metallb_manifests(SPEC), ids=lambda made: f"{made['kind']}-{made['metadata']['name']}")
def test_every_object_fits_its_crd(made: dict[str, object]) -> None:
    assert crd_errors(made, "metallb-0.16.1") == []


def test_every_advertisement_selects_the_pool_of_its_name() -> None:
    advertisements = [made for made in metallb_manifests(SPEC) if made["kind"].endswith("Advertisement")]
    assert [made["kind"] for made in advertisements] == ["L2Advertisement", "L2Advertisement", "BGPAdvertisement"]
    assert all(made["spec"]["ipAddressPools"] == [made["metadata"]["name"]] for made in advertisements)


def test_routers_come_before_what_names_them() -> None:
    kinds = [made["kind"] for made in metallb_manifests(SPEC)]
    assert kinds[0] == "BGPPeer"


def test_frr_runs_only_where_somebody_speaks_bgp() -> None:
    quiet = SPEC.model_copy(update={"pools": SPEC.pools[:2]})
    assert metallb_values(SPEC)["frrk8s"] == {"enabled": True}
    assert metallb_values(quiet)["frrk8s"] == {"enabled": False}


def test_what_waits_for_the_webhook_touches_nothing_of_helms() -> None:
    assert set(webhook_mark()["metadata"]) == {"name", "namespace", "annotations"}
