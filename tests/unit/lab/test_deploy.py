"""What the engine's event log and state say, read right."""

import json
import sys
from pathlib import Path

import pytest

from lab import deploy
from lab.deploy import Deployment, Outcome, read_outcome
from lab.layout import Layout
from lab.toolchain.build import Tools


def write(path: Path, *events: object) -> Path:
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    return path


def test_an_update_of_which_all_is_the_same_is_unchanged(tmp_path: Path) -> None:
    events = write(
        tmp_path / "e", {"summaryEvent": {"resourceChanges": {"same": 12}, "PolicyPacks": {"p|local|/somewhere": "1"}}}
    )
    outcome = read_outcome(0, events, "")
    assert outcome.unchanged
    assert outcome.policy_packs == {"p": "1"}


def test_one_update_among_many_is_a_change(tmp_path: Path) -> None:
    assert not read_outcome(
        0, write(tmp_path / "e", {"summaryEvent": {"resourceChanges": {"same": 9, "update": 1}}}), ""
    ).unchanged


def test_a_run_that_failed_is_never_unchanged(tmp_path: Path) -> None:
    assert not read_outcome(255, tmp_path / "none", "").unchanged


def test_violations_are_kept_whole(tmp_path: Path) -> None:
    policy = {
        "policyName": "mtu",
        "enforcementLevel": "mandatory",
        "resourceUrn": "u",
        "message": "too large",
    }
    outcome = read_outcome(1, write(tmp_path / "e", {"policyEvent": policy}), "")
    assert outcome.violations == [{"policy": "mtu", "level": "mandatory", "resource": "u", "message": "too large"}]


def test_a_failure_shows_what_went_wrong_and_not_the_outputs() -> None:
    output = (
        "Updating (lab):\n + a\nDiagnostics:\n  x:\n    error: no\n\nOutputs:\n  long: 1\nResources:\n  1 errored\n"
    )
    assert Outcome(1, output=output).diagnostics == "Diagnostics:\n  x:\n    error: no"


def test_a_failure_without_diagnostics_shows_all_there_is() -> None:
    assert Outcome(1, output="panic\n").diagnostics == "panic"


# Stands for the engine: cancels when it is told to, as after Ctrl-C, and writes down that it did.
ENGINE = f"""#!{sys.executable}
import pathlib, signal, sys, time
def cancel(*_):
    time.sleep(0.3)  # what it does is ended first
    pathlib.Path(__file__).with_name("mark").write_text("cancelled")
    sys.exit(1)
signal.signal(signal.SIGINT, cancel)
print("Updating", flush=True)
time.sleep(60)
"""


def test_an_engine_is_cancelled_and_waited_for_where_we_are_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_to_end(*_: object, **__: object) -> None:
        raise SystemExit(143)

    engine = tmp_path / "pulumi"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    monkeypatch.setattr(deploy, "command", lambda argv, **_: argv)
    monkeypatch.setattr(deploy, "print", told_to_end, raising=False)
    programs = dict.fromkeys(("pulumi", "kubectl", "helm"), engine)
    tools = Tools(programs, dict.fromkeys(programs, "PATH"), dict.fromkeys(programs, "3.0.0"))
    with pytest.raises(SystemExit):
        Deployment(Layout(tmp_path / "lab"), tools, project=tmp_path).run("up", show=True)
    assert (tmp_path / "mark").read_text() == "cancelled"
