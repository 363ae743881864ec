"""`.ci/pulumi` runs nothing that it has not compared with a checksum of the repository."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.stacks import ROOT
from tests.support.tools import Tools


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the script, with a curl that makes archives, each with an engine that writes what it is asked."""
    made = tmp_path / "project"
    shutil.copytree(ROOT / ".ci", made / ".ci")
    shutil.copy(ROOT / "requirements.txt", made)
    engine = f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'.encode()
    with tarfile.open(tmp_path / "served", "w:gz") as archive:
        entry = tarfile.TarInfo("pulumi/pulumi")
        entry.size, entry.mode = len(engine), 0o755
        archive.addfile(entry, io.BytesIO(engine))
    tools = Tools(tmp_path / "bin")
    tools.add("curl", f'for word; do [ "$last" = --output ] && cp {tmp_path}/served "$word"; last=$word; done')
    return made


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    folder = project.parent
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PULUMI_FOLDER": str(folder / "pulumi"),
        "HOME": str(folder),
        "GITHUB_PATH": str(folder / "path"),
        "GITHUB_ENV": str(folder / "env"),
    }
    command = ["sh", str(project / ".ci/pulumi"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def fill(project: Path, *, other: str = "") -> None:
    lines = run(project, "lines").stdout
    (project / ".ci/pulumi.sha256").write_text(
        "".join(
            f"{'0' * 64}  {line.split()[1]}\n" if other and other in line else f"{line}\n"
            for line in lines.splitlines()
        )
    )


def test_an_archive_without_a_checksum_stops_the_workflow(project: Path) -> None:
    (project / ".ci/pulumi.sha256").write_text("")
    done = run(project)
    assert done.returncode == 1
    assert "has no line for pulumi-v" in done.stderr
    assert not (project.parent / "asked").exists()


def test_archives_with_their_checksums_are_installed_and_nothing_else_is_downloaded(project: Path) -> None:
    digest = hashlib.sha256((project.parent / "served").read_bytes()).hexdigest()
    fill(project)
    assert (project / ".ci/pulumi.sha256").read_text().count(digest) == 3
    done = run(project)
    assert done.returncode == 0, done.stderr
    asked = (project.parent / "asked").read_text().splitlines()
    assert [line.split(" --file")[0].rpartition(" ")[0] for line in asked] == [
        "plugin install resource command",
        "plugin install resource kubernetes",
    ]
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true" in (project.parent / "env").read_text()


@pytest.mark.parametrize("other", ["linux-x64", "resource-command", "resource-kubernetes"])
def test_other_bytes_are_not_run(project: Path, other: str) -> None:
    fill(project, other=other)
    done = run(project)
    assert done.returncode != 0
    assert "FAILED" in done.stdout + done.stderr
    assert not (project.parent / "asked").exists()


def test_no_workflow_gets_the_engine_elsewhere() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text()
        assert "pulumi/actions@" not in text
        if "pulumi up" in text or "pulumi preview" in text:
            assert "run: .ci/pulumi " in text
