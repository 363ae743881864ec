"""What a tenant may not be, and what anyone's namespaces, policies and roles may not."""

from typing import Any

import pytest

from components.tenancy.model import TenantSpec
from components.tenancy.rules import (
    is_tenant_namespace,
    tenancy_problems,
)
from tests.support.stacks import stack


def tenant(**fields: Any) -> TenantSpec:
    tiers = [{"name": "web", "port": 8080, "allowFrom": ["gateway"]}]
    return TenantSpec.model_validate({"name": "agency", "owner": {"group": "devs"}, "tiers": tiers, **fields})


def problems(*tenants: TenantSpec) -> list[str]:
    return [str(problem) for problem in tenancy_problems(tenants, platform=["edge"])]


def test_the_committed_tenants_are_fine() -> None:
    assert problems(*stack("oslo").tenants) == []


@pytest.mark.parametrize("name", ["kube-system", "kube-other", "metallb-system", "edge", "default"])
def test_a_tenant_may_not_take_a_namespace_of_the_platform(name: str) -> None:
    assert problems(tenant(name=name)) == [
        f"tenant '{name}': is the name of a namespace that is the platform's own: choose another"
    ]


def test_a_tenant_that_occurs_twice_is_refused() -> None:
    assert problems(tenant(), tenant()) == ["tenant 'agency': occurs twice: rename one of them"]


def test_tiers_are_called_by_tiers_that_there_are() -> None:
    [problem] = problems(tenant(tiers=[{"name": "web", "port": 80, "allowFrom": ["wep"]}]))
    assert "tier 'web': lets 'wep' call it, which is no tier of this tenant (web, gateway)" in problem


def test_no_tier_is_called_gateway() -> None:
    [problem] = problems(tenant(tiers=[{"name": "gateway", "port": 80}]))
    assert "call the tier otherwise" in problem


def test_a_group_of_the_cluster_itself_has_no_spelling() -> None:
    with pytest.raises(ValueError, match="cluster's own groups"):
        tenant(owner={"group": "system:masters"})


def test_limits_under_which_no_pod_could_start_are_refused() -> None:
    [default] = problems(tenant(limits={"defaultCpu": "5"}))
    assert "limits.defaultCpu 5 is more than limits.maxCpu 4: no pod could start" in default
    [disk] = problems(tenant(limits={"defaultEphemeralStorage": "11Gi"}))
    assert "limits.defaultEphemeralStorage 11Gi is more than limits.maxEphemeralStorage 10Gi" in disk
    [quota] = problems(tenant(quota={"requestsMemory": "64Mi"}))
    assert "limits.defaultRequestMemory 128Mi is more than quota.requestsMemory 64Mi" in quota


def test_every_namespace_that_is_not_the_platforms_is_a_tenants() -> None:
    assert is_tenant_namespace("butikk")
    assert not is_tenant_namespace("kube-system")
    assert not is_tenant_namespace("edge", platform=["edge"])
