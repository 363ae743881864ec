"""What a tenant may not be: as the stack file has it, and as anyone's manifests do."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.core import labels
from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.quantities import Quantity, quantity_value
from components.tenancy.model import GATEWAY, TenantSpec

PLATFORM_NAMESPACES = frozenset(
    {
        "calico-apiserver",
        "calico-system",
        "cert-manager",
        "cilium-secrets",
        "default",
        "gateway-system",
        "kube-node-lease",
        "kube-public",
        "kube-system",
        "metallb-system",
        "tigera-operator",
    }
)
"""Kubernetes' own and this platform's. Any other namespace is taken for a tenant's: a list of tenants would
let the one through that nobody wrote down."""

ENFORCE = "pod-security.kubernetes.io/enforce"


def tenancy_problems(tenants: Sequence[TenantSpec], *, platform: Iterable[str] = ()) -> list[Finding]:
    """Everything wrong with the stack file's `tenants`; `platform` names namespaces beside the well-known ones."""
    taken = PLATFORM_NAMESPACES | set(platform)
    return [
        *(
            Finding("tenancy-unique", f"tenant '{name}'", "occurs twice: rename one of them")
            for name in duplicates(tenant.name for tenant in tenants)
        ),
        *(problem for tenant in tenants for problem in _tenant_problems(tenant, taken)),
    ]


def _tenant_problems(tenant: TenantSpec, taken: Collection[str]) -> Iterator[Finding]:
    item = f"tenant '{tenant.name}'"
    if tenant.name in taken or tenant.name.startswith("kube-"):
        yield Finding(
            "tenancy-name",
            item,
            "is the name of a namespace that is the platform's own: choose another",
        )
    names = [tier.name for tier in tenant.tiers]
    for name in duplicates(names):
        yield Finding("tenancy-tier", item, f"tier '{name}' occurs twice: rename one of them")
    if GATEWAY in names:
        yield Finding("tenancy-tier", item, f"'{GATEWAY}' means the platform's gateway: call the tier otherwise")
    for tier in tenant.tiers:
        for caller in sorted(set(tier.allow_from) - {GATEWAY, *names}):
            yield Finding(
                "tenancy-tier",
                item,
                f"tier '{tier.name}' lets '{caller}' call it, which is no tier of this tenant "
                f"({', '.join([*names, GATEWAY])}): correct it",
            )
    yield from _limit_problems(item, tenant)


def _limit_problems(item: str, tenant: TenantSpec) -> Iterator[Finding]:
    """Pairs of which the first may not be larger: Kubernetes refuses the object, or every pod later."""
    limits, quota = tenant.limits, tenant.quota
    pairs: list[tuple[str, Quantity, str, Quantity]] = [
        ("limits.defaultRequestCpu", limits.default_request_cpu, "limits.defaultCpu", limits.default_cpu),
        ("limits.defaultRequestMemory", limits.default_request_memory, "limits.defaultMemory", limits.default_memory),
        ("limits.defaultCpu", limits.default_cpu, "limits.maxCpu", limits.max_cpu),
        ("limits.defaultMemory", limits.default_memory, "limits.maxMemory", limits.max_memory),
        ("limits.defaultRequestCpu", limits.default_request_cpu, "quota.requestsCpu", quota.requests_cpu),
        ("limits.defaultRequestMemory", limits.default_request_memory, "quota.requestsMemory", quota.requests_memory),
        ("limits.defaultCpu", limits.default_cpu, "quota.limitsCpu", quota.limits_cpu),
        ("limits.defaultMemory", limits.default_memory, "quota.limitsMemory", quota.limits_memory),
    ]
    for smaller, small, larger, large in pairs:
        if quantity_value(small) > quantity_value(large):
            yield Finding(
                "tenancy-limits",
                item,
                f"{smaller} {small} is more than {larger} {large}: no pod could start; lower one or raise the other",
            )


# --- what a policy sees: manifests, ours or anyone's -----------------------------------------------------


def is_tenants(namespace: str, *, platform: Iterable[str] = ()) -> bool:
    """Whether a namespace is taken for a tenant's."""
    return namespace not in PLATFORM_NAMESPACES and namespace not in set(platform)


def label_problems(namespace: Mapping[str, Any]) -> list[Finding]:
    """A tenant's namespace without its label: no route may attach to the gateway, no rule finds it."""
    name, found = _labels(namespace)
    if found.get(labels.TENANT) == name:
        return []
    if labels.TENANT in found:
        problem = f"has {labels.TENANT}: {found[labels.TENANT]}, another's name"
    else:
        problem = f"has no label {labels.TENANT}"
    return [
        Finding(
            "tenancy-label",
            f"namespace '{name}'",
            f"{problem}: write {labels.TENANT}: {name}, or name it in platformNamespaces if it is the platform's own",
        )
    ]


def pod_security_problems(namespace: Mapping[str, Any]) -> list[Finding]:
    """A tenant's namespace in which a pod could ask for the node."""
    name, found = _labels(namespace)
    level = found.get(ENFORCE)
    if level == "restricted":
        return []
    has = f"has {ENFORCE}: {level}" if level else f"has no label {ENFORCE}"
    return [
        Finding(
            "tenancy-pod-security",
            f"namespace '{name}'",
            f"{has}, so a pod in it may ask for the node's files, network or root: write {ENFORCE}: restricted",
        )
    ]


def default_deny_problems(namespaces: Iterable[str], policies: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Tenants' namespaces without a NetworkPolicy that shuts both directions for every pod."""
    shut = {str(policy["metadata"].get("namespace") or "default") for policy in policies if denies_all(policy)}
    return [
        Finding(
            "tenancy-default-deny",
            f"namespace '{name}'",
            "has no NetworkPolicy that denies everything, so every pod of every tenant reaches its pods: add one with "
            "podSelector: {} and policyTypes: [Ingress, Egress] and no rules",
        )
        for name in sorted(set(namespaces) - shut)
    ]


def denies_all(policy: Mapping[str, Any]) -> bool:
    """Whether a NetworkPolicy shuts both directions for every pod of its namespace."""
    spec = policy["spec"]
    return (
        selects_everything(spec.get("podSelector"))
        and set(spec.get("policyTypes") or ()) >= {"Ingress", "Egress"}
        and not spec.get("ingress")
        and not spec.get("egress")
    )


def selects_everything(selector: Any) -> bool:
    """Whether a label selector selects whatever there is: `{}`, and what is spelled longer."""
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def rights_problems(role: Mapping[str, Any]) -> list[Finding]:
    """A Role that lets its holder take more rights than it lists."""
    name = f"{role['metadata'].get('namespace', 'default')}/{role['metadata'].get('name', '?')}"
    problems = []
    for rule in role.get("rules") or ():
        verbs, resources = set(rule.get("verbs") or ()), set(rule.get("resources") or ())
        too_much = sorted({"*"} & (verbs | resources | set(rule.get("apiGroups") or ())))
        too_much += sorted(verbs & {"escalate", "bind", "impersonate"})
        too_much += sorted(resources & {"roles", "rolebindings", "serviceaccounts/token"} if verbs & _WRITES else ())
        problems += [
            Finding(
                "tenancy-rights",
                f"Role {name}",
                f"'{right}' lets its holder reach beyond what is listed: name resources and verbs one by one",
            )
            for right in too_much
        ]
    return problems


_WRITES = {"create", "update", "patch", "delete", "deletecollection", "*"}


def _labels(namespace: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    metadata = namespace["metadata"]
    return str(metadata.get("name", "?")), metadata.get("labels") or {}
