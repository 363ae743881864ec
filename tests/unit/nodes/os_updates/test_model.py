"""The window: when it is open, through midnight and through changes of the clocks."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from components.nodes.model import NodeSpec
from components.nodes.os_updates.model import OsUpdates, Window
from components.nodes.os_updates.render import settings
from components.nodes.os_updates.rules import BOOT_SECONDS, READY_SECONDS, window_problems
from tests.support.stacks import problems, stack, stack_data


def window(days=("mon",), begin="02:00", end="05:00", timezone="Europe/Oslo"):
    return Window.model_validate({"days": list(days), "from": begin, "to": end, "timezone": timezone})


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opening(found):
    return tuple(one.astimezone(UTC).strftime("%a %d %H:%M") for one in found)


@pytest.mark.parametrize(
    ("days", "begin", "end", "now", "found"),
    [
        # 2026-11-30 is a Monday; Oslo is an hour before UTC in winter.
        (["mon"], "02:00", "05:00", "2026-11-30T00:59", ("Mon 30 01:00", "Mon 30 04:00")),
        (["mon"], "02:00", "05:00", "2026-11-30T01:00", ("Mon 30 01:00", "Mon 30 04:00")),
        (["mon"], "02:00", "05:00", "2026-11-30T04:00", ("Mon 07 01:00", "Mon 07 04:00")),
        (["sun"], "23:00", "01:00", "2026-11-29T23:30", ("Sun 29 22:00", "Mon 30 00:00")),
        (["mon"], "00:30", "02:00", "2026-11-29T23:31", ("Sun 29 23:30", "Mon 30 01:00")),
        # The last Sunday of March: 02:00 is 03:00, so the window is an hour shorter.
        (["sun"], "01:00", "04:00", "2027-03-28T00:00", ("Sun 28 00:00", "Sun 28 02:00")),
        # The last Sunday of October: it is an hour longer.
        (["sun"], "01:00", "04:00", "2026-10-24T23:30", ("Sat 24 23:00", "Sun 25 03:00")),
    ],
)
def test_when_the_window_is_open(days, begin, end, now, found):
    assert opening(window(days, begin, end).next(at(now))) == found


def test_windows_that_have_passed_are_counted_as_a_whole():
    weekly = window()
    since = at("2026-11-30T01:30")  # in a window: that one was no whole one
    assert weekly.missed(since, at("2026-12-14T03:59")) == 1
    assert weekly.missed(since, at("2026-12-14T04:00")) == 2
    assert window(["mon", "tue"]).missed(since, at("2026-12-08T12:00")) == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"timezone": "Europe/Olso"}, "did you mean Europe/Oslo"),
        ({"timezone": "/etc/passwd"}, "is no time zone"),
        ({"to": "02:00"}, "begins and ends at 02:00"),
        ({"to": "24:00"}, "hours and minutes in quotes"),
        ({"days": ["monday"]}, "mon"),
        ({"days": []}, "at least 1"),
    ],
)
def test_what_is_no_window(wrong, said):
    with pytest.raises(ValidationError, match=said):
        Window.model_validate({"from": "02:00", "to": "05:00", "timezone": "Europe/Oslo"} | wrong)


@pytest.mark.parametrize("pattern", ["Debian", 'origin=Debian"; };', "origin=Debian,", "origin=a;b", "origin=a b"])
def test_what_is_no_origin(pattern):
    with pytest.raises(ValidationError, match="write a pattern of unattended-upgrades"):
        OsUpdates.model_validate({"window": window().model_dump(by_alias=True), "origins": [pattern]})


def test_packages_of_the_cluster_are_excluded_by_their_whole_names():
    found = settings(OsUpdates(window=window()), ["libstdc++6"])
    assert r'Unattended-Upgrade::Package-Blacklist:: "^containerd\\.io$";' in found.apt
    assert r'Unattended-Upgrade::Package-Blacklist:: "^libstdc\\+\\+6$";' in found.apt


def test_a_window_that_is_too_short_for_one_node_is_refused():
    node = NodeSpec.model_validate(
        {
            "name": "osl-1",
            "address": "192.0.2.11",
            "country": "NO",
            "provider": {"name": "Lab", "country": "NO"},
            "drainSeconds": 900,
        }
    )
    needed = (900 + BOOT_SECONDS + READY_SECONDS) // 60
    assert needed == 30
    [found] = window_problems(OsUpdates(window=window(begin="23:45", end="00:14")), [node])
    assert found.message.startswith("is open for 29 min, and node osl-1 may take 30 min")
    assert not list(window_problems(OsUpdates(window=window(begin="23:45", end="00:15")), [node]))
    assert not list(window_problems(None, [node]))


def test_the_stack_file_is_judged_as_a_whole():
    data = stack_data("oslo")
    data["osUpdates"]["window"]["to"] = "02:10"
    assert any("osUpdates.window: is open for 10 min" in one for one in problems(data))
    data["osUpdates"]["window"]["timezone"] = "Europe/Olso"
    assert any("Europe/Olso is no time zone: did you mean Europe/Oslo" in one for one in problems(data))
    del data["osUpdates"]
    assert problems(data) == []
    assert stack("oslo").node_requirements.os_updates is not None
