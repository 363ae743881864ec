"""What a refreshed lock is, and what a check found: decided here, read elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from components.charts.lock import ChartLock, LockedChart, WantedChart
from vds.charts.fetch import UnavailableError

Digest = Callable[[str, str, str], str]
"""Chart, version and repository → SHA-256. Raises UnavailableError."""


class Said(NamedTuple):
    """What became of one chart."""

    chart: WantedChart
    state: Literal["pinned", "unchanged", "replaced", "unreachable", "unlocked"]
    text: str

    @property
    def fine(self) -> bool:
        return self.state in ("pinned", "unchanged")


def refreshed(
    lock: ChartLock, wanted: Iterable[WantedChart], digest: Digest, *, replace: bool
) -> tuple[ChartLock, list[Said]]:
    """The lock with every wanted chart that could be read; what could not, and what nobody asked for, stays.

    A release whose bytes changed after it was pinned is taken over only with `replace`.
    """
    charts = {(item.name, item.version): item for item in lock.charts}
    said = []
    for chart in _once(wanted):
        try:
            found = digest(chart.name, chart.version, chart.origin)
        except UnavailableError as error:
            kept = "its entry is kept" if (chart.name, chart.version) in charts else "it is not in the lock"
            said.append(Said(chart, "unreachable", f"{error}; {kept}"))
            continue
        before = charts.get((chart.name, chart.version))
        if before and before.sha256 != found and not replace:
            text = f"{chart.origin} has SHA-256 {found}, pinned was {before.sha256}: read why; --replace takes it over"
            said.append(Said(chart, "replaced", text))
            continue
        same = before is not None and before.sha256 == found
        said.append(Said(chart, "unchanged" if same else "pinned", found))
        charts[chart.name, chart.version] = LockedChart(
            name=chart.name, version=chart.version, repository=chart.origin, sha256=found
        )
    return lock.model_copy(update={"charts": tuple(charts.values())}), said


def checked(lock: ChartLock, wanted: Iterable[WantedChart], digest: Digest) -> list[Said]:
    """Every wanted chart, read where Helm will take it from, held against the lock."""
    return [_checked(lock, chart, digest) for chart in _once(wanted)]


def _checked(lock: ChartLock, chart: WantedChart, digest: Digest) -> Said:
    entry = lock.find(chart.name, chart.version)
    if entry is None:
        return Said(chart, "unlocked", "is not in the lock: run `vds charts lock`")
    try:
        found = digest(chart.name, chart.version, chart.source)
    except UnavailableError as error:
        return Said(chart, "unreachable", str(error))
    if found != entry.sha256:
        return Said(chart, "replaced", f"{chart.source} has SHA-256 {found}, the lock says {entry.sha256}")
    return Said(chart, "unchanged", found)


def _once(wanted: Iterable[WantedChart]) -> list[WantedChart]:
    """Each release at each source once, however many stacks want it."""
    return list({(item.name, item.version, item.source): item for item in wanted}.values())
