"""The host that an image, a URL or a state backend sends bytes to, without path and password."""

import functools
import re
from ipaddress import IPv4Address, ip_address, ip_network
from urllib.parse import SplitResult, parse_qs, unquote, urlencode, urlsplit

import idna
from publicsuffixlist import PublicSuffixList

DOCKER_HUB = "docker.io"
"""Where an image without a registry comes from: the reference grammar of distribution/reference."""
_ALSO_DOCKER_HUB = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")

THIS_MACHINE = "localhost"
"""For `file://`: the machine that runs Pulumi."""

_DOTS = "\u3002\uff0e\uff61"  # what IDNA takes for a dot besides the dot (RFC 3490, 3.1)
_SCHEME = r"[a-z][a-z0-9+.-]{0,30}://"
_HOST = rf"(?:\[[\w:.%]+\]|[\w.%{_DOTS}-]+)(?::\d+)?"
URL = re.compile(rf"\b{_SCHEME}(?:[^\s/?#\"']*@)?({_HOST}(?:,(?!{_SCHEME}){_HOST})*)", re.IGNORECASE)
"""A URL in a text, with all of its hosts: `mongodb://a,b`. Letters of any alphabet: a name that is cut at its first
foreign one would look like a Service's."""
_NAMESPACE = re.compile(r"https?://www\.w3\.org/(?:19|20)\d\d/[\w./#-]*")
"""The name of an XML vocabulary. It is an identifier and is not fetched."""
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2,}|xn--[a-z0-9-]+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]+")
"""An IPv4 address as one number, which resolvers accept."""
_PULUMI_CLOUD = ("http", "https")
"""Schemes of Pulumi Cloud, which keeps the stack's key itself."""
_DECIDE_HOST = (
    "endpoint",
    "region",
    "accelerate",
    "universe_domain",
    "storage_account",
    "domain",
    "cdn",
    "localemu",
    "host",
)
"""Query parameters that decide on the host of a backend or key service. Any other may be a secret."""
_LABEL = 63
"""Characters of each part of a name in DNS (RFC 1035, 2.3.4)."""
RFC_1918 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Private IPv4 networks."""
_INSIDE = (".svc", ".cluster.local", ".localhost", ".internal", ".mesh.cilium.io")
"""Ends of names that stay in the cluster. The last one is of certificates: Cilium's agents get the addresses of the
other cluster with it."""
_OWN_NETWORKS = [
    # RFC 1918, loopback, link-local, RFC 4193: not reachable from outside. The unspecified address, on which a
    # server listens with all its addresses (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2), is not a destination either.
    ip_network(cidr)
    for cidr in (
        *(*RFC_1918, "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/32"),
        *("fc00::/7", "::1/128", "fe80::/10", "::/128"),
    )
]


def image_registry(image: str) -> str:
    """`quay.io/cilium/cilium:v1` → `quay.io`; `redis` → `docker.io`."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry = _bare(first)
        return DOCKER_HUB if registry in _ALSO_DOCKER_HUB else registry
    return DOCKER_HUB


def url_hosts(text: str) -> list[str]:
    """The hosts of every URL in a text, without comments. The text may be a whole configuration file."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "//"))]
    written = [
        host for line in lines for match in URL.finditer(_NAMESPACE.sub("", line)) for host in match[1].split(",")
    ]
    hosts = [_numbered(_bare(host)) for host in written]
    return list(dict.fromkeys(host for host in hosts if not inside(host)))


def host_of(text: str) -> str | None:
    """The host of `host`, `host:port` or a public address; None for anything else and inside the cluster."""
    host = _bare(text.strip())
    if inside(host) or not (_NAME.fullmatch(host) or _is_address(host)):
        return None
    return host


def outside_of(text: str) -> str | None:
    """The address, network or name as it is written; None where all of it stays in the cluster."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return host_of(text.partition("/")[0])
    owned = any(network.network_address in own and network.broadcast_address in own for own in _OWN_NETWORKS)
    return None if owned else text.strip().lower()


def inside(host: str) -> bool:
    """Whether the name or address stays in the cluster: a Service, a loopback, a private address.

    Two labels are SERVICE.NAMESPACE, unless the second is a top-level domain.
    """
    if _is_address(host):
        address = ip_address(host)
        return any(address.version == network.version and address in network for network in _OWN_NETWORKS)
    if _NUMBER.fullmatch(host):
        return False
    if "." not in host or host.endswith(_INSIDE):
        return True
    return host.count(".") == 1 and "*" not in host and ".xn--" not in host and not is_public_name(host)


@functools.lru_cache(maxsize=10_000)
def is_public_name(name: str) -> bool:
    """Whether the internet's DNS can have the name: it is below a suffix in the list of publicsuffix.org."""
    return max(map(len, name.split("."))) <= _LABEL and _suffixes().privatesuffix(name) is not None


