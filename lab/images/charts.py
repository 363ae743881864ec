"""The projects' own Helm charts, from their Go modules, as OCI artefacts in the registry."""

import fcntl
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from components.core.untrusted import yaml_value
from lab.images.registry import Registry
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain.build import Tools, cache

REPOSITORY = "charts"
# Module → folder of the chart in it. Dependencies are in its `charts` folder, so nothing is downloaded.
_CHARTS = {"cilium": "install/kubernetes/cilium", "metallb": "charts/metallb"}


@dataclass(frozen=True)
class Chart:
    """A packed chart."""

    name: str
    version: str
    archive: Path

    @property
    def reference(self) -> str:
        """Its repository in the registry, with the tag."""
        return f"{REPOSITORY}/{self.name}:{self.version}"


def ensure(tools: Tools, progress: Progress) -> tuple[Chart, ...]:
    """The charts, packed once: Helm writes the time into an archive, so packing again would be another chart.

    Raises:
        LabError: Helm could not pack one.
    """
    sources = {
        (name, found.module_dir(name) / folder): None
        for found in (tools, tools.earlier())
        if found
        for name, folder in _CHARTS.items()
    }
    return tuple(_pack(tools, name, source, progress) for name, source in sources)


def push(tools: Tools, registry: Registry, ca: Path | None, chart: Chart, progress: Progress) -> str:
    """The digest of the chart's manifest in the registry; it is sent if the registry has another, or none."""
    name = f"{REPOSITORY}/{chart.name}"
    # From the registry: Helm writes the time of the push into the manifest, so the digest is known only afterwards.
    mark = chart.archive.with_suffix(f".{hashlib.sha256(registry.url.encode()).hexdigest()[:12]}")
    found = registry.digest(name, chart.version)
    if found and mark.exists() and mark.read_text() == found:
        return found
    progress.detail(f"sending {chart.reference}")
    scheme, _, host = registry.url.partition("://")
    transport = ["--plain-http"] if scheme == "http" else ["--ca-file", str(ca)] if ca else []
    _helm(tools, ["push", str(chart.archive), f"oci://{host}/{REPOSITORY}", *transport])
    digest = registry.digest(name, chart.version)
    if digest is None:
        raise LabError(f"the registry {registry.url} has no {chart.reference} after helm has pushed it")
    mark.write_text(digest)
    return digest


def _pack(tools: Tools, name: str, source: Path, progress: Progress) -> Chart:
    """The module's path names its version, and the pack's place both."""
    version = str(yaml_value((source / "Chart.yaml").read_text())["version"])
    place = cache() / "charts" / hashlib.sha256(str(source).encode()).hexdigest()[:12]
    chart = Chart(name, version, place / f"{name}-{version}.tgz")
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not chart.archive.exists():
            progress.detail(f"packing the chart of {name}")
            with tempfile.TemporaryDirectory(prefix="draft-", dir=place) as draft:
                _helm(tools, ["package", str(source), "--destination", draft])
                Path(draft, chart.archive.name).rename(chart.archive)
    return chart


def _helm(tools: Tools, arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        homes = {f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [str(tools.path("helm")), *arguments],
            env={**os.environ, **homes},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise LabError(f"helm {arguments[0]} {arguments[1]} failed: {done.stderr.strip()}")
