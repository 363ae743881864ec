"""Makes a new lock of charts, and compares charts with a lock."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from components.charts.lock import ChartLock, LockedChart, WantedChart
from vds.charts.fetch import UnavailableError

Digest = Callable[[str, str, str], str]
"""Chart, version and repository → SHA-256. Raises UnavailableError."""


class ChartResult(NamedTuple):
    """The result for one chart."""

    chart: WantedChart
    state: Literal["pinned", "unchanged", "replaced", "unreachable", "unlocked"]
    message: str

    @property
    def ok(self) -> bool:
        return self.state in ("pinned", "unchanged")


def refreshed(
    lock: ChartLock, wanted: Iterable[WantedChart], digest: Digest, *, replace: bool
) -> tuple[ChartLock, list[ChartResult]]:
    """The lock with every wanted chart that could be read. All other entries are kept.

    A chart that changed after it was pinned is accepted only with `replace`.
    """
    charts = {(item.name, item.version): item for item in lock.charts}
    results = []
    for chart in _once(wanted):
        try:
            found = digest(chart.name, chart.version, chart.origin)
        except UnavailableError as error:
            kept = "its entry is kept" if (chart.name, chart.version) in charts else "it is not in the lock"
            results.append(ChartResult(chart, "unreachable", f"{error}; {kept}"))
            continue
        before = charts.get((chart.name, chart.version))
        if before and before.sha256 != found and not replace:
            message = (
                f"{chart.origin} has SHA-256 {found}, pinned is {before.sha256}: find out why; --replace accepts it"
            )
            results.append(ChartResult(chart, "replaced", message))
            continue
        same = before is not None and before.sha256 == found
        results.append(ChartResult(chart, "unchanged" if same else "pinned", found))
        charts[chart.name, chart.version] = LockedChart(
            name=chart.name, version=chart.version, repository=chart.origin, sha256=found
        )
    return lock.model_copy(update={"charts": tuple(charts.values())}), results


def checked(lock: ChartLock, wanted: Iterable[WantedChart], digest: Digest) -> list[ChartResult]:
    """Every wanted chart, read from where Helm will read it, compared with the lock."""
    return [_checked(lock, chart, digest) for chart in _once(wanted)]


def _checked(lock: ChartLock, chart: WantedChart, digest: Digest) -> ChartResult:
    entry = lock.find(chart.name, chart.version)
    if entry is None:
        return ChartResult(chart, "unlocked", "is not in the lock: run `vds charts lock`")
    try:
        found = digest(chart.name, chart.version, chart.source)
    except UnavailableError as error:
        return ChartResult(chart, "unreachable", str(error))
    if found != entry.sha256:
        return ChartResult(chart, "replaced", f"{chart.source} has SHA-256 {found}, the lock says {entry.sha256}")
    return ChartResult(chart, "unchanged", found)


def _once(wanted: Iterable[WantedChart]) -> list[WantedChart]:
    """Each release at each source once, however many stacks want it."""
    return list({(item.name, item.version, item.source): item for item in wanted}.values())
