"""Releases that are known by number, for an author who wrote one that is not, or only half of one. Pure."""

import re

from components.core.finding import Finding
from components.core.versions import parse
from components.network.compatibility.matrix import CATALOGUE, Combination, Part
from components.stackfile.compatibility import FIELDS

_MORE: dict[Part, tuple[str, ...]] = {Part.CILIUM: ("1.20.2",), Part.TRAEFIK: ("3.7.9",)}
"""Beside the catalogue, from which remedies choose: what this project's own stack files and lock have."""
SUPPORTED = 4
"""Minors of Kubernetes that its project maintains at a time: 14 months each, three a year."""


def with_newest(finding: Finding) -> Finding:
    """A version that is only a minor line, with the newest release of that line that is known."""
    match = re.fullmatch(r"v?([0-9]+\.[0-9]+)", finding.value)
    parts = [part for part, field in FIELDS.items() if field == finding.subject and part is not Part.KUBERNETES]
    if match is None:
        return finding
    newest = [version for part in parts for version in _known(part) if version.startswith(f"{match[1]}.")]
    if not newest:
        return finding
    return finding._replace(remedy=f'write a whole version in quotes; the newest known of {match[1]} is "{newest[-1]}"')


def release_advice(found: Combination) -> list[Finding]:
    """Releases that are newer than every known one of their line, or of no known line."""
    return [advice for part, version in found.versions.items() if (advice := _unknown(part, version)) is not None]


def _unknown(part: Part, version: str) -> Finding | None:
    known = _known(part)
    if not known:
        return None
    here = parse(version).release
    if part is Part.KUBERNETES:
        return _kubernetes(version, known)
    line = [one for one in known if parse(one).release[:2] == here[:2]]
    newest, of_line = (line or known)[-1], f" of {'.'.join(map(str, here[:2]))}" if line else ""
    if here <= parse(newest).release:
        return None
    return _advice(part, version, newest, of_line)


def _kubernetes(version: str, known: tuple[str, ...]) -> Finding | None:
    minor, newest = parse(version).release[:2], parse(known[-1]).release
    if minor > newest:
        return _advice(Part.KUBERNETES, version, known[-1], "")
    if minor <= (newest[0], newest[1] - SUPPORTED):
        said = f"{version} has reached its end of life: Kubernetes maintains a minor for 14 months"
        remedy = f"write a supported one, {known[-SUPPORTED + 1]} to {known[-1]}"
        return Finding("release-known", FIELDS[Part.KUBERNETES], said, remedy, value=version, advice=True)
    return None


def _advice(part: Part, version: str, newest: str, of_line: str) -> Finding:
    return Finding(
        "release-known",
        FIELDS[part],
        f"{version}: no release of {part} with that number is known, and the table may be older than it",
        f"the newest known{of_line} is {newest}",
        value=version,
        advice=True,
    )


def _known(part: Part) -> tuple[str, ...]:
    return tuple(sorted((*CATALOGUE.get(part, ()), *_MORE.get(part, ())), key=parse))
