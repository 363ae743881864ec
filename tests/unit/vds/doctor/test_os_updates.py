"""The doctor's rows about updates and reboots."""

import pytest

from components.nodes.os_updates.model import OsUpdates
from components.nodes.os_updates.state import OsState
from vds.doctor.os_updates import rows
from vds.reboot.asking import Answer, answer
from vds.shared.ssh import Run

DAY = 86_400
NOW = 1_795_000_000
UPDATES = OsUpdates.model_validate({"window": {"from": "02:00", "to": "05:00", "timezone": "Europe/Oslo"}})
STATE = OsState("b", NOW, "6.1.0-39-amd64", enabled=NOW - 9 * DAY, upgraded=NOW - 7200)


def states(state):
    return [row.state for row in rows(Answer("osl-1", state), UPDATES)]


def test_a_node_that_needs_nothing():
    first, second = rows(Answer("osl-1", STATE), UPDATES)
    assert (first.item, first.state, second.item, second.state) == (
        "node osl-1, updates",
        "ok",
        "node osl-1, reboot",
        "ok",
    )
    assert first.measured == "unattended-upgrades ended without an error 2 h ago"


@pytest.mark.parametrize(("days", "state"), [(0, "ok"), (1, "advice"), (2, "fails"), (30, "fails")])
def test_a_required_reboot_is_worth_a_word_after_one_window_and_fails_after_two(days, state):
    required = STATE._replace(reasons=("required by libc6",), since=NOW - days * DAY)
    [_, row] = rows(Answer("osl-1", required), UPDATES)
    assert row.state == state
    assert "required by libc6" in row.measured


def test_updates_that_do_not_arrive_fail():
    assert states(STATE._replace(upgraded=NOW - 3 * DAY)) == ["fails", "ok"]
    assert states(STATE._replace(broken="half configured")) == ["fails", "ok"]
    assert states(STATE._replace(upgraded=0, enabled=NOW)) == ["ok", "ok"]
    assert states(STATE._replace(advice="its boot loader")) == ["ok", "advice"]


def test_a_node_that_does_not_answer_is_not_good():
    unread = answer(Run("osl-1", None, "node osl-1: no route"), "")
    [row] = rows(unread, UPDATES)
    assert (row.state, row.measured) == ("unknown", "no route")
    assert [row.state for row in rows(answer(Run("osl-1", 0, ""), "boot"), UPDATES)] == ["unknown"]
