"""How a CNI is installed, as data: the same order for every kind that a chart installs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from components.core.manifests import Manifest


class Chart(NamedTuple):
    """A chart's release and where it is from."""

    name: str
    namespace: str
    version: str
    repository: str
    timeout_seconds: int


class WaitAnnotation(NamedTuple):
    """An annotation on an object of the chart's: applying it waits until the object is ready."""

    name: tuple[str, ...]
    """Of the resource, below its component's."""
    manifest: Manifest


class Install(NamedTuple):
    """What is applied, in this order."""

    kind: str
    chart: Chart
    values: Mapping[str, Any]
    namespace: Manifest | None = None
    """Where the chart does not bring its own."""
    crds: Chart | None = None
    """The chart of the CNI's CRDs, where `chart` has none."""
    before: tuple[Manifest, ...] = ()
    waits: tuple[WaitAnnotation, ...] = ()
    one_by_one: bool = False
    """Whether each wait begins when the one before has ended."""
    after: tuple[Manifest, ...] = ()
    """What only the running CNI takes. Objects named `default` are its own, and get our fields."""
