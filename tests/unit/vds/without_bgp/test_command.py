"""BGP peers are removed before MetalLB runs without FRR."""

from typing import Any

import pytest

from components.core.labels import MANAGED_BY, MANAGER
from components.kubernetes_api import ApiError, UnreachableError
from components.pools.render import bfd_profile, bgp_peer
from components.pools.without_bgp import WITHOUT_BGP, remove
from components.stackfile.parsing import parse
from lab import router
from tests.support.stacks import ROOT, stack_data
from vds.shared.errors import IncompleteError, OperationError
from vds.without_bgp import command

FOLDER = "namespaces/metallb-system"


class Cluster:
    """An API server with one peer, its profile and an advertisement; other kinds are not known."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, str]] = []
        self.names = {
            f"/apis/metallb.io/v1beta1/{FOLDER}/bgpadvertisements": "routed",
            f"/apis/metallb.io/v1beta2/{FOLDER}/bgppeers": "router",
            f"/apis/metallb.io/v1beta1/{FOLDER}/bfdprofiles": "fast",
        }

    def request(self, method: str, path: str, _body: Any = None, *, query: Any = ()) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.asked.append((method, path))
        if method == "DELETE":
            return {}
        assert list(query) == [("labelSelector", f"{MANAGED_BY}={MANAGER}")]
        return {"items": [{"metadata": {"name": self.names[path]}, "spec": {"ipAddressPools": ["routed", "public"]}}]}


def test_peers_are_deleted_before_the_profiles_that_they_name_and_pools_that_stay_are_not() -> None:
    cluster = Cluster()
    wanted = [f"{path}/{name}" for path, name in cluster.names.items()]
    wanted.append(f"/apis/metallb.io/v1beta1/{FOLDER}/ipaddresspools/routed")
    assert remove(cluster, ["public"]) == wanted
    assert [path for method, path in cluster.asked if method == "DELETE"] == wanted


def test_what_it_looks_for_is_what_the_platform_makes() -> None:
    spec = stack_data("lab")
    router.announce(spec)
    metallb = parse(spec, base_dir=ROOT).metallb
    for made in (bgp_peer(metallb.peers[0]), bfd_profile(metallb.bfd_profiles[0])):
        assert made["metadata"]["labels"][MANAGED_BY] == MANAGER
        assert any(made["apiVersion"] in path and f"{made['kind'].lower()}s" in path for path in Cluster().names)


def test_nothing_is_removed_before_metallb_is_installed() -> None:
    assert remove(Cluster(ApiError(404, "the server could not find the requested resource")), []) == []


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (UnreachableError("https://192.0.2.11:6443: no answer"), IncompleteError, "run `pulumi up` again"),
        (ApiError(429, "storage is (re)initializing"), IncompleteError, "can't answer now .* run `pulumi up` again"),
        (ApiError(403, "forbidden"), OperationError, "administrator's kubeconfig"),
    ],
)
def test_an_error_says_what_to_do(error: Exception, raised: type[Exception], said: str) -> None:
    with pytest.raises(raised, match=said):
        command.removed(Cluster(error), [], bgp=False)


def test_nothing_is_asked_while_a_pool_is_announced_by_bgp() -> None:
    cluster = Cluster()
    assert command.removed(cluster, [], bgp=True) == []
    assert cluster.asked == []
    assert command.removed(cluster, [], bgp=False)


def test_the_engine_runs_it_by_its_name() -> None:
    assert WITHOUT_BGP.endswith("-m vds without-bgp")
