"""What the author of a route says of a canary's way from its first to its last step."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.model import Spec
from components.core.types import RefusedError

Percent = Annotated[int, Field(ge=1, le=100)]


_MARGINS: Mapping[str, float] = {"success": 1.0, "latency": 10.0}
"""By kind of gate, its margin where none is written."""


class Gate(Spec):
    """A comparison of the canary's requests with those of `stable`."""

    kind: Literal["success", "latency"]
    """success: its requests fail no more often. A request has failed with a status of 500 and more. latency: its
    answers take no longer: at each of Traefik's limits, not more of them are slower."""
    margin_percent: float | None = Field(default=None, gt=0, le=50)
    """The canary passes if its share of failed or slower requests is proven to be less than this above that of
    `stable`, in percentage points. A smaller margin needs more requests. Default: 1 for success, 10 for latency."""

    @property
    def margin(self) -> float:
        """The margin as a part of the requests."""
        return (_MARGINS[self.kind] if self.margin_percent is None else self.margin_percent) / 100


def _duration(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}[smh]", value):
        raise RefusedError(f"{value[:20]!r} is no duration", "write it as in 30s, 10m or 2h")
    return value


def seconds(duration: str) -> int:
    """A duration in seconds."""
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


class Plan(Spec):
    """A canary's way, in steps."""

    steps: Annotated[tuple[Percent, ...], Field(max_length=20)] = ()
    """Shares of the requests in percent, from the first to the last, as in [1, 5, 25, 50, 100]. `vds canary start`
    goes from one to the next when all gates have passed. Until then, and after a rollback, the canary gets nothing."""
    hold: Duration = "10m"
    """How long each step lasts at least."""
    interval: Duration = "10s"
    """Time between two looks at the gateway's counters. A bad version is rolled back at the next look."""
    gates: tuple[Gate, ...] = (Gate(kind="success"), Gate(kind="latency"))
    """What is compared with `stable` in every step."""
    abort: Abort = Abort()
    """When the canary is rolled back."""

    @model_validator(mode="after")
    def _whole(self) -> "Plan":
        if not self.steps:
            fields = Plan.model_fields
            if plan := [name for name in fields if getattr(self, name) != fields[name].default]:
                raise RefusedError(f"has {', '.join(plan)} and no steps", "write steps: [1, 5, 25, 50, 100]")
            return self
        if len(self.steps) < 2 or any(one >= other for one, other in pairwise(self.steps)):
            said = f"steps {', '.join(map(str, self.steps))} do not increase, or there is one only"
            raise RefusedError(said, "write them as in [1, 5, 25, 50, 100]")
        kinds = [gate.kind for gate in self.gates]
        if not kinds or len(set(kinds)) < len(kinds):
            raise RefusedError(f"has {'no gate' if not kinds else 'a gate twice'}", "write each kind of gate once")
        if seconds(self.interval) > seconds(self.hold):
            raise RefusedError(f"interval {self.interval} is longer than hold {self.hold}", "write a shorter interval")
        if seconds(self.hold) >= seconds(self.abort.inconclusive_after):
            said = f"hold {self.hold} is not shorter than abort.inconclusiveAfter {self.abort.inconclusive_after}"
            raise RefusedError(said, "write a longer inconclusiveAfter")
        return self
