"""The file of a chart that `charts.lock.yaml` names: the bytes that were checked are the bytes that are deployed.

Pulumi's Kubernetes provider would download the chart once more, and compare nothing.
"""

import hashlib
from pathlib import Path

from components.charts.reference import Reference, packed, reference
from components.charts.releases import read_lock_of
from components.charts.render import ChartSource, WrongChartError, obtain

FOLDER = ".charts"
"""In the project, so that a Release names the same path on every machine."""


def verified(name: str, version: str, repository: str, project: Path) -> Reference:
    """How a Release names the chart: a file with the bytes of the lock, or its source where the lock does not name it.

    Raises ChartError: the chart can't be had, or has other bytes, or the lock is enforced and does not name it.
    """
    lock = read_lock_of([project])
    entry = lock.find(name, version)
    if entry is None and not lock.enforced:
        return reference(name, version, repository)
    found = obtain(ChartSource.of(name, version, repository), folders=[project], lock=lock)
    content = found.path.read_bytes()
    if entry is None or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise WrongChartError(f"the chart {name} {version} changed while it was read", "run again")
    file = project / FOLDER / packed(name, version)
    if not file.is_file() or file.read_bytes() != content:
        file.parent.mkdir(exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(file)
    return Reference(f"{FOLDER}/{file.name}", None)
