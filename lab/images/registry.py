"""Push to a registry with the OCI distribution protocol 1.1."""

import hashlib
import http.client
import ssl
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.images.documents import MANIFEST_TYPE, Blob
from lab.processes import LabError

_TIMEOUT_SECONDS = 120  # without a byte: a registry syncs a blob of hundreds of megabytes before it answers


class Registry:
    """One connection to a registry, `https://…` with the certificate of its authority, or `http://…`."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        self.url = url.rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
            raise ValueError(f"{url!r} is no registry: write https://host or https://host:port")
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca)
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def digest(self, name: str, reference: str) -> str | None:
        """The digest of the manifest that a tag leads to; None if there is no such tag."""
        found = self._ask("HEAD", f"/v2/{name}/manifests/{reference}", {"Accept": MANIFEST_TYPE}, expected=(200, 404))
        return found.getheader("Docker-Content-Digest") if found.status == 200 else None

    def has_blob(self, name: str, blob: Blob) -> bool:
        """Whether a repository has a blob."""
        return self._ask("HEAD", f"/v2/{name}/blobs/{blob.digest}", expected=(200, 404)).status == 200

    def push_blob(self, name: str, content: Iterable[bytes]) -> Blob:
        """Send a blob piece by piece; its digest is known, and told, when all of it is sent."""
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in content:
                digest.update(piece)
                size += len(piece)
                yield piece

        started = self._ask("POST", f"/v2/{name}/blobs/uploads/", expected=(202,))
        headers = {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"}
        sent = self._ask("PATCH", _location(started), headers, counted(), expected=(202,))
        blob = Blob(f"sha256:{digest.hexdigest()}", size)
        place = _location(sent)
        separator = "&" if "?" in place else "?"
        self._ask("PUT", f"{place}{separator}digest={blob.digest}", {"Content-Length": "0"}, expected=(201,))
        return blob

    def push_manifest(self, name: str, tag: str, content: bytes) -> None:
        """Let a tag lead to a manifest whose blobs are there."""
        headers = {"Content-Type": MANIFEST_TYPE}
        self._ask("PUT", f"/v2/{name}/manifests/{tag}", headers, content, expected=(201,))

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        *,
        expected: tuple[int, ...],
    ) -> http.client.HTTPResponse:
        try:
            self._connection.request(method, path, body, headers or {}, encode_chunked=not isinstance(body, bytes))
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise LabError(f"the registry {self.url} does not answer {method} {path}: {error}") from error
        if answer.status not in expected:
            said = text.decode(errors="replace").strip()[:500]
            raise LabError(f"the registry {self.url} refuses {method} {path} with {answer.status}: {said}")
        return answer


def _location(answer: http.client.HTTPResponse) -> str:
    """Where an upload goes on, without the host: registries answer with or without it."""
    parts = urllib.parse.urlsplit(answer.getheader("Location") or "")
    return urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
