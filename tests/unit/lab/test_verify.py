"""The judgement on a canary's split, and what is waited for before it."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cluster import Cluster
from lab.proof.binomial import SIGNIFICANCE, binomial_p
from lab.proof.gateway import gateway_address
from tests.support.stacks import stack


def test_exactly_the_weight_is_as_likely_as_can_be() -> None:
    assert binomial_p(100, 1000, 0.1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("successes", "trials", "probability", "expected"), [(3, 10, 0.5, 0.34375), (0, 5, 0.5, 0.0625)]
)
def test_the_test_is_the_exact_two_sided_one(successes: int, trials: int, probability: float, expected: float) -> None:
    assert binomial_p(successes, trials, probability) == pytest.approx(expected)


@pytest.mark.parametrize("canary", [0, 50, 150, 200, 1000])
def test_a_split_that_is_not_90_to_10_is_called_so(canary: int) -> None:
    assert binomial_p(canary, 1000, 0.1) < SIGNIFICANCE


@pytest.mark.parametrize("canary", [80, 95, 110, 125])
def test_what_chance_does_to_90_to_10_is_let_pass(canary: int) -> None:
    assert binomial_p(canary, 1000, 0.1) > SIGNIFICANCE


def test_no_answers_prove_nothing() -> None:
    assert binomial_p(0, 0, 0.1) == 0.0


@pytest.mark.parametrize(("canary", "expected"), [(0, 1.0), (1, 0.0)])
def test_a_weight_of_zero_allows_no_answer_at_all(canary: int, expected: float) -> None:
    assert binomial_p(canary, 10, 0.0) == expected


def test_an_address_that_comes_late_is_waited_for_and_may_go_again_when_it_was_seen():
    class Late(Cluster):
        """A cluster whose Gateway is programmed before it has an address."""

        def __init__(self) -> None:
            self.answers = iter([{}, {"status": {}}, {"status": {"addresses": [{"value": "192.0.2.200"}]}}])

        def request(self, *_: object, **__: object) -> dict[str, Any]:
            return next(self.answers)

    assert gateway_address(Late(), stack("lab")) == "192.0.2.200"
