"""What every model of a stack file is made of: the frozen base class, the domain types, and violations.

Pure: nothing here reads a file, a clock or the network. Validators speak to the author of a stack file, so
their text names what is wrong and what to write; `components.problems` adds which item it was.
"""

import base64
import binascii
import re
from collections.abc import Hashable, Iterable
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

T = TypeVar("T", bound=Hashable)


class Spec(BaseModel):
    """A part of the stack file: frozen, camelCase in YAML, and a typo in a key is an error.

    Input is hidden from pydantic's own messages: a secret pasted in the wrong place is never echoed.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )


class Violation(NamedTuple):
    """One thing that is wrong, found by a predicate of a `rules.py`."""

    rule: str
    """Name of the rule, `<slice>-<what>`, as the policy pack shows it."""
    item: str
    """What it is about, in the author's words: `node osl-2`, `pool public`."""
    message: str
    """The value, why it is wrong, and what to do about it."""

    def __str__(self) -> str:
        return f"{self.item}: {self.message}"


def _matching(pattern: str, remedy: str, max_length: int) -> tuple[AfterValidator, WithJsonSchema]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if len(value) > max_length or not compiled.fullmatch(value):
            raise ValueError(remedy)
        return value

    schema = {"type": "string", "pattern": f"^{pattern}$", "maxLength": max_length, "description": remedy}
    return AfterValidator(check), WithJsonSchema(schema)


def _text(remedy: str) -> BeforeValidator:
    """Refuse YAML's surprises (NO is false, 1.30 is a number) before pydantic calls them a wrong type."""

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
"""An environment, and so a cluster, to its peers."""

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


def version_tuple(version: str) -> tuple[int, ...]:
    """`1.18.2` → `(1, 18, 2)`, to compare versions as numbers; anything after `-` or `+` is left off."""
    return tuple(int(part) for part in re.split(r"[-+]", version)[0].removeprefix("v").split("."))


_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_SUFFIXES: dict[str | None, Decimal] = {
    "m": Decimal("0.001"),
    None: Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity_value(quantity: str) -> Decimal:
    """The number behind a Kubernetes quantity: `500m` → 0.5 (cores), `1Gi` → 1073741824 (bytes).

    Raises ValueError for anything that is not one.
    """
    match = _QUANTITY.fullmatch(quantity)
    if not match:
        raise ValueError("write a Kubernetes quantity, as in '500m', '2' or '4Gi'")
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def _quantity(value: Any) -> Any:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError("write a Kubernetes quantity in quotes, as in '500m', '2' or '4Gi'")
    quantity_value(text)
    return text


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"},
                {"type": "integer", "minimum": 0},
            ],
            "description": "a Kubernetes quantity, as in '500m', '2' or '4Gi'",
        }
    ),
]
"""A Kubernetes resource quantity, kept as the author wrote it."""


def _network(value: Any) -> Any:
    """Say what is wrong with a CIDR in words; the network that was meant is part of the remedy."""
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


def repeated(values: Iterable[T]) -> list[T]:
    """The values that occur more than once, each once, in order of first repetition."""
    seen: set[T] = set()
    again: dict[T, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)
