"""The pulumi CLI, with a fake one on the PATH."""

import os
from pathlib import Path

import pytest

from tests.support.tools import Tools
from vds.shared import pulumi
from vds.shared.errors import OperationError


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Tools(tmp_path / "bin")


@pytest.mark.parametrize(
    ("printed", "remedy", "no_preview"),
    [
        ("no stack named oslo found", "pulumi stack ls", "has no such stack"),
        ("incorrect passphrase", "correct PULUMI_CONFIG_PASSPHRASE", "is wrong here"),
        ("passphrase must be set with PULUMI_…", "set PULUMI_CONFIG_PASSPHRASE_FILE", "a fork has none"),
        ("PULUMI_ACCESS_TOKEN must be set for login", "pulumi login", "a fork has none"),
        ("error opening bucket s3://x", "PULUMI_BACKEND_URL", "can't be reached"),
        ("no Pulumi.yaml project file found", "project's folder", ""),
    ],
)
def test_an_error_of_the_engine_has_its_remedy(engine: Tools, printed: str, remedy: str, no_preview: str) -> None:
    engine.add("pulumi", f"echo 'error: {printed}' >&2; exit 255")
    with pytest.raises(OperationError, match=remedy) as caught:
        pulumi.output("oslo", "stack", "export")
    assert str(caught.value).startswith(f"stack oslo: {printed}: ")
    known = pulumi.known_error(printed)
    assert known is not None
    assert no_preview in known.no_preview


def test_another_error_is_repeated_with_the_caller_s_remedy(engine: Tools) -> None:
    engine.add("pulumi", "echo 'error: something else' >&2; exit 1")
    with pytest.raises(OperationError, match=r"^stack oslo: something else: name a file$"):
        pulumi.output("oslo", "stack", "export", remedy="name a file")


def test_an_update_that_fails_is_an_error_of_the_command(engine: Tools) -> None:
    engine.add("pulumi", "exit 255")
    with pytest.raises(OperationError, match="`pulumi up` failed") as caught:
        pulumi.ask_and_run("up")
    assert caught.value.exit_code == 2


def test_without_pulumi_or_an_answer_the_error_names_it(engine: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.add("pulumi", "sleep 5")
    with pytest.raises(OperationError, match=r"`pulumi whoami` did not end within 0\.2 s"):
        pulumi.run("whoami", seconds=0.2)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(OperationError, match="pulumi is not on the PATH"):
        pulumi.run("whoami")
