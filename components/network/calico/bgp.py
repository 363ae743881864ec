"""Calico's BGP beyond its defaults: whom nodes tell which addresses."""

from ipaddress import IPv4Address

from pydantic import Field

from components.core.model import Spec
from components.core.types import AsNumber, DnsLabel, DnsName, Network


class CalicoPeer(Spec):
    """A router that nodes tell routes to."""

    name: DnsLabel
    """Its name among the peers."""
    address: IPv4Address
    """Its address, as the nodes reach it."""
    as_number: AsNumber
    """Its AS number."""
    node_selector: str = Field(default="all()", min_length=1)
    """In Calico's own language: `all()`, `rack == 'a'`."""
    password_secret: DnsName | None = None
    """A Secret in calico-system whose key `password` holds the session's MD5 password."""


class CalicoBgp(Spec):
    """What differs from a full mesh of nodes in one private AS."""

    as_number: AsNumber = 64512
    """The cluster's; 64512 is Calico's default, of RFC 6996's private range."""
    node_mesh: bool = True
    """Every node tells every other one. Off where route reflectors or routers do it, as on more than 100 nodes."""
    service_networks: tuple[Network, ...] = ()
    """Networks of LoadBalancer addresses that nodes announce; MetalLB must then announce none of them."""
    peers: tuple[CalicoPeer, ...] = ()
