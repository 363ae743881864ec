"""What `vds canary` prints, and its exit codes."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.rollouts import Rollout, gateway
from tests.support.stacks import stack
from vds import main
from vds.canary import command, counters
from vds.shared.errors import OperationError

STACK = ("--stack", "oslo")


@pytest.fixture
def rollout(monkeypatch: pytest.MonkeyPatch) -> Rollout:
    made = Rollout()
    monkeypatch.setattr(command, "_canaried", lambda *_: made.canaried)
    monkeypatch.setattr(time, "time", made.now)
    monkeypatch.setattr(time, "sleep", lambda pause: made.sleep(pause))
    monkeypatch.setattr(counters, "read", lambda *_: made.counters())
    return made


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any]]:
    status = main.run(["canary", *words, "api", *STACK, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_good_canary_ends_with_0_and_a_bad_one_with_1(rollout: Rollout, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = asked(capsys, "start")
    assert (status, found["phase"], found["percent"]) == (0, "finished", 100)
    assert asked(capsys, "status")[0] == 0
    rollout.failing = lambda _: 0.05
    status, found = asked(capsys, "start", "--again")
    assert (status, found["phase"], found["percent"]) == (1, "rolled-back", 0)
    assert set(found["gates"]) == {"success", "latency"}
    status, found = asked(capsys, "status")
    assert status == 1
    assert found["findings"] == [f"rolled back: {found['reason']}"]


def test_progress_goes_to_standard_error_and_the_result_to_standard_output(
    rollout: Rollout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["canary", "start", "api", *STACK]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "✓ canary of route 'api' of butikk: finished, 100 % after success: equivalent, latency: equivalent"
    ]
    assert "  set to 5 %: started with 5 %" in shown.err.splitlines()
    assert "canary and" in shown.err


def test_status_says_that_nobody_watches_and_that_the_route_has_another_share(
    rollout: Rollout, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = asked(capsys, "status")
    assert (status, found["phase"], found["livePercent"]) == (0, "not begun", 0)
    command.running.begin(rollout.canaried, holder="another-host/1", now=rollout.now())
    status, found = asked(capsys, "status")
    assert status == 1
    assert found["findings"] == ["the route gives it 0 %, and its record says 5 %: run `vds canary start api`"]
    rollout.canaried.set_weights(5)
    assert asked(capsys, "status")[0] == 0
    rollout.sleep(31)
    assert asked(capsys, "status")[1]["findings"] == ["no process watches it: run `vds canary start api`"]


def test_by_hand(rollout: Rollout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["canary", "promote", "api", *STACK, "--json"]) == 2
    assert "has not begun" in capsys.readouterr().out
    command.running.begin(rollout.canaried, holder="another-host/1", now=rollout.now())
    assert asked(capsys, "pause")[1]["phase"] == "paused"
    assert asked(capsys, "promote")[1]["percent"] == 25
    assert rollout.percent == 25
    assert main.run(["canary", "abort", "api", *STACK]) == 0
    assert capsys.readouterr().out.startswith("✓ canary of route 'api' of butikk: rolled-back at 0 % (by hand)")
    assert rollout.percent == 0


def test_the_route_is_named_and_a_wrong_name_is_helped() -> None:
    spec = stack("oslo").model_copy(update={"gateway": gateway()})
    assert command.choose(spec, "api", None).name == "api"
    with pytest.raises(OperationError, match="route 'apj': is not one of the routes whose canary has steps"):
        command.choose(spec, "apj", None)
    with pytest.raises(OperationError, match=r"\(none\): write canary.steps in the stack file"):
        command.choose(stack("oslo"), "api", None)
