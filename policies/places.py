"""Where the machines are that a program works on, as far as it says so."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from pulumi_policy import PolicyResource

from components.pools.addresses import IpAddress

REMOTE = "command:remote:"
"""Every resource type by which pulumi-command reaches a machine over SSH."""


class Machine(NamedTuple):
    """A server that a resource of the stack connects to."""

    name: str
    """Of the component it belongs to, else of the resource itself."""
    host: str
    """As written: an address, or a name that somebody resolves."""
    country: str | None
    """What a component around the resource declares."""
    urn: str

    @property
    def address(self) -> IpAddress | None:
        """None where the host is a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def machines(resources: Sequence[PolicyResource]) -> Iterator[Machine]:
    """Every resource that opens an SSH connection. Raises UnknownValueError for a host that is not known yet."""
    for resource in resources:
        if resource.resource_type.startswith(REMOTE):
            owner = resource.parent if resource.parent and resource.parent.parent else None
            name = owner.name if owner else resource.name
            yield Machine(name, str(resource.props["connection"]["host"]), _declared(resource), resource.urn)


def place(address: IpAddress | None, places: Mapping[str, Any]) -> str | None:
    """The country of the smallest network in `places` (CIDR → country) that holds the address."""
    networks = [(ip_network(cidr), str(country)) for cidr, country in places.items()]
    holding = [
        (network.prefixlen, country) for network, country in networks if address is not None and address in network
    ]
    return max(holding)[1] if holding else None


def _declared(resource: PolicyResource) -> str | None:
    """The country among the outputs of the nearest component that has one."""
    owner = resource.parent
    while owner is not None:
        country = owner.props.get("country")
        if country:
            return str(country)
        owner = owner.parent
    return None
