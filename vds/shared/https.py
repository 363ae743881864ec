"""The only HTTP client of the commands: for forges, registries and chart repositories. Nodes and clusters have others.

What an answer says is not trusted: a redirect, an address in an index, a length.
"""

import ipaddress
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

SECONDS = 30
"""For the connection, and for each silence in an answer."""
WHOLE_SECONDS = 300
"""For one answer."""
LARGEST_BYTES = 100_000_000
"""A chart repository's index with ten years of releases has a fifth of that; no chart comes near."""
MOST_REDIRECTS = 5
"""A registry that keeps its blobs in a bucket needs one."""
_REDIRECTS = (301, 302, 303, 307, 308)


class HttpsError(Exception):
    """There is no answer, or none that may be used. The text has the address without its query, and the reason."""


class Answer(NamedTuple):
    """A whole answer, of any status but a redirect."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Https:
    """Requests that belong together. If the first server has a public address, no later one may have a private one:
    neither a redirect nor an address in an answer leads a command into the network that it runs in."""

    largest_bytes: int = LARGEST_BYTES
    _public: bool | None = None

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request over TLS, through the proxy that the environment names. Only a GET follows redirects.

        `credentials` are headers for the server of `url` alone: no other server gets them. Raises HttpsError.
        """
        origin, at = _origin(url), url
        for _ in range(MOST_REDIRECTS + 1):
            own = credentials if _origin(at) == origin else None
            answer = self._once(method, at, {**(headers or {}), **(own or {})}, body)
            if answer.status not in _REDIRECTS:
                return answer
            if method != "GET":
                raise HttpsError(f"{_shown(at)} redirects a {method}")
            at = urllib.parse.urljoin(at, answer.headers.get("Location", ""))
        raise HttpsError(f"{_shown(url)} redirects more than {MOST_REDIRECTS} times")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        host, port = _origin(url)
        end = time.monotonic() + WHOLE_SECONDS
        try:
            with self._pool(host, port) as pool:
                answer = pool.urlopen(
                    method,
                    url if isinstance(pool, urllib3.ProxyManager) else urllib3.util.parse_url(url).request_uri,
                    body=body,
                    headers={"Accept-Encoding": "identity", **headers},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=SECONDS,
                )
                read = bytearray()
                for part in answer.stream(65536, decode_content=False):
                    read += part
                    if len(read) > self.largest_bytes:
                        raise HttpsError(f"{_shown(url)} is larger than {self.largest_bytes} bytes")
                    if time.monotonic() > end:
                        raise HttpsError(f"{_shown(url)} did not end within {WHOLE_SECONDS} s")
                return Answer(answer.status, answer.headers, bytes(read))
        except (HTTPError, OSError, ValueError) as error:
            raise HttpsError(f"{_shown(url)} can't be reached ({getattr(error, 'reason', error)})") from None

    def _pool(self, host: str, port: int) -> urllib3.HTTPSConnectionPool | urllib3.ProxyManager:
        trust = ssl.create_default_context()
        proxy = getproxies().get("https")
        if proxy and not proxy_bypass(host):  # the proxy resolves names: only an address can be checked here
            self._check(host, [host] if _is_address(host) else [])
            login = urllib3.util.parse_url(proxy).auth
            own = urllib3.make_headers(proxy_basic_auth=login) if login else None
            return urllib3.ProxyManager(proxy, proxy_headers=own, ssl_context=trust)
        check = self._check

        class Connection(urllib3.connection.HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                connected = super()._new_conn()
                try:
                    check(host, [str(connected.getpeername()[0])])
                except HttpsError:
                    connected.close()
                    raise
                return connected

        pool = urllib3.HTTPSConnectionPool(host, port, ssl_context=trust)
        pool.ConnectionCls = Connection
        return pool

    def _check(self, host: str, addresses: Iterable[str]) -> None:
        public = all(is_public(address) for address in addresses)
        if self._public and not public:
            raise HttpsError(f"{host} has a private address, and a public server named it")
        self._public = public if self._public is None else self._public


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_global


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _origin(url: str) -> tuple[str, int]:
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        raise HttpsError(f"{_shown(url)} is no address") from None
    if parts.scheme != "https":
        raise HttpsError(f"{_shown(url)} is not https")
    if not host or parts.username is not None or parts.password is not None:
        raise HttpsError(f"{_shown(url)} names no server, or has a login in it")
    return host, port


def _shown(url: str) -> str:
    """Without what may be secret: a login, and the query of a signed address."""
    address = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
