"""The commands, in a project of their own."""

import hashlib
import json

import pytest
import typer
from typer.testing import CliRunner

from components.charts.lock import ChartLock, read_lock
from tests.support.charts import lock, pack, sha256, written
from tests.support.stacks import stack
from vds.charts import command
from vds.charts.fetch import UnavailableError

TGZ = b"a chart"
DIGEST = hashlib.sha256(TGZ).hexdigest()


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
    app.add_typer(command.app, name="charts")
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
