"""`vds plan` compares the real state with the description by the real engine, and can decrypt nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.core.names import PROJECT
from components.core.unknown import SIGNATURE
from tests.support.repositories import programs, repository
from vds.preview_comment.base_state import deployment
from vds.preview_comment.config_copy import public_copy

STACK = "Pulumi.oslo.yaml"
HERE = (
    '        - { name: here, hosts: [localhost], country: "NO", entity: Nordic VDS AS, entityCountry: "NO",'
    " purposes: [state] }\n"
)
CANARY = "canary-of-the-state"


def run(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def with_canaries(value: Any) -> Any:
    """The state with another secret in the place of each word of the preview."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return {**value, "plaintext": json.dumps(_other(json.loads(value["plaintext"])))}
        return {key: with_canaries(item) for key, item in value.items()}
    return [with_canaries(item) for item in value] if isinstance(value, list) else value


def _other(value: Any) -> Any:
    if isinstance(value, dict) and SIGNATURE in value:
        return with_canaries(value)
    if isinstance(value, dict):
        return {key: _other(item) for key, item in value.items()}
    return f"{CANARY}-{value}" if isinstance(value, str) else value


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project, and a backend with its state, encrypted. The environment has no passphrase."""
    folder = tmp_path_factory.mktemp("plan")
    made, bin_folder = repository(folder / "project"), programs(folder / "bin")
    (folder / "state").mkdir()
    text = (made / STACK).read_text()
    assert text.count("      places:\n") == 1
    (made / STACK).write_text(text.replace("      places:\n", f"      places:\n{HERE}"))
    environment = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(made),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    known = environment | {"PULUMI_CONFIG_PASSPHRASE": "w0rds", "PULUMI_DEBUG_COMMANDS": "true"}
    known["VDS_STATE_BACKEND"] = environment["PULUMI_BACKEND_URL"]
    other = folder / "other"
    other.mkdir()
    (other / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    assert not run(other, known, "pulumi", "stack", "init", "oslo", "--non-interactive").returncode
    salt = (other / STACK).read_text().removeprefix("encryptionsalt:").strip()
    config = folder / STACK
    config.write_text(f"{public_copy((made / STACK).read_text())}\nencryptionsalt: {salt}\n")
    plan = folder / "plan.json"
    words = [
        "preview",
        "--stack",
        "oslo",
        "--config-file",
        str(config),
        "--save-plan",
        str(plan),
        "--show-secrets=true",
    ]
    done = run(made, known, "pulumi", *words, "--non-interactive")
    assert plan.exists(), done.stdout + done.stderr
    state = with_canaries(deployment(json.loads(plan.read_text()), salt))
    (folder / "state.json").write_text(json.dumps(state))
    assert CANARY in json.dumps(state)
    words = ["stack", "import", "--stack", "oslo", "--file", str(folder / "state.json"), "--non-interactive"]
    done = run(other, known, "pulumi", *words)
    assert not done.returncode, done.stderr
    return made, environment


def plan_of(project: tuple[Path, dict[str, str]], *words: str) -> subprocess.CompletedProcess[str]:
    folder, environment = project
    done = run(folder, environment, sys.executable, "-m", "vds", "plan", "-s", "oslo", *words)
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done


def test_a_state_as_described_has_no_change_whatever_its_secrets_are(project: tuple[Path, dict[str, str]]) -> None:
    done = plan_of(project, "--expect-no-changes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## ✅ `oslo`: no change" in done.stdout
    assert "the state with the description" in done.stdout


def test_another_range_of_a_pool_is_one_update(project: tuple[Path, dict[str, str]]) -> None:
    file = project[0] / STACK
    text = file.read_text()
    file.write_text(text.replace("198.51.100.200-198.51.100.220", "198.51.100.200-198.51.100.219"))
    try:
        done = plan_of(project, "--json", "--expect-no-changes")
    finally:
        file.write_text(text)
    assert done.returncode == 1, done.stdout + done.stderr
    [found] = json.loads(done.stdout)
    assert found["complete"], found["errors"]
    assert [urn.rpartition("::")[2] for urn in found["changes"]["update"]] == ["metallb-pool-public"]
    assert {op: len(urns) for op, urns in found["changes"].items() if urns} == {"update": 1}
