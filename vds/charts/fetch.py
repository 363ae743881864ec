"""The SHA-256 of a packed chart, read where it is kept: a chart repository, an OCI registry, or a folder."""

import hashlib
import re
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path

from components.charts.reference import is_folder, packed
from components.core.untrusted import YamlError, json_value, yaml_value
from vds.shared.https import Https, HttpsError

_LARGEST_INDEX = 30_000_000
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"  # Helm's media type of the .tgz

Get = Callable[[str, Mapping[str, str], Mapping[str, str]], bytes]
"""The body of an address, asked with these headers and credentials. Raises UnavailableError."""


class UnavailableError(Exception):
    """The chart could not be read there; the text says why."""


class _UnauthorizedError(UnavailableError):
    def __init__(self, url: str, challenge: str) -> None:
        super().__init__(f"{url} wants a login")
        self.challenge = challenge


def reader() -> Get:
    """Reads one chart: its requests belong together (`Https`)."""
    https = Https()

    def get(url: str, headers: Mapping[str, str], credentials: Mapping[str, str]) -> bytes:
        try:
            answer = https.request("GET", url, headers=headers, credentials=credentials)
        except HttpsError as error:
            raise UnavailableError(str(error)) from None
        if answer.status == 401:
            raise _UnauthorizedError(url, answer.headers.get("WWW-Authenticate", ""))
        if answer.status != 200:
            raise UnavailableError(f"{url} answers {answer.status}")
        return answer.body

    return get


def packed_digest(chart: str, version: str, repository: str, *, folder: Path, get: Get | None = None) -> str:
    """SHA-256 of the chart's `.tgz`, of its bytes themselves and not of what anybody says about them.

    `folder` is what a folder mirror's path is relative to. Raises UnavailableError, also where an index or a
    registry names another digest than the bytes have.
    """
    if is_folder(repository):
        file = folder / repository / packed(chart, version)
        try:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise UnavailableError(f"{repository}/{file.name} can't be read ({error.strerror})") from None
    get = get or reader()
    if repository.startswith("oci://"):
        named, body = _from_registry(chart, version, repository.removeprefix("oci://").rstrip("/"), get)
    else:
        named, body = _from_index(chart, version, repository.rstrip("/"), get)
    found = hashlib.sha256(body).hexdigest()
    if named and named != found:
        raise UnavailableError(f"{repository} names SHA-256 {named}, and its bytes have {found}: do not use them")
    return found


def _from_index(chart: str, version: str, repository: str, get: Get) -> tuple[str, bytes]:
    address = f"{repository}/index.yaml"
    try:
        index = yaml_value(get(address, {}, {}).decode(errors="replace"), most=_LARGEST_INDEX)
        entries = [item for item in index["entries"].get(chart) or () if str(item["version"]) == version]
        if not entries:
            raise UnavailableError(f"{repository} has no {chart} {version}")
        url = urllib.parse.urljoin(f"{repository}/", str(entries[0]["urls"][0]))
    except (YamlError, KeyError, TypeError, IndexError, AttributeError):
        raise UnavailableError(f"{address} is no index of a chart repository") from None
    return str(entries[0].get("digest") or "").removeprefix("sha256:"), get(url, {}, {})


def _from_registry(chart: str, version: str, registry: str, get: Get) -> tuple[str, bytes]:
    host, _, path = registry.partition("/")
    base = f"https://{host}/v2/{path}/{chart}" if path else f"https://{host}/v2/{chart}"
    manifest = f"{base}/manifests/{version.replace('+', '_')}"  # a tag has no plus: Helm writes _
    accepts, credentials = {"Accept": _MANIFEST}, {}
    try:
        body = get(manifest, accepts, {})
    except _UnauthorizedError as error:
        credentials["Authorization"] = f"Bearer {_token(error, get)}"
        body = get(manifest, accepts, credentials)
    try:
        layers = [str(item["digest"]) for item in json_value(body)["layers"] if item["mediaType"] == _CONTENT]
        [digest] = layers
    except (ValueError, KeyError, TypeError):
        raise UnavailableError(f"{manifest} is no chart") from None
    return digest.removeprefix("sha256:"), get(f"{base}/blobs/{digest}", {}, credentials)


def _token(error: _UnauthorizedError, get: Get) -> str:
    """What a registry gives anybody who asks; one that wants a password is not asked."""
    words = dict(re.findall(r'(\w+)="([^"]*)"', error.challenge))
    if not error.challenge.lower().startswith("bearer ") or "realm" not in words:
        raise error
    query = urllib.parse.urlencode({key: words[key] for key in ("service", "scope") if key in words})
    try:
        answer = json_value(get(f"{words['realm']}?{query}", {}, {}))
        return str(answer.get("token") or answer["access_token"])
    except (ValueError, KeyError, AttributeError):
        raise error from None
