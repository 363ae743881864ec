"""Four outcomes, and none of them without requests."""

import json

import pytest

from components.gateway.canary.evidence import Counts
from components.gateway.canary.judgement import Evidence, evidence_of, overall

ALLOWED = {"steps": 5, "gates": 2, "false_alarms": 0.05}


def after(*windows: Counts, margin: float = 0.01) -> Evidence:
    found = Evidence({})
    for one in windows:
        found = found.after({"failed": one}, margin)
    return found


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Counts(50, 10, 950, 47), "worse"),
        (Counts(5000, 100, 5000, 500), "better"),
        (Counts(1000, 0, 9000, 0), "equivalent"),
        (Counts(1000, 1, 9000, 9), "equivalent"),
        (Counts(60, 1, 540, 9), "inconclusive"),
        (Counts(0, 0, 100_000, 0), "inconclusive"),
        (Counts(100_000, 0, 0, 0), "inconclusive"),
        (Counts(100_000, 100_000, 0, 0), "inconclusive"),
    ],
)
def test_the_outcome_follows_from_the_requests(seen: Counts, outcome: str):
    assert after(seen).outcome(**ALLOWED) == outcome


def test_nothing_is_inconclusive():
    assert Evidence({}).outcome(**ALLOWED) == "inconclusive"
    assert overall([]) == "inconclusive"


def test_what_hits_both_versions_is_no_alarm():
    assert after(*[Counts(50, 30, 950, 570)] * 20).outcome(**ALLOWED) != "worse"


def test_a_version_that_fails_only_under_more_load_is_found_in_that_step():
    before = after(*[Counts(50, 0, 950, 20)] * 200).next_step()
    assert before.outcome(**ALLOWED) == "inconclusive", "a step begins without an answer"
    later = before
    for _ in range(10):
        later = later.after({"failed": Counts(250, 12, 750, 9)}, 0.01)
    assert later.outcome(**ALLOWED) == "worse"


def test_one_slow_limit_of_several_is_enough_for_an_alarm_and_too_much_for_a_pass():
    same, slower = Counts(1000, 10, 9000, 90), Counts(1000, 300, 9000, 90)
    found = Evidence({}).after({"0.1": same, "0.3": slower, "1.2": Counts(1000, 0, 9000, 0)}, 0.1)
    assert found.outcome(**ALLOWED) == "worse"
    undecided = Evidence({}).after({"0.1": Counts(20, 10, 180, 90), "1.2": Counts(20, 0, 180, 0)}, 0.1)
    assert undecided.outcome(**ALLOWED) == "inconclusive"


def test_the_worst_gate_decides():
    assert overall(["better", "worse"]) == "worse"
    assert overall(["better", "inconclusive"]) == "inconclusive"
    assert overall(["better", "equivalent"]) == "equivalent"
    assert overall(["better", "better"]) == "better"


def test_the_record_has_the_evidence():
    found = after(Counts(50, 10, 950, 47), Counts(20, 0, 100, 0))
    again = evidence_of(json.loads(json.dumps(found.as_json())))
    assert again.canary == 70
    assert again.alarm(5) == pytest.approx(found.alarm(5), abs=1e-4)
    damaged = found.as_json()
    damaged["limits"]["failed"][0].append(0.0)
    with pytest.raises(ValueError, match="of another release"):
        evidence_of(damaged)
