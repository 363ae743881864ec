"""Queries the table of what works together: unmet requirements, and the nearest combination that works.

What has no row is unknown, and what is unknown is not refused.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, islice, product
from typing import NamedTuple

from components.core.versions import between, minor, parse
from components.network.compatibility.matrix import TABLE, Combination, Part, Requirement
from components.network.compatibility.releases import candidates, table

_EASIEST_FIRST = (
    *(Part.METALLB, Part.GATEWAY_API, Part.CERT_MANAGER, Part.TRAEFIK),
    *(Part.CILIUM, Part.CALICO, Part.KUBERNETES),
)
"""Of parts that are equally far, the one that is easier to change comes first."""


class Conflict(NamedTuple):
    """A requirement that a combination does not meet: the smallest set that can't be together."""

    requirement: Requirement
    subject: str
    """As in `Cilium 1.18.12 with Cilium's Gateway`."""
    found: str
    """As in `Gateway API 1.6.1`."""


def conflicts(combination: Combination) -> list[Conflict]:
    """Every requirement that is known not to be met."""
    found = []
    for requirement in _requirements(combination):
        version = combination.versions.get(requirement.other)
        if version is not None and not between(version, requirement.at_least, requirement.at_most):
            found.append(Conflict(requirement, _subject(requirement, combination), f"{requirement.other} {version}"))
    return found


def floor(combination: Combination, part: Part) -> tuple[str, str] | None:
    """The oldest version of a part that meets all requirements, and whose requirement that is."""
    asks = [
        (requirement.at_least, _subject(requirement, combination))
        for requirement in _requirements(combination)
        if requirement.other is part and requirement.at_least
    ]
    return max(asks, key=lambda ask: parse(ask[0]), default=None)


Way = Mapping[Part, str]
"""A change of versions."""


def nearest(combination: Combination, accepts: Callable[[Way], bool] = lambda _: True) -> list[Way]:
    """The nearest combinations that work: one part changed where that is enough, nearest first; else two.

    `accepts` asks everything else that is checked of a version. Nothing where no change of versions helps.
    """
    parts = [part for part in _EASIEST_FIRST if part in combination.versions]
    for size in (1, 2):
        ways = [way for chosen in combinations(parts, size) for way in _ways(combination, chosen, accepts)]
        if ways:
            ways.sort(key=lambda way: way[0])
            return [change for _, change in (ways if size == 1 else ways[:1])]
    return []


def untested(combination: Combination) -> tuple[str, str]:
    """What to know of a CNI on a Kubernetes that its makers do not list, and what to do; empty for nothing."""
    kubernetes = combination.versions.get(Part.KUBERNETES)
    for part in (Part.CILIUM, Part.CALICO):
        version = combination.versions.get(part, "")
        if not version or not kubernetes:
            continue
        line = table().parts[part].line(version)
        tested = line.tested if line else None
        if tested and between(kubernetes, *tested):
            continue
        if tested:
            return (
                f"{part} {version} is tested by its makers with Kubernetes {tested[0]} to {tested[1]}, and this is "
                f"{kubernetes}: it may work, and is not tested",
                f"write a Kubernetes from {tested[0]} to {tested[1]}, or another version of {part}",
            )
        return (
            f"{part} {version} is not known to be tested with Kubernetes {kubernetes}: what its makers tested "
            f"{minor(version)} with is not in the table",
            "see their page on compatibility",
        )
    return "", ""


def _requirements(combination: Combination) -> Iterator[Requirement]:
    for requirement in TABLE:
        if requirement.feature is not None and requirement.feature not in combination.features:
            continue
        version = combination.versions.get(requirement.part) if requirement.part else None
        if requirement.part is None or (version and between(version, requirement.since, requirement.until)):
            yield requirement


def _subject(requirement: Requirement, combination: Combination) -> str:
    if requirement.part is None:
        return str(requirement.feature)
    named = f"{requirement.part} {combination.versions[requirement.part]}"
    return f"{named} with {requirement.feature}" if requirement.feature else named


def _ways(
    combination: Combination, parts: tuple[Part, ...], accepts: Callable[[Way], bool]
) -> Iterator[tuple[int, Way]]:
    """The nearest way to change exactly these parts, if one works."""
    found: list[tuple[int, Way]] = []
    for versions in product(*(candidates(part, combination.versions[part]) for part in parts)):
        change = dict(zip(parts, versions, strict=True))
        if not conflicts(Combination({**combination.versions, **change}, combination.features)):
            far = sum(_distance(part, combination.versions[part], version) for part, version in change.items())
            found.append((far, change))
    yield from islice((way for way in sorted(found, key=lambda way: way[0]) if accepts(way[1])), 1)


def _distance(part: Part, here: str, there: str) -> int:
    """Candidates between two versions."""
    low, high = sorted((parse(here), parse(there)))
    return sum(1 for version in candidates(part, here) if low < parse(version) <= high)
