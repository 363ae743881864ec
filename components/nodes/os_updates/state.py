"""What a node says of its updates and its last boot, and whether it must be rebooted. Pure."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from components.core.untrusted import printable
from components.nodes.os_updates.model import Window

SCRIPT = (Path(__file__).parent / "state.sh").read_text(encoding="utf-8")
"""Prints the facts; root runs it."""
SECONDS = 30
"""Of the script: it reads the memory maps of all processes."""
LATE_DAYS = 2
"""unattended-upgrades runs once a day; one run may be missed while the node starts again."""
MISSED_WINDOWS = 2
"""After so many whole windows a required reboot is overdue: one may be missed, because another node stopped the run. A
window is open once a week at least, so that is two weeks at most: what the Australian Essential Eight (maturity level
1) allows for updates of operating systems."""
_DAY = 86_400
_MOST_LINES = 1_000
_BOOT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class OsState(NamedTuple):
    """A node's own answer. Times are in seconds since 1970, by its clock."""

    boot: str
    """The kernel's boot id."""
    now: int
    kernel: str
    reasons: tuple[str, ...] = ()
    """Why it must be rebooted; empty if it need not."""
    since: int = 0
    """When the first of the reasons came up."""
    installing: bool = False
    """unattended-upgrades is at work."""
    broken: str = ""
    """What dpkg says of packages that were not installed to the end."""
    advice: str = ""
    """What a reboot does not correct."""
    enabled: int = 0
    """When our configuration was written."""
    upgraded: int = 0
    """When unattended-upgrades last ended without an error; 0: never."""

    @property
    def must_reboot(self) -> bool:
        return bool(self.reasons)

    @property
    def late(self) -> str:
        """Why updates do not arrive; empty if they do."""
        if self.broken:
            return f"packages are not installed to the end ({self.broken}): run `dpkg --configure -a` there"
        if self.now - max(self.upgraded, self.enabled) <= LATE_DAYS * _DAY:
            return ""
        last = f"{(self.now - self.upgraded) / _DAY:.0f} days ago" if self.upgraded else "never"
        return (
            f"unattended-upgrades last ended without an error {last} (limit {LATE_DAYS} days): read "
            "/var/log/unattended-upgrades/unattended-upgrades.log and `journalctl -u apt-daily-upgrade` there"
        )

    def missed(self, window: Window) -> int:
        """How many whole windows have passed since the reboot was required."""
        since, now = (datetime.fromtimestamp(one, UTC) for one in (self.since, self.now))
        return window.missed(since, now) if self.must_reboot else 0


def parse(output: str) -> OsState:
    """The facts in the script's output. Raises ValueError where it is not one, or was cut short."""
    facts: dict[str, list[list[str]]] = {}
    lines = output.split("\n")[:_MOST_LINES]
    for line in lines:
        word, *values = printable(line)[:200].split(" ", 2)
        facts.setdefault(word, []).append(values)
    try:
        boot, now, booted, kernel = (facts[name][0][0] for name in ("boot", "now", "booted", "kernel"))
        if "end" not in facts or not _BOOT.fullmatch(boot):
            raise ValueError
        reasons = _reasons(facts, int(booted))
        return OsState(
            boot,
            int(now),
            kernel,
            reasons=tuple(said for _, said in reasons),
            since=min((at for at, _ in reasons), default=0),
            installing="installing" in facts,
            broken=" ".join(facts.get("broken", [[]])[0]),
            advice=_not_booted(facts, int(booted), kernel),
            enabled=_time(facts, "enabled"),
            upgraded=_time(facts, "upgraded"),
        )
    except (ValueError, KeyError, IndexError):
        raise ValueError("the node did not say what it knows of its updates") from None


def _reasons(facts: dict[str, list[list[str]]], booted: int) -> list[tuple[int, str]]:
    """When each came up, and what it is."""
    found: list[tuple[int, str]] = []
    if required := _time(facts, "required"):
        names = ", ".join(values[0] for values in facts.get("package", []) if values) or "/run/reboot-required"
        found.append((required, f"required by {names}"))
    if (newest := _newest(facts)) and newest[0] > booted and newest[1] != facts["kernel"][0][0]:
        found.append((newest[0], f"kernel {newest[1]} is installed, and {facts['kernel'][0][0]} runs"))
    if deleted := [(int(values[0]), values[1]) for values in facts.get("deleted", [])]:
        units = ", ".join(unit for _, unit in deleted)
        found.append((min(at for at, _ in deleted), f"libraries were replaced that {units} still runs with"))
    return found


def _newest(facts: dict[str, list[list[str]]]) -> tuple[int, str] | None:
    for values in facts.get("newest", []):
        return int(values[0]), values[1]
    return None


def _not_booted(facts: dict[str, list[list[str]]], booted: int, kernel: str) -> str:
    """A kernel that was there at the last boot already, and was not started: another reboot would not start it."""
    newest = _newest(facts)
    if newest is None or newest[1] == kernel or newest[0] > booted:
        return ""
    return (
        f"its boot loader starts kernel {kernel} although {newest[1]} is installed: look at GRUB_DEFAULT, or remove one"
    )


def _time(facts: dict[str, list[list[str]]], name: str) -> int:
    return int(facts[name][0][0]) if name in facts else 0
