"""`spec` of the objects that limit what a namespace uses. Pure."""

from typing import Any

from components.tenancy.model import Limits, Quota
from components.tenancy.rights import Rights

SYSTEM_PRIORITIES = ("system-cluster-critical", "system-node-critical")
"""The priority classes that Kubernetes itself makes."""


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


def priority_spec() -> dict[str, Any]:
    """`spec` of a ResourceQuota that has room for no pod of the cluster's own priorities."""
    matches = {"scopeName": "PriorityClass", "operator": "In", "values": list(SYSTEM_PRIORITIES)}
    return {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [matches]}}


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
