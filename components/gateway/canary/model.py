"""What a stack file says of a canary's way from its first to its last step."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from components.core.model import Spec
from components.core.types import RefusedError

Percent = Annotated[int, Field(ge=1, le=100)]


class SuccessGate(Spec):
    """The canary's requests fail no more often than those of `stable`. A request has failed with a status of 500 and
    more."""

    kind: Literal["success"]
    margin_percent: float = Field(default=1.0, gt=0, le=50)
    """The canary passes if its share of failed requests is proven to be less than this above that of `stable`, in
    percentage points. A smaller margin needs more requests."""


class LatencyGate(Spec):
    """The canary's answers take no longer than those of `stable`: at each of Traefik's limits, not more of them are
    slower."""

    kind: Literal["latency"]
    margin_percent: float = Field(default=10.0, gt=0, le=50)
    """The canary passes if, at each limit, its share of slower answers is proven to be less than this above that of
    `stable`, in percentage points."""


Gate = Annotated[SuccessGate | LatencyGate, Field(discriminator="kind")]


def _duration(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}[smh]", value):
        raise RefusedError(f"{value[:20]!r} is no duration", "write it as in 30s, 10m or 2h")
    return value


def seconds(duration: str) -> int:
    """A duration of a stack file in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


Duration = Annotated[
    str, AfterValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3}[smh]$"})
]


class Abort(Spec):
    """When a canary is rolled back."""

    false_alarm_percent: float = Field(default=5.0, ge=0.1, le=20)
    """The probability that a version which is not worse is ever rolled back, and in each step that a version which is
    worse than `stable` by a gate's margin passes. A smaller one needs more requests."""
    inconclusive_after: Duration = "2h"
    """A step that is not decided after this time is rolled back. No traffic decides nothing."""
