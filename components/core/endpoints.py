"""From what a field says (an image, a URL, a state backend) to the host that bytes go to: no path, no password."""

import re
import unicodedata
from ipaddress import IPv4Address, ip_address, ip_network

DOCKER_HUB = "docker.io"
"""Where an image without a registry comes from: the reference grammar of distribution/reference."""

THIS_MACHINE = "localhost"
"""For `file://`: the machine that runs Pulumi."""

_DOTS = "\u3002\uff0e\uff61"  # what IDNA takes for a dot besides the dot (RFC 3490, 3.1)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://(?:[^\s/?#\"']*@)?(\[[\w:.%]+\]|[\w.%" + _DOTS + r"-]+)", re.IGNORECASE)
"""Letters of any alphabet: a name that is cut at its first foreign one would look like a Service's."""
_NAMESPACE = re.compile(r"https?://www\.w3\.org/(?:19|20)\d\d/[\w./#-]*")
"""What XML calls a vocabulary by: an identifier that nobody fetches."""
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2,}|xn--[a-z0-9-]+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]+")
"""An IPv4 address as one number, which resolvers take."""
_OWN_NETWORKS = [
    # RFC 1918, loopback, link-local, RFC 4193: nobody can route to them from outside. What a server listens on to
    # be reached by every address it has (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2) is no place either.
    ip_network(cidr)
    for cidr in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/32"),
        *("fc00::/7", "::1/128", "fe80::/10", "::/128"),
    )
]


def image_registry(image: str) -> str:
    """`quay.io/cilium/cilium:v1` → `quay.io`; `redis` → `docker.io`."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return _bare(first)
    return DOCKER_HUB


def url_hosts(text: str) -> list[str]:
    """The hosts of every URL in a text, but for comments: a whole configuration file may stand in one value."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "//"))]
    found = [_numbered(_bare(match[2])) for line in lines for match in _URL.finditer(_NAMESPACE.sub("", line))]
    return list(dict.fromkeys(host for host in found if not inside(host)))


def host_of(text: str) -> str | None:
    """The host of `host`, `host:port` or a public address; None for what is neither, or stays in the cluster."""
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
    """Whether the name or address stays in the cluster: a Service, a loopback, a private address."""
    if _is_address(host):
        address = ip_address(host)
        return any(address.version == network.version and address in network for network in _OWN_NETWORKS)
    if _NUMBER.fullmatch(host):
        return False
    return "." not in host or host.endswith((".svc", ".cluster.local", ".localhost", ".internal"))


def backend_host(url: str) -> str:
    """Where a Pulumi state backend keeps its bytes. Schemes are those of `pulumi login`."""
    scheme, _, rest = url.partition("://")
    query = rest.partition("?")[2]
    if scheme == "file":
        return THIS_MACHINE
    if endpoint := _parameter(query, "endpoint"):  # an S3-compatible server
        return _bare(endpoint.partition("://")[2] or endpoint)
    if scheme == "s3":
        region = _parameter(query, "region")
        return f"s3.{region}.amazonaws.com" if region else "s3.amazonaws.com"
    if scheme == "gs":
        return "storage.googleapis.com"
    if scheme == "azblob":
        account = _parameter(query, "storage_account")
        return f"{account}.blob.core.windows.net" if account else "blob.core.windows.net"
    return _bare(rest.partition("?")[0].partition("/")[0].rpartition("@")[2])


def secrets_host(provider: str, backend: str) -> str | None:
    """Who can open the stack's secrets; None where a passphrase of the operators' does, and nobody else."""
    scheme, _, rest = provider.partition("://")
    query = rest.partition("?")[2]
    if scheme == "awskms":
        region = _parameter(query, "region") or re.sub(r"^arn:aws:kms:([a-z0-9-]+):.*$|^.*$", r"\1", rest)
        return f"kms.{region}.amazonaws.com" if region else "kms.amazonaws.com"
    if scheme == "gcpkms":
        return "cloudkms.googleapis.com"
    if scheme in ("azurekeyvault", "hashivault"):
        host = _bare(rest.partition("?")[0].partition("/")[0])
        return host if "." in host else scheme
    if scheme in ("", "default", "service") and backend.startswith("http"):  # Pulumi Cloud keeps the key itself
        return backend_host(backend)
    return None


def _parameter(query: str, name: str) -> str:
    found = re.search(rf"(?:^|&){name}=([^&]+)", query)
    return found[1] if found else ""


def _bare(host: str) -> str:
    """Without port, brackets and trailing dot, in lower case and in the letters that DNS is asked with."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name = (host.partition(":")[0] if host.count(":") == 1 else host).rstrip(".").lower()
    return name if name.isascii() and "%" not in name else _in_ascii(name)


def _in_ascii(name: str) -> str:
    """IDNA's A-labels: `løgg.example.no` → `xn--lgg-0na.example.no`."""
    labels = re.split(rf"[.{_DOTS}]", unicodedata.normalize("NFKC", _unquoted(name)).lower().rstrip(f".{_DOTS}"))
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)


def _unquoted(name: str) -> str:
    """Without percent signs (RFC 3986, 2.1), which a URL may spell any letter by."""
    return re.sub(rb"%([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), name.encode("utf-8", "replace")).decode(
        "utf-8", "replace"
    )


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
