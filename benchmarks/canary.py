"""How often a canary's judgement is wrong, and how many requests it needs. Everything is simulated with a fixed seed.

    .venv/bin/python -m benchmarks.canary              # 20,000 runs of each kind; about four minutes on one core
    .venv/bin/python -m benchmarks.canary --runs 2000

False alarms: two equal versions, and the judgement after every request, as `vds canary` makes it in the first of five
steps, with two gates and 5 % false alarms. Beside it, a z-test of two proportions that is looked at as often, at 5 %.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from math import exp, lgamma, log, sqrt
from statistics import median
from typing import NamedTuple

from components.gateway.canary.evidence import CALM, RISE, Counts, Wealth, average, calm, rise
from components.gateway.canary.judgement import Limit

STEPS, GATES, FALSE_ALARMS = 5, 2, 0.05
NEEDED = log(GATES / FALSE_ALARMS)
"""The logarithm of the evidence for an alarm."""
REQUESTS = 2000
"""Of one run, for false alarms."""
WINDOW = 50
"""Requests of a window, where the share is counted."""
Z = 1.96
"""Two-sided 5 % of the normal distribution."""
BUCKETS = ("0.05", "0.1", "0.3", "0.5", "1.2")
"""Limits of latency in seconds."""

Request = tuple[bool, bool]
"""Whether the canary got it, and whether it was bad."""
Traffic = Callable[[random.Random, float], Iterator[Request]]


def steady(stable: float, canary: float) -> Traffic:
    """Independent requests."""

    def traffic(dice: random.Random, share: float) -> Iterator[Request]:
        while True:
            to_canary = dice.random() < share
            yield to_canary, dice.random() < (canary if to_canary else stable)

    return traffic


def bursts(usual: float, burst: float) -> Traffic:
    """Bursts that hit both versions: one begins about every 500 requests and lasts about 100."""

    def traffic(dice: random.Random, share: float) -> Iterator[Request]:
        in_burst = False
        while True:
            in_burst = dice.random() >= 1 / 100 if in_burst else dice.random() < 1 / 500
            yield dice.random() < share, dice.random() < (burst if in_burst else usual)

    return traffic


def retries(usual: float, again: float) -> Traffic:
    """A client repeats a failed request at once, up to three times; the repetition fails more often."""

    def traffic(dice: random.Random, share: float) -> Iterator[Request]:
        while True:
            chance = usual
            for _ in range(4):
                bad = dice.random() < chance
                yield dice.random() < share, bad
                if not bad:
                    break
                chance = again

    return traffic


def round_robin(traffic: Traffic) -> Traffic:
    """The same outcomes, with the backend chosen as Traefik's weighted round robin chooses it: in equal distances."""

    def turns(dice: random.Random, share: float) -> Iterator[Request]:
        turn = dice.random()
        for _, bad in traffic(dice, share):
            turn += share
            to_canary = turn >= 1
            turn -= to_canary
            yield to_canary, bad

    return turns


class _Steps(NamedTuple):
    """What one bad request of each version adds to the logarithms."""

    canary: tuple[float, ...]
    stable: tuple[float, ...]


def _steps(share: float) -> _Steps:
    return _Steps(
        rise(RISE, Counts(canary=1, canary_bad=1), share).logs, rise(RISE, Counts(stable=1, stable_bad=1), share).logs
    )


def alarm_after(traffic: Traffic, dice: random.Random, share: float, requests: int) -> int | None:
    """Canary's requests until the alarm, looked at after every request with the known share; None without one.

    A good request changes nothing, so only bad ones are computed. In the first step, both halves of the stake are
    equal.
    """
    steps, needed = _steps(share), NEEDED - log(0.5 + 0.5 / STEPS)
    logs, canary = list(RISE.logs), 0
    for _, (to_canary, bad) in zip(range(requests), traffic(dice, share), strict=False):
        canary += to_canary
        if bad:
            logs = [one + added for one, added in zip(logs, steps.canary if to_canary else steps.stable, strict=True)]
            if max(logs) >= needed and Wealth(tuple(logs)).log_value >= needed:
                return canary
    return None


