"""Where data may lie and under whose law, and every place that it can go to."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from components.core.model import Spec
from components.core.types import CountryCode, DnsLabel
from components.core.waivers import Waiver

Purpose = Literal[
    "acme",
    "addresses",
    "backup",
    "chart-repository",
    "dns",
    "egress",
    "image-registry",
    "secrets",
    "state",
    "storage",
    "telemetry",
    "time",
]
"""What bytes are at a place for. One that serves for another purpose than declared is a finding of its own."""


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"(\*\.)?[a-z0-9]([a-z0-9._/-]*[a-z0-9])?", value):
        raise ValueError(
            "write a host without scheme or port, as in 'registry.example.no', '*.example.no' for all below it, "
            "'localhost' for the machine that runs Pulumi, or a storage driver's name"
        )
    return value


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""A host name, a wildcard over one, or the name of a storage driver."""


def _cidr(value: Any) -> Any:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        if isinstance(value, str) and "/" in value:
            return ip_network(value)
    except ValueError:
        pass
    raise ValueError("write a network without host bits, as in '198.51.100.0/24' or '2001:db8::/32'")


Cidr = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(_cidr),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9a-f.:]+/[0-9]{1,3}$", "description": "a network (CIDR)"}),
]
"""A network of either family."""


class StateStore(NamedTuple):
    """Where Pulumi keeps a stack, as far as its program can know."""

    backend: str
    """URL without user and password; empty where only `pulumi login` knows."""
    secrets_provider: str = ""
    """URL, or `passphrase`; empty: Pulumi Cloud's own key with that backend, a passphrase with any other."""


class Place(Spec):
    """Somewhere that bytes of this platform go."""

    name: DnsLabel
    hosts: tuple[Endpoint, ...] = ()
    networks: tuple[Cidr, ...] = ()
    """CIDRs: of address pools, of what tenants may call by address."""
    country: CountryCode
    """Where the machines stand."""
    entity: str = Field(min_length=1)
    """The company or agency that controls them: not the brand, the one that a court can order."""
    entity_country: CountryCode
    """Whose law that entity is under: a foreign-owned company's region at home is not a place at home."""
    purposes: tuple[Purpose, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Place":
        if not self.hosts and not self.networks:
            raise ValueError("it has neither hosts nor networks: write what is reached there")
        return self


class ResidencyException(Waiver):
    """A place that is used although its country or its entity's is not allowed: named, reasoned, and not for ever."""

    name: DnsLabel
    place: DnsLabel
    """The name of the place."""


class Residency(Spec):
    """The stack file's `residency`."""

    allowed_countries: tuple[CountryCode, ...] = Field(min_length=1)
    """For machines and for whoever controls them."""
    places: tuple[Place, ...] = ()
    exceptions: tuple[ResidencyException, ...] = ()
