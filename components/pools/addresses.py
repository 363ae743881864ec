"""Addresses that a pool hands out: a range or a network, IPv4 or IPv6, as a type that knows what is in it."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema

from components.core.types import IPV4_PATTERN, RefusedError

IpAddress = IPv4Address | IPv6Address

_REMEDY = "write a range, as in 192.0.2.200-192.0.2.220, or a network, as in 192.0.2.192/27"
_SHORT = re.compile(r"(([0-9]+\.){3})[0-9]+-([0-9]{1,3})")


class AddressBlock(NamedTuple):
    """Consecutive addresses of one IP version, both ends included."""

    first: IpAddress
    last: IpAddress
    text: str
    """As the author wrote it; MetalLB takes both spellings."""

    def __str__(self) -> str:
        return self.text

    def holds(self, address: IpAddress) -> bool:
        """Whether the address would be handed out."""
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def overlaps(self, other: "AddressBlock") -> bool:
        """Whether some address is in both."""
        same_version = self.first.version == other.first.version
        return same_version and int(self.first) <= int(other.last) and int(other.first) <= int(self.last)


def address_block(text: str) -> AddressBlock:
    """`192.0.2.200-192.0.2.220` or `192.0.2.0/28` as MetalLB reads it. Raises ValueError with the remedy."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if match := _SHORT.fullmatch(text.replace(" ", "")):
        raise RefusedError("has an end that is no address", f"write {first}-{match[1]}{match[3]}")
    try:
        if not dash:
            network = ip_network(first, strict=False)
            block = AddressBlock(network[0], network[-1], text)
            exact = network.network_address == ip_address(first.partition("/")[0])
        else:
            block = AddressBlock(ip_address(first), ip_address(last), text)
            exact = True
    except ValueError:
        raise ValueError(_REMEDY) from None
    if not dash and "/" not in first:
        raise RefusedError("one address needs a prefix length", f"write {network}")
    if not exact:
        raise RefusedError("has host bits set", f"write {network}")
    if block.first.version != block.last.version:
        raise RefusedError("the ends are of different IP versions", "write two ranges")
    if int(block.last) < int(block.first):
        raise RefusedError("ends before it begins", f"write {last}-{first}")
    return block


def _read(value: Any) -> Any:
    if isinstance(value, AddressBlock):
        return value
    if not isinstance(value, str):
        raise ValueError(_REMEDY)
    return address_block(value)


Block = Annotated[
    InstanceOf[AddressBlock],
    BeforeValidator(_read),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^{IPV4_PATTERN} *(- *{IPV4_PATTERN}|/([0-9]|[12][0-9]|3[0-2]))$",
            "examples": ["192.0.2.200-192.0.2.220"],
        }
    ),
]
"""An AddressBlock in a stack file."""
