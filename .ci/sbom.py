"""Writes the SBOM of a release (CycloneDX 1.6, JSON): packages of the Python lock, charts and images of stacks.

`python .ci/sbom.py FILE [--stack NAME]…`. The charts are read where their stack files say, as `vds charts images` does;
one that can't be read ends the program, because an SBOM that leaves it out would look complete.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL

from components.charts.lock import FILE, read_lock
from components.stackfile.spec import PlatformSpec
from vds.charts.images import stack_images
from vds.charts.sbom import as_json, bom, chart_component, image_component
from vds.shared.stack import open_spec

ROOT = Path(__file__).parents[1]
_LOCKED = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)[^\n]*(?P<hashes>(?:\n +--hash=sha256:[0-9a-f]{64}[^\n]*)+)", re.M
)


def packages(lock: str) -> Iterator[Component]:
    """Every package of the lock, with the digests of its files."""
    for found in _LOCKED.finditer(lock):
        name, version = found["name"], found["version"]
        yield Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            purl=PackageURL("pypi", name=name, version=version),
            bom_ref=f"pypi/{name}@{version}",
            hashes=[
                HashType(alg=HashAlgorithm.SHA_256, content=one) for one in re.findall("[0-9a-f]{64}", found["hashes"])
            ],
        )


def charts(spec: PlatformSpec, lock: str) -> Iterator[Component]:
    """Every chart of a stack, with its digest if the lock has one."""
    locked, _ = read_lock(lock)
    for chart in spec.wanted_charts:
        entry = locked.find(chart.name, chart.version)
        yield chart_component(chart.name, chart.version, chart.origin, entry.sha256 if entry else "")


def images(spec: PlatformSpec) -> Iterator[Component]:
    """Every image of a stack. Ends the program if a chart can't be rendered."""
    found = stack_images(spec, ROOT)
    if found.missing:
        sys.exit("\n".join(f"error: {problem}" for problem in found.missing))
    yield from (image_component(one.image) for one in found.found)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write the SBOM of a release.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--stack", action="append", default=[], help="a stack whose charts and images are listed")
    given = parser.parse_args()
    [version] = re.findall(r'^version = "(\S+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    found = list(packages((ROOT / "requirements.txt").read_text()))
    for stack in given.stack:
        spec = open_spec(stack, project=ROOT)
        found += [*charts(spec, (ROOT / FILE).read_text()), *images(spec)]
    given.file.write_bytes(as_json(bom(found, "vds-platform", version)))
    print(f"{given.file}: {len(found)} components")


if __name__ == "__main__":
    main()
