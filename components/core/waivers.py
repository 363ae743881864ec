"""Waivers: exceptions with a reason and a last day."""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from components.core.model import Spec


def _iso_date(value: Any) -> Any:
    if type(value) is date:  # and no datetime, which is a moment
        return value
    try:
        day = date.fromisoformat(value)
        if day.isoformat() == value:  # it also reads 20270630 and 2027-W26-3
            return day
    except (TypeError, ValueError):
        pass
    raise ValueError("write a date in quotes, as in '2027-06-30'")


IsoDate = Annotated[
    date,
    BeforeValidator(_iso_date),
    WithJsonSchema({"type": "string", "format": "date", "description": "a date, as in '2027-06-30'"}),
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
