"""The table of checks: complete, consistent with the survey, and in the how-to."""

import inspect
import re
from pathlib import Path
from typing import get_args

from components.core.duplicates import duplicates
from components.nodes.model import CheckId
from components.nodes.preflight import checks, survey
from components.nodes.preflight.checks import CHECKS
from components.residency import asked
from tests.support.surveys import table_of

HOWTO = Path(__file__).parents[4] / "docs" / "howto" / "examine-nodes.md"


def test_ids_are_unique():
    assert duplicates(check.id for check in CHECKS) == []


def test_judges_use_exactly_the_facts_that_the_survey_collects():
    named = set(re.findall(r'fact\("(\w+)"\)', inspect.getsource(checks)))
    named |= {one.fact for one in asked.ASKED}
    assert named | {"firewall"} == {*survey.FACTS, "disk"}, "the firewall is named in a remedy"


def test_the_stack_file_names_exactly_the_checks_that_may_be_undecided():
    never = {"survey", "clock"}  # both come with any answer
    required = {check.id for check in (*CHECKS, *asked.CHECKS) if check.required} - never
    assert {name for name in get_args(CheckId) if not name.startswith("cluster")} == required


def test_what_has_a_limit_has_a_remedy():
    assert [check.id for check in CHECKS if bool(check.limit) != bool(check.remedy)] == []


def test_the_how_to_has_the_table():
    table = table_of(CHECKS)
    assert table in HOWTO.read_text(encoding="utf-8"), f"write into {HOWTO.name}:\n{table}"
