"""A tenant: an agency with a namespace of its own, and everything that keeps it to itself there."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.core.model import Spec
from components.core.quantities import Quantity
from components.core.types import DnsLabel, Port

GATEWAY = "gateway"
"""In `allowFrom`: the platform's gateway. No tier may be called that."""


def _group(value: str) -> str:
    if value.startswith("system:"):
        raise ValueError(f"'{value}' is one of the cluster's own groups: write the agency's")
    return value


class Owner(Spec):
    """Who works in the namespace."""

    group: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^\S+$"), AfterValidator(_group)]
    """A group as the API server's authentication names it."""


class Quota(Spec):
    """The most that the whole namespace may ask for."""

    pods: int = Field(default=20, ge=1)
    requests_cpu: Quantity = "4"
    requests_memory: Quantity = "8Gi"
    limits_cpu: Quantity = "8"
    limits_memory: Quantity = "16Gi"
    storage: Quantity = "50Gi"
    """Sum of what volume claims ask for."""


class Limits(Spec):
    """What a container gets that asks for nothing, and the most one may ask for."""

    default_request_cpu: Quantity = "100m"
    default_request_memory: Quantity = "128Mi"
    default_cpu: Quantity = "500m"
    default_memory: Quantity = "512Mi"
    max_cpu: Quantity = "4"
    max_memory: Quantity = "8Gi"


class Tier(Spec):
    """A part of the tenant's application: pods labelled `vds-platform.no/tier: <name>`."""

    name: DnsLabel
    port: Port
    """The TCP port its pods listen on (not the Service's)."""
    allow_from: tuple[DnsLabel, ...] = ()
    """Tiers that may call it, or `gateway`; empty: nobody."""


class TenantSpec(Spec):
    """One entry of the stack file's `tenants`."""

    name: DnsLabel
    """Also the name of its namespace."""
    owner: Owner
    quota: Quota = Quota()
    limits: Limits = Limits()
    tiers: tuple[Tier, ...] = Field(min_length=1)
