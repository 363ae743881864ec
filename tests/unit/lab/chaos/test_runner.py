"""A fault that lost something, or that could not be made, is never passed."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab import cli, session
from lab.chaos import runner
from lab.chaos.holdings import Holdings
from lab.chaos.runner import Fault, Row, all_good, attempt, markdown, run
from lab.chaos.table import FAULTS
from lab.chaos.trial import NotHereError, Seen, errors
from lab.deploy import Outcome
from lab.layout import Layout
from lab.processes import LabError
from lab.progress import Progress

WHOLE = Holdings(urns=("a",), tenants={"secret": "1"})
SAME, FAILED = Outcome(0, changes={"same": 1}), Outcome(255, output="error: no\n")


class Trial:
    """A lab of which a test says what it has."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        self.progress = Progress(total=9, quiet=True)
        self.kept: dict[str, Any] = {}
        self.has = WHOLE
        self.outcome = SAME
        self.calls: list[str] = []

    def holdings(self, _change: Any = None) -> Holdings:
        return self.has

    def up(self, change: Any = None) -> Outcome:
        self.calls.append("up with the change" if change else "up")
        return self.outcome


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    @contextlib.contextmanager
    def inside(_host: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(runner, "inside", inside)
    monkeypatch.setattr(runner, "seed", lambda _trial: None)
    monkeypatch.setattr(runner, "_prove", lambda _trial, _change: None)
    return Trial(tmp_path)


def fault(inject: Callable[[Any], Seen] = lambda _: Seen(255, "it broke: type this"), **more: Any) -> Fault:
    return Fault("a-fault", "something breaks", inject, **more)


def tried(trial: Any, one: Fault) -> Row:
    return attempt(trial, one)


def test_a_fault_that_loses_nothing_is_passed(trial: Trial) -> None:
    row = tried(trial, fault(says=("broke", "type"), change=lambda _: None))
    assert (row.verdict, row.lost, row.exit_code) == ("passed", [], 255), row.reason
    assert trial.calls == ["up with the change", "up", "up"]
    assert row.seconds_to_green is not None


def test_a_fault_of_another_stack_file_begins_and_ends_with_that_one_and_the_lab_is_made_again(trial: Trial) -> None:
    made_again: list[None] = []
    any_trial: Any = trial
    one = fault(base=lambda _: None, prepare=lambda _: trial.calls.append("prepare"))
    [row] = run(any_trial, [one], ready=lambda: made_again.append(None))
    assert row.verdict == "passed", row.reason
    assert trial.calls == ["prepare", "up with the change", "up with the change"]
    assert len(made_again) == 1


def test_a_fault_that_loses_something_is_not(trial: Trial) -> None:
    def inject(_: Any) -> Seen:
        trial.has = replace(WHOLE, tenants={})
        return Seen(0)

    row = tried(trial, fault(inject))
    assert row.verdict == "lost"
    assert row.lost == ["of a tenant: secret is gone"]
    assert not all_good([row])


def test_a_fault_that_could_not_be_made_is_not_passed(trial: Trial) -> None:
    def inject(_: Any) -> Seen:
        raise LabError("the update ended before the fault")

    row = tried(trial, fault(inject))
    assert (row.verdict, row.reason) == ("not made", "the update ended before the fault")
    assert not all_good([row])


def test_a_fault_that_breaks_the_runner_is_not_passed(trial: Trial) -> None:
    row = tried(trial, fault(lambda _: Seen(1 // 0)))
    assert row.verdict == "not made"
    assert "ZeroDivisionError" in row.reason


def test_a_lab_that_was_not_whole_before_proves_nothing(trial: Trial) -> None:
    trial.has = replace(WHOLE, pending=["creating x"])
    row = tried(trial, fault())
    assert row.verdict == "not made"
    assert "not whole before the fault: half done: creating x" in row.reason


def test_an_update_that_still_fails_is_not_green(trial: Trial) -> None:
    trial.outcome = FAILED
    row = tried(trial, fault())
    assert row.verdict == "not green"
    assert row.seconds_to_green is None


def test_a_second_run_that_changes_something_is_a_loss(trial: Trial) -> None:
    trial.outcome = Outcome(0, changes={"same": 1, "update": 1})
    row = tried(trial, fault())
    assert row.verdict == "lost"
    assert "a second run is not unchanged" in row.lost[0]


def test_a_message_that_does_not_say_what_to_do_is_unclear(trial: Trial) -> None:
    row = tried(trial, fault(says=("broke", "vds recover")))
    assert (row.verdict, row.reason) == ("unclear", "the message lacks vds recover")
    assert not all_good([row])


def test_what_can_not_be_made_here_says_why_and_is_not_passed(trial: Trial) -> None:
    def inject(_: Any) -> Seen:
        raise NotHereError("no clock of its own")

    row = tried(trial, fault(inject))
    assert row.verdict == "not run here"
    assert "| not run here | no clock of its own |" in markdown([row])


@pytest.mark.parametrize("breaks", ["inject", "repair"])
def test_everything_is_put_back_after_a_failure_too(trial: Trial, breaks: str) -> None:
    def broken(_: Any) -> Any:
        raise LabError("no")

    made: dict[str, Any] = {breaks: broken, "put_back": lambda _: trial.calls.append("put back")}
    assert tried(trial, fault(**made)).verdict in ("not made", "not green")
    assert "put back" in trial.calls


def test_after_a_fault_that_is_not_survived_the_lab_is_made_again_for_the_next(trial: Trial) -> None:
    def inject(_: Any) -> Seen:
        raise LabError("no")

    made_again: list[None] = []
    any_trial: Any = trial
    rows = run(any_trial, [fault(inject), fault()], ready=lambda: made_again.append(None))
    assert [row.verdict for row in rows] == ["not made", "passed"]
    assert len(made_again) == 1
    kept = json.loads((trial.layout.state / "chaos.json").read_text())
    assert [row["verdict"] for row in kept["rows"]] == ["not made", "passed"]
    assert not kept["ok"]


def test_no_row_is_no_success() -> None:
    assert not all_good([])


@pytest.mark.parametrize(
    ("verdict", "code"), [("passed", 0), ("not run here", 0), ("lost", 1), ("not made", 1), ("unclear", 1)]
)
def test_the_exit_code_is_1_unless_every_row_is_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: Any, code: int
) -> None:
    monkeypatch.setattr(session, "require_root", lambda: None)
    monkeypatch.setattr(session, "exclusive", contextlib.nullcontext)
    monkeypatch.setattr(cli, "Layout", lambda: Layout(tmp_path))
    monkeypatch.setattr(cli, "_green", lambda _layout: None)
    monkeypatch.setattr(cli, "Trial", lambda *_: None)
    monkeypatch.setattr(runner, "run", lambda *_, **__: [Row("stale-lock", "a lock", verdict)])
    assert CliRunner().invoke(cli.app, ["chaos", "--only", "stale-lock"]).exit_code == code


def test_an_unknown_name_shows_the_names() -> None:
    done = CliRunner().invoke(cli.app, ["chaos", "--only", "no-such-fault"])
    assert done.exit_code == 2
    assert all(one.name in done.stdout for one in FAULTS)


def test_names_are_unique() -> None:
    assert len({one.name for one in FAULTS}) == len(FAULTS)


OUTPUT = """Updating (lab):
 ~ command:remote:Command osl-w-2-setup updating failed error: no
Diagnostics:
  command:remote:Command (osl-w-2-setup):
    error: root@192.0.2.22:22: node osl-w-2
    its disk is full: run again

  pulumi:pulumi:Stack (vds-platform-lab):
    warning: something
    error: update failed

Resources:
    1 errored
"""


def test_the_user_s_message_is_every_error_once_and_nothing_else() -> None:
    said = "osl-w-2-setup: root@192.0.2.22:22: node osl-w-2 its disk is full: run again"
    assert errors(Outcome(255, output=OUTPUT)) == said
    assert errors(Outcome(255, output="error: locked\n  file:///x: created by me\n")) == (
        "locked file:///x: created by me"
    )
    assert errors(SAME) == ""
