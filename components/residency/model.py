"""The stack file's `residency`: allowed countries, declared destinations, waivers."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from components.core.endpoints import host_of, url_hosts
from components.core.model import Spec
from components.core.types import CountryCode, DnsLabel, RefusedError
from components.core.waivers import Waiver

Purpose = Literal[
    "acme",
    "addresses",
    "backup",
    "chart-repository",
    "ci",
    "dns",
    "egress",
    "image-registry",
    "package-repository",
    "secrets",
    "state",
    "storage",
    "telemetry",
    "time",
    "unclassified",
]
"""Purposes of a destination. Use for an undeclared purpose is a finding. `unclassified`: a field names a host, and
nothing says what for."""


def endpoint_name(value: str) -> str:
    """The value, if a place takes it as one of its hosts. Raises RefusedError with what to write instead."""
    if re.fullmatch(r"(\*\.)?[a-z0-9]([a-z0-9._/-]*[a-z0-9])?", value):
        return value
    host = next(iter(url_hosts(value)), None) or host_of(value)
    raise RefusedError(
        "is not a host as places have them",
        f"write {host}"
        if host and host != value
        else "write a host without scheme or port, as in 'registry.example.no', '*.example.no' for all below it, "
        "'localhost' for the machine that runs Pulumi, or a storage driver's name",
    )


Endpoint = Annotated[str, AfterValidator(endpoint_name)]
"""A host name, a wildcard over one, the name of a storage driver, or a provider of Pulumi with its region."""


def _cidr(value: Any) -> Any:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        network = ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        remedy = "write one, as in '198.51.100.0/24' or '2001:db8::/32'"
        raise RefusedError("is not a network (CIDR)", remedy) from None
    address, slash, _ = value.partition("/")
    if not slash or ip_address(address) != network.network_address:
        raise RefusedError("is not a network without host bits", f"write {network}")
    return network


Cidr = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(_cidr),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9a-f.:]+/[0-9]{1,3}$", "description": "a network (CIDR)"}),
]
"""A network of either family."""


class Runner(NamedTuple):
    """A CI runner that gets the stack's secrets."""

    label: str
    """Its label in a workflow; empty if it is not known."""
    seen_in: str
    """File and job."""


class StateStore(NamedTuple):
    """Where Pulumi stores a stack's state, as far as the program can know."""

    backend: str
    """URL without user and password. Empty if only `pulumi login` knows it."""
    secrets_provider: str = ""
    """URL, or `passphrase`. Empty: Pulumi Cloud's own key with that backend, and a passphrase with all others."""
    runners: tuple[Runner, ...] = ()
    """CI runners that decrypt it."""


class Place(Spec):
    """A destination: hosts or networks that send or receive data of this platform."""

    name: DnsLabel
    """Its name, which exceptions use."""
    hosts: tuple[Endpoint, ...] = ()
    """Host names at the place; `*.example.no` is all below it. For `ci`: labels of runners, as in `runs-on`."""
    networks: tuple[Cidr, ...] = ()
    """Networks (CIDR): address pools, and destinations that tenants call by address."""
    country: CountryCode
    """Country of the servers."""
    entity: str = Field(min_length=1)
    """The company or agency that controls the servers: the legal entity that a court can order, not the brand."""
    entity_country: CountryCode
    """Country of that entity. A foreign company's data centre in Norway is under foreign law, too."""
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    """What bytes are there for."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Place":
        if not self.hosts and not self.networks:
            raise RefusedError("has neither hosts nor networks", "write what is reached there")
        return self


class ResidencyException(Waiver):
    """A waiver for a place in a country that is not allowed, or whose entity is under such a country's law."""

    name: DnsLabel
    """Its name in reports."""
    place: DnsLabel
    """Name of the place in `places`."""


class Residency(Spec):
    """The stack file's `residency`."""

    allowed_countries: tuple[CountryCode, ...] = Field(min_length=1)
    """Countries for servers and for the entities that control them."""
    places: tuple[Place, ...] = ()
    exceptions: tuple[ResidencyException, ...] = ()
    address_registries: tuple[str, ...] = ()
    """Files of the regional internet registries (`delegated-ripencc-extended-20261120`), relative to the project. With
    them, every public address of nodes, pools and places must be registered in a country that the stack file says of
    it. Left out: nothing is compared."""
