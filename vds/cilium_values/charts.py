"""Where the chart of a Cilium release comes from: a folder, a packed chart, or a chart repository."""

from collections.abc import Sequence
from pathlib import Path

from components.charts.reference import packed
from components.charts.render import ChartSource, UnavailableChartError
from components.core.versions import minor, parse
from components.network.cilium.chart.trial import Trial
from components.network.cilium.releases import NEWEST
from vds.cilium_values.inputs import refuse
from vds.shared.errors import OperationError

REPOSITORY = "https://helm.cilium.io/"
"""The project's own repository."""


def chart_of(version: str, option: str, places: Sequence[str]) -> Trial:
    """The chart of a version; of a minor alone, of its newest release.

    `places` are folders of packed charts, packed charts, unpacked charts, and repositories: the first that has the
    version counts. Raises OperationError.
    """
    first, *_, last = NEWEST
    if not version:
        refuse(f"{option} is missing: write the chart's version, {first} to {last}, as in {option} {NEWEST[last]}")
    try:
        parts, line = len(parse(version).release), minor(version)
    except ValueError:
        parts, line = 0, ""
    if line not in NEWEST or parts not in (2, 3):
        refuse(f"{option} {version}: is no version of Cilium from {first} to {last}: write one, as in 1.16.1")
    missing = []
    for place in places or (REPOSITORY,):
        source = _source(place, version.removeprefix("v"), whole=parts == 3)
        try:
            trial = Trial(source) if source else None
        except UnavailableChartError as error:
            missing.append(error.message)
            continue
        if trial and _is(trial.release, version):
            return trial
        missing.append(f"{place} has no chart of Cilium {version}")
    raise OperationError(
        f"{option} {version}: {'; '.join(missing)}. Only its chart shows what values do: run `helm pull cilium --repo "
        f"{REPOSITORY} --version {NEWEST[line] if parts == 2 else version}`, and name the folder with --chart"
    )


def _source(place: str, version: str, *, whole: bool) -> ChartSource | None:
    if "://" in place:
        return ChartSource.of("cilium", version if whole else NEWEST[minor(version)], place)
    path = Path(place).absolute()
    if not path.is_dir() or (path / "Chart.yaml").exists():
        return ChartSource(str(path))
    if whole:
        file = path / packed("cilium", version)
        return ChartSource(str(file)) if file.exists() else None
    found = [file for file in path.glob("cilium-*.tgz") if _is(file.name[len("cilium-") : -len(".tgz")], version)]
    newest = max(found, key=lambda file: parse(file.name[len("cilium-") : -len(".tgz")]), default=None)
    return ChartSource(str(newest)) if newest else None


def _is(release: str, version: str) -> bool:
    """Whether a release is the version, or one of the minor that the version is."""
    try:
        found, wanted = parse(release).release, parse(version).release
    except ValueError:
        return False
    return found[: len(wanted)] == wanted
