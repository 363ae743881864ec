"""A change is previewed by the real engine with public values only, judged by the base, on the data of the change."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.repositories import git, programs, repository

STACK = "Pulumi.oslo.yaml"


class Seen(NamedTuple):
    """What the command said of a change."""

    code: int
    comment: str
    verdict: Mapping[str, Any]
    saved: str


class Project:
    """A repository, and the engine for it."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HOME": str(folder.parent),
            "PYTHONPATH": str(folder),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "PULUMI_BACKEND_URL": "s3://vds-state?endpoint=state.example.no",
        }

    def change(self, files: Mapping[str, str]) -> str:
        """A commit of a branch, whose files differ from main; the working tree stays main's."""
        git(self.folder, "checkout", "-qB", "change", "main")
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-qm", "change")
        commit = git(self.folder, "rev-parse", "HEAD")
        git(self.folder, "checkout", "-q", "main")
        return commit

    def text(self, name: str = STACK) -> str:
        return (self.folder / name).read_text()

    def preview(
        self, head: str, *words: str, stack: str = "oslo", environment: Mapping[str, str] | None = None
    ) -> Seen:
        out = self.folder.parent
        done = subprocess.run(
            [
                *(sys.executable, "-m", "vds", "preview-comment", "-s", stack, "--base", "main", "--head", head),
                *("--json", "--output", str(out / "comment.md"), "--save", str(out / "saved.json"), *words),
            ],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith("["), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        [verdict] = json.loads(done.stdout)
        return Seen(done.returncode, (out / "comment.md").read_text(), verdict, (out / "saved.json").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("preview")
    return Project(repository(folder / "project"), programs(folder / "bin"))


def counts(seen: Seen) -> dict[str, int]:
    return {op: len(urns) for op, urns in seen.verdict["changes"].items()}


def test_one_range_of_a_pool_is_one_update_and_needs_no_secret(project: Project) -> None:
    text = project.text().replace("198.51.100.200-198.51.100.220", "198.51.100.200-198.51.100.219")
    seen = project.preview(project.change({STACK: text}))
    assert (seen.code, seen.verdict["complete"], seen.verdict["violations"]) == (0, True, [])
    assert "## ✅ `oslo`: 3 updated" in seen.comment  # the pool, and what waits until it is announced
    assert "198.51.100.200-198.51.100.219" in seen.comment
    assert not [op for op, number in counts(seen).items() if number and op != "update"], seen.verdict["changes"]
    assert "a secret, not read" not in seen.comment + seen.saved


def test_ci_runs_the_same_by_its_make_target(project: Project) -> None:
    head = project.change({"docs/x.md": "y", "charts.lock.yaml": project.text("charts.lock.yaml") + "\n"})
    words = ["make", "--old-file=.venv/ready", "ci-preview"]
    environment = project.environment | {"STACKS": "oslo", "BASE": "main", "HEAD": head}
    done = subprocess.run(words, cwd=project.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## ✅ `oslo`: no change" in (project.folder / "preview/comment.md").read_text()
    [saved] = json.loads((project.folder / "preview/reports.json").read_text())
    assert (saved["program"], saved["touched_by"]) == (None, ["charts.lock.yaml"])


def test_a_property_that_forces_a_replacement_is_found_without_a_cluster(project: Project) -> None:
    text = project.text().replace("namespace: gateway-system", "namespace: edge")
    seen = project.preview(project.change({STACK: text}))
    assert counts(seen)["replace"] > 5, seen.comment
    assert "**replaced:**" in seen.comment
    assert "metadata.namespace changes" in seen.comment


def test_a_new_environment_is_all_new(project: Project) -> None:
    text = project.text().replace("environment: oslo", "environment: bergen")
    head = project.change({"Pulumi.bergen.yaml": text})
    seen = project.preview(head, stack="bergen")
    assert counts(seen)["create"] > 100
    assert not seen.verdict["program"]


def test_a_change_of_the_policies_is_judged_by_the_base_s_and_never_gets_a_tick(project: Project) -> None:
    """Findings 2 and 3: the pack was the change's own, and the job had the passphrase."""
    gutted = project.text("policies/engine.py").replace("def judge_resource(", "def _judge_resource(", 1)
    gutted += "\n\ndef judge_resource(*_):\n    return []\n"
    spy = project.text("__main__.py") + ("\nimport os\n\nopen('environment.txt', 'w').write(' '.join(os.environ))\n")
    text = project.text().replace('allowedCountries: ["NO"]', 'allowedCountries: ["NO", "SE"]')
    text = text.replace('until: "2027-12-31"', 'until: "2020-12-31"', 1)
    head = project.change({STACK: text, "policies/engine.py": gutted, "__main__.py": spy})
    waiting = project.preview(head, environment={"GITHUB_TOKEN": "t0ken", "AWS_SECRET_ACCESS_KEY": "k3y"})
    assert "is not run before a reviewer has approved it" in waiting.comment
    assert waiting.comment.splitlines()[1].startswith("## ⚠️ `oslo`")
    assert waiting.verdict["program"] == ["__main__.py", "policies/engine.py"]
    assert not (project.folder / "environment.txt").exists()

    approved = project.folder.parent / "approved"
    git(project.folder, "worktree", "add", "-q", "--detach", str(approved), head)
    (approved / ".venv").symlink_to(sys.prefix)
    secrets = {"GITHUB_TOKEN": "t0ken", "AWS_SECRET_ACCESS_KEY": "k3y", "PULUMI_CONFIG_PASSPHRASE": "w0rds"}
    seen = project.preview(head, "--program", str(approved), environment=secrets)
    assert seen.code == 1, seen.comment
    assert "residency-exceptions" in {found["policy"] for found in seen.verdict["violations"]}
    assert "The program and what judges it change" in seen.comment
    names = (approved / "environment.txt").read_text().split()
    assert not {"GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY"} & set(names)
