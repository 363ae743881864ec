"""What a tenant may not be, and what anyone's namespaces, policies and roles may not."""

from typing import Any

import pytest

from components.core import labels
from components.core.manifests import Manifest
from components.tenancy.model import TenantSpec
from components.tenancy.render import default_deny, namespace, owner_role
from components.tenancy.rules import (
    default_deny_problems,
    denies_all,
    is_tenants,
    label_problems,
    pod_security_problems,
    rights_problems,
    tenancy_problems,
)
from tests.support.stacks import stack

BUTIKK = stack("lab").tenants[0]


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
    assert "tier 'web' lets 'wep' call it, which is no tier of this tenant (web, gateway)" in problem


def test_no_tier_is_called_gateway() -> None:
    [problem] = problems(tenant(tiers=[{"name": "gateway", "port": 80}]))
    assert "call the tier otherwise" in problem


def test_a_group_of_the_cluster_itself_has_no_spelling() -> None:
    with pytest.raises(ValueError, match="cluster's own groups"):
        tenant(owner={"group": "system:masters"})


def test_limits_under_which_no_pod_could_start_are_refused() -> None:
    [default] = problems(tenant(limits={"defaultCpu": "5"}))
    assert "limits.defaultCpu 5 is more than limits.maxCpu 4: no pod could start" in default
    [quota] = problems(tenant(quota={"requestsMemory": "64Mi"}))
    assert "limits.defaultRequestMemory 128Mi is more than quota.requestsMemory 64Mi" in quota


def test_every_namespace_that_is_not_the_platforms_is_a_tenants() -> None:
    assert is_tenants("butikk")
    assert not is_tenants("kube-system")
    assert not is_tenants("edge", platform=["edge"])


def without_label(name: str) -> Manifest:
    made = namespace(BUTIKK)
    del made["metadata"]["labels"][name]
    return made


def test_a_namespace_without_its_tenants_label_is_refused() -> None:
    assert label_problems(namespace(BUTIKK)) == []
    [problem] = label_problems(without_label(labels.TENANT))
    assert str(problem) == (
        "namespace 'butikk': has no label vds-platform.no/tenant: write vds-platform.no/tenant: butikk, "
        "or name it in platformNamespaces if it is the platform's own"
    )


def test_a_namespace_with_anothers_label_is_refused() -> None:
    made = namespace(BUTIKK)
    made["metadata"]["labels"][labels.TENANT] = "skjema"
    [problem] = label_problems(made)
    assert "has vds-platform.no/tenant: skjema, another's name" in problem.message


def test_a_namespace_without_strict_pod_security_is_refused() -> None:
    assert pod_security_problems(namespace(BUTIKK)) == []
    [none] = pod_security_problems(without_label("pod-security.kubernetes.io/enforce"))
    assert "has no label pod-security.kubernetes.io/enforce" in none.message
    made = namespace(BUTIKK)
    made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"
    [weak] = pod_security_problems(made)
    assert "has pod-security.kubernetes.io/enforce: baseline" in weak.message


@pytest.mark.parametrize(
    "change",
    [
        {"podSelector": {"matchLabels": {"a": "b"}}},
        {"policyTypes": ["Ingress"]},
        {"policyTypes": None},
        {"ingress": [{}]},
        {"egress": [{}]},
    ],
)
def test_only_a_policy_that_shuts_everything_denies_all(change: dict[str, Any]) -> None:
    policy = default_deny(BUTIKK)
    assert denies_all(policy)
    policy["spec"] = {**policy["spec"], **change}
    assert not denies_all(policy)


def test_a_namespace_needs_a_default_deny_of_its_own() -> None:
    policies = [default_deny(BUTIKK)]
    assert default_deny_problems(["butikk"], policies) == []
    [problem] = default_deny_problems(["butikk", "skjema"], policies)
    assert problem.subject == "namespace 'skjema'"


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["*"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
    ],
)
def test_a_role_that_reaches_beyond_its_list_is_refused(rule: dict[str, Any]) -> None:
    role = owner_role(BUTIKK)
    assert rights_problems(role) == []
    assert rights_problems({**role, "rules": [rule]})
