"""What nodes say: parsed, kept in a file, and refused where it may not be judged by."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.untrusted import printable
from components.nodes.preflight.facts import FactsError, Kept, Survey, dump, load, parse
from tests.support.surveys import fit_facts

LINES = '{"fact": "node", "name": "osl-1"}\n{"fact": "cgroup", "version": 2}\n{"fact": "clock", "seconds": 1000.5}\n'
SURVEY = Survey("osl-1", {"cgroup": {"version": 2}}, clock_offset=0.5)
HOUR = 3600


def load_at(hours: float, *, text: str | None = None, environment: str = "oslo", sha256: str | None = None):
    text = text or dump([SURVEY], environment="oslo", made_at=0)
    return load(text, environment=environment, now=hours * HOUR, max_hours=24, sha256=sha256)


def test_a_survey_is_read_with_how_far_the_nodes_clock_is_ahead():
    found = parse(LINES, node="osl-1", received_at=1000.0)
    assert (found.node, found.clock_offset, found.get("cgroup")["version"]) == ("osl-1", 0.5, 2)


def test_what_was_never_said_is_unknown_and_not_an_error():
    assert "unknown" in parse(LINES, node="osl-1", received_at=0).get("disk")


@pytest.mark.parametrize("output", ["", "Welcome to Ubuntu!\n" + LINES, "[]\n", LINES.rsplit("\n", 2)[0]])
def test_a_survey_that_is_cut_short_or_not_ours_is_refused(output):
    with pytest.raises(ValueError, match="survey"):
        parse(output, node="osl-1", received_at=0)


FIT = fit_facts("osl-1", ["osl-1", "osl-2"])


def said(**facts):
    """The output of a survey with these facts."""
    rows = {"node": {"name": "osl-1"}, "clock": {"seconds": 0}, **facts}
    return "".join(json.dumps({"fact": name, **fact}) + "\n" for name, fact in rows.items())


def test_every_fact_of_a_fit_node_is_read_as_it_is():
    assert parse(said(**FIT), node="osl-1", received_at=0).facts.items() >= FIT.items()


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"node": {}}, "node.name"),
        ({"clock": {"seconds": "now"}}, "clock.seconds"),
        ({"clock": {"seconds": math.inf}}, "unknown line"),
        ({"cgroup": {"version": "2"}}, "cgroup.version"),
        ({"memory": {"bytes": -1, "swap_bytes": 0}}, "memory.bytes"),
        ({"link": {**FIT["link"], "mac": ["02"]}}, "link.mac"),
        ({"link": {**FIT["link"], "more": 1}}, "link.more"),
        ({"paths": {"tried": 1500, "peers": ["osl-2"]}}, "paths.peers"),
        ({"paths": {"tried": 1500, "peers": {"osl-2": {"mtu": True}}}}, "paths.peers.osl-2.mtu"),
        ({"wire": {**FIT["wire"], "heard": {"osl-2": 5}}}, "wire.heard.osl-2"),
        ({"window": {**FIT["window"], "before": 5}}, "window.before"),
        ({"x\x1b[2K": {}}, "unknown fact: x\ufffd[2K"),
        ({"node": {"name": "osl-2"}}, "the survey is of another node, osl-2"),
    ],
)
def test_a_fact_of_another_form_makes_its_node_unreadable_and_says_where(facts, place):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the place is compared below
        parse(said(**facts), node="osl-1", received_at=0)
    assert place in str(caught.value)


def test_a_facts_text_has_no_escape_sequences():
    found = parse(said(firewall={"kind": "\x1b]0;x\x07"}, disk={"unknown": "a\rb"}), node="osl-1", received_at=0)
    assert (found.get("firewall"), found.get("disk")) == ({"kind": "\ufffd]0;x\ufffd"}, {"unknown": "a b"})


def test_a_facts_file_gives_back_what_was_seen():
    assert load_at(1) == Kept((SURVEY,), None, 0)
    cluster = {"facts": {"version": {"version": "v1.36.3"}}, "failure": ""}
    assert load_at(1, text=dump([SURVEY], environment="oslo", made_at=0, cluster=cluster)).cluster == cluster


@given(st.lists(st.text("osl-1", min_size=1), unique=True), st.text(max_size=99), st.integers(0, 2**63 - 1))
def test_any_facts_go_through_a_file_unchanged(names, name, cpus):
    fact = {"name": printable(name), "id": "debian", "cpus": cpus}
    surveys = [Survey(name, {"system": fact}) for name in names]
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
        ({"text": "[" * 200_000}, "is not a facts file"),
        ({"text": dump([Survey("osl-1", {"cgroup": {"version": "2"}})], environment="oslo", made_at=0)}, "is not a"),
        ({"text": dump([SURVEY], environment="oslo", made_at=0, cluster={"odd": 1})}, "is not a facts file"),
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
