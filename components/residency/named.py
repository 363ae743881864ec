"""Hosts, addresses, networks and images that a text names, with a scheme or without one."""

import functools
import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import NamedTuple

from components.core.endpoints import URL, host_of, image_registry, is_public_name, outside_of, url_hosts

_IMAGE = re.compile(r"[a-z0-9][\w.-]*(?::\d+)?(?:/[a-z0-9][a-z0-9._-]*)*(?::\w[\w.-]*)?(?:@sha256:[0-9a-f]+)?")
"""An image, as distribution/reference has it."""
_TAGGED = re.compile(r"[^/]+/.*(?::\w[\w.-]*|@sha256:[0-9a-f]+)")
_REGISTRIES = re.compile(
    r"(?:quay\.io|ghcr\.io|docker\.io|(?:.+\.)?gcr\.io|registry\.k8s\.io|mcr\.microsoft\.com|public\.ecr\.aws|nvcr\.io"
    r"|registry\.gitlab\.com|lscr\.io|.+\.dkr\.ecr\..+\.amazonaws\.com|.+\.pkg\.dev|.+\.azurecr\.io)"
)
"""Registries whose name before a slash begins an image without a tag too."""
_PICTURE = re.compile(r".*\.(?:png|jpe?g|svg|gif|ico|webp|img|iso|qcow2|tar|gz)", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s,;\"'`(){}<>|=&\\!?\[\]$]|:-)+")
_IN_BRACKETS = re.compile(r"\[([0-9a-f:.]+)\](?::\d+)?", re.IGNORECASE)
"""An IPv6 address, as it stands before a port."""
_PORT = re.compile(r":\d{1,5}\b")
_PREFIX = re.compile(r"[a-z][\w+.-]*:(?=[^\d:/][^:]*\.)", re.IGNORECASE)
"""`s3:` of `s3:s3.example.com/bucket`, `jdbc:` and others."""
_STORE = re.compile(r"(?:s3|swift|sftp|rest):(?=[^/:]+\.)", re.IGNORECASE)
"""A repository of restic's at a host: https://restic.readthedocs.io, "Preparing a new repository"."""
_PASSWORD_FILE = re.compile(r"([^:]+:\d+):.*")
"""A line of PostgreSQL's .pgpass: host, port, and what is for them."""
_PROJECT = re.compile(r"([^:/]+):[^\d:].*")
"""`github.com:project/repository`, as Git writes it after `git@`."""
_ALSO_A_WORD = re.compile(
    r".*\.(?:sh|py|md|rs|pl|pm|so|ps|zip|mov|properties|name|id|in|am|ms|tf|cc|map|data|run|host|link|page|app)"
    r"|(?:com|org|net|io|java|javax|sun|kernel|object|self|request|spring|management|status|spec|metadata|variables)\..*"
    r"|(?:.+\.)?(?:k8s|kubernetes)\.io|.+\.arpa"
)
"""Names that are a file's (`init.sh`), an attribute's (`service.name`), a package's (`com.example.app`) or an API
group's as well."""


class Named(NamedTuple):
    """What a text names."""

    endpoint: str
    image: bool = False
    """Whether it is the registry of an image."""


URLS, PRECISE, NAMES, CALLED, ADDRESS = range(5)
"""What counts in a text: URLs; what has a port, an image's tag or the form of an address too; host names by themselves
too; host names with a path too, because a command calls them; and what may be a file or an attribute as well, because
the field's name says that it is an address."""


@functools.lru_cache(maxsize=50_000)
def named_in(text: str, level: int) -> tuple[Named, ...]:
    """What a text names outside the cluster, once each. `level`: URLS to ADDRESS."""
    found = [Named(host) for host in url_hosts(text)]
    if level > URLS:
        found += _without_scheme(URL.sub(" ", text), level)
    return tuple(dict.fromkeys(found))


@functools.lru_cache(maxsize=10_000)
def words_of(key: str) -> tuple[str, ...]:
    """The words of a field's name: `postgresqlHost`, `POSTGRESQL_HOST` and `postgresql-host` have the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return tuple(word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word)


def image_in(text: str) -> str | None:
    """The registry of a text that is an image as a whole; None for any other."""
    if not _IMAGE.fullmatch(text) or _PICTURE.fullmatch(text):
        return None
    return image_registry(text)


def _without_scheme(text: str, level: int) -> Iterator[Named]:
    for found in _IN_BRACKETS.finditer(text):
        if host := outside_of(found[1]):
            yield Named(host)
    for word in _BETWEEN.split(_IN_BRACKETS.sub(" ", text)):
        if "." in word or word.count(":") > 1:
            yield from _of_word(word.rstrip(".:-/*"), level)


def _of_word(word: str, level: int) -> Iterator[Named]:
    relative = word.startswith("//")  # to the scheme of the page that has it
    word = word.removeprefix("//")
    if word.startswith(("/", ".", "-")):
        return
    if _is_network(word):
        if public := outside_of(word):
            yield Named(public)
        return
    first, slash, _ = word.partition("/")
    if slash and (_TAGGED.fullmatch(word) or _REGISTRIES.fullmatch(first)) and host_of(first) and image_in(word):
        yield Named(image_registry(word), image=True)
        return
    stored = _STORE.match(word)
    user, at, after = word.lstrip("@").rpartition("@")
    after = after.removeprefix("//")  # jdbc:oracle:thin:@//host:1521/service
    if at and (project := _PROJECT.fullmatch(after)):
        word = project[1]
    elif at and ":" not in user:
        return  # an e-mail address
    else:
        word = _PREFIX.sub("", after if at else word, count=1)
    word = _PASSWORD_FILE.sub(r"\1", word)
    first, slash, _ = word.partition("/")
    precise = relative or bool(at) or bool(stored) or bool(_PORT.search(first)) or _is_network(first)
    if not precise and (level < NAMES or (slash and level < CALLED)):
        return  # a path may be a file, or the key of a label
    name = first.removeprefix("*.")
    host = host_of(name)
    if host is None or not (_is_network(host) or is_public_name(host)):
        return
    if not (precise or slash) and level < ADDRESS and _ALSO_A_WORD.fullmatch(host):
        return
    yield Named(host if name == first else f"*.{host}")


def _is_network(word: str) -> bool:
    try:
        ip_network(word, strict=False)
    except ValueError:
        return False
    return "." in word or ":" in word
