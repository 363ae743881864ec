"""Whether a canary is better, worse or equivalent, or whether that is not known yet.

Each gate is judged by itself. An alarm ("worse") costs a share of the probability of a false alarm that the stack file
allows for the whole rollout, and is given at any moment of it. The answer "equivalent" is about the present step: its
evidence begins anew with every step, because a version may fail only under more load.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, Literal, NamedTuple

from components.gateway.canary.evidence import CALM, RISE, Counts, Wealth, average, calm, rise

Outcome = Literal["better", "worse", "equivalent", "inconclusive"]
PASSED: tuple[Outcome, ...] = ("better", "equivalent")


class Limit(NamedTuple):
    """The evidence about one kind of bad request: those that failed, or those slower than one limit."""

    rollout: Wealth = RISE
    """That the canary is worse, since the rollout began."""
    step: Wealth = RISE
    """The same since the present step began: a version that fails only under more load is found with this one."""
    better: Wealth = CALM
    """That it is better, since the present step began."""
    equivalent: Wealth = CALM
    """That it is not worse by the margin, since the present step began."""

    def after(self, seen: Counts, margin: float) -> "Limit":
        """With the requests of one more window."""
        share = seen.share
        return Limit(
            rise(self.rollout, seen, share),
            rise(self.step, seen, share),
            calm(self.better, seen, share, 0.0),
            calm(self.equivalent, seen, share, margin),
        )

    def alarm(self, steps: int) -> float:
        """The logarithm of the evidence that the canary is worse, in a rollout of so many steps.

        Half of the stake follows the rollout. The other half is divided among the steps.
        """
        return average([self.rollout.log_value, self.step.log_value - log(steps)], (0.5, 0.5))


class Evidence(NamedTuple):
    """The evidence of one gate, by kind of bad request."""

    limits: Mapping[str, Limit]
    """`failed`, or a limit in seconds as the gateway writes it. All have the same requests."""
    canary: int = 0
    """Requests of the canary in the present step."""
    stable: int = 0
    """Requests of the stable version in the present step."""

    def after(self, seen: Mapping[str, Counts], margin: float) -> "Evidence":
        """With the requests of one more window. A limit that was not there yet begins with it."""
        limits = {name: self.limits.get(name, Limit()).after(counts, margin) for name, counts in seen.items()}
        one = next(iter(seen.values()), Counts())
        return Evidence({**self.limits, **limits}, self.canary + one.canary, self.stable + one.stable)

    def next_step(self) -> "Evidence":
        """As the next step begins with it."""
        return Evidence({name: Limit(rollout=limit.rollout) for name, limit in self.limits.items()})

    def alarm(self, steps: int) -> float:
        """The logarithm of the evidence that the canary is worse at any limit."""
        logs = [limit.alarm(steps) for limit in self.limits.values()]
        return average(logs) if logs else 0.0

    def outcome(self, *, steps: int, gates: int, false_alarms: float) -> Outcome:
        """The judgement. `false_alarms`: the probability that is allowed in a rollout of a version that is not worse.

        "equivalent" is wrong with the same probability in each step: the canary is worse by more than the margin.
        """
        if not self.canary or not self.stable or not self.limits:
            return "inconclusive"
        if self.alarm(steps) >= log(gates / false_alarms):
            return "worse"
        enough = log(1 / false_alarms)
        if any(limit.equivalent.log_value < enough for limit in self.limits.values()):
            return "inconclusive"
        found = average([limit.better.log_value for limit in self.limits.values()])
        return "better" if found >= enough else "equivalent"

    def as_json(self) -> dict[str, Any]:
        """For the record in the cluster. Logarithms are rounded to 1e-6."""
        return {
            "canary": self.canary,
            "stable": self.stable,
            "limits": {
                name: [[round(one, 6) for one in wealth.logs] for wealth in limit]
                for name, limit in sorted(self.limits.items())
            },
        }


def evidence_of(data: Mapping[str, Any]) -> Evidence:
    """The evidence of a record. Raises ValueError, KeyError or TypeError if it is none."""
    limits = {}
    for name, rows in data["limits"].items():
        wealths = [Wealth(tuple(float(one) for one in row)) for row in rows]
        if [len(one.logs) for one in wealths] != [len(one.logs) for one in Limit()]:
            raise ValueError(f"{name}: this is the evidence of another release")
        limits[str(name)] = Limit(*wealths)
    return Evidence(limits, int(data["canary"]), int(data["stable"]))


def overall(outcomes: Sequence[Outcome]) -> Outcome:
    """The judgement of all gates: the worst of them."""
    for one in ("worse", "inconclusive", "equivalent"):
        if one in outcomes:
            return one
    return "better" if outcomes else "inconclusive"
