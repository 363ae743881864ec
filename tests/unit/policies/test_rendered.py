"""Policies on what the platform renders, and on what is changed in it."""

from typing import Any

import pytest

from components.core import labels
from components.core.manifests import Manifest
from components.tenancy.bundle import namespace_manifests, registered_namespace
from tests.support.policy import findings
from tests.support.registrations import environment, registration

NAME = "butikk-prod"
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "reader", "namespace": NAME},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}


def namespace(name: str = NAME) -> Manifest:
    return registered_namespace(registration(tenant=name.partition("-")[0]), name)


def default_deny() -> Manifest:
    return namespace_manifests(registration(), NAME, environment(cni="flannel"))[0]


def without_label(name: str) -> Manifest:
    made = namespace()
    del made["metadata"]["labels"][name]
    return made


def test_a_namespace_without_its_tenants_label_is_refused() -> None:
    assert findings("tenancy-label", namespace()) == []
    [problem] = findings("tenancy-label", without_label(labels.TENANT))
    assert str(problem) == (
        "namespace 'butikk-prod': has no label vds-platform.no/tenant: write vds-platform.no/tenant: butikk-prod, "
        "or name it in platformNamespaces of tenancy-label if the platform owns it"
    )


def test_a_namespace_with_anothers_label_is_refused() -> None:
    made = namespace()
    made["metadata"]["labels"][labels.TENANT] = "skjema"
    [problem] = findings("tenancy-label", made)
    assert "has vds-platform.no/tenant: skjema, another's name" in problem.message


def test_a_namespace_without_strict_pod_security_is_refused() -> None:
    assert findings("tenancy-pod-security", namespace()) == []
    [none] = findings("tenancy-pod-security", without_label("pod-security.kubernetes.io/enforce"))
    assert "has no label pod-security.kubernetes.io/enforce" in none.message
    made = namespace()
    made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"
    [weak] = findings("tenancy-pod-security", made)
    assert "has pod-security.kubernetes.io/enforce: baseline" in weak.message


@pytest.mark.parametrize(
    "change",
    [
        {"podSelector": {"matchLabels": {"a": "b"}}},
        {"policyTypes": ["Ingress"]},
        {"policyTypes": None, "egress": None},
        {"ingress": [{}]},
        {"egress": [{}]},
    ],
)
def test_only_a_policy_that_denies_everything_counts(change: dict[str, Any]) -> None:
    found = default_deny()
    assert findings("tenancy-default-deny", namespace(), found) == []
    found["spec"] = {**found["spec"], **change}
    assert findings("tenancy-default-deny", namespace(), found)


def test_a_namespace_needs_a_default_deny_of_its_own() -> None:
    [problem] = findings("tenancy-default-deny", namespace(), namespace("skjema-prod"), default_deny())
    assert problem.subject == "namespace 'skjema-prod'"
    assert problem.urn.endswith("Namespace-1")


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
    assert findings("tenancy-rights", ROLE) == []
    assert findings("tenancy-rights", {**ROLE, "rules": [rule]})


def test_anyones_route_is_judged_rule_by_rule() -> None:
    def made(*rules: list[dict[str, Any]]) -> dict[str, Any]:
        meta = {"name": "r", "namespace": "n"}
        return {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": meta,
            "spec": {"rules": [{"backendRefs": refs} for refs in rules]},
        }

    assert findings("gateway-weights", made([{"name": "a"}, {"name": "b", "weight": 0}])) == []
    assert findings("gateway-weights", made([])) == []
    [problem] = findings("gateway-weights", made([{"name": "a"}], [{"name": "b", "weight": 0}]))
    assert problem.subject == "HTTPRoute n/r"


def test_only_a_node_port_is_a_node_port() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "n"},
        "spec": {"type": "NodePort", "ports": [{"nodePort": 30080}]},
    }
    [problem] = findings("gateway-no-node-port", service)
    assert str(problem).startswith("Service n/s: type NodePort opens 30080 on every node to the internet")
    [behind] = findings("gateway-no-node-port", {**service, "spec": {"type": "LoadBalancer"}})
    assert "type LoadBalancer opens each of its ports on every node as well" in str(behind)
    closed = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    assert findings("gateway-no-node-port", {**service, "spec": closed}) == []
    assert findings("gateway-no-node-port", {**service, "spec": None}) == []


@pytest.mark.parametrize("allocate", [{}, {"allocateLoadBalancerNodePorts": True}])
def test_a_load_balancer_opens_node_ports_unless_it_says_no(allocate: dict[str, bool]) -> None:
    metadata = {"name": "s", "namespace": "gateway-system"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "LoadBalancer", **allocate},
    }
    [problem] = findings("gateway-no-node-port", service)
    assert str(problem) == (
        "Service gateway-system/s: type LoadBalancer opens each of its ports on every node as well, past the load "
        "balancer: write allocateLoadBalancerNodePorts: false"
    )


def test_host_names_that_are_no_list_cannot_be_judged() -> None:
    made = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "api", "namespace": "butikk"},
        "spec": {"hostnames": "butikk.example.no"},
    }
    [problem] = findings("gateway-hostname-owner", made)
    assert problem.message == "cannot be judged: spec.hostnames is not a list"


def test_an_advertisement_without_a_selection_is_refused() -> None:
    advertisement = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": {"name": "all"},
        "spec": {"interfaces": ["eth0"]},
    }
    [problem] = findings("metallb-advertisement-selects", advertisement)
    assert str(problem) == (
        "L2Advertisement 'all': selects no pool, so it announces all of them: write spec.ipAddressPools"
    )
    assert (
        findings(
            "metallb-advertisement-selects",
            {**advertisement, "spec": {"ipAddressPoolSelectors": [{"matchLabels": {}}]}},
        )
        == []
    )