def z_alarm(traffic: Traffic, dice: random.Random, share: float, requests: int) -> bool:
    """Whether a z-test of two proportions ever says that they differ, looked at after every request."""
    counts, bad_counts = [0, 0], [0, 0]
    for _, (to_canary, bad) in zip(range(requests), traffic(dice, share), strict=False):
        counts[to_canary] += 1
        bad_counts[to_canary] += bad
        if min(counts) < 30 or not any(bad_counts):
            continue
        pooled = sum(bad_counts) / sum(counts)
        spread = sqrt(pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1]))
        if spread and abs(bad_counts[1] / counts[1] - bad_counts[0] / counts[0]) > Z * spread:
            return True
    return False


def windowed_alarm(traffic: Traffic, dice: random.Random, share: float, requests: int) -> bool:
    """Whether the alarm is ever given where the share is counted in windows, as `vds canary` does it."""
    gate, source = Limit(), traffic(dice, share)
    for _ in range(requests // WINDOW):
        seen = _count(next(source) for _ in range(WINDOW))
        known = rise(gate.rollout, seen, seen.share)  # in the first step both halves of the stake are the same
        gate = gate._replace(rollout=known, step=known)
        if gate.alarm(STEPS) >= NEEDED:
            return True
    return False


def _count(requests: Iterator[Request]) -> Counts:
    seen = [0, 0, 0, 0]
    for to_canary, bad in requests:
        seen[0 if to_canary else 2] += 1
        seen[1 if to_canary else 3] += bad
    return Counts(*seen)


def latency_alarm(dice: random.Random, share: float, requests: int, slower: float) -> int | None:
    """Canary's requests until the latency gate's alarm. Latency is log-normal with a median of 60 ms."""
    steps, needed = _steps(share), NEEDED - log(0.5 + 0.5 / STEPS)
    limits = [float(one) for one in BUCKETS]
    logs, canary = [list(RISE.logs) for _ in limits], 0
    for _ in range(requests):
        to_canary = dice.random() < share
        canary += to_canary
        seconds = dice.lognormvariate(log(0.06), 0.7) + (slower if to_canary else 0.0)
        added = steps.canary if to_canary else steps.stable
        changed = False
        for place, limit in enumerate(limits):
            if seconds > limit:
                logs[place] = [one + more for one, more in zip(logs[place], added, strict=True)]
                changed = True
        likely = changed and max(map(max, logs)) >= needed
        if likely and average([Wealth(tuple(one)).log_value for one in logs]) >= needed:
            return canary
    return None


def pass_after(traffic: Traffic, dice: random.Random, share: float, requests: int, margin: float) -> int | None:
    """Canary's requests until it is found equivalent within the margin; None if that did not happen."""
    kinds = {
        (to_canary, bad): calm(
            CALM, Counts(to_canary, to_canary and bad, not to_canary, not to_canary and bad), share, margin
        ).logs
        for to_canary in (True, False)
        for bad in (True, False)
    }
    needed, logs, canary = log(1 / FALSE_ALARMS), list(CALM.logs), 0
    for _, (to_canary, bad) in zip(range(requests), traffic(dice, share), strict=False):
        canary += to_canary
        logs = [one + added for one, added in zip(logs, kinds[to_canary, bad], strict=True)]
        if max(logs) >= needed and Wealth(tuple(logs)).log_value >= needed:
            return canary
    return None


def log_choices(total: int, chosen: int) -> float:
    """The logarithm of a binomial coefficient."""
    return lgamma(total + 1) - lgamma(chosen + 1) - lgamma(total - chosen + 1)


def dice_of(name: str) -> random.Random:
    """The random numbers of one run: the same in every run of this program."""
    return random.Random(name)  # noqa: S311  a simulation


def upper_bound(hits: int, runs: int, error: float = 0.01) -> float:
    """The exact (Clopper-Pearson) one-sided bound of a probability: 99 % by default."""
    if hits >= runs:
        return 1.0
    low, high = hits / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(exp(log_choices(runs, k) + k * log(middle) + (runs - k) * log(1 - middle)) for k in range(hits + 1))
        low, high = (middle, high) if tail > error else (low, middle)
    return high


EQUAL: dict[str, Traffic] = {
    "steady, 5 % errors": steady(0.05, 0.05),
    "bursts, 1 % and 60 % errors": bursts(0.01, 0.6),
    "retries, 5 % errors, 60 % of retries": retries(0.05, 0.6),
}


class Row(NamedTuple):
    """One line of the report."""

    what: str
    value: str
    limit: str
    good: bool


def false_alarms(runs: int, share: float = 0.05) -> Iterator[Row]:
    """Equal versions: how often there is ever an alarm."""

    def row(what: str, ever: Callable[[random.Random], object]) -> Row:
        hits = sum(bool(ever(dice_of(f"{what}-{run}"))) for run in range(runs))
        bound = upper_bound(hits, runs)
        return Row(what, f"{hits / runs:.2%}, 99 % bound {bound:.2%}", f"≤ {FALSE_ALARMS:.0%}", bound <= FALSE_ALARMS)

    def every(traffic: Traffic) -> Callable[[random.Random], bool]:
        return lambda dice: alarm_after(traffic, dice, share, REQUESTS) is not None

    def windowed(traffic: Traffic) -> Callable[[random.Random], bool]:
        return lambda dice: windowed_alarm(traffic, dice, share, REQUESTS)

    for name, traffic in EQUAL.items():
        yield row(f"after every request: {name}", every(traffic))
        yield row(f"in windows, random: {name}", windowed(traffic))
        yield row(f"in windows, round robin: {name}", windowed(round_robin(traffic)))
    yield row("latency, after every request", lambda dice: latency_alarm(dice, share, REQUESTS // 2, 0.0) is not None)


def wrong_passes(runs: int, share: float = 0.25, margin: float = 0.02) -> Row:
    """A canary that is worse by the margin: how often it is found equivalent."""
    traffic = steady(0.01, 0.01 + margin)
    hits = sum(pass_after(traffic, dice_of(f"pass-{run}"), share, REQUESTS, margin) is not None for run in range(runs))
    bound = upper_bound(hits, runs)
    return Row(
        f"worse by the margin of {margin:.0%}, found equivalent",
        f"{hits / runs:.2%}, 99 % bound {bound:.2%}",
        f"≤ {FALSE_ALARMS:.0%}",
        bound <= FALSE_ALARMS,
    )


def detections(runs: int, shares: Sequence[float] = (0.01, 0.05, 0.25, 0.5)) -> Iterator[Row]:
    """Bad versions: the canary's requests until the alarm."""
    for share in shares:
        found = [
            alarm_after(steady(0.05, 0.2), dice_of(f"bad-{share}-{run}"), share, int(2000 / share))
            for run in range(runs)
        ]
        yield _median(f"5 % → 20 % errors at {share:.0%}", found, 90)
    found = [latency_alarm(dice_of(f"slow-{run}"), 0.05, 40_000, 0.3) for run in range(runs)]
    yield _median("300 ms slower at 5 %", found, 90)


def _median(what: str, found: Sequence[int | None], most: int) -> Row:
    there = [one for one in found if one is not None]
    middle = median([one if one is not None else float("inf") for one in found])
    return Row(
        what, f"median {middle:.0f} canary requests, found {len(there) / len(found):.1%}", f"≤ {most}", middle <= most
    )


def negative_control(runs: int, share: float = 0.05) -> Row:
    """The z-test with peeking must fail what the judgement keeps; otherwise this benchmark shows nothing."""
    traffic = EQUAL["steady, 5 % errors"]
    hits = sum(z_alarm(traffic, dice_of(f"z-{run}"), share, REQUESTS) for run in range(runs))
    return Row("z-test with peeking: steady, 5 % errors", f"{hits / runs:.2%}", "> 5 %", hits / runs > FALSE_ALARMS)


def waiting(runs: int) -> Iterator[Row]:
    """Good versions: the canary's requests until it is found equivalent. For information."""
    for rate, margin in ((0.0, 0.01), (0.001, 0.01), (0.01, 0.02), (0.05, 0.05)):
        found = [pass_after(steady(rate, rate), dice_of(f"good-{run}"), 0.25, 40_000, margin) for run in range(runs)]
        yield _median(f"{rate:.1%} errors, equivalent within {margin:.0%}", found, 10_000)


def main() -> int:
    """Print the table; 1 if a figure is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000, help="runs of each kind of traffic")
    runs = parser.parse_args().runs
    good = True
    few = max(200, runs // 10)
    rows = (*false_alarms(runs), wrong_passes(runs), negative_control(few), *detections(few), *waiting(few // 4))
    for row in rows:
        good &= row.good
        print(f"{'✓' if row.good else '✗'} {row.what:<58} {row.value:<44} {row.limit}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
