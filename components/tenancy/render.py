"""A tenant's namespace bundle, in Kubernetes' own kinds, so that every CNI enforces it.

The exception is traffic through Cilium's own gateway, which a NetworkPolicy can't select.
"""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest, secured_namespace
from components.core.names import KUBE_SYSTEM
from components.tenancy.model import GATEWAY, Limits, Quota, TenantSpec, Tier

DEFAULT_DENY = "default-deny-all"
ALLOW_DNS = "allow-dns"
SYSTEM_PRIORITIES = ("system-cluster-critical", "system-node-critical")
"""The priority classes that Kubernetes itself makes."""
_RBAC = "rbac.authorization.k8s.io"

Rights = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
"""API group, resources, verbs."""
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete")
OWNER_RIGHTS: Rights = (
    ("", ("configmaps", "persistentvolumeclaims", "secrets", "services"), WRITE),
    ("", ("pods",), (*READ, "delete")),
    ("", ("events", "limitranges", "pods/log", "resourcequotas"), READ),
    ("apps", ("deployments", "statefulsets"), WRITE),
    ("apps", ("replicasets",), READ),
    ("autoscaling", ("horizontalpodautoscalers",), WRITE),
    ("batch", ("cronjobs", "jobs"), WRITE),
    ("discovery.k8s.io", ("endpointslices",), READ),
    ("gateway.networking.k8s.io", ("httproutes",), READ),
    ("networking.k8s.io", ("networkpolicies",), READ),
    ("policy", ("poddisruptionbudgets",), WRITE),
)
"""No `exec`, because a shell cannot be reviewed. No rights to grant rights. Quota, limits
and network policies are read-only, because they isolate the tenant."""


def tenant_manifests(tenant: TenantSpec, *, gateway_namespace: str | None) -> list[Manifest]:
    """All objects of the bundle, in the order in which they are applied: isolation before anything can run.

    `gateway_namespace`: namespace of the gateway's pods; None if Cilium is the gateway.
    """
    return [
        namespace(tenant),
        default_deny(tenant),
        allow_dns(tenant),
        *tier_policies(tenant, gateway_namespace=gateway_namespace),
        resource_quota(tenant),
        priority_quota(tenant),
        limit_range(tenant),
        owner_role(tenant),
        owner_binding(tenant),
    ]


def namespace(tenant: TenantSpec) -> Manifest:
    """The namespace, with Pod Security `restricted`."""
    return secured_namespace(tenant.name, labels={labels.TENANT: tenant.name})


def default_deny(tenant: TenantSpec) -> Manifest:
    """Denies all ingress and egress of every pod."""
    return _network_policy(tenant, DEFAULT_DENY, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


def allow_dns(tenant: TenantSpec) -> Manifest:
    """Allows every pod to use the cluster's DNS pods, and nothing else in kube-system."""
    dns = {"namespaceSelector": _namespace(KUBE_SYSTEM), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [dns], "ports": ports}]}
    return _network_policy(tenant, ALLOW_DNS, spec)


def tier_policies(tenant: TenantSpec, *, gateway_namespace: str | None) -> list[Manifest]:
    """Connections between tiers: an ingress policy for each called tier and an egress policy for each calling one."""
    by_cilium = gateway_namespace is None
    called = [
        _ingress(tenant, tier, gateway_namespace)
        for tier in tenant.tiers
        if (set(tier.allow_from) - {GATEWAY} if by_cilium else tier.allow_from)
    ]
    reached = [tier for tier in tenant.tiers if GATEWAY in tier.allow_from] if by_cilium else []
    calling = [
        _egress(tenant, tier, targets)
        for tier in tenant.tiers
        if (targets := [other for other in tenant.tiers if tier.name in other.allow_from])
    ]
    return called + [_through_cilium(tenant, tier) for tier in reached] + calling


def resource_quota(tenant: TenantSpec) -> Manifest:
    """The quota. No node ports and no load balancers: requests from outside come through the gateway."""
    return _inside(tenant, "v1", "ResourceQuota", "tenant", spec=quota_spec(tenant.quota, OWNER_RIGHTS))


def quota_spec(quota: Quota, rights: Rights) -> dict[str, Any]:
    """`spec` of a ResourceQuota, with a number for each kind that the rights let somebody create."""
    created = [
        f"count/{kind}.{group}" if group else f"count/{kind}"
        for group, kinds, verbs in rights
        for kind in kinds
        if "create" in verbs and "/" not in kind
    ]
    hard = {
        "limits.cpu": quota.limits_cpu,
        "limits.ephemeral-storage": quota.limits_ephemeral_storage,
        "limits.memory": quota.limits_memory,
        "pods": str(quota.pods),
        "requests.cpu": quota.requests_cpu,
        "requests.ephemeral-storage": quota.requests_ephemeral_storage,
        "requests.memory": quota.requests_memory,
        "requests.storage": quota.storage,
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        **dict.fromkeys(created, str(quota.objects)),
    }
    return {"hard": dict(sorted(hard.items()))}


