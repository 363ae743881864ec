"""Fields that a program sets on somebody else's object are judged as an object of its own is."""

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import kube, namespace, service
from tests.support.policy import Resource, violations
from tests.support.policy_cases import CASES

NO_PATCH = {
    "residency": "components have no patches",
    "residency-state": "components have no patches",
    "residency-exceptions": "components have no patches",
    "residency-record": "components have no patches",
    "residency-place": "components have no patches",
    "stack-protected": "what deletes a patch deletes fields, not the object with its data",
    "tenancy-one-bundle": "a patch says that the namespace is somebody else's",
    "tenancy-default-deny": "what else is in somebody else's namespace, this program does not say",
    "tenancy-allow-dns": "what else is in somebody else's namespace, this program does not say",
    "tenancy-quota": "what else is in somebody else's namespace, this program does not say",
    "tenancy-limits": "what else is in somebody else's namespace, this program does not say",
    "metallb-advertisement-selects": "what a patch leaves out, its object may have",
    "metallb-bgp-peer": "what a patch leaves out, its object may have",
    "metallb-client-address": "what a patch leaves out, its object may have",
    "tenancy-contract": "what a patch leaves out, its object may have",
    "tenancy-label": "what a patch leaves out, its object may have; another's label is tested below",
    "cni-no-flannel": "a Release has no patch; a DaemonSet's is tested below",
}
"""Policies whose broken case is none as a patch, and why."""


def patch(resource: Resource) -> Resource:
    """The same fields on somebody else's object: helm.sh has no patches, and components neither."""
    package = resource.type.partition(":")[0]
    is_object = package == "kubernetes" and "helm.sh" not in resource.type
    return resource._replace(type=f"{resource.type}Patch") if is_object else resource


def refused_by(*resources: Resource, policy: str = "") -> list[str]:
    found = violations(ENGINE_POLICIES, list(resources), CASES[policy].config if policy else None)
    return [violation.policy for violation in found]


@pytest.mark.parametrize("policy", sorted(set(CASES) - set(NO_PATCH)))
def test_what_is_refused_of_an_object_is_refused_of_its_patch(policy: str) -> None:
    assert policy in refused_by(*map(patch, CASES[policy].fails), policy=policy)


@pytest.mark.parametrize("policy", sorted(set(CASES) - set(NO_PATCH)))
def test_what_is_kept_by_an_object_is_kept_by_its_patch(policy: str) -> None:
    assert refused_by(*map(patch, CASES[policy].passes), policy=policy) == []


@pytest.mark.parametrize(
    ("resource", "policy"),
    [
        (namespace(**{"vds-platform.no/tenant": "butikk"}), "tenancy-label"),
        (namespace(**{"pod-security.kubernetes.io/enforce": "privileged"}), "tenancy-pod-security"),
        (
            kube(
                "apps/v1",
                "DaemonSet",
                "kube-proxy",
                "kube-system",
                spec={"template": {"spec": {"containers": [{"image": "docker.io/flannel/flannel:v0.26.1"}]}}},
            ),
            "cni-no-flannel",
        ),
    ],
)
def test_a_field_that_a_patch_sets_is_judged(resource: Resource, policy: str) -> None:
    assert refused_by(patch(resource)) == [policy]


def test_a_label_that_a_patch_leaves_alone_is_not_asked_for() -> None:
    bare = namespace(**{"vds-platform.no/tenant": "", "pod-security.kubernetes.io/enforce": ""})
    assert refused_by(patch(bare)) == []
    assert refused_by(patch(service(sessionAffinity="ClientIP"))) == []
    route = kube("gateway.networking.k8s.io/v1", "HTTPRoute", "r", "agency", metadata={"labels": {"a": "b"}})
    assert refused_by(patch(route)) == []
