"""Digests of charts in repositories and registries."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from vds.charts.fetch import UnavailableError, packed_digest, reader

TGZ = b"a chart"
DIGEST = hashlib.sha256(TGZ).hexdigest()
REPOSITORY = "https://charts.example.no/stable"


def server(**pages):
    """An answer for each address; what has none can't be reached."""

    def answer(url, _headers, _credentials):
        if url not in pages:
            raise UnavailableError(f"{url} can't be reached (no route to host)")
        return pages[url]

    return answer


def repository(digest=DIGEST):
    entry = {"version": "1.0.0", "urls": ["web-1.0.0.tgz"], "digest": digest}
    index = yaml.safe_dump({"apiVersion": "v1", "entries": {"web": [entry]}}).encode()
    return server(**{f"{REPOSITORY}/index.yaml": index, f"{REPOSITORY}/web-1.0.0.tgz": TGZ})


def registry(digest=DIGEST):
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": f"sha256:{digest}"}
    base = "https://registry.example.no/v2/charts/web"
    manifest = json.dumps({"layers": [layer]}).encode()
    return server(**{f"{base}/manifests/1.0.0_a": manifest, f"{base}/blobs/sha256:{digest}": TGZ})


def test_a_repositorys_chart_is_hashed_itself():
    assert packed_digest("web", "1.0.0", f"{REPOSITORY}/", folder=Path(), get=repository()) == DIGEST


def test_a_registrys_chart_is_hashed_itself():
    found = packed_digest("web", "1.0.0+a", "oci://registry.example.no/charts", folder=Path(), get=registry())
    assert found == DIGEST


@pytest.mark.parametrize(
    ("where", "version", "source"),
    [(REPOSITORY, "1.0.0", repository("0" * 64)), ("oci://registry.example.no/charts", "1.0.0+a", registry("0" * 64))],
)
def test_bytes_that_are_not_what_their_index_names_are_refused(where, version, source):
    with pytest.raises(UnavailableError, match="do not use them"):
        packed_digest("web", version, where, folder=Path(), get=source)


def test_a_release_that_the_repository_has_not_is_said():
    with pytest.raises(UnavailableError, match=f"{REPOSITORY} has no web 2.0.0"):
        packed_digest("web", "2.0.0", REPOSITORY, folder=Path(), get=repository())


def test_a_page_that_is_no_index_is_said():
    pages = server(**{f"{REPOSITORY}/index.yaml": b"<html>sign in</html>"})
    with pytest.raises(UnavailableError, match="is no index"):
        packed_digest("web", "1.0.0", REPOSITORY, folder=Path(), get=pages)


def test_nothing_is_read_without_tls():
    with pytest.raises(UnavailableError, match="not https"):
        reader()("http://charts.example.no/index.yaml", {}, {})
