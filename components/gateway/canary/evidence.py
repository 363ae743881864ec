"""Evidence that a canary's requests are bad more often than those of the stable version, or not, at any time.

A request is bad or good: it failed, or it took longer than a limit. Two betting martingales follow the requests. Each
begins at 1 and multiplies by one factor for each request. If its hypothesis is true, its expected value never exceeds
1, so by Ville's inequality it ever reaches 1/α with a probability of at most α, whenever and however often somebody
looks.

`rise`: the hypothesis is that the canary is not worse. A good request has the factor 1. A bad one has the ratio of two
likelihoods that it was the canary's: q under the alternative, π (the canary's share of the requests) otherwise. So what
hits both versions at once (a burst, a database that is gone) changes nothing, and no error rate must be assumed.
`calm`: the hypothesis is that the canary is bad more often by `margin` or more. The factor is 1 + λ (margin − X), where
X is 1/π for a bad request of the canary, −1/(1 − π) for one of the stable version, and 0 for a good one: its expected
value is the difference between the two.

The share is the one that was counted in the same window. The factors of a window stay valid then: for fixed outcomes,
which requests the canary got is a sample without replacement, these indicators are negatively associated, and every
factor is monotone in them in the same direction. The condition is that the gateway chooses the backend without regard
to what the request's outcome will be. Weighted round robin and random choice do so.

Sources: Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (counts conditioned on the
share); Lindon, Sanden and Shirikian, "Rapid Regression Detection in Software Deployments through Sequential Testing",
KDD 2022 (the comparison at every quantile); Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS B 2024 (λ); Joag-Dev and Proschan, "Negative Association of Random Variables", Annals of Statistics 1983.
"""

from collections.abc import Sequence
from math import exp, fsum, inf, log
from typing import NamedTuple

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Alternatives of `rise`: how many times as often the canary's requests are bad. Their martingales are averaged."""
BETS = (0.05, 0.1, 0.2, 0.4, 0.7, 0.95)
"""Alternatives of `calm`: parts of the largest λ that keeps every factor positive. They are averaged too."""


class Counts(NamedTuple):
    """Requests that were answered in one window."""

    canary: int = 0
    canary_bad: int = 0
    stable: int = 0
    stable_bad: int = 0

    @property
    def share(self) -> float:
        """The canary's share of the requests; 0 without requests."""
        total = self.canary + self.stable
        return self.canary / total if total else 0.0


class Wealth(NamedTuple):
    """Logarithms of martingales, one for each alternative."""

    logs: tuple[float, ...]

    @property
    def log_value(self) -> float:
        """The logarithm of their average."""
        top = max(self.logs)
        return top if top == -inf else top + log(fsum(exp(one - top) for one in self.logs) / len(self.logs))


RISE = Wealth((0.0,) * len(RATIOS))
"""Before the first request."""
CALM = Wealth((0.0,) * len(BETS))
"""Before the first request."""


def rise(before: Wealth, seen: Counts, share: float) -> Wealth:
    """Evidence against "the canary is not worse", after a window. `share`: the canary's, above 0 and below 1.

    Without requests of both versions, a window says nothing: its share is 0 or 1, and the evidence stays.
    """
    if not 0 < share < 1:
        return before
    made = []
    for known, ratio in zip(before.logs, RATIOS, strict=True):
        chance = share * ratio / (share * ratio + 1 - share)
        made.append(known + seen.canary_bad * log(chance / share) + seen.stable_bad * log((1 - chance) / (1 - share)))
    return Wealth(tuple(made))


def calm(before: Wealth, seen: Counts, share: float, margin: float) -> Wealth:
    """Evidence against "the canary is bad more often by `margin` or more", after a window.

    `margin`: a part of the requests, from 0 to below 1; 0 asks whether the canary is better. `share`: as of `rise`.
    """
    if not 0 < share < 1:
        return before
    good = seen.canary + seen.stable - seen.canary_bad - seen.stable_bad
    made = []
    for known, part in zip(before.logs, BETS, strict=True):
        bet = part * share / (1 - margin * share)
        made.append(
            known
            + good * log(1 + bet * margin)
            + seen.canary_bad * log(1 - part)
            + seen.stable_bad * log(1 + bet * (margin + 1 / (1 - share)))
        )
    return Wealth(tuple(made))


def average(logs: Sequence[float], weights: Sequence[float] = ()) -> float:
    """The logarithm of an average of values that are given by their logarithms."""
    parts = weights or [1 / len(logs)] * len(logs)
    top = max(logs)
    return top if top == -inf else top + log(fsum(part * exp(one - top) for part, one in zip(parts, logs, strict=True)))
