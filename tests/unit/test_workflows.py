"""Workflows that run nowhere but at a forge: what of them can be held against the code here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import options_of
from tests.support.stacks import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
DEPLOYING = ("preview.yml", "up.yml", "drift.yml")

PULUMI = {
    "up": {"--yes", "--non-interactive", "--stack", "--policy-pack"},
    "preview": {"--non-interactive", "--refresh", "--expect-no-changes", "--stack", "--policy-pack"},
}
"""Options of engine 3.274 that workflows use."""


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job["steps"]


def commands(path: Path) -> Iterator[list[str]]:
    """Every command that a workflow runs, in words. What `set --` gathers belongs to the command that takes "$@"."""
    for step in steps(path):
        gathered: list[str] = []
        for line in str(step.get("run", "")).replace("\\\n", " ").splitlines():
            for part in re.split(r";|\|(?!\|)|&&", line):
                words = shlex.split(part, comments=True)
                words = words[1:] if words[:1] == ["then"] else words
                if words[:2] == ["set", "--"]:
                    gathered += words[2:]
                elif words:
                    yield [other for word in words for other in (gathered if word == "$@" else [word])]


def ours(path: Path) -> list[list[str]]:
    return [words[1:] for words in commands(path) if words[0] == ".venv/bin/vds"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_can_do_nothing_that_it_does_not_say(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    triggers = workflow[True]  # YAML reads a bare `on` as true
    assert "pull_request_target" not in triggers, "a stranger's code would run with our secrets"
    for job in workflow["jobs"].values():
        signs = {"id-token", "attestations"} if path.name == "release.yml" else set()
        assert set(job.get("permissions", {})) <= {"contents", "pull-requests"} | signs
        assert "timeout-minutes" in job


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_text_of_a_strangers_is_pasted_into_a_shell(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), "give it as an environment variable"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, rest in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", rest), "the version is for the reader"


@pytest.mark.parametrize("name", DEPLOYING)
def test_every_option_of_our_commands_is_there(name: str) -> None:
    found = ours(FOLDER / name)
    assert found
    for words in found:
        known, required = options_of(words)
        assert {word for word in words if word.startswith("-")} <= known
        assert required <= set(words)


@pytest.mark.parametrize("name", DEPLOYING)
def test_the_engine_never_runs_without_the_pack(name: str) -> None:
    for words in commands(FOLDER / name):
        if words[0] == "pulumi":
            assert {word for word in words if word.startswith("-")} <= PULUMI[words[1]]
            assert words[words.index("--policy-pack") + 1] == "policies"


def test_only_an_environment_gets_to_change_anything() -> None:
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            changes = any("pulumi up" in str(step.get("run", "")) for step in job["steps"])
            assert not changes or (job["environment"] and load(path)["concurrency"]["cancel-in-progress"] is False)


def test_every_deploying_workflow_has_the_same_list_of_stacks() -> None:
    lists = []
    for name in DEPLOYING:
        (job,) = load(FOLDER / name)["jobs"].values()
        lists.append(job["strategy"]["matrix"]["stack"])
        assert job["env"]["STACK"] == "${{ matrix.stack }}"
        assert "oslo" not in str({key: value for key, value in job.items() if key != "strategy"})
    assert lists[0]
    assert lists == [lists[0]] * len(DEPLOYING)
    assert all((ROOT / f"Pulumi.{stack}.yaml").exists() for stack in lists[0])


def test_a_failed_update_stops_the_next_environment() -> None:
    (job,) = load(FOLDER / "up.yml")["jobs"].values()
    assert job["strategy"] == {
        "max-parallel": 1,
        "fail-fast": True,
        "matrix": {"stack": job["strategy"]["matrix"]["stack"]},
    }


def test_artifacts_of_two_stacks_have_two_names() -> None:
    for name in DEPLOYING:
        for step in steps(FOLDER / name):
            if "upload-artifact" in step.get("uses", ""):
                assert step["with"]["name"].endswith("-${{ env.STACK }}")


def test_a_fork_is_asked_for_nothing_that_it_has_not() -> None:
    (step,) = [step for step in steps(FOLDER / "preview.yml") if step.get("name") == "Preview"]
    guarded = [line for line in step["run"].splitlines() if "--post" in line]
    assert guarded
    assert all(line.startswith('if [ "$FORK" = false ]') for line in guarded)


def test_evidence_is_made_and_kept_whether_or_not_the_update_succeeds() -> None:
    made = [step for step in steps(FOLDER / "up.yml") if "evidence" in str(step.get("run", step.get("with", "")))]
    assert [step.get("if") for step in made] == ["${{ !cancelled() }}"] * 2


def test_a_release_is_made_of_a_tag_that_main_allows_and_has_an_sbom_and_a_provenance() -> None:
    text = "\n".join(step.get("run", "") for step in steps(FOLDER / "release.yml"))
    order = ["verify-tag", "make test-fast", ".ci/sbom.py dist/", "sha256sum", "gh release create"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "git show origin/main:.github/allowed_signers" in text, "not the tag's own list"
    assert any("attest-build-provenance" in step.get("uses", "") for step in steps(FOLDER / "release.yml"))
