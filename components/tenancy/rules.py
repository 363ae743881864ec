"""Rules for the tenants of a stack file. Policies for manifests are in `policies/rules/tenancy.py`."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from pydantic.alias_generators import to_camel

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.core.quantities import quantity_value
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
"""Kubernetes' own and this platform's. Any other namespace counts as a tenant's, so that one that is in no list is
checked too."""

UNCLAIMED_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public"})
"""Those of them that have no owner: a manifest without a namespace goes to `default`."""


def tenancy_problems(tenants: Sequence[TenantSpec], *, platform: Iterable[str] = ()) -> Iterator[Finding]:
    """Everything wrong with the stack file's `tenants`; `platform` names namespaces beside the well-known ones."""
    taken = PLATFORM_NAMESPACES | set(platform)
    for name in duplicates(tenant.name for tenant in tenants):
        yield Finding("tenancy-unique", f"tenant '{name}'", "occurs twice", "rename one of them")
    for tenant in tenants:
        yield from _tenant_problems(tenant, taken)


def _tenant_problems(tenant: TenantSpec, taken: Collection[str]) -> Iterator[Finding]:
    item = f"tenant '{tenant.name}'"
    if tenant.name in taken or tenant.name.startswith("kube-"):
        yield Finding(
            "tenancy-name",
            item,
            "is the name of a namespace that is the platform's own",
            "choose another",
            value=tenant.name,
            fields=(f"tenants[{tenant.name}].name",),
        )
    names = [tier.name for tier in tenant.tiers]
    for name in duplicates(names):
        yield Finding("tenancy-tier", item, f"tier '{name}' occurs twice", "rename one of them")
    if GATEWAY in names:
        yield Finding("tenancy-tier", item, f"'{GATEWAY}' means the platform's gateway", "call the tier otherwise")
    for tier in tenant.tiers:
        for caller in sorted(set(tier.allow_from) - {GATEWAY, *names}):
            yield Finding(
                "tenancy-tier",
                f"{item}, tier '{tier.name}'",
                f"lets '{caller}' call it, which is no tier of this tenant ({', '.join([*names, GATEWAY])})",
                did_you_mean(caller, [*names, GATEWAY]) or "correct it",
                value=caller,
                fields=(f"tenants[{tenant.name}].tiers[{tier.name}].allowFrom",),
            )
    yield from _limit_problems(item, tenant)


def _limit_problems(item: str, tenant: TenantSpec) -> Iterator[Finding]:
    """Pairs of which the first may not be larger: Kubernetes refuses the object, or every pod later."""
    for what in ("cpu", "memory", "ephemeral_storage"):
        for smaller, group, larger in (
            (f"default_request_{what}", "limits", f"default_{what}"),
            (f"default_{what}", "limits", f"max_{what}"),
            (f"default_request_{what}", "quota", f"requests_{what}"),
            (f"default_{what}", "quota", f"limits_{what}"),
        ):
            small, large = getattr(tenant.limits, smaller), getattr(getattr(tenant, group), larger)
            if quantity_value(small) > quantity_value(large):
                yield Finding(
                    "tenancy-limits",
                    item,
                    f"limits.{to_camel(smaller)} {small} is more than {group}.{to_camel(larger)} {large}: no pod could "
                    "start",
                    "lower one or raise the other",
                )


def is_tenant_namespace(namespace: str, *, platform: Iterable[str] = ()) -> bool:
    """Whether a namespace counts as a tenant's."""
    return namespace not in PLATFORM_NAMESPACES and namespace not in set(platform)
