"""Asks the table of what works together: what is not met, what it takes, and the nearest combination that works.

What no row speaks of is unknown, and unknown is not refused.
"""

from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple

from components.core.versions import between, minor, parse
from components.network.compatibility.matrix import CATALOGUE, TABLE, TESTED, Combination, Need, Part


class Conflict(NamedTuple):
    """A need that a combination does not meet: the smallest set that can't be together."""

    need: Need
    subject: str
    """As in `Cilium 1.18.12 with Cilium's Gateway`."""
    found: str
    """As in `Gateway API 1.6.1`."""


def conflicts(combination: Combination) -> list[Conflict]:
    """Every need that is known not to be met."""
    return [
        Conflict(need, _subject(need, combination), f"{need.other} {combination.versions[need.other]}")
        for need in _asked(combination)
        if need.other in combination.versions
        and not between(combination.versions[need.other], need.at_least, need.at_most)
    ]


def floor(combination: Combination, part: Part) -> tuple[str, str] | None:
    """The oldest version of a part that all needs take, and whose need it is."""
    asks = [
        (need.at_least, _subject(need, combination))
        for need in _asked(combination)
        if need.other is part and need.at_least
    ]
    return max(asks, key=lambda ask: parse(ask[0]), default=None)


def nearest(combination: Combination) -> list[dict[Part, str]]:
    """The nearest combinations that work: one part changed where that is enough, nearest first; else two.

    Nothing where no change of versions helps.
    """
    parts = [part for part in CATALOGUE if part in combination.versions]
    for size in (1, 2):
        ways = [way for chosen in combinations(parts, size) for way in _ways(combination, chosen)]
        if ways:
            ways.sort(key=lambda way: way[0])
            return [change for _, change in (ways if size == 1 else ways[:1])]
    return []


def untested(combination: Combination) -> str:
    """What to know of a CNI on a Kubernetes that its makers do not list; empty for nothing."""
    kubernetes = combination.versions.get(Part.KUBERNETES)
    for part in (Part.CILIUM, Part.CALICO):
        version = combination.versions.get(part, "")
        if not version or not kubernetes:
            continue
        tested = TESTED.get((part, minor(version)))
        if tested and between(kubernetes, *tested):
            continue
        if tested:
            return (
                f"{part} {version} is tested by its makers with Kubernetes {tested[0]} to {tested[1]}, and this is "
                f"{kubernetes}: it may work, and nobody vouches for it"
            )
        return (
            f"{part} {version} is not known to be tested with Kubernetes {kubernetes}: what its makers tested "
            f"{minor(version)} with is not in the table; their page on compatibility says it"
        )
    return ""


def _asked(combination: Combination) -> Iterator[Need]:
    for need in TABLE:
        if need.feature is not None and need.feature not in combination.features:
            continue
        if need.part is None or (
            need.part in combination.versions and between(combination.versions[need.part], need.since, need.until)
        ):
            yield need


def _subject(need: Need, combination: Combination) -> str:
    if need.part is None:
        return str(need.feature)
    named = f"{need.part} {combination.versions[need.part]}"
    return f"{named} with {need.feature}" if need.feature else named


def _ways(combination: Combination, parts: tuple[Part, ...]) -> Iterator[tuple[int, dict[Part, str]]]:
    """The nearest way to change exactly these parts, if one works."""
    found: list[tuple[int, dict[Part, str]]] = []
    for versions in product(*(CATALOGUE[part] for part in parts)):
        change = dict(zip(parts, versions, strict=True))
        if not conflicts(Combination({**combination.versions, **change}, combination.features)):
            far = sum(_distance(part, combination.versions[part], version) for part, version in change.items())
            found.append((far, change))
    yield from sorted(found, key=lambda way: way[0])[:1]


def _distance(part: Part, here: str, there: str) -> int:
    """Releases of the catalogue between two versions."""
    low, high = sorted((parse(here), parse(there)))
    return sum(1 for version in CATALOGUE[part] if low < parse(version) <= high)
