"""What limits a namespace's use of the cluster."""

import pytest
from pydantic.alias_generators import to_camel

from components.core.quantities import quantity_value
from components.tenancy.model import Limits, Quota
from components.tenancy.quota import limit_spec, priority_spec, quota_spec
from components.tenancy.registration.model import SIZES, Size
from components.tenancy.rights import OWNER_RIGHTS


def test_no_service_of_a_tenant_has_a_port_or_an_address_outside() -> None:
    hard = quota_spec(Quota(), OWNER_RIGHTS)["hard"]
    assert hard["services.nodeports"] == hard["services.loadbalancers"] == "0"


def test_every_kind_that_the_owner_may_create_is_counted() -> None:
    """The finding: 1 MiB a Secret, without a number, fills etcd, which all tenants share."""
    hard = quota_spec(Quota(), OWNER_RIGHTS)["hard"]
    for group, kinds, verbs in OWNER_RIGHTS:
        for kind in (kind for kind in kinds if "/" not in kind):
            assert (hard.get(f"count/{kind}.{group}" if group else f"count/{kind}") == "100") is ("create" in verbs)
    assert (hard["requests.ephemeral-storage"], hard["limits.ephemeral-storage"]) == ("10Gi", "20Gi")


def test_no_pod_of_a_tenant_gets_a_priority_of_the_cluster() -> None:
    quota = priority_spec()
    assert quota["hard"] == {"pods": "0"}
    [scope] = quota["scopeSelector"]["matchExpressions"]
    assert scope["values"] == ["system-cluster-critical", "system-node-critical"]


def test_a_container_that_asks_for_no_disk_gets_a_limit() -> None:
    [limits] = limit_spec(Limits())["limits"]
    assert [limits[field]["ephemeral-storage"] for field in ("defaultRequest", "default", "max")] == [
        "256Mi",
        "1Gi",
        "10Gi",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_in_every_size_a_pod_that_asks_for_nothing_can_start(size: Size) -> None:
    quota, limits = SIZES[size]
    for what in ("cpu", "memory", "ephemeral_storage"):
        pairs = [
            (f"default_request_{what}", limits, f"default_{what}"),
            (f"default_{what}", limits, f"max_{what}"),
            (f"default_request_{what}", quota, f"requests_{what}"),
            (f"default_{what}", quota, f"limits_{what}"),
        ]
        for smaller, group, larger in pairs:
            small, large = getattr(limits, smaller), getattr(group, larger)
            assert quantity_value(small) <= quantity_value(large), to_camel(smaller)
