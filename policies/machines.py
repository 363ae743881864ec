"""The machines that a program works on over SSH, and the country that it declares for each."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from pulumi_policy import PolicyResource

from components.core.manifests import FieldError, Fields
from components.pools.addresses import IpAddress

REMOTE = "command:remote:"
"""Every resource type by which pulumi-command reaches a machine over SSH."""
KUBERNETES = "pulumi:providers:kubernetes"
"""The provider of a cluster."""


class Machine(NamedTuple):
    """A server that a resource of the stack connects to."""

    name: str
    """Of the component it belongs to, else of the resource itself."""
    host: str
    """As written: an address, or a name."""
    country: str
    """What a component around the resource declares; empty where none does."""
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
            host = Fields(resource.props, resource.name).group("connection").text("host")
            if not host:
                raise FieldError(f"{resource.name}.connection.host", "is missing")
            yield Machine(owner.name if owner else resource.name, host, _declared(resource), resource.urn)


def _declared(resource: PolicyResource) -> str:
    """The country among the outputs of the nearest component that has one."""
    owner = resource.parent
    while owner is not None:
        if country := Fields(owner.props, owner.name).text("country"):
            return country
        owner = owner.parent
    return ""
