"""Which releases there are, until when they are maintained and which are vulnerable: the table `releases.yaml`."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from components.core.untrusted import yaml_value
from components.core.versions import matches, minor, parse
from components.network.compatibility.matrix import Part

FILE = Path(__file__).parent / "releases.yaml"


class Line(NamedTuple):
    """A minor, as in 1.20."""

    newest: str
    """Its newest known patch."""
    end: date | None
    """The last day on which its project publishes fixes; None where no day is known."""
    tested: tuple[str, str] | None
    """The oldest and the newest Kubernetes that its project calls tested; None where its page was not read."""


class Advisory(NamedTuple):
    """A vulnerability that has a release with a fix."""

    id: str
    about: str
    affected: tuple[str, ...]
    """Specifiers, as in `>=1.18.0,<1.18.4`."""


class Releases(NamedTuple):
    """What is known of one part."""

    lines: Mapping[str, Line]
    """By minor, oldest first."""
    majors: Mapping[int, int]
    """Earlier majors, each with its last minor."""
    advisories: tuple[Advisory, ...]

    @property
    def newest(self) -> str:
        """The newest release of all."""
        return list(self.lines.values())[-1].newest

    def line(self, version: str) -> Line | None:
        """The minor of a version; None where the table does not have it."""
        return self.lines.get(minor(version))

    def is_newer(self, version: str) -> bool:
        """Whether the version is of a minor that came after all known ones."""
        return parse(version).release[:2] > parse(self.newest).release[:2]

    def never_existed(self, version: str) -> bool:
        """Whether the version is of a minor that its project has left out: no later release can have it."""
        last = self.majors.get(parse(version).major)
        return last is not None and parse(version).minor > last

    def has_ended(self, version: str, today: date) -> date | None:
        """The day on which the version's minor ended, or for an older minor the oldest such day; None if maintained."""
        oldest = next(iter(self.lines))
        if parse(version).release[:2] < parse(oldest).release[:2]:
            return self.lines[oldest].end
        line = self.line(version)
        return line.end if line and line.end and line.end < today else None

    def maintained(self, today: date) -> tuple[str, ...]:
        """The newest patch of every minor that had not ended, oldest first."""
        return tuple(line.newest for line in self.lines.values() if not line.end or line.end >= today)

    def vulnerable(self, version: str) -> tuple[Advisory, ...]:
        """The advisories that affect a whole version; none for a minor alone, whose patch is not known."""
        if len(parse(version).release) < 3:
            return ()
        return tuple(one for one in self.advisories if any(matches(version, span) for span in one.affected))


class Table(NamedTuple):
    """The whole file."""

    day: date
    """When it was last brought up to date."""
    parts: Mapping[Part, Releases]


@cache
def table() -> Table:
    """The table that comes with this version of the platform."""
    data = yaml_value(FILE.read_text(encoding="utf-8"))
    return Table(data["date"], {Part(name): _releases(content) for name, content in data["parts"].items()})


@cache
def candidates(part: Part, written: str = "") -> tuple[str, ...]:
    """Versions that a remedy may propose, oldest first; only minors where `written` is one, as in 1.36.

    None of a minor that had ended when the table was made; none of a part that a stack file does not choose.
    """
    found = table().parts[part].maintained(table().day) if part in table().parts else ()
    return tuple(map(minor, found)) if written and len(parse(written).release) < 3 else found


def _releases(content: Mapping[str, Any]) -> Releases:
    return Releases(
        {
            name: Line(
                line["newest"].partition("@")[2],
                line.get("end"),
                (line["tested"][0], line["tested"][1]) if "tested" in line else None,
            )
            for name, line in content["minors"].items()
        },
        content.get("majors", {}),
        tuple(Advisory(one["id"], one["about"], tuple(one["affected"])) for one in content.get("advisories", ())),
    )
