"""The domain types of a stack file: names, versions, addresses. Pure.

Validators write for the author of a stack file: what is wrong and what to write. The reader of the file adds the item.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from components.core.countries import CODES, meant


class RefusedError(ValueError):
    """What is wrong with a value, and what to write instead; a validator that has only the remedy says ValueError.

    `field` is the key of the group that is wrong, where a validator sees the whole group.
    """

    def __init__(self, reason: str, remedy: str, field: str = "") -> None:
        super().__init__(f"{reason}: {remedy}")
        self.reason, self.remedy, self.field = reason, remedy, field


def matching(
    pattern: str,
    remedy: str,
    max_length: int,
    example: str,
    instead: Callable[[str], str] = lambda _: "",
) -> tuple[AfterValidator, WithJsonSchema]:
    """A text of a form. `instead` makes the right text of a wrong one, or nothing where it can't."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if len(value) > max_length:
            raise RefusedError(f"has {len(value)} characters, at most {max_length}", "shorten it")
        if not compiled.fullmatch(value):
            better = instead(value)
            fits = better and len(better) <= max_length and compiled.fullmatch(better.strip('"'))
            raise RefusedError("is refused", f"{remedy}: write {better}") if fits else ValueError(remedy)
        return value

    schema = {"type": "string", "pattern": f"^{pattern}$", "maxLength": max_length, "examples": [example]}
    return AfterValidator(check), WithJsonSchema(schema)


_LETTERS = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "ä": "a", "ö": "o", "ð": "d", "þ": "th", "ß": "ss"})


def as_label(value: str) -> str:
    """`Bodø 1` → `bodo-1`."""
    plain = unicodedata.normalize("NFKD", value.strip().lower().translate(_LETTERS))
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")


def _as_host(value: str) -> str:
    """`Bøker.example.no` → `xn--bker-gra.example.no`."""
    import idna  # its tables take a while to load, and few host names need them

    wildcard, rest = ("*.", value[2:]) if value.startswith("*.") else ("", value)
    try:
        return wildcard + idna.encode(rest.strip().lower(), uts46=True).decode()
    except idna.IDNAError:
        return ""


def _as_country(value: str) -> str:
    return f'"{meant(value)}"'


def _as_version(value: str) -> str:
    return f'"{value.strip().lower().removeprefix("v")}"'


def _as_minor(value: str) -> str:
    return f'"{".".join(value.strip().lower().removeprefix("v").split(".")[:2])}"'


def _text(remedy: str) -> BeforeValidator:
    """Refuse what YAML reads otherwise (1.30 is a number) with a remedy."""

    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(remedy)
        return value

    return BeforeValidator(check)


_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"

DnsLabel = Annotated[
    str,
    *matching(_DNS_LABEL, "use at most 63 lower-case letters, digits and '-'", 63, "osl-1", as_label),
]
"""A Kubernetes object name, RFC 1123 label."""

EnvironmentName = Annotated[
    str,
    *matching(_DNS_LABEL, "use at most 32 lower-case letters, digits and '-', as in 'oslo'", 32, "oslo", as_label),
]
"""The name of an environment, and so of its cluster among its peers."""

DnsName = Annotated[
    str,
    *matching(
        _DNS_NAME,
        "use lower-case labels with dots between, as in 'butikk.example.no'",
        253,
        "butikk.example.no",
        _as_host,
    ),
]
"""A Kubernetes name with dots, RFC 1123 subdomain; also a host name without wildcard."""

_LABEL_TEXT = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

LabelKey = Annotated[
    str,
    *matching(
        rf"({_DNS_NAME}/)?{_LABEL_TEXT}",
        "use letters, digits, '-', '_' and '.', at most 63, after a prefix if you like, as in 'example.no/rack'",
        253 + 1 + 63,
        "example.no/rack",
    ),
]
"""The key of a Kubernetes label or taint (qualified name)."""

LabelValue = Annotated[
    str,
    *matching(
        rf"({_LABEL_TEXT})?",
        "use at most 63 letters, digits, '-', '_' and '.', or nothing; write numbers and true in quotes",
        63,
        "a1",
    ),
]
"""The value of a Kubernetes label or taint."""

HostName = Annotated[
    str,
    *matching(
        rf"(\*\.)?{_DNS_NAME}",
        "use a host name in lower case, as in 'butikk.example.no' or '*.example.no'",
        253,
        "butikk.example.no",
        _as_host,
    ),
]
"""A host name of a listener or route; the first label may be a wildcard."""


COUNTRY_PATTERN = "^[A-Z]{2}$"


def _known_country(value: str) -> str:
    if value not in CODES:
        better = meant(value)
        raise RefusedError("is no country of ISO 3166", f'write "{better}"' if better else 'write one, as in "NO"')
    return value


CountryCode = Annotated[
    str,
    _text('write a country as two capital letters in quotes, as in "NO"'),
    *matching(COUNTRY_PATTERN.strip("^$"), "two capital letters are wanted (ISO 3166)", 64, "NO", _as_country),
    AfterValidator(_known_country),
]
"""ISO 3166-1 alpha-2."""

