"""The evidence of the running lab: what an auditor would be handed."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.layout import NODES
from lab.tenants.settings import TENANTS
from tests.lab.conftest import Lab, lab_command
from tests.support.oscal import assert_valid

pytestmark = pytest.mark.lab


def made(lab: Lab, folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = lab_command(
        *("vds", "evidence", "--stack", "lab", "--config-file", str(lab.deployment.config_file)),
        *("--tenants", str(lab.layout.state / "tenants"), "--output", str(folder), "--json", *arguments),
    )
    assert done.stdout.startswith("{"), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_lab_s_evidence_holds_and_can_be_checked_with_coreutils(lab: Lab, tmp_path: Path) -> None:
    status, said = made(lab, tmp_path / "one")
    assert (status, said["verdict"]) == (0, "holds"), said
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path / "one", check=True)
    record = json.loads((tmp_path / "one" / "record-of-processing.json").read_text())
    nodes = {place["name"]: place["country"] for place in record["places"] if place["kind"] == "node"}
    assert nodes == {node.name: "NO" for node in NODES}
    assert [(tenant["name"], tenant["seenIn"]) for tenant in record["tenants"]] == [
        (name, ["registration", "state"]) for name in TENANTS
    ]
    policies = json.loads((tmp_path / "one" / "policies.json").read_text())
    assert {policy["outcome"] for policy in policies["policies"]} == {"passed"}
    assert policies["undecided"] == []
    for file in (tmp_path / "one").glob("oscal-*.json"):
        assert_valid(file)


def test_two_runs_on_the_same_state_differ_in_the_date_alone(lab: Lab, tmp_path: Path) -> None:
    one, two = (made(lab, tmp_path / name)[1]["sha256"] for name in ("one", "two"))
    assert one == two
    for path in (tmp_path / "one").iterdir():
        lines = zip(
            path.read_bytes().split(b"\n"), (tmp_path / "two" / path.name).read_bytes().split(b"\n"), strict=True
        )
        assert all(first == second or first.startswith(b"Date: ") for first, second in lines), path.name


def test_no_secret_of_the_lab_is_in_its_evidence(lab: Lab, tmp_path: Path) -> None:
    made(lab, tmp_path / "one")
    key = lab.layout.ssh_key.read_text().splitlines()[1]
    for path in (tmp_path / "one").iterdir():
        text = path.read_bytes().decode(errors="replace")
        assert key not in text
        assert "PRIVATE KEY" not in text
        assert "ciphertext" not in text
        assert "1b47061264138c4ac30d75fd1eb44270" not in text


def test_a_stack_file_that_the_state_has_not_caught_up_with_is_not_proved(lab: Lab, tmp_path: Path) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["nodes"][2]["provider"]["name"] = "Another"

    status, said = made(lab, tmp_path / "one", "--config-file", str(lab.variant(edit)))
    assert (status, said["verdict"]) == (1, "undecided")
    differs = "entity is Another in the stack file, Lab in the state"
    assert said["undecided"] == [f"node osl-w-2: {differs}: run pulumi up, then make the evidence again"]
