"""What a tenant's namespace must have, in every form that Kubernetes and the vendors document."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import fence, kube, namespace, network_policy
from tests.support.policy import UNKNOWN, Resource, violations

NET = "networking.k8s.io/v1"
CILIUM, CALICO = "cilium.io/v2", "projectcalico.org/v3"
SERVERS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
PORTS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
BOTH = ["Ingress", "Egress"]
SHUT: dict[str, Any] = {"ingress": [{}], "egress": [{}]}
OF_TENANTS = {
    "matchExpressions": [{"key": "k8s:io.cilium.k8s.namespace.labels.vds-platform.no/tenant", "operator": "Exists"}]
}


def said(*resources: Resource, about: str) -> list[str]:
    found = violations(ENGINE_POLICIES, [namespace(), *fence()[1:], *resources])
    return [violation.message for violation in found if violation.policy == about]


def policy(name: str, spec: dict[str, Any], api: str = NET, kind: str = "NetworkPolicy") -> Resource:
    return kube(api, kind, name, "agency", spec=spec)._replace(name=f"{kind}-{name}")


def out(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": list(rules)}


def cilium(**spec: Any) -> Resource:
    return policy("p", {"endpointSelector": {}, **spec}, CILIUM, "CiliumNetworkPolicy")


def clusterwide(selector: dict[str, Any], **spec: Any) -> Resource:
    return kube(CILIUM, "CiliumClusterwideNetworkPolicy", "p", spec={"endpointSelector": selector, **spec})


def calico_global(**spec: Any) -> Resource:
    return kube(CALICO, "GlobalNetworkPolicy", "p", spec=spec)


def baseline(action: str, peers: list[Any], kind: str = "BaselineAdminNetworkPolicy", **subject: Any) -> Resource:
    rule = {"ingress": [{"action": action, "from": peers}], "egress": [{"action": action, "to": peers}]}
    return kube(
        "policy.networking.k8s.io/v1alpha1", kind, "default", spec={"subject": subject or {"namespaces": {}}, **rule}
    )


DNS = policy("dns", out({"to": [SERVERS], "ports": PORTS}))
OWN = [{"podSelector": {}}]


@pytest.mark.parametrize(
    "resources",
    [
        [network_policy()],
        [policy("in", {"podSelector": {}, "policyTypes": ["Ingress"]}), policy("out", out())],
        [policy("in", {"podSelector": {}}), policy("out", out())],
        [policy("all", {**out({"to": [SERVERS], "ports": PORTS}), "policyTypes": BOTH})],
        [policy("own", {"podSelector": {}, "policyTypes": BOTH, "ingress": [{"from": OWN}], "egress": [{"to": OWN}]})],
        [cilium(**SHUT)],
        [kube(CILIUM, "CiliumNetworkPolicy", "p", "agency", specs=[{"endpointSelector": {}, **SHUT}])],
        [cilium(ingressDeny=[{"fromEntities": ["world"]}], egress=[{}])],
        [clusterwide(OF_TENANTS, **SHUT)],
        [clusterwide({}, **SHUT)],
        [clusterwide({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "agency"}}, **SHUT)],
        [calico_global(namespaceSelector="has(vds-platform.no/tenant)", types=BOTH)],
        [calico_global(namespaceSelector='projectcalico.org/name not in {"kube-system"}', types=BOTH)],
        [calico_global(selector="all()", types=BOTH)],
        [policy("deny", {"selector": "all()", "types": BOTH}, CALICO)],
        [baseline("Deny", [{"namespaces": {}}])],
        [policy("in", {"podSelector": {}}), calico_global(types=["Egress"])],
    ],
)
def test_every_documented_form_of_default_deny_is_one(resources: list[Resource]) -> None:
    assert said(*resources, about="tenancy-default-deny") == []


@pytest.mark.parametrize(
    ("resources", "sides"),
    [
        ([], "ingress and egress"),
        ([policy("in", {"podSelector": {}})], "egress"),
        ([policy("out", out())], "ingress"),
        (
            [network_policy(policyTypes=None, egress=[])],
            "egress",
        ),  # Kubernetes adds Egress to policyTypes only if there is a rule
        ([network_policy(policyTypes=None, egress=None)], "egress"),
        ([network_policy(podSelector={"matchLabels": {"a": "b"}})], "ingress and egress"),
        ([network_policy(ingress=[{}])], "ingress"),
        ([cilium(ingress=[], egress=[{}])], "ingress"),
        ([cilium(**SHUT, enableDefaultDeny={"ingress": False, "egress": True})], "ingress"),
        ([cilium(ingress=[{"fromEntities": ["all"]}], egress=[{}])], "ingress"),
        ([clusterwide({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "butikk"}}, **SHUT)], "ingress and egress"),
        ([clusterwide({"matchLabels": {"app": "web"}}, **SHUT)], "ingress and egress"),
        (
            [kube(CILIUM, "CiliumClusterwideNetworkPolicy", "p", spec={"nodeSelector": {}, **SHUT})],
            "ingress and egress",
        ),
        ([calico_global(namespaceSelector="has(zone)", types=BOTH)], "ingress and egress"),
        ([calico_global(selector="app == 'web'", types=BOTH)], "ingress and egress"),
        ([calico_global()], "egress"),
        ([baseline("Allow", [{"namespaces": {}}])], "ingress and egress"),
        ([baseline("Deny", [{"namespaces": {"matchLabels": {"a": "b"}}}])], "ingress and egress"),
        ([network_policy()._replace(provider="other")], "ingress and egress"),
        (
            [kube(NET, "NetworkPolicy", "deny", "butikk", spec={"podSelector": {}, "policyTypes": BOTH})],
            "ingress and egress",
        ),
    ],
)
def test_what_leaves_pods_open_is_no_default_deny(resources: list[Resource], sides: str) -> None:
    [message] = said(*resources, about="tenancy-default-deny")
    assert f"namespace 'agency': no network policy denies the {sides} of all its pods: add a NetworkPolicy" in message


@pytest.mark.parametrize(
    "rule",
    [
        policy("dns", out({"to": [SERVERS], "ports": [{"port": "dns", "protocol": "UDP"}]})),
        policy("dns", out({"to": [SERVERS], "ports": [{"port": 50, "endPort": 60, "protocol": "UDP"}]})),
        policy("dns", out({"to": [SERVERS]})),
        policy("dns", out({"ports": PORTS})),
        cilium(
            egress=[
                {
                    "toEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system"}}],
                    "toPorts": [
                        {"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": [{"matchPattern": "*"}]}}
                    ],
                }
            ]
        ),
        cilium(egress=[{"toEntities": ["cluster"]}]),
        clusterwide(OF_TENANTS, egress=[{"toPorts": [{"ports": [{"port": "53", "protocol": "UDP"}]}]}]),
        calico_global(egress=[{"action": "Allow", "protocol": "UDP", "destination": {"ports": [53]}}]),
    ],
)
def test_names_can_be_asked_for_in_every_form(rule: Resource) -> None:
    assert said(rule, about="tenancy-allow-dns") == []


@pytest.mark.parametrize(
    "rule",
    [
        policy("dns", out({"to": [SERVERS], "ports": [{"port": 53}]})),
        policy("dns", out({"to": [SERVERS], "ports": [{"port": 443, "protocol": "UDP"}]})),
        policy("dns", out({"to": OWN, "ports": PORTS})),
        policy("dns", {**out({"ports": PORTS}), "podSelector": {"matchLabels": {"a": "b"}}}),
        cilium(egress=[{"toPorts": [{"ports": [{"port": "53", "protocol": "TCP"}]}]}]),
        cilium(egress=[{}]),
        calico_global(egress=[{"action": "Deny", "protocol": "UDP", "destination": {"ports": [53]}}]),
        DNS._replace(provider="other"),
    ],
)
def test_what_lets_no_pod_ask_for_names_is_refused(rule: Resource) -> None:
    assert len(said(rule, about="tenancy-allow-dns")) == 1


def test_a_policy_of_the_whole_cluster_that_is_not_known_leaves_the_namespace_undecided() -> None:
    unknown = kube(CILIUM, "CiliumClusterwideNetworkPolicy", "p", spec=UNKNOWN)
    [message] = said(unknown, about="tenancy-default-deny")
    assert "cannot be decided at preview" in message
    assert said(network_policy(), unknown, about="tenancy-default-deny") == []


def quota(**spec: Any) -> Resource:
    return kube("v1", "ResourceQuota", "q", "agency", spec=spec)


def limit(*limits: dict[str, Any]) -> Resource:
    return kube("v1", "LimitRange", "l", "agency", spec={"limits": list(limits)})


@pytest.mark.parametrize(
    ("resource", "policy", "keeps"),
    [
        (quota(hard={"pods": "20"}), "tenancy-quota", True),
        (quota(hard={"requests.cpu": "4"}), "tenancy-quota", True),
        (quota(hard={"count/widgets.example.com": "1000000"}), "tenancy-quota", False),
        (quota(hard={}), "tenancy-quota", False),
        (quota(hard={"pods": "20"}, scopes=["BestEffort"]), "tenancy-quota", False),
        (
            quota(hard={"pods": "0"}, scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass"}]}),
            "tenancy-quota",
            False,
        ),
        (quota(hard={"pods": "20"})._replace(provider="other"), "tenancy-quota", False),
        (limit({"type": "Container", "default": {"cpu": "1"}}), "tenancy-limits", True),
        (limit({"type": "Container", "max": {"cpu": "1"}}), "tenancy-limits", True),
        (limit(), "tenancy-limits", False),
        (limit({"type": "Container", "default": {}}), "tenancy-limits", False),
        (limit({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}), "tenancy-limits", False),
    ],
)
def test_a_quota_and_limits_are_of_what_nodes_share(resource: Resource, policy: str, keeps: bool) -> None:
    found = [one for one in violations(ENGINE_POLICIES, [namespace(), resource]) if one.policy == policy]
    assert len(found) == (not keeps)
