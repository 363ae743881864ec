"""The domain types of a stack file: names, versions, addresses. Pure.

Validators write for the author of a stack file: what is wrong and what to write. The reader of the file adds the item.
"""

import base64
import binascii
import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema


def _matching(pattern: str, remedy: str, max_length: int) -> tuple[AfterValidator, WithJsonSchema]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if len(value) > max_length or not compiled.fullmatch(value):
            raise ValueError(remedy)
        return value

    schema = {"type": "string", "pattern": f"^{pattern}$", "maxLength": max_length, "description": remedy}
    return AfterValidator(check), WithJsonSchema(schema)


def _text(remedy: str) -> BeforeValidator:
    """Refuse what YAML reads otherwise (NO is false, 1.30 is a number) with a remedy."""

    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(remedy)
        return value

    return BeforeValidator(check)


_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"

DnsLabel = Annotated[
    str,
    *_matching(_DNS_LABEL, "use at most 63 lower-case letters, digits and '-', as in 'osl-1'", 63),
]
"""A Kubernetes object name, RFC 1123 label."""

EnvironmentName = Annotated[
    str,
    *_matching(_DNS_LABEL, "use at most 32 lower-case letters, digits and '-', as in 'oslo'", 32),
]
"""The name of an environment, and so of its cluster among its peers."""

DnsName = Annotated[
    str,
    *_matching(_DNS_NAME, "use lower-case labels with dots between, as in 'butikk.example.no'", 253),
]
"""A Kubernetes name with dots, RFC 1123 subdomain; also a host name without wildcard."""

HostName = Annotated[
    str,
    *_matching(
        rf"(\*\.)?{_DNS_NAME}",
        "use a host name in lower case, as in 'butikk.example.no' or '*.example.no'",
        253,
    ),
]
"""A host name of a listener or route; the first label may be a wildcard."""

CountryCode = Annotated[
    str,
    _text('write a country as two capital letters in quotes, as in "NO" (YAML reads a bare NO as false)'),
    *_matching("[A-Z]{2}", 'write a country as two capital letters (ISO 3166), as in "NO"', 2),
]
"""ISO 3166-1 alpha-2. YAML 1.1 reads a bare NO as false: the message says so."""

Version = Annotated[
    str,
    _text('write a version in quotes, as in "1.18.2" (YAML reads 1.30 as the number 1.3)'),
    *_matching(r"[0-9]+\.[0-9]+\.[0-9]+", "write a whole version, as in '1.18.2'", 32),
]
"""A released version, three numbers."""

MinorVersion = Annotated[
    str,
    _text('write a version in quotes, as in "1.36" (YAML reads 1.30 as the number 1.3)'),
    *_matching(r"[0-9]+\.[0-9]+", "write a minor version, as in '1.36'", 16),
]
"""A minor release line, two numbers."""


def _network(value: Any) -> Any:
    """Explain what is wrong with a CIDR; the remedy has the network that was meant."""
    if isinstance(value, IPv4Network):
        return value
    if not isinstance(value, str) or "/" not in value:
        raise ValueError("write a network with its prefix length, as in '10.244.0.0/16'")
    try:
        loose = IPv4Network(value, strict=False)
    except ValueError:
        raise ValueError("write an IPv4 network, as in '10.244.0.0/16'") from None
    if str(loose) != value:
        raise ValueError(f"it has host bits set, write '{loose}'")
    return loose


def _address(value: Any) -> Any:
    if not isinstance(value, str | IPv4Address):  # IPv4Address(7) would be 0.0.0.7
        raise ValueError("write an IPv4 address, as in '192.0.2.11'")
    try:
        return IPv4Address(value)
    except ValueError:
        raise ValueError("write an IPv4 address, as in '192.0.2.11'") from None


Network = Annotated[
    IPv4Network,
    BeforeValidator(_network),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+/[0-9]{1,2}$", "description": "an IPv4 network"}),
]
"""An IPv4 network (CIDR) without host bits."""

Address = Annotated[
    IPv4Address,
    BeforeValidator(_address),
    WithJsonSchema({"type": "string", "format": "ipv4", "description": "an IPv4 address"}),
]
"""An IPv4 address."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP or UDP port."""

Mtu = Annotated[int, Field(ge=1280, le=9216)]
"""Bytes of an IP packet on a link: 1280 is IPv6's minimum (RFC 8200), 9216 the largest jumbo in use."""

Weight = Annotated[int, Field(ge=0, le=1_000_000)]
"""A share of a route's traffic; the range is the Gateway API CRD's."""


def _host_key(value: str) -> str:
    remedy = "write the ed25519 host key, as `ssh-keyscan -t ed25519 ADDRESS` prints it after the address"
    kind, _, rest = value.strip().partition(" ")
    body = rest.split(" ")[0]
    try:
        blob = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(remedy) from None
    # RFC 8709: length-prefixed "ssh-ed25519", then a length-prefixed key of 32 bytes.
    if kind != "ssh-ed25519" or blob[:15] != b"\x00\x00\x00\x0bssh-ed25519" or len(blob) != 15 + 4 + 32:
        raise ValueError(remedy)
    return f"{kind} {body}"


HostKey = Annotated[
    str,
    AfterValidator(_host_key),
    WithJsonSchema({"type": "string", "pattern": "^ssh-ed25519 [A-Za-z0-9+/=]+"}),
]
"""A server's public ed25519 key, `ssh-ed25519 AAAA…`, without comment."""
