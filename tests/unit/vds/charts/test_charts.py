"""`vds charts`: digests from repositories and registries that nobody has to reach, and what a lock becomes."""

import hashlib
import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from components.charts.lock import ChartLock, WantedChart, read_lock
from tests.support.charts import lock, pack, sha256, written
from tests.support.stacks import stack
from vds.charts import command
from vds.charts.fetch import UnavailableError, get, packed_digest
from vds.charts.pin import checked, refreshed

TGZ = b"a chart"
DIGEST = hashlib.sha256(TGZ).hexdigest()
REPOSITORY = "https://charts.example.no/stable"


def server(**pages):
    """An answer for each address; what has none can't be reached."""

    def answer(url, _headers):
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
        get("http://charts.example.no/index.yaml", {})


def want(name="web", version="1.0.0", source=REPOSITORY):
    return WantedChart(name, version, REPOSITORY, source, "cni.version")


def digests(**known):
    def digest(chart, _version, _repository):
        if chart not in known:
            raise UnavailableError("nobody answers")
        return known[chart]

    return digest


def test_what_can_not_be_reached_is_said_and_the_rest_is_kept():
    before = lock(("web", "1.0.0", "1" * 64), ("old", "0.1.0", "2" * 64))
    after, said = refreshed(before, [want(), want("api")], digests(api=DIGEST), replace=False)
    assert {(item.name, item.sha256) for item in after.charts} == {
        ("web", "1" * 64),
        ("old", "2" * 64),
        ("api", DIGEST),
    }
    assert [(item.state, item.message) for item in said] == [
        ("unreachable", "nobody answers; its entry is kept"),
        ("pinned", DIGEST),
    ]


def test_a_release_that_changed_after_it_was_pinned_is_taken_over_only_when_asked():
    before = lock(("web", "1.0.0", "1" * 64))
    kept, [said] = refreshed(before, [want()], digests(web=DIGEST), replace=False)
    assert kept == before
    assert said.state == "replaced"
    taken, [said] = refreshed(before, [want()], digests(web=DIGEST), replace=True)
    assert said.ok
    assert taken.charts[0].sha256 == DIGEST


def test_a_check_reads_the_mirror_and_not_the_maker():
    asked = []

    def digest(_chart, _version, repository):
        asked.append(repository)
        return DIGEST

    [said] = checked(lock(("web", "1.0.0", DIGEST)), [want(source="mirror")], digest)
    assert said.ok
    assert asked == ["mirror"]


def test_a_check_says_what_is_another_chart_and_what_is_not_pinned():
    said = checked(lock(("web", "1.0.0", "1" * 64)), [want(), want("api")], digests(web=DIGEST))
    assert [item.state for item in said] == ["replaced", "unlocked"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose one stack takes its charts from a folder."""
    spec = stack("oslo")
    mirror = {"mirror": {"kind": "folder", "path": "mirror"}}
    mirrored = spec.model_copy(update={"charts": type(spec.charts).model_validate(mirror)})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "open_spec", lambda _name, **_folder: mirrored)
    (tmp_path / "Pulumi.oslo.yaml").touch()
    return tmp_path


def run(*words):
    app = typer.Typer()
    command.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["charts", *words])


def test_the_command_compares_a_folder_with_the_lock(project):
    pinned = []
    for chart in stack("oslo").wanted_charts:
        pinned.append((chart.name, chart.version, sha256(pack(project / "mirror", chart.name, chart.version, {}))))
    written(project, lock(*pinned))
    done = run("check")
    assert (done.exit_code, done.output.count("✓")) == (0, 2)
    (project / "mirror" / "cilium-1.20.2.tgz").write_bytes(b"another")
    done = run("check", "--json")
    assert done.exit_code == 1
    assert [row["state"] for row in json.loads(done.output)] == ["replaced", "unchanged"]


def test_the_command_writes_the_lock_and_keeps_what_it_can_not_read(project, monkeypatch):
    def digest(chart, _version, _source, *, folder):
        if chart == "cilium":
            raise UnavailableError("https://helm.cilium.io/index.yaml can't be reached (no route to host)")
        return DIGEST

    monkeypatch.setattr(command, "packed_digest", digest)
    written(project, ChartLock(enforce=True))
    done = run("lock", "-s", "oslo")
    assert done.exit_code == 1
    assert "✗ cilium 1.20.2  unreachable: https://helm.cilium.io/index.yaml" in done.output
    made, wrong = read_lock((project / "charts.lock.yaml").read_text())
    assert wrong == []
    assert made.enforce
    assert {item.name for item in made.charts} == {"metallb"}
