"""The comment on a change, made by the real engine from the lab's own stack and its policy pack."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Edit, Lab, lab_command

pytestmark = pytest.mark.lab


def commented(lab: Lab, config_file: Path, output: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, comment and verdict of the command, as the operator's laptop runs it."""
    done: subprocess.CompletedProcess[str] = lab_command(
        *("vds", "preview-comment", "--stack", "lab", "--base", "HEAD", "--json"),
        *("--config-file", str(config_file), "--output", str(output), *arguments),
    )
    assert done.stdout.startswith("["), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (verdict,) = json.loads(done.stdout)
    text = output.read_text()
    for secret in (lab.layout.ssh_key, lab.layout.kubeconfig):
        lines = [line for line in secret.read_text().splitlines() if len(line) > 40]
        assert lines
        assert not any(line.strip() in text + done.stdout for line in lines)
    return done.returncode, text, verdict


def nothing(spec: dict[str, Any]) -> None:
    """The stack file as it is deployed."""


def eighty_twenty(spec: dict[str, Any]) -> None:
    (route,) = spec["gateway"]["routes"]
    route["stable"]["weight"], route["canary"]["weight"] = 80, 20


def abroad(spec: dict[str, Any]) -> None:
    """The stack file allows it; the policy pack does not."""
    spec["residency"]["allowedCountries"] = ["NO", "SE", "US"]
    spec["nodes"][2] |= {"country": "SE", "provider": {"name": "Elsewhere", "country": "US"}}


def one_node_less(spec: dict[str, Any]) -> None:
    spec["nodes"].pop()


def made(lab: Lab, edit: Edit, folder: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    return commented(lab, lab.variant(edit), folder / "comment.md", *arguments)


def test_nothing_changes_is_one_table(lab: Lab, tmp_path: Path) -> None:
    status, text, verdict = made(lab, nothing, tmp_path)
    assert (status, verdict["complete"], verdict["violations"]) == (0, True, []), text
    assert not any(verdict["changes"].values()), text
    assert "## ✅ `lab`: no change" in text
    assert "unchanged: machines in `NO`" in text


def test_one_canary_weight_is_one_diff(lab: Lab, tmp_path: Path) -> None:
    status, text, verdict = made(lab, eighty_twenty, tmp_path)
    assert status == 0, text
    assert [len(urns) for urns in verdict["changes"].values()] == [0, 1, 0, 0]
    assert "backendRefs[api-canary].weight: 10\n+ " in text
    assert "backendRefs[api-canary].weight: 20\n" in text


def test_a_policy_that_is_violated_comes_first_and_ends_with_1(lab: Lab, tmp_path: Path) -> None:
    status, text, verdict = made(lab, abroad, tmp_path)
    assert status == 1, text
    assert {found["policy"] for found in verdict["violations"]} >= {"residency"}
    assert ["country", "SE"] in verdict["residency"]["added"]
    assert ["entity", "Elsewhere (US)"] in verdict["residency"]["added"]
    assert text.splitlines()[1].startswith("## ❌ `lab`: ")
    assert text.index("### Policy violations") < text.index("### Updated")


def test_a_node_that_leaves_is_one_cause(lab: Lab, tmp_path: Path) -> None:
    status, text, verdict = made(lab, one_node_less, tmp_path)
    assert status == 0, text
    deleted = verdict["changes"]["delete"]
    own = {"osl-w-2", *(f"osl-w-2-{what}" for what in ("setup", "decommission", "packages", "membership", "member"))}
    assert own <= {urn.rpartition("::")[2] for urn in deleted}
    assert all("osl-w-2" in urn for urn in deleted)
    assert "- **deleted:** Node `osl-w-2`, because it is no longer in the program." in text


def test_facts_are_judged_and_their_age_is_said(lab: Lab, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    asked = ("vds", "doctor", "--stack", "lab", "--config-file", str(lab.deployment.config_file))
    assert lab_command(*asked, "--facts", str(facts)).returncode == 0
    status, text, verdict = made(lab, nothing, tmp_path, "--facts", str(facts))
    assert status == 0, text
    assert verdict["preflight"]["ageHours"] < 1
    assert " good, " in text
    assert "old |" in text
