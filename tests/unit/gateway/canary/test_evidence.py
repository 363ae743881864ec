"""The evidence is valid: its expected value is computed exactly, over every way to divide a window's requests."""

from itertools import combinations
from math import exp, isclose, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import canary as benchmark
from components.gateway.canary.evidence import CALM, RISE, Counts, calm, rise

Outcomes = list[tuple[bool, bool]]
"""Of each request: whether it is bad with the stable version, and with the canary."""


def divided(outcomes: Outcomes, chosen: tuple[int, ...]) -> Counts:
    bad = [sum(outcomes[i][1] for i in chosen), sum(one[0] for i, one in enumerate(outcomes) if i not in chosen)]
    return Counts(len(chosen), bad[0], len(outcomes) - len(chosen), bad[1])


def windows(outcomes: Outcomes, canaries: int) -> list[Counts]:
    return [divided(outcomes, chosen) for chosen in combinations(range(len(outcomes)), canaries)]


REQUESTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=9)


@settings(max_examples=60, deadline=None)
@given(REQUESTS, st.data())
def test_a_version_that_is_not_worse_has_an_expected_evidence_of_at_most_one(outcomes: Outcomes, data: st.DataObject):
    canaries = data.draw(st.integers(1, len(outcomes) - 1))
    worse = sum(canary - stable for stable, canary in outcomes)
    all_windows = windows(outcomes, canaries)
    mean = sum(exp(rise(RISE, one, one.share).log_value) for one in all_windows) / len(all_windows)
    if worse <= 0:
        assert mean <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(REQUESTS, st.sampled_from([0.0, 0.01, 0.1, 0.3]), st.data())
def test_a_version_that_is_worse_by_the_margin_has_an_expected_evidence_of_at_most_one(
    outcomes: Outcomes, margin: float, data: st.DataObject
):
    canaries = data.draw(st.integers(1, len(outcomes) - 1))
    worse = sum(canary - stable for stable, canary in outcomes) / len(outcomes)
    all_windows = windows(outcomes, canaries)
    mean = sum(exp(calm(CALM, one, one.share, margin).log_value) for one in all_windows) / len(all_windows)
    if worse >= margin:
        assert mean <= 1 + 1e-9


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.9])
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.7])
def test_with_a_known_share_the_expected_factor_of_one_request_is_one(share: float, rate: float):
    def mean(margin: float | None, canary_rate: float) -> float:
        found = 0.0
        for part, bad_rate, counts in (
            (share, canary_rate, lambda bad: Counts(1, bad, 0, 0)),
            (1 - share, rate, lambda bad: Counts(0, 0, 1, bad)),
        ):
            for bad, chance in ((1, bad_rate), (0, 1 - bad_rate)):
                seen = counts(bad)
                after = rise(RISE, seen, share) if margin is None else calm(CALM, seen, share, margin)
                found += part * chance * exp(after.log_value)
        return found

    assert isclose(mean(None, rate), 1)
    assert isclose(mean(0.1, rate + 0.1), 1)
    assert mean(None, rate + 0.2) > 1
    assert mean(0.1, rate) > 1


@pytest.mark.parametrize("seen", [Counts(), Counts(stable=1000, stable_bad=9), Counts(canary=1000, canary_bad=900)])
def test_a_window_without_requests_of_both_versions_says_nothing(seen: Counts):
    assert rise(RISE, seen, seen.share) == RISE
    assert calm(CALM, seen, seen.share, 0.01) == CALM


def test_many_windows_are_as_good_as_one():
    parts, whole = [Counts(50, 3, 150, 9), Counts(10, 1, 30, 0)], Counts(60, 4, 180, 9)
    for one in (lambda w, c: rise(w, c, 0.25), lambda w, c: calm(w, c, 0.25, 0.02)):
        begun = RISE if one(RISE, Counts()) == RISE and len(RISE.logs) else CALM
        several = one(one(begun, parts[0]), parts[1])
        assert several.logs == pytest.approx(one(begun, whole).logs)


# --- the benchmark, small -----------------------------------------------------------------------------------


def test_false_alarms_are_rarer_than_allowed_and_the_z_test_with_peeking_has_more():
    rows = list(benchmark.false_alarms(40))
    assert len(rows) == 10
    assert all(float(row.value.partition("%")[0]) <= 12.5 for row in rows), rows
    assert benchmark.negative_control(60).good


def test_a_bad_version_is_found_with_few_of_its_requests():
    rows = list(benchmark.detections(40, shares=[0.05, 0.25]))
    assert [row.good for row in rows] == [True, True, True], rows


def test_the_bound_of_the_benchmark_is_the_exact_one():
    assert isclose(benchmark.upper_bound(0, 100), 1 - 0.01 ** (1 / 100), rel_tol=1e-6)
    assert benchmark.upper_bound(5, 5) == 1.0
    assert isclose(benchmark.NEEDED, log(40))
