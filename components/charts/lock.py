"""`charts.lock.yaml`: which bytes each chart is, and what is wrong with a stack that wants another."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, NamedTuple

import yaml
from pydantic import Field, ValidationError

from components.charts.reference import is_folder, packed
from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.messages import violations
from components.core.model import Spec
from components.core.untrusted import YamlError, line_of, yaml_value
from components.core.versions import parse

FILE = "charts.lock.yaml"
REFRESH = "vds charts lock"
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ChartVersion = Annotated[str, Field(pattern=r"^v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$")]


class LockedChart(Spec):
    """One release of a chart."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: ChartVersion
    """As the chart's maker writes it: Calico's charts begin with a v."""
    repository: Annotated[str, Field(pattern=r"^(https|oci)://\S+$")]
    """Where the bytes were read that the digest is of: the maker's repository, not a mirror."""
    sha256: Sha256
    """Of the packed chart, the `.tgz`."""


class ChartLock(Spec):
    """The file's content."""

    enforce: bool = False
    """Refuse every chart also while `charts` is empty."""
    charts: tuple[LockedChart, ...] = ()

    @property
    def enforced(self) -> bool:
        """Whether a chart that is not in `charts` is refused. A lock with entries always refuses it."""
        return self.enforce or bool(self.charts)

    def find(self, name: str, version: str) -> LockedChart | None:
        """The entry of that release; None if there is none."""
        return next((item for item in self.charts if (item.name, item.version) == (name, version)), None)


class WantedChart(NamedTuple):
    """A chart that a stack installs."""

    name: str
    version: str
    origin: str
    """The maker's repository: where a digest is read."""
    source: str
    """Where Helm takes it from: the origin, or the mirror."""
    field: str
    """Of the stack file, as in `cni.version`."""


def read_lock(text: str) -> tuple[ChartLock, list[Finding]]:
    """The lock in a file's text; an empty one, with what is wrong, where it can't be used."""
    try:
        data = yaml_value(text) or {}
        lock = ChartLock.model_validate(data)
    except YamlError as error:
        at = line_of(error, text)
        line = f"line {at} " if at else ""
        return ChartLock(), [Finding("charts-lock", FILE, f"{line}is not YAML", f"correct it, or run `{REFRESH}`")]
    except ValidationError as error:
        found = violations(error, data, ChartLock)
        return ChartLock(), [one._replace(rule="charts-lock", subject=f"{FILE}: {one.subject}") for one in found]
    twice = duplicates((item.name, item.version) for item in lock.charts)
    problems = [
        Finding("charts-lock", FILE, f"{name} {version} occurs twice", "remove one of them") for name, version in twice
    ]
    return lock, problems


def lock_text(lock: ChartLock) -> str:
    """The file, sorted: same lock, same bytes."""
    ordered = sorted(lock.charts, key=lambda item: (item.name, parse(item.version), item.version))
    body = {"enforce": lock.enforce, "charts": [item.model_dump(by_alias=True) for item in ordered]}
    return _HEAD + ("" if ordered else _EMPTY) + yaml.safe_dump(body, sort_keys=False, width=110)


def lock_problems(lock: ChartLock, wanted: Iterable[WantedChart]) -> list[Finding]:
    """Charts of a stack that the lock does not know, once it has entries."""
    return [problem for chart in wanted for problem in _missing(lock, chart)]


def folder_problems(lock: ChartLock, wanted: Sequence[WantedChart], digest: Callable[[str], str]) -> list[Finding]:
    """Packed charts in a folder that are not there, or are not the bytes that the lock names.

    `digest` gives the SHA-256 of a file by its path as the stack file writes it, and raises OSError.
    """
    found = [_packed_problem(lock, chart, digest) for chart in wanted if is_folder(chart.source)]
    return [problem for problem in found if problem]


def _missing(lock: ChartLock, chart: WantedChart) -> list[Finding]:
    if lock.find(chart.name, chart.version):
        return []
    others = [item.version for item in lock.charts if item.name == chart.name]
    if not lock.enforced:
        return []
    has = f"which has {', '.join(others)}" if others else "which is enforced"
    said = f"chart {chart.name} {chart.version} is not in {FILE}, {has}"
    return [Finding("charts-lock", chart.field, said, f"run `{REFRESH}`, or correct the version")]


def _packed_problem(lock: ChartLock, chart: WantedChart, digest: Callable[[str], str]) -> Finding | None:
    path = f"{chart.source}/{packed(chart.name, chart.version)}"
    try:
        found = digest(path)
    except (OSError, ValueError) as error:  # a path with a NUL is the latter
        reason = getattr(error, "strerror", None) or "no file has such a name"
        said = f"'{path}' can't be read ({reason})"
        remedy = "put the chart archive there, or correct charts.mirror.path"
        return Finding("charts-mirror", chart.field, said, remedy)
    entry = lock.find(chart.name, chart.version)
    if entry is None or entry.sha256 == found:
        return None
    said = f"'{path}' has SHA-256 {found}, and {FILE} says {entry.sha256}: it is not the chart of {entry.repository}"
    remedy = f"download it again, and if the project replaced it, run `{REFRESH}` and read the difference"
    return Finding("charts-mirror", chart.field, said, remedy)


_HEAD = f"""\
# Which bytes each chart is: `{REFRESH}` writes this file, `vds charts check` compares.
# Once a chart is named here, a chart that is not named is refused, and what is deployed has the bytes that are named.
# With `enforce: true` that is so while the list is empty, too. docs/howto/closed-networks.md.
"""
_EMPTY = f"""\
#
# Empty: no chart was read from its publisher's repository yet. Run `{REFRESH}` where those can be reached.
"""
