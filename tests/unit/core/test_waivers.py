import datetime

import pytest
from pydantic import ValidationError

from components.core.waivers import Waiver

REASON = "moves to another image"


@pytest.mark.parametrize("day", ["2027-06-30", "2028-02-29"])
def test_a_waiver_has_a_last_day(day):
    assert Waiver(until=day, reason=REASON).until == day


@pytest.mark.parametrize(
    "day", ["2027-02-29", "2027-06-31", "2027-13-01", "20270630", "2027-W26-3", "2027-6-30", "", 20270630, None]
)
def test_a_day_that_does_not_exist_or_is_written_otherwise_is_refused(day):
    with pytest.raises(ValidationError, match="write a date in quotes, as in '2027-06-30'"):
        Waiver.model_validate({"until": day, "reason": REASON})


def test_a_date_that_yaml_has_already_read_is_refused_with_the_remedy():
    with pytest.raises(ValidationError, match="in quotes"):
        Waiver.model_validate({"until": datetime.date(2027, 6, 30), "reason": REASON})
