"""A chart of the tests' own, packed without helm, and a stack file that takes its charts from a folder."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from components.charts.lock import ChartLock, LockedChart, lock_text


def pack(folder: Path, name: str, version: str, templates: Mapping[str, str], values: str = "{}\n") -> Path:
    """`<name>-<version>.tgz` in the folder, as `helm package` makes it; same input, same bytes."""
    about = {"apiVersion": "v2", "name": name, "version": version, "description": "of the tests", "type": "application"}
    files = {"Chart.yaml": yaml.safe_dump(about), "values.yaml": values}
    files |= {f"templates/{path}": text for path, text in templates.items()}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}.tgz"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    file.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return file


def pack_folder(folder: Path, chart: Path, name: str, version: str) -> Path:
    """`<name>-<version>.tgz` in the folder, from an unpacked chart."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}.tgz"
    with tarfile.open(file, mode="w:gz") as archive:
        archive.add(chart, arcname=name)
    return file


def sha256(file: Path) -> str:
    """Of the file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def lock(*charts: tuple[str, str, str], enforce: bool = False) -> ChartLock:
    """A lock with these names, versions and digests."""
    entries = [
        LockedChart(name=name, version=version, repository="https://charts.example.no", sha256=digest)
        for name, version, digest in charts
    ]
    return ChartLock(enforce=enforce, charts=tuple(entries))


def written(folder: Path, content: ChartLock) -> None:
    """The lock as a file of the folder."""
    (folder / "charts.lock.yaml").write_text(lock_text(content))
