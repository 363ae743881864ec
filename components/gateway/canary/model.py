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


Source = Literal["gateway", "prometheus", "probe"]


class Gate(Spec):
    """A comparison of the canary's requests with those of `stable`."""

    kind: Literal["success", "latency"]
    """success: its requests fail no more often. A request has failed with a status of 500 and more, a probe with every
    status but 200. latency: its answers take no longer: at each of Traefik's limits, not more of them are slower."""
    source: Source = "gateway"
    """Which requests. gateway: those of users, as the pods of the platform's Traefik count them. prometheus: the same,
    as a Prometheus has collected them; `vds canary start --prometheus` names it. probe: those of `probe`."""
    margin_percent: float | None = Field(default=None, gt=0, le=50)
    """The canary passes if its share of failed or slower requests is proven to be less than this above that of
    `stable`, in percentage points. A smaller margin needs more requests. Default: 1 for success, 10 for latency."""

    @property
    def name(self) -> str:
        """What the record and messages call it: `success`, or `probe success`."""
        return self.kind if self.source == "gateway" else f"{self.source} {self.kind}"

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


class Probe(Spec):
    """Requests by HTTP that `vds canary start` sends to pods of both versions, beside those of users."""

    path: str = Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=200)
    """What is asked for. Only 200 is a good answer."""
    requests: int = Field(default=5, ge=1, le=20)
    """How many each version gets at each look. One that takes longer than its part of the interval has failed."""


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
    probe: Probe | None = None
    """Required by gates with `source: probe`."""
    abort: Abort = Abort()
    """When the canary is rolled back."""

    @property
    def sources(self) -> frozenset[Source]:
        """Where the gates' requests are counted."""
        return frozenset(gate.source for gate in self.gates)

    @property
    def counted_by_traefik(self) -> bool:
        """Whether a gate needs the counters of the platform's Traefik."""
        return self.sources != {"probe"}

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
        names = [gate.name for gate in self.gates]
        if not names or len(set(names)) < len(names):
            said = "no gate" if not names else "a gate twice"
            raise RefusedError(f"has {said}", "write each kind of gate once for each source")
        if self.probe is None and "probe" in self.sources:
            raise RefusedError("has a gate with source: probe and no probe", "write probe: { path: /healthz }")
        if self.probe is not None and "probe" not in self.sources:
            raise RefusedError("has probe and no gate with source: probe", "add such a gate, or remove probe")
        if seconds(self.interval) > seconds(self.hold):
            raise RefusedError(f"interval {self.interval} is longer than hold {self.hold}", "write a shorter interval")
        if seconds(self.hold) >= seconds(self.abort.inconclusive_after):
            said = f"hold {self.hold} is not shorter than abort.inconclusiveAfter {self.abort.inconclusive_after}"
            raise RefusedError(said, "write a longer inconclusiveAfter")
        return self
