import datetime

import pytest
from pydantic import ValidationError

from components.core.waivers import Waiver

REASON = "moves to another image"


@pytest.mark.parametrize("day", ["2027-06-30", "2028-02-29"])
def test_a_waiver_has_a_last_day(day):
    assert Waiver(until=day, reason=REASON).until == datetime.date.fromisoformat(day)


@pytest.mark.parametrize("day", ["2027-13-01", "0000-01-01", "20270630", "2027-W26-3", "2027-6-30", "", 20270630, None])
def test_a_day_that_does_not_exist_or_is_written_otherwise_is_refused(day):
    with pytest.raises(ValidationError, match="write a date in quotes, as in '2027-06-30'"):
        Waiver.model_validate({"until": day, "reason": REASON})


@pytest.mark.parametrize(("day", "last"), [("2027-02-29", "2027-02-28"), ("2027-06-31", "2027-06-30")])
def test_a_day_that_its_month_does_not_have_is_refused_with_the_last_one(day, last):
    with pytest.raises(ValidationError, match=f'write "{last}" or another day'):
        Waiver.model_validate({"until": day, "reason": REASON})


def test_a_date_that_yaml_has_already_read_is_a_date_and_a_moment_is_not():
    day = datetime.date(2027, 6, 30)
    assert Waiver.model_validate({"until": day, "reason": REASON}).until == day
    moment = datetime.datetime(2027, 6, 30, tzinfo=datetime.UTC)
    with pytest.raises(ValidationError, match="in quotes"):
        Waiver.model_validate({"until": moment, "reason": REASON})


def test_a_waiver_holds_on_its_last_day():
    waiver = Waiver(until="2027-06-30", reason=REASON)
    assert not waiver.ended(datetime.date(2027, 6, 30))
    assert waiver.ended(datetime.date(2027, 7, 1))
