"""The real engine with the lab's plugins, on a repository of the tests' own that has the whole project."""

import subprocess
import sys
from pathlib import Path

from components.charts import helm
from lab.plugins.install import KUBERNETES, provide
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.modules import CILIUM, METALLB, pinned, source
from tests.support.stacks import ROOT

_WANTED = ("pulumi", "helm", KUBERNETES)


def programs(into: Path) -> Path:
    """A folder for the PATH with engine and plugins, which are built where they are not."""
    found = build.ensure(Progress(total=1, quiet=True), [tool for tool in TOOLS if tool.name in _WANTED])
    into.mkdir(exist_ok=True)
    provide(into, built=found.path(KUBERNETES), version=found.version(KUBERNETES))
    for name in ("pulumi", "helm"):
        (into / name).symlink_to(found.path(name))
    return into


def git(folder: Path, *words: str) -> str:
    """Run git there; what it prints."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.no", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """This project in a repository with one commit, `main`. Oslo's charts come from a folder: no network is needed."""
    folder.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        file = ROOT / name
        if not name.startswith(("tests/", "lab/", "benchmarks/")) and file.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file.read_bytes())
    text = (folder / "Pulumi.oslo.yaml").read_text()
    mirrored = "    charts: { mirror: { kind: folder, path: mirror } }\n    network:\n"
    (folder / "Pulumi.oslo.yaml").write_text(text.replace("    network:\n", mirrored, 1))
    for module, chart, name in (
        (CILIUM, "install/kubernetes/cilium", "cilium"),
        (METALLB, "charts/metallb", "metallb"),
    ):
        about, version = source(module, pinned(name)) / chart, pinned(name)
        words = ["package", str(about), "--version", version, "--destination", str(folder / "mirror")]
        assert not helm.run(helm.find(), words).code
    (folder / ".venv").symlink_to(sys.prefix)
    with (folder / ".gitignore").open("a") as ignored:
        ignored.write(".venv\n")  # a link here
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder
