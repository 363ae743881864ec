"""Regular expressions that search in what others wrote take time in proportion to its length."""

import re
import time

import pytest

from components.charts import steady
from components.core import endpoints
from components.network.cilium import data_path
from components.residency import fields, named, services
from components.stackfile import lines
from vds.cilium_values import inputs

SEARCHED = [
    (steady._CALL, "{{"),
    (steady._CALL, "{{ a "),
    (steady._SECONDS, "{{"),
    (endpoints.URL, "a-"),
    (endpoints.URL, "a."),
    (data_path._PLACEHOLDER, "{{"),
    (data_path._PLACEHOLDER, "${"),
    (named._BETWEEN, " "),
    (named._IN_BRACKETS, "["),
    (fields._COMMAND, "pg_"),
    (services._SCHEMED, "s3"),
    (services._ARN, "arn:aws"),
    (inputs._TEMPLATED, "{{"),
    (inputs._CONTROL, "\n"),
    (lines._STEP, "["),
]


def seconds(pattern: re.Pattern[str], text: str) -> float:
    """The least of three, of this process alone."""
    took = []
    for _ in range(3):
        began = time.process_time()
        for _ in pattern.finditer(text):
            pass
        took.append(time.process_time() - began)
    return min(took)


@pytest.mark.parametrize(("pattern", "piece"), SEARCHED, ids=[f"{one.pattern[:20]}-{piece}" for one, piece in SEARCHED])
def test_four_times_the_text_takes_about_four_times_as_long(pattern: re.Pattern[str], piece: str) -> None:
    """With the square of the length it would be sixteen times. A busy machine is asked again."""
    ratios = []
    for _ in range(3):
        before = max(seconds(pattern, piece * 2000), 1e-4)
        ratios.append(seconds(pattern, piece * 8000) / before)
        if ratios[-1] < 9:
            return
    raise AssertionError(f"{pattern.pattern} takes {ratios} times as long")
