"""The command: which stacks it looks at, and what it says where it may not look."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components.nodes.preflight import facts
from tests.support.previews import EVENTS
from tests.support.stacks import ROOT, stack, stack_data
from tests.support.tools import Tools
from vds.main import application
from vds.preview_comment.budget import Block, Risk, fit, size
from vds.preview_comment.difference import diff_lines, noise
from vds.preview_comment.events import Change
from vds.preview_comment.report import preflight
from vds.preview_comment.touched import reasons


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.no")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def write(folder: Path, data: dict[str, Any]) -> None:
    content = {"config": {"vds-platform:spec": data}, "encryptionsalt": "v1:x"}
    (folder / "Pulumi.oslo.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one stack, and an engine that writes down its words."""
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder, stack_data("oslo"))
    (folder / "README.md").write_text("x")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    monkeypatch.chdir(folder)
    tools = Tools(tmp_path / "bin")
    tools.add("pulumi", "echo 'error: passphrase must be set' >&2; exit 255")
    monkeypatch.setenv("PATH", str(tools.folder), prepend=":")
    return folder


def engine(project: Path, events: str, *, exit_code: int = 0) -> Tools:
    tools = Tools(project.parent / "bin")
    copy = f'while [ $# -gt 0 ]; do [ "$1" = --event-log ] && cp {EVENTS / events}.jsonl "$2"; shift; done'
    tools.add("pulumi", f'{copy}; [ -z "$GITHUB_TOKEN" ] || exit 9; exit {exit_code}')
    return tools


def run(*words: str) -> Any:
    return CliRunner().invoke(application(), ["preview-comment", "-s", "oslo", *words], catch_exceptions=False)


def test_a_document_touches_no_stack(project: Path) -> None:
    (project / "README.md").write_text("y")
    done = run()
    assert done.exit_code == 0
    assert "## ✅ No stack is touched by this change" in done.stdout
    assert not (project.parent / "bin" / "calls.log").exists()


def test_without_a_passphrase_the_stack_file_is_judged_and_that_is_said(project: Path) -> None:
    data = stack_data("oslo")
    data["gateway"]["routes"][0]["stable"]["weight"] = 80
    data["gateway"]["routes"][0]["canary"]["weight"] = 20
    data["nodes"][0]["provider"] = {"name": "Annen AS", "country": "NO"}
    write(project, data)
    done = run()
    assert done.exit_code == 0
    assert "no preview; the stack file is sound" in done.stdout
    assert "❔ not asked: the stack's passphrase is not set here" in done.stdout
    assert "+ gateway.routes[butikk-api].canary.weight: 20" in done.stdout
    assert "➕ owner `Annen AS (NO)` (`osl-cp-1`)" in done.stdout
    assert run("--require-preview").exit_code == 1


def test_a_change_of_shared_settings_touches_each_stack_that_names_them(project: Path) -> None:
    data = stack_data("oslo")
    shared = {"gateway": data.pop("gateway")}
    content = {"config": {"vds-platform:defaults": "defaults.yaml", "vds-platform:spec": data}}
    (project / "Pulumi.oslo.yaml").write_text(yaml.safe_dump(content))
    (project / "defaults.yaml").write_text(yaml.safe_dump(shared))
    git(project, "add", ".")
    git(project, "commit", "-qm", "shared settings")
    shared["gateway"]["routes"][0]["stable"]["weight"] = 80
    shared["gateway"]["routes"][0]["canary"]["weight"] = 20
    (project / "defaults.yaml").write_text(yaml.safe_dump(shared))
    done = run("--base", "HEAD")
    assert "defaults.yaml" in done.stdout
    assert "+ gateway.routes[butikk-api].canary.weight: 20" in done.stdout
    (project / "other.yaml").write_text("x")
    git(project, "checkout", "-q", "defaults.yaml")
    assert "No stack is touched" in run("--base", "HEAD").stdout


def test_a_stack_file_with_problems_ends_with_1_and_names_them(project: Path) -> None:
    data = stack_data("oslo")
    data["nodes"][0]["country"] = "SE"
    write(project, data)
    done = run()
    assert done.exit_code == 1
    assert "### What is wrong with the stack file" in done.stdout
    assert "➕ machines in `SE` (`osl-cp-1`)" in done.stdout