Version = Annotated[
    str,
    _text("write all three numbers in quotes: without them 1.30 is the number 1.3"),
    *matching(
        r"[0-9]+\.[0-9]+\.[0-9]+",
        "write all three numbers, without v",
        32,
        "1.18.2",
        _as_version,
    ),
]
"""A released version, three numbers."""

MinorVersion = Annotated[
    str,
    _text('write a version in quotes, as in "1.36": without them 1.30 is the number 1.3'),
    *matching(r"[0-9]+\.[0-9]+", "write a minor version, as in '1.36'", 16, "1.36", _as_minor),
]
"""A minor release line, two numbers."""


_OCTET = "(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
IPV4_PATTERN = rf"{_OCTET}(\.{_OCTET}){{3}}"
_ONE_NETWORK = "write one IPv4 network, as in 10.244.0.0/16"


def _network(value: Any) -> Any:
    """Explain what is wrong with a CIDR; the remedy has the network that was meant."""
    if isinstance(value, IPv4Network):
        return value
    if not isinstance(value, str) or "/" not in value:
        raise ValueError("write a network with its prefix length, as in 10.244.0.0/16")
    prefix = value.partition("/")[2]
    if ":" in value:
        raise RefusedError("has IPv6, and this platform has no IPv6 and no dual stack (ADR 11)", _ONE_NETWORK)
    try:
        loose = IPv4Network(value, strict=False)
    except ValueError:
        if prefix.isdecimal() and int(prefix) > 32:
            raise RefusedError("has a prefix of more than 32 bits", "write one, as in 10.244.0.0/16") from None
        raise ValueError(_ONE_NETWORK) from None
    if str(loose) != value:
        raise RefusedError("has host bits set", f"write {loose}")
    return loose


def _address(value: Any) -> Any:
    """IPv4Address(7) would be 0.0.0.7."""
    if isinstance(value, IPv4Address):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+){3}", value):
        without = ".".join(str(int(part)) for part in value.split("."))
        if without != value:
            raise RefusedError("has a leading zero", f"write {without}")
    try:
        if isinstance(value, str):
            return IPv4Address(value)
    except ValueError:
        if re.fullmatch(rf"{_DNS_NAME}", value) and not value.replace(".", "").isdecimal():
            raise RefusedError(
                "is a name, and names are not looked up", "write its IPv4 address, as in 192.0.2.11"
            ) from None
    raise ValueError("write an IPv4 address, as in 192.0.2.11")


_NETWORK_SCHEMA = {
    "type": "string",
    "pattern": rf"^{IPV4_PATTERN}/([0-9]|[12][0-9]|3[0-2])$",
    "examples": ["10.244.0.0/16"],
}

Network = Annotated[IPv4Network, BeforeValidator(_network), WithJsonSchema(_NETWORK_SCHEMA)]
"""An IPv4 network (CIDR) without host bits."""

Networks = Annotated[
    tuple[Network, ...],
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,)),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_NETWORK_SCHEMA, {"type": "array", "items": _NETWORK_SCHEMA, "minItems": 1}]}),
]
"""One IPv4 network, or a list of them."""

Address = Annotated[
    IPv4Address,
    BeforeValidator(_address),
    WithJsonSchema({"type": "string", "pattern": f"^{IPV4_PATTERN}$", "format": "ipv4", "examples": ["192.0.2.11"]}),
]
"""An IPv4 address."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP or UDP port."""

AsNumber = Annotated[int, Field(ge=1, le=4_294_967_295)]
"""An AS number, four bytes (RFC 6793)."""

ServiceProxy = Literal["ebpf", "iptables", "ipvs", "nftables"]
"""What forwards Services: the CNI's eBPF programs, or kube-proxy in one of its modes."""

Mtu = Annotated[int, Field(ge=1280, le=9216)]
"""Bytes of an IP packet on a link: 1280 is IPv6's minimum (RFC 8200), 9216 the largest jumbo in use."""

Weight = Annotated[int, Field(ge=0, le=1_000_000)]
"""A share of a route's traffic; the range is the Gateway API CRD's."""


SCAN = "write all of the ed25519 key that `ssh-keyscan -t ed25519 ADDRESS` prints after the address, compared with the "
SCAN += "provider's console"
"""The reader of the file puts the node's address in."""


def _host_key(value: str) -> str:
    if "PRIVATE KEY" in value:
        raise RefusedError("is a private key (not repeated)", f"remove it from the file, make a new pair, and {SCAN}")
    kind, _, rest = value.strip().partition(" ")
    body = rest.split(" ")[0]
    if kind != "ssh-ed25519":
        raise RefusedError("is no ed25519 key", SCAN)
    try:
        blob = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    # RFC 8709: length-prefixed "ssh-ed25519", then a length-prefixed key of 32 bytes.
    if len(blob) < 15 + 4 + 32:
        raise RefusedError("is cut off", SCAN)
    if blob[:15] != b"\x00\x00\x00\x0bssh-ed25519" or len(blob) != 15 + 4 + 32:
        raise RefusedError("is no ed25519 key", SCAN)
    return f"{kind} {body}"


HostKey = Annotated[
    str,
    AfterValidator(_host_key),
    WithJsonSchema({"type": "string", "pattern": "^ssh-ed25519 [A-Za-z0-9+/]{68}( .*)?$"}),
]
"""A server's public ed25519 key, `ssh-ed25519 AAAA…`, without comment."""
