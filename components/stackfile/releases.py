"""The pins of a stack file, judged by the table of releases. Pure: the day is the caller's."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from components.core.finding import Finding
from components.core.versions import minor, parse
from components.network.compatibility.matrix import Part
from components.network.compatibility.releases import Releases, candidates, table
from components.stackfile.compatibility import FIELDS

Accepts = Callable[[Mapping[Part, str]], bool]
_NAMED = 3
"""Advisories that a finding names; `vds versions` names all."""
_ALL = 1_000


def with_newest(finding: Finding) -> Finding:
    """A version that is only a minor, with the newest release of that minor that is known."""
    match = re.fullmatch(r"v?([0-9]+\.[0-9]+)", finding.value)
    parts = [part for part, field in FIELDS.items() if field == finding.subject and part is not Part.KUBERNETES]
    if match is None:
        return finding
    lines = [line for part in parts for line in [table().parts[part].line(match[1])] if line]
    if not lines:
        return finding
    newest = lines[-1].newest
    return finding._replace(remedy=f'write a whole version in quotes; the newest known of {match[1]} is "{newest}"')


def release_problems(pins: Mapping[Part, str]) -> Iterator[Finding]:
    """Versions of a minor that was never released and can't be any more."""
    for part, version, releases in _judged(pins):
        if releases.never_existed(version):
            yield _finding(
                "release-known",
                part,
                version,
                f"{version}: {part} {minor(version)} was never released, because {_last(releases, version)} was the "
                "last of its major version",
                f"write {releases.newest}, or another release",
            )


def release_advice(
    pins: Mapping[Part, str], today: date, accepts: Accepts = lambda _: True, *, named: int = _NAMED
) -> list[Finding]:
    """Versions that are not known yet, past their end of life or vulnerable, with the newest `named` advisories.

    `accepts`: whether a change of versions breaks no rule, so that a remedy proposes no other mistake.
    """
    return [
        finding._replace(advice=True)
        for part, version, releases in _judged(pins)
        if not releases.never_existed(version)
        for finding in _advice(part, version, releases, today, accepts, named)
    ]


class Pin(NamedTuple):
    """A version that a stack file chooses, and what the table says of it."""

    part: Part
    field: str
    version: str
    newest: str | None
    """The newest known patch of its minor; None where the table does not have the minor."""
    end: date | None
    """The last day with fixes; None where no day is known."""
    findings: tuple[Finding, ...]
    """What is wrong with it, and as advice what is not known and that there is a newer patch."""


def pins(versions: Mapping[Part, str], today: date, accepts: Accepts = lambda _: True) -> list[Pin]:
    """Every version of a stack file that is in the table, judged as of a day."""
    problems = list(release_problems(versions))
    serious = [
        one._replace(advice=one.rule == "release-known") for one in release_advice(versions, today, accepts, named=_ALL)
    ]
    found = []
    for part, version, releases in _judged(versions):
        line = releases.line(version)
        own = [one for one in (*problems, *serious) if one.subject == FIELDS[part] and one.value == version]
        whole = len(parse(version).release) > 2  # a minor alone does not say which patch runs
        if line and whole and parse(line.newest) > parse(version) and not own:
            said = f"{version} is not the newest patch of {part} {minor(version)}"
            own.append(_finding("release-old", part, version, said, f"write {line.newest}")._replace(advice=True))
        end = line.end if line else releases.has_ended(version, today)
        found.append(Pin(part, FIELDS[part], version, line.newest if line else None, end, tuple(own)))
    return found


def _judged(pins: Mapping[Part, str]) -> list[tuple[Part, str, Releases]]:
    known = table().parts
    return [(part, version, known[part]) for part, version in pins.items() if part in known]


def _advice(
    part: Part, version: str, releases: Releases, today: date, accepts: Accepts, most: int
) -> Iterator[Finding]:
    line = releases.line(version)
    newest = line.newest if line else releases.newest
    if releases.is_newer(version) or (line and parse(version) > parse(newest)):
        of_line = f" of {minor(version)}" if line else ""
        said = f"{version}: no release of {part} with that number was known on {table().day}"
        yield _finding("release-known", part, version, said, f"the newest known{of_line} is {newest}")
    with_others = f"one of {', '.join(candidates(part, version))}, and change with it what does not work with that one"
    if end := releases.has_ended(version, today):
        when = f"on {end}" if line else f"on {end} or before"
        said = f"{version}: {part} {minor(version)} reached its end of life {when} and gets no more fixes"
        living = [one for one in candidates(part, version) if accepts({part: one})]
        yield _finding("release-end", part, version, said, f"write {' or '.join(living) or with_others}")
    if found := releases.vulnerable(version):
        named = ", ".join(f"{one.id} ({one.about})" for one in found[-most:])
        more = len(found) - most
        said = f"{version} is vulnerable: {named}" + (
            f", and {more} more (`vds versions` lists them)" if more > 0 else ""
        )
        fixes = [*([line.newest] if line else []), *candidates(part)]
        fixed = (one for one in fixes if not releases.vulnerable(one) and accepts({part: one}))
        yield _finding("release-vulnerable", part, version, said, f"write {next(fixed, with_others)}")


def _last(releases: Releases, version: str) -> str:
    return f"{parse(version).major}.{releases.majors[parse(version).major]}"


def _finding(rule: str, part: Part, version: str, said: str, remedy: str) -> Finding:
    return Finding(rule, FIELDS[part], said, remedy, value=version)