def test_the_engine_runs_with_the_pack_reads_no_node_and_sees_no_token(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {**stack_data("oslo"), "preflight": {}})
    before = (project / "Pulumi.oslo.yaml").read_text()
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    tools = engine(project, "canary-weight")
    done = run("--json", "--policy-pack-config", "pack.json")
    (verdict,) = json.loads(done.stdout)
    assert [len(urns) for urns in verdict["changes"].values()] == [0, 1, 0, 0]
    (words,) = tools.words("pulumi")
    assert words[words.index("--policy-pack") + 1] == "policies"
    assert words[words.index("--policy-pack-config") + 1] == "pack.json"
    assert (project / "Pulumi.oslo.yaml").read_text() == before


def test_a_violated_policy_ends_with_1(project: Path) -> None:
    write(project, {**stack_data("oslo"), "preflight": {}})
    engine(project, "policy-violated", exit_code=1)
    report = project.parent / "report.md"
    done = run("--output", str(project.parent / "comment.md"), "--report", str(report))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "### Policy violations" in report.read_text()


def test_what_renders_asks_nobody() -> None:
    folder = ROOT / "operations" / "comment"
    outside = {"os", "subprocess", "socket", "time", "datetime", "random", "urllib", "tempfile", "typer", "rich"}
    impure = {"cli", "poster", "runner"}
    for file in folder.glob("*.py"):
        tree = ast.parse(file.read_text())
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        if file.stem not in impure:
            assert not {name.split(".")[0] for name in names} & outside, file.name
            assert not names & {f"vds.preview_comment.{name}" for name in impure}, file.name


def test_facts_too_old_to_judge_by_stop_it() -> None:
    spec = stack("oslo")
    text = facts.dump([], environment="oslo", made_at=0)
    assert "hours old" in preflight(text, spec, now=10**9).unusable
    fresh = preflight(text, spec, now=7200)
    assert (fresh.age_hours, fresh.missing[0]) == (2, "osl-cp-1")


@pytest.mark.parametrize(
    "file", ["Pulumi.oslo.yaml", "components/network/mtu.py", "policies/engine.py", "requirements.txt"]
)
def test_what_a_stack_is_made_of_touches_it(file: str) -> None:
    assert reasons([file, "docs/x.md"], ["Pulumi.oslo.yaml"]) == (file,)


@pytest.mark.parametrize("file", ["Pulumi.lab.yaml", "docs/x.md", "tests/x.py", "lab/cli.py", "components_old/x"])
def test_what_it_is_not_made_of_does_not(file: str) -> None:
    assert reasons([file], ["Pulumi.oslo.yaml"]) == ()


def test_an_sdks_new_version_is_noise_and_a_charts_is_not() -> None:
    def update(kind: str) -> Change:
        return Change("u", kind, "update", old={"version": "1"}, new={"version": "2"})

    assert noise(update("pulumi:providers:kubernetes")) == "an SDK's version"
    assert noise(update("kubernetes:helm.sh/v3:Release")) == ""


def test_items_with_names_that_change_places_are_said_to() -> None:
    first, second = {"name": "a"}, {"name": "b"}
    change = Change("u", "k", "update", old={"x": [first, second]}, new={"x": [second, first]})
    assert diff_lines(change) == ("! the order of a list changes",)
    assert noise(change) == ""


def test_a_value_that_becomes_secret_shows_neither_side() -> None:
    change = Change("u", "k", "update", old={"a": {"b": "hunter2"}}, new={"a": "[secret]"})
    assert diff_lines(change) == ("! a: changes, and is hidden",)


def test_the_least_risky_is_left_out_first_and_counted() -> None:
    blocks = [
        Block("verdict"),
        Block("L" * 100, Risk.LOSS, "loss"),
        Block("U" * 300, Risk.UPDATE, "update", short="- u"),
        Block("C" * 300, Risk.CREATE, "create", units=7),
    ]
    text = fit(blocks, limit=400)
    assert size(text) <= 400
    assert "L" * 100 in text
    assert "- u" in text
    assert "7 creates, 1 update." in text
