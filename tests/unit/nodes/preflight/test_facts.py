"""What nodes say: parsed, kept in a file, and refused where it may not be judged by."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.nodes.preflight.facts import FactsError, Kept, Survey, dump, load, parse

LINES = '{"fact": "node", "name": "osl-1"}\n{"fact": "cgroup", "version": 2}\n{"fact": "clock", "seconds": 1000.5}\n'
SURVEY = Survey("osl-1", {"cgroup": {"version": 2}}, clock_offset=0.5)
HOUR = 3600


def load_at(hours: float, *, text: str | None = None, environment: str = "oslo", sha256: str | None = None):
    text = text or dump([SURVEY], environment="oslo", made_at=0)
    return load(text, environment=environment, now=hours * HOUR, max_hours=24, sha256=sha256)


def test_a_survey_is_read_with_how_far_the_nodes_clock_is_ahead():
    found = parse(LINES, received_at=1000.0)
    assert (found.node, found.clock_offset, found.get("cgroup")["version"]) == ("osl-1", 0.5, 2)


def test_what_was_never_said_is_unknown_and_not_an_error():
    assert "unknown" in parse(LINES, received_at=0).get("disk")


@pytest.mark.parametrize("output", ["", "Welcome to Ubuntu!\n" + LINES, "[]\n", LINES.rsplit("\n", 2)[0]])
def test_a_survey_that_is_cut_short_or_not_ours_is_refused(output):
    with pytest.raises(ValueError, match="survey"):
        parse(output, received_at=0)


def test_a_facts_file_gives_back_what_was_seen():
    assert load_at(1) == Kept((SURVEY,), None)
    cluster = {"facts": {"version": {"version": "v1.36.3"}}, "failure": ""}
    assert load_at(1, text=dump([SURVEY], environment="oslo", made_at=0, cluster=cluster)).cluster == cluster


@given(st.lists(st.text(min_size=1), unique=True), st.dictionaries(st.text(), st.integers()))
def test_any_facts_go_through_a_file_unchanged(names, fact):
    surveys = [Survey(name, {"kernel": fact}) for name in names]
    text = dump(surveys, environment="oslo", made_at=0)
    assert load_at(0, text=text).surveys == tuple(sorted(surveys))
    assert text == dump(reversed(surveys), environment="oslo", made_at=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hours": 25}, "25 hours old, limit 24"),
        ({"hours": -2}, "-2 hours old"),
        ({"environment": "bergen"}, "is of oslo, this stack is bergen"),
        ({"sha256": "0" * 64}, "the file was changed"),
        ({"text": "{}"}, "is not a facts file"),
        ({"text": "[1]"}, "is not a facts file"),
    ],
)
def test_a_file_that_may_not_be_judged_by_is_refused_with_what_to_do(change, said):
    with pytest.raises(FactsError) as caught:
        load_at(change.pop("hours", 1), **change)
    assert said in str(caught.value)
    assert "doctor --facts" in str(caught.value)


def test_a_changed_fact_is_found_by_the_hash():
    document = json.loads(dump([SURVEY], environment="oslo", made_at=0))
    document["surveys"][0]["facts"]["cgroup"]["version"] = 1
    with pytest.raises(FactsError, match="the file was changed"):
        load_at(1, text=json.dumps(document))