def domain_of(name: str) -> str:
    """The domain that somebody registered: example.no of a.example.no; the name itself where there is none."""
    name = name.lower().removeprefix("*.").rstrip(".")
    return str(_suffixes().privatesuffix(name) or name)


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)


def backend_host(url: str) -> str:
    """The host that a Pulumi state backend keeps its bytes on; empty where the URL has none.

    The schemes are those of `pulumi login`, their parameters those of gocloud.dev (blob/s3blob, azureblob, gcsblob).
    """
    parts = _split(url)
    if parts.scheme == "file":
        return THIS_MACHINE
    if parts.scheme == "s3":
        return _aws_host("s3-accelerate" if _is_true(parts, "accelerate") else "s3", parts)
    if parts.scheme == "gs":
        return f"storage.{_parameter(parts, 'universe_domain') or 'googleapis.com'}"
    if parts.scheme == "azblob":
        return _azure_host(parts)
    return _bare(parts.netloc.rpartition("@")[2] or _parameter(parts, "host"))  # `host`: of postgres://


def secrets_host(provider: str, backend: str) -> str | None:
    """Who can open the stack's secrets; None where only the operators' passphrase can."""
    parts = _split(provider)
    if parts.scheme == "awskms":
        return _aws_host("kms", parts)
    if parts.scheme == "gcpkms":
        return "cloudkms.googleapis.com"
    if parts.scheme in ("azurekeyvault", "hashivault"):
        host = _bare(parts.netloc)
        return host if "." in host else parts.scheme
    if parts.scheme in _PULUMI_CLOUD:
        return backend_host(provider)
    if provider in ("", "default", "service") and _split(backend).scheme in _PULUMI_CLOUD:
        return backend_host(backend)
    return None


def without_secrets(url: str) -> str:
    """The URL of a state backend or secrets provider, with nothing but what decides on its host and path."""
    parts = _split(url)
    if "://" not in url or not parts.scheme:
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    kept = {name: value for name in _DECIDE_HOST if (value := _parameter(parts, name))}
    if "endpoint" in kept:
        user, at, host = kept["endpoint"].rpartition("@")
        kept["endpoint"] = f"{user.rpartition('//')[0]}//{host}" if at and "//" in user else host
    query = f"?{urlencode(kept, safe=':/')}" if kept else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket that is not closed: no scheme can use it
        return SplitResult("", "", "", "", "")


def _parameter(parts: SplitResult, name: str) -> str:
    """The first value of a query parameter, as Go's `url.Values.Get`; empty where there is none."""
    return parse_qs(parts.query).get(name, [""])[0]


def _is_true(parts: SplitResult, name: str) -> bool:
    return _parameter(parts, name) in ("1", "t", "T", "true", "TRUE", "True")  # Go's strconv.ParseBool


def _aws_host(service: str, parts: SplitResult) -> str:
    """An endpoint of the caller's own, as a host or a URL; else the service's in its region (gocloud.dev/aws)."""
    if endpoint := _parameter(parts, "endpoint"):
        return _bare(_split(endpoint if "//" in endpoint else f"//{endpoint}").netloc.rpartition("@")[2])
    arn = re.search(r"arn:aws[\w-]*:kms:([a-z0-9-]+):", parts.netloc + parts.path)
    region = _parameter(parts, "region") or (arn[1] if arn else "")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return ".".join(part for part in (service, region if service != "s3-accelerate" else "", domain) if part)


def _azure_host(parts: SplitResult) -> str:
    """The account's host in its storage domain; a CDN or an emulator has no host for each account."""
    domain = _parameter(parts, "domain") or "blob.core.windows.net"
    shared = domain.startswith(("127.0.0.1", "localhost")) or _is_true(parts, "cdn") or _is_true(parts, "localemu")
    account = "" if shared else _parameter(parts, "storage_account")
    return _bare(f"{account}.{domain}" if account else domain)


def _bare(host: str) -> str:
    """Without port, brackets and trailing dot, in lower case and in the letters that DNS uses."""
    if host.count(":") > 1 and not host.startswith("["):  # an IPv6 address by itself
        return host.lower()
    name = unquote(_split(f"//{host}").hostname or "")
    return in_ascii(name.lower()).rstrip(".")


def in_ascii(name: str) -> str:
    """IDNA's A-labels: `løgg.example.no` → `xn--lgg-0na.example.no`."""
    return ".".join(map(_label, re.split(rf"[.{_DOTS}]", name)))


def _label(label: str) -> str:
    try:
        return label if label.isascii() else idna.encode(label, uts46=True).decode()
    except idna.IDNAError:  # no name that DNS could have: left as it is, so that no declared place has it
        return label


def _numbered(host: str) -> str:
    """An address that is written as one number, as an address."""
    if _NUMBER.fullmatch(host) and len(host) <= 10 and (number := int(host, 0 if "x" in host else 10)) < 2**32:
        return str(IPv4Address(number))
    return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
