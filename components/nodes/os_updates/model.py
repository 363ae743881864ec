"""The stack file's `osUpdates`: what unattended-upgrades installs, and when nodes may be rebooted."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.messages import did_you_mean
from components.core.model import Spec
from components.core.types import RefusedError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ORIGIN = re.compile(r"(?:(?:origin|label|archive|codename|component|site|suite|[olanc])=[^\s\",;=]+,?)+")


def _time(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError('write hours and minutes in quotes, as in "02:00"')
    return value


def _timezone(value: str) -> str:
    known = available_timezones()
    if value not in known:
        remedy = did_you_mean(value, sorted(known)) or "write a name of the IANA time zone database, as in Europe/Oslo"
        raise RefusedError(f"{value} is no time zone", remedy)
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value) or value.endswith(","):
        raise ValueError(
            "write a pattern of unattended-upgrades, as in 'origin=Debian,codename=${distro_codename}-updates'"
        )
    return value


Time = Annotated[str, AfterValidator(_time), WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$"})]
"""Hours and minutes."""
Timezone = Annotated[str, AfterValidator(_timezone), WithJsonSchema({"type": "string", "examples": ["Europe/Oslo"]})]
"""A name of the IANA time zone database."""
Origin = Annotated[
    str,
    AfterValidator(_origin),
    WithJsonSchema({"type": "string", "examples": ["origin=Debian,codename=${distro_codename}-updates"]}),
]
"""A pattern of `Unattended-Upgrade::Origins-Pattern`."""


class Opening(NamedTuple):
    """One time that the window is open."""

    begins: datetime
    ends: datetime


class Window(Spec):
    """When nodes may be rebooted. Packages are installed every day, in the hour before it begins."""

    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    """The days on which it begins. Left out: every day."""
    from_: Time = Field(alias="from")
    """When it begins, in `timezone`."""
    to: Time
    """When it ends: no node is drained or rebooted later. If this is not after `from`, it ends on the next day."""
    timezone: Timezone
    """Also decides about summer time."""

    @model_validator(mode="after")
    def _has_a_length(self) -> "Window":
        if self.from_ == self.to:
            raise RefusedError(f"begins and ends at {self.to}", "write a later end", "to")
        return self

    @property
    def minutes(self) -> int:
        """How long it is open; on a day when the clocks change it may be an hour less or more."""
        begin, end = (60 * int(text[:2]) + int(text[3:]) for text in (self.from_, self.to))
        return (end - begin) % (24 * 60)

    def next(self, now: datetime) -> Opening:
        """The opening that `now` is in, or the first one after it. `now` has a time zone."""
        return next(one for one in self._openings(now) if one.ends > now)

    def missed(self, since: datetime, now: datetime) -> int:
        """How many openings have passed as a whole since then."""
        return sum(one.begins >= since and one.ends <= now for one in self._openings(since, until=now))

    def _openings(self, near: datetime, until: datetime | None = None) -> Iterator[Opening]:
        zone = ZoneInfo(self.timezone)
        first = near.astimezone(zone).date() - timedelta(days=1)
        last = (until or near).astimezone(zone).date() + timedelta(days=8)  # a week has every day
        for number in range((last - first).days):
            day = first + timedelta(days=number)
            if DAYS[day.weekday()] in self.days:
                after = day + timedelta(days=1) if self.to <= self.from_ else day
                yield Opening(_at(day, self.from_, zone), _at(after, self.to, zone))

    def __str__(self) -> str:
        days = "every day" if set(self.days) == set(DAYS) else ", ".join(day for day in DAYS if day in self.days)
        return f"{days} {self.from_}–{self.to} {self.timezone}"


def _at(day: date, text: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), zone)


class OsUpdates(Spec):
    """Security updates of Debian or Ubuntu on every node, by unattended-upgrades.

    No node reboots by itself: `vds reboot` does that in the window, one node at a time.
    """

    window: Window
    origins: tuple[Origin, ...] = ()
    """What is installed besides the security archives of Debian and Ubuntu. A mirror with a Release file of its own
    needs a pattern: `apt-cache policy` shows o=, l= and n=."""


class UpdateSettings(NamedTuple):
    """What a node gets: `render.settings` makes it."""

    apt: str
    """apt's configuration."""
    origins: tuple[str, ...]
    """Every pattern in it, in its order."""
    download: str
    """When package lists are fetched, as systemd's `OnCalendar`."""
    install: str
    """When updates are installed."""
    timezone: str