def priority_quota(tenant: TenantSpec) -> Manifest:
    """No pod of the cluster's own priorities: it would evict CoreDNS and the gateway. The API server lets every
    namespace use them (1.36, plugin/pkg/admission/priority)."""
    return _inside(tenant, "v1", "ResourceQuota", "system-priorities", spec=priority_spec())


def priority_spec() -> dict[str, Any]:
    """`spec` of a ResourceQuota that has room for no pod of the cluster's own priorities."""
    matches = {"scopeName": "PriorityClass", "operator": "In", "values": list(SYSTEM_PRIORITIES)}
    return {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [matches]}}


def limit_range(tenant: TenantSpec) -> Manifest:
    """Defaults for containers, because the quota refuses pods without requests."""
    return _inside(tenant, "v1", "LimitRange", "tenant", spec=limit_spec(tenant.limits))


def limit_spec(limits: Limits) -> dict[str, Any]:
    """`spec` of a LimitRange."""
    container = {
        "type": "Container",
        "default": _resources(limits.default_cpu, limits.default_memory, limits.default_ephemeral_storage),
        "defaultRequest": _resources(
            limits.default_request_cpu, limits.default_request_memory, limits.default_request_ephemeral_storage
        ),
        "max": _resources(limits.max_cpu, limits.max_memory, limits.max_ephemeral_storage),
    }
    return {"limits": [container]}


def _resources(cpu: str, memory: str, ephemeral_storage: str) -> dict[str, str]:
    return {"cpu": cpu, "ephemeral-storage": ephemeral_storage, "memory": memory}


def owner_role(tenant: TenantSpec) -> Manifest:
    """Rights of the agency in its namespace."""
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in OWNER_RIGHTS
    ]
    return _inside(tenant, f"{_RBAC}/v1", "Role", "tenant-owner", rules=rules)


def owner_binding(tenant: TenantSpec) -> Manifest:
    """The owner role for the agency's group."""
    return _inside(
        tenant,
        f"{_RBAC}/v1",
        "RoleBinding",
        "tenant-owner",
        roleRef={"apiGroup": _RBAC, "kind": "Role", "name": "tenant-owner"},
        subjects=[{"apiGroup": _RBAC, "kind": "Group", "name": tenant.owner.group}],
    )


def _ingress(tenant: TenantSpec, tier: Tier, gateway_namespace: str | None) -> Manifest:
    callers = []
    for name in sorted(tier.allow_from):
        if name != GATEWAY:
            callers.append({"podSelector": _tier(name)})
        elif gateway_namespace is not None:
            callers.append({"namespaceSelector": _namespace(gateway_namespace)})
    spec = {
        "podSelector": _tier(tier.name),
        "policyTypes": ["Ingress"],
        "ingress": [{"from": callers, "ports": [{"protocol": "TCP", "port": tier.port}]}],
    }
    return _network_policy(tenant, f"to-{tier.name}", spec)


def _through_cilium(tenant: TenantSpec, tier: Tier) -> Manifest:
    """Allows Cilium's gateway: its Envoy has the identity `ingress`, which no namespaceSelector matches.

    See Cilium's page on Gateway API and policies, cilium#36509 and #47617.
    """
    spec = {
        "endpointSelector": _tier(tier.name),
        "ingress": [
            {"fromEntities": ["ingress"], "toPorts": [{"ports": [{"port": str(tier.port), "protocol": "TCP"}]}]}
        ],
    }
    return _inside(tenant, "cilium.io/v2", "CiliumNetworkPolicy", f"to-{tier.name}-from-gateway", spec=spec)


def _egress(tenant: TenantSpec, tier: Tier, targets: list[Tier]) -> Manifest:
    calls = [
        {"to": [{"podSelector": _tier(target.name)}], "ports": [{"protocol": "TCP", "port": target.port}]}
        for target in sorted(targets, key=lambda target: target.name)
    ]
    spec = {"podSelector": _tier(tier.name), "policyTypes": ["Egress"], "egress": calls}
    return _network_policy(tenant, f"from-{tier.name}", spec)


def _network_policy(tenant: TenantSpec, name: str, spec: dict[str, Any]) -> Manifest:
    return _inside(tenant, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def _inside(tenant: TenantSpec, api: str, kind: str, name: str, **body: Any) -> Manifest:
    return manifest(api, kind, name, namespace=tenant.name, labels={labels.TENANT: tenant.name}, **body)


def _namespace(name: str) -> dict[str, Any]:
    return {"matchLabels": {labels.NAMESPACE_NAME: name}}


def _tier(name: str) -> dict[str, Any]:
    return {"matchLabels": {labels.TIER: name}}
