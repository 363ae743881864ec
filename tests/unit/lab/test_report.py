"""The page that `make up` ends with."""

import io

from rich.console import Console

from lab.report import preflight_table, sysctl_table


def setting(live: str, state: str) -> dict[str, str]:
    return {"wanted": "1", "live": live, "state": state}


def test_every_live_value_is_shown_against_the_wanted_one() -> None:
    nodes = {
        "ok": False,
        "osl-1": {"sysctls": {"a": setting("1", "applied"), "b": setting("0", "drifted")}},
        "osl-2": {"sysctls": {"a": setting("", "not-visible")}},
    }
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(sysctl_table(nodes))
    header, first, second, *_ = console.export_text().splitlines()
    assert header.split() == ["sysctl,", "live", "value", "osl-1", "osl-2"]
    assert "1 ✓" in first
    assert "– (1)" in first
    assert "0 ✗ wanted 1" in second


def test_every_check_is_shown_by_its_title_with_its_remedy() -> None:
    row = {"state": "fails", "measured": "1", "limit": "2"}
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(preflight_table({"ok": False, "osl-1": {"cpus": row}, "osl-2": {"cpus": row}}))
    text = console.export_text()
    assert "processors" in text
    assert "1 (limit 2): " in text
