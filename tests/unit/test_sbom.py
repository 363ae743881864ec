"""The SBOM of a release names everything that the lock and a stack install."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

from tests.support.chart_repositories import served
from tests.support.stacks import ROOT, stack

SBOM = runpy.run_path(str(ROOT / ".ci/sbom.py"))


def test_the_command_writes_every_package_of_the_lock_with_its_digests(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci/sbom.py"), str(file)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(file.read_text())
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    lock = (ROOT / "requirements.txt").read_text()
    named = {(one["name"], one["version"]) for one in made["components"]}
    assert named == set(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    assert sum(len(one["hashes"]) for one in made["components"]) == lock.count("--hash=sha256:")


def test_charts_and_images_of_a_stack_are_listed() -> None:
    spec = stack("oslo")
    assert [str(one.purl).partition("?")[0] for one in SBOM["charts"](spec, "")] == [
        f"pkg:helm/{chart.name}@{chart.version}" for chart in spec.wanted_charts
    ]
    with served():
        found = {str(one.name): str(one.version) for one in SBOM["images"](spec)}
    assert "library/traefik" in found
    assert any(version.startswith("sha256:") for version in found.values())
