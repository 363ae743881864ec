"""Exceptions that end: a day, a reason, and the same words wherever one may be written."""

import re
from calendar import monthrange
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from components.core.model import Spec

_DATE = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def _date(value: Any) -> Any:
    # Text, because ISO dates sort as they follow each other, and a spec knows no clock.
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[3]) > monthrange(int(match[1]), int(match[2]))[1]:
        raise ValueError("write a date in quotes, as in '2027-06-30'")
    return value


IsoDate = Annotated[
    str,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "pattern": _DATE.pattern, "description": "a date, as in '2027-06-30'"}),
]
"""A day, ISO 8601."""


class Waiver(Spec):
    """What is let through although a rule is against it: reasoned, and not for ever."""

    until: IsoDate
    """The last day on which it holds."""
    reason: str = Field(min_length=10)
    """Why it is right until then: what an auditor reads."""
