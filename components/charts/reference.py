"""How a chart is named to Helm, by where it is from; and back from such a name to the chart."""

import re
from typing import NamedTuple

from components.charts.model import FolderMirror, Mirror

_PACKED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)-v?[0-9]+\.[0-9]+\.[0-9]+\S*\.tgz")


class Chart(NamedTuple):
    """A chart's release and where it is from."""

    name: str
    """Of the chart and of its release."""
    namespace: str
    version: str
    repository: str
    timeout_seconds: int


class Reference(NamedTuple):
    """What a Helm Release gets."""

    chart: str
    """Its name in a repository, a whole `oci://` reference, or the path of a packed chart."""
    repository: str | None
    """The repository beside it, for a name alone."""


def is_folder(repository: str) -> bool:
    """Whether charts come from a folder of packed ones, not from a server."""
    return "://" not in repository


def packed(chart: str, version: str) -> str:
    """The file that a packed chart is in."""
    return f"{chart}-{version}.tgz"


def repository_of(mirror: Mirror) -> str:
    """A mirror as the `repository` of an install."""
    return mirror.path if isinstance(mirror, FolderMirror) else mirror.registry


def reference(chart: str, version: str, repository: str) -> Reference:
    """How Helm finds the chart in a repository: `https://…`, `oci://…`, or a folder's path."""
    base = repository.rstrip("/")
    if is_folder(repository):
        return Reference(f"{base}/{packed(chart, version)}", None)
    if repository.startswith("oci://"):
        return Reference(f"{base}/{chart}", None)
    return Reference(chart, repository)


def chart_name(written: str) -> str:
    """The chart that a Release's `chart` is, however it is written: a mirrored one is judged as the public one is."""
    last = written.rstrip("/").rpartition("/")[2]
    found = _PACKED.fullmatch(last)
    return found["name"] if found else last
