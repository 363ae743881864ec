"""What a Cilium that runs, or a Release of its chart, may not be: settings that exclude each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.finding import Finding
from components.core.manifests import FieldError, Fields
from components.network.cilium.changes import as_config, config_key, effect
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.nested import flatten
from components.network.cilium.constraints import broken
from components.network.cilium.data_path import from_config, known_release

_WRONG = (Verdict.FAILS, Verdict.REFUSED, Verdict.IGNORED)


def chart_problems(values: Mapping[str, Any], version: str) -> Iterator[Finding]:
    """Values that Helm or the agent refuses, or that nothing reads, on this release of Cilium's chart."""
    release = known_release(version)
    try:
        written = flatten(values)
    except ValueError as error:
        raise FieldError("values", f"cannot be read: {error}") from None
    for finding in explain(written, release):
        if not finding.as_meant and finding.verdict in _WRONG:
            instead = ", ".join(f"{key}: {value}" for key, value in finding.instead)
            message = f"values.{finding.key} on {release}: {finding.says}"
            remedy = f"write {instead}" if instead else "remove it"
            yield Finding("cni-consistent", "Release of chart cilium", message, remedy)


def config_problems(config: Mapping[str, Any]) -> Iterator[Finding]:
    """The `cilium-config` that every agent reads: what makes it exit, or do something else than was written."""
    data = Fields(config).group("data").raw
    path = from_config(data)
    for row in broken(path):
        key = config_key(row.field, path.encryption)
        value = f" {data[key]}" if key in data else ""
        instead = ", or ".join(as_config(change) for change in row.remedies(path))
        message = f"{key}{value}: {effect(row, row.reason(path))} ({row.source})"
        yield Finding("cni-consistent", "ConfigMap cilium-config", message, f"write {instead}")
