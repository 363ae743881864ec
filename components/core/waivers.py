"""Waivers: exceptions with a reason and a last day."""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from components.core.model import Spec


def _iso_date(value: Any) -> Any:
    try:
        if date.fromisoformat(value).isoformat() == value:  # it also reads 20270630 and 2027-W26-3
            return value
    except (TypeError, ValueError):
        pass
    raise ValueError("write a date in quotes, as in '2027-06-30'")


IsoDate = Annotated[
    str,
    BeforeValidator(_iso_date),
    WithJsonSchema({"type": "string", "format": "date", "description": "a date, as in '2027-06-30'"}),
]
"""A day, ISO 8601. Text, because policies compare it with text from their configuration: ISO dates sort by time."""


class Waiver(Spec):
    """A waiver: why, and until when."""

    until: IsoDate
    """The last day on which it is valid."""
    reason: str = Field(min_length=10)
    """Why the rule may be broken until then. Auditors read this."""
