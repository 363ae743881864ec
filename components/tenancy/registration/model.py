"""A tenant's registration: `vds-tenants:registration` of the project in `tenants/`. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from components.core.model import Spec
from components.core.types import CountryCode, DnsLabel, DnsName, HostName, Network, Port, RefusedError
from components.core.waivers import Waiver
from components.tenancy.model import Group, Limits, Quota

Size = Literal["small", "medium", "large"]
"""Size classes of a namespace."""

SIZES: Mapping[Size, tuple[Quota, Limits]] = MappingProxyType(
    {
        "small": (
            Quota(
                pods=10,
                requests_cpu="2",
                requests_memory="4Gi",
                limits_cpu="4",
                limits_memory="8Gi",
                storage="20Gi",
                requests_ephemeral_storage="5Gi",
                limits_ephemeral_storage="10Gi",
                objects=50,
            ),
            Limits(max_cpu="2", max_memory="4Gi"),
        ),
        "medium": (Quota(), Limits()),
        "large": (
            Quota(
                pods=100,
                requests_cpu="16",
                requests_memory="32Gi",
                limits_cpu="32",
                limits_memory="64Gi",
                storage="500Gi",
                requests_ephemeral_storage="50Gi",
                limits_ephemeral_storage="100Gi",
                objects=300,
            ),
            Limits(max_cpu="8", max_memory="16Gi"),
        ),
    }
)
"""What each size class means."""

CI_ACCOUNT = "ci"
"""The ServiceAccount of the tenant's CI, in each of its namespaces."""


_HIGHEST_PORT = 65535
_REGISTRY = re.compile(r"[a-z0-9.-]+(\.[a-z0-9-]+|:[0-9]{1,5})/([a-z0-9][a-z0-9._-]*/)*")


def _registry(value: str) -> str:
    if "://" in value:
        raise RefusedError("has a scheme", f"write {value.partition('://')[2].rstrip('/')}/")
    if not _REGISTRY.fullmatch(value if value.endswith("/") else f"{value}/"):
        raise ValueError("write host and folders, as in 'registry.example.no/butikk/'")
    if not value.endswith("/"):
        raise RefusedError("does not end with '/', so it would hold every repository that begins so", f"write {value}/")
    port = value.partition("/")[0].partition(":")[2]
    if port and not 0 < int(port) <= _HIGHEST_PORT:
        raise RefusedError("has a port that no host has", f"write one from 1 to {_HIGHEST_PORT}")
    return value


Registry = Annotated[str, AfterValidator(_registry), Field(max_length=255)]
"""Host and folders of a registry, with a slash at the end: images below it may run."""


class RegisteredOwner(Spec):
    """Who may work in the tenant's namespaces."""

    groups: tuple[Group, ...] = Field(min_length=1)
    """Groups of the identity provider, as the API server's authentication names them."""
    ci: tuple[Group, ...] = ()
    """Users that the API server's authentication makes of the CI's OIDC subjects. Each namespace also has a
    ServiceAccount `ci`."""


class RegisteredNamespace(Spec):
    """One namespace of the tenant."""

    size: Size
    """Size class: quota of the namespace, and limits of its containers."""


class Egress(Spec):
    """A destination outside of the cluster, for pods with the label `egress.vds-platform.no/<name>: "true"`."""

    name: DnsLabel
    """Its name, which is in the label."""
    hosts: tuple[HostName, ...] = ()
    """Host names; `*.example.no` is all below it."""
    networks: tuple[Network, ...] = ()
    """IPv4 networks (CIDR)."""
    ports: tuple[Port, ...] = Field(min_length=1)
    """TCP ports."""
    purpose: str = Field(min_length=3, max_length=253)
    """What data are sent there for. Auditors read this."""
    country: CountryCode
    """Country of the servers."""
    entity: str = Field(min_length=1)
    """The company or agency that controls the servers."""
    entity_country: CountryCode
    """Country of that entity."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Egress":
        if not self.hosts and not self.networks:
            raise RefusedError("has neither hosts nor networks", "write what is called")
        return self


class RegisteredException(Waiver):
    """A waiver of one rule for this tenant."""

    name: DnsLabel
    """Its name in reports."""
    rule: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$", max_length=63)
    """Id of the rule, as in docs/policies."""
    egress: DnsLabel | None = None
    """For rule `residency-destinations`: the name of the egress."""

    @model_validator(mode="after")
    def _names_its_egress(self) -> "RegisteredException":
        if (self.rule == RESIDENCY_RULE) != (self.egress is not None):
            raise RefusedError(
                f"egress goes with rule {RESIDENCY_RULE}, and with no other", "add egress, or remove it", "rule"
            )
        return self


RESIDENCY_RULE = "residency-destinations"


class RegistrationsSpec(Spec):
    """The stack file's `registrations`. Tenants are registered in stacks of their own."""

    administrators: tuple[Group, ...] = ()
    """Groups of the identity provider that may register tenants: they get the ClusterRole
    `vds-platform-tenant-administrator`. Default: administrators of the cluster only."""


class Registration(Spec):
    """One tenant: who owns it, its namespaces, and what it may use."""

    tenant: DnsLabel
    """Its name; also the stack's."""
    owner: RegisteredOwner
    namespaces: Annotated[dict[DnsLabel, RegisteredNamespace], Field(min_length=1, max_length=16)]
    """Its namespaces, each named `<tenant>-<key>`."""
    domains: tuple[DnsName, ...] = ()
    """Its host names: each of these, and every name below it."""
    egress: tuple[Egress, ...] = ()
    """What it may call outside of the cluster. Default: nothing."""
    registries: tuple[Registry, ...] = Field(min_length=1)
    """Where its images may come from."""
    canary_ceiling_percent: int = Field(default=50, ge=1, le=100)
    """The largest share of a route's requests for a canary."""
    exceptions: tuple[RegisteredException, ...] = ()

    @property
    def namespace_names(self) -> tuple[str, ...]:
        """Names of the namespaces in the cluster, sorted."""
        return tuple(sorted(f"{self.tenant}-{key}" for key in self.namespaces))

    def size_of(self, namespace: str) -> Size:
        """The size class of a namespace, by its name in the cluster. Raises KeyError for another tenant's."""
        return self.namespaces[namespace.removeprefix(f"{self.tenant}-")].size
