"""Waivers: exceptions with a reason and a last day."""

import re
from calendar import month_name, monthrange
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from components.core.model import Spec
from components.core.types import RefusedError

_DATE = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_NORWEGIAN = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_UNQUOTED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) 00:00:00 \+0000 UTC")
"""What Pulumi's engine makes of a date without quotes."""


def _iso_date(value: Any) -> Any:
    if type(value) is date:  # and no datetime, which is a moment
        return value
    if not isinstance(value, str):
        raise ValueError("write a date in quotes, as in '2027-06-30'")
    if match := _UNQUOTED.fullmatch(value):
        raise RefusedError("has no quotes, and is read as a moment", f'write "{match[1]}"')
    if match := _NORWEGIAN.fullmatch(value):
        raise ValueError(f'write "{match[3]}-{int(match[2]):02}-{int(match[1]):02}"')
    match = _DATE.fullmatch(value)
    if not match or match[1] == "0000":
        raise ValueError("write a date in quotes, as in '2027-06-30'")
    year, month, day = map(int, match.groups())
    last = monthrange(year, month)[1]
    if day > last:
        said = f"is no day: {month_name[month]} {year} has {last} days"
        raise RefusedError(said, f'write "{year}-{month:02}-{last}" or another day')
    return date(year, month, day)


IsoDate = Annotated[
    date,
    BeforeValidator(_iso_date),
    WithJsonSchema({"type": "string", "pattern": f"^{_DATE.pattern}$", "format": "date", "examples": ["2027-06-30"]}),
]
"""A day, as ISO 8601 writes it."""


class Waiver(Spec):
    """A waiver: why, and until when."""

    until: IsoDate
    """The last day on which it is valid."""
    reason: str = Field(min_length=10)
    """Why the rule may be broken until then. Auditors read this."""

    def ended(self, today: date) -> bool:
        """Whether its last day is before `today`."""
        return self.until < today
