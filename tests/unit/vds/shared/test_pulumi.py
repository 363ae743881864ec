"""The pulumi CLI, with a fake one on the PATH."""

import ast
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.stacks import ROOT
from tests.support.tools import Tools
from vds.shared import pulumi
from vds.shared.errors import OperationError


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Tools(tmp_path / "bin")


@pytest.mark.parametrize(
    ("printed", "remedy"),
    [
        ("no stack named oslo found", "pulumi stack ls"),
        ("incorrect passphrase", "correct PULUMI_CONFIG_PASSPHRASE"),
        ("passphrase must be set with PULUMI_…", "set PULUMI_CONFIG_PASSPHRASE_FILE"),
        ("PULUMI_ACCESS_TOKEN must be set for login", "pulumi login"),
        ("error opening bucket s3://x", "PULUMI_BACKEND_URL"),
        ("the stack is currently locked by 1 lock(s)", "if it was killed, run `vds recover`"),
        ("failed to load checkpoint: unexpected end of JSON input", "cut short: run `vds recover`"),
        ("no Pulumi.yaml project file found", "project's folder"),
    ],
)
def test_an_error_of_the_engine_has_its_remedy(engine: Tools, printed: str, remedy: str) -> None:
    engine.add("pulumi", f"echo 'error: {printed}' >&2; exit 255")
    with pytest.raises(OperationError, match=remedy) as caught:
        pulumi.output("oslo", "stack", "export")
    assert str(caught.value).startswith(f"stack oslo: {printed}: ")
    assert pulumi.known_error(printed) is not None


def test_another_error_is_repeated_with_the_caller_s_remedy(engine: Tools) -> None:
    engine.add("pulumi", "echo 'error: something else' >&2; exit 1")
    with pytest.raises(OperationError, match=r"^stack oslo: something else: name a file$"):
        pulumi.output("oslo", "stack", "export", remedy="name a file")


def test_no_password_of_a_backend_is_repeated(engine: Tools) -> None:
    engine.add("pulumi", "echo 'error: opening bucket s3://me:hunter2@host/state: no route' >&2; exit 1")
    with pytest.raises(OperationError, match=r"opening bucket s3://host/state: no route"):
        pulumi.output("oslo", "stack", "export")


@pytest.mark.parametrize("runs", [pulumi.run, pulumi.ask_and_run])
def test_what_the_engine_and_its_plugins_leave_in_temporary_files_is_removed(engine: Tools, runs: Any) -> None:
    """pulumi-kubernetes leaves the kubeconfig there."""
    engine.add("pulumi", 'echo secret >"$TMPDIR/kubeconfig123"; echo "$TMPDIR" >"$(dirname "$0")/where"')
    runs("whoami")
    where = Path((engine.folder / "where").read_text().strip())
    assert where != Path(tempfile.gettempdir())
    assert not where.exists()


def test_an_update_that_fails_is_an_error_of_the_command(engine: Tools) -> None:
    engine.add("pulumi", "exit 255")
    with pytest.raises(OperationError, match="`pulumi up` failed") as caught:
        pulumi.ask_and_run(*pulumi.operation("up", "oslo"))
    assert caught.value.exit_code == 2


def test_without_pulumi_or_an_answer_the_error_names_it(engine: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.add("pulumi", "sleep 5")
    with pytest.raises(OperationError, match=r"`pulumi whoami` did not end within 0\.2 s"):
        pulumi.run("whoami", seconds=0.2)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(OperationError, match="pulumi is not on the PATH"):
        pulumi.run("whoami")


@pytest.mark.parametrize("operation", ["up", "preview"])
def test_no_preview_and_no_update_runs_without_the_policy_pack(engine: Tools, operation: str) -> None:
    engine.add("pulumi", "exit 0")
    for runs in (pulumi.run, pulumi.ask_and_run):
        with pytest.raises(ValueError, match="without the policy pack"):
            runs(operation, "--stack", "oslo")
    assert engine.words("pulumi") == []


def test_only_one_module_starts_the_engine_and_the_lab_uses_its_words() -> None:
    """So that no operation can leave the pack out: `operation` adds it, and `require_pack` asks for it."""
    files = [
        file
        for folder in ("vds", "lab", "benchmarks", "policies", "components")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert {file.relative_to(ROOT).as_posix() for file in files if _starts_engine(file)} == {
        "vds/shared/pulumi.py",
        "lab/deploy.py",
    }
    lab = ast.parse((ROOT / "lab/deploy.py").read_text())
    constants = [node.value for node in ast.walk(lab) if isinstance(node, ast.Constant)]
    assert "--policy-pack" not in constants
    assert ast.unparse(lab).count("pulumi.operation(") == 1


def _starts_engine(file: Path) -> bool:
    """Whether a list of words begins with the engine: "pulumi", or the path that the lab knows it by."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.List) and node.elts:
            first = ast.unparse(node.elts[0])
            if first in ("'pulumi'", "self.engine", "str(self.engine)", "deployment.engine", "str(deployment.engine)"):
                return True
    return False
