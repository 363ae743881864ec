"""What a reviewer reads: whole comments, made from what the engine wrote."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt  # what rich renders Markdown with

from tests.support.golden import FILES, assert_golden
from tests.support.previews import many_tenants, recorded, report
from vds.preview_comment.budget import LIMIT, size
from vds.preview_comment.events import Change, Preview, Verdict, read
from vds.preview_comment.render import comment, full
from vds.preview_comment.report import Preflight, StackReport

LINK = "artifact `preview`"


@pytest.mark.parametrize(
    "name", ["no-change", "canary-weight", "node-replaced", "node-address", "policy-violated", "provider-replaced"]
)
def test_a_comment(name: str) -> None:
    assert_golden(f"comment-{name}.md", comment([report(recorded(name))], full_report=LINK))


@pytest.fixture(scope="module")
def five_hundred() -> Preview:
    """Five hundred tenants with values of their own."""
    return read(many_tenants(500, lambda number: 100 + number))


def test_five_hundred_tenants_with_the_same_change_are_one_diff() -> None:
    preview = read(many_tenants(500, lambda _: 6))
    text = comment([report(preview)], full_report=LINK)
    assert_golden("comment-500-tenants.md", text)
    assert text.count("```diff") == 1
    assert len(text) < 20_000


def test_five_hundred_tenants_with_values_of_their_own_are_a_line_each(five_hundred: Preview) -> None:
    text = comment([report(five_hundred)], full_report=LINK)
    assert_golden("comment-500-values.md", text)
    assert size(text) <= LIMIT
    assert text.count("<details>") == 5
    assert "agency-250-quota: 4 → 350" in text
    assert "Left out" not in text


def test_what_does_not_fit_is_left_out_from_the_end_and_counted(five_hundred: Preview) -> None:
    text = comment([report(five_hundred)], limit=6000)
    assert size(text) <= 6000
    assert "### Updated: 500" in text
    assert "Left out for length, the least risky first: 400 updates." in text
    assert "agency-000-quota: 4 → 100" in text
    assert "agency-499-quota: 4 → 599" not in text
    assert "agency-499-quota: 4 → 599" in full([report(five_hundred)])


def test_five_hundred_new_tenants_are_one_line_and_one_example() -> None:
    text = comment([report(read(many_tenants(500, lambda _: 1, op="create")))], full_report=LINK)
    assert size(text) <= LIMIT
    assert "<b>500 × Tenant</b>: " in text
    assert "Left out" not in text


def test_what_is_lost_outlives_what_is_new_when_room_is_short() -> None:
    lost = recorded("provider-replaced")
    new = read(many_tenants(40, lambda number: 100 + number))
    reports = [report(lost, stack="lab"), report(new, stack="oslo")]
    text = comment(reports, limit=2700)
    assert size(text) <= 2700
    assert "clusterIdentifier: lab → lab2" in text
    assert "40 updates" in text


def violated(*messages: str, mandatory: bool = True) -> Preview:
    said = tuple(
        Verdict("gateway-tls", mandatory, message, f"urn:pulumi:s::p::t::n{i}") for i, message in enumerate(messages)
    )
    return replace(recorded("no-change"), violations=said)


def test_two_thousand_violations_hide_no_stack_and_are_counted() -> None:
    many = violated(*(f"listener {number} takes plain text from outside, write HTTPS" for number in range(2000)))
    text = comment([report(many, stack="lab"), report(violated("one more"), stack="oslo")], full_report=LINK)
    assert size(text) <= LIMIT
    assert "`lab`: 2000 policy violations" in text
    assert "`oslo`: 1 policy violation" in text
    shown = text.count("- **gateway-tls** (mandatory)")
    assert 0 < shown < 2001
    assert f"{2001 - shown} policy violations" in text
    whole = full([report(many, stack="lab"), report(violated("one more"), stack="oslo")])
    assert whole.count("- **gateway-tls** (mandatory)") == 2001


def test_a_violation_as_long_as_a_book_is_cut_and_the_rest_is_told() -> None:
    long = "x" * 200_000
    text = comment([report(violated(long, "the second takes plain text"))], full_report=LINK)
    assert "x" * 1900 in text
    assert "x" * 2100 not in text
    assert "the second takes plain text" in text
    assert "198,000 more characters" in text
    assert long in full([report(violated(long))])


def test_advice_is_left_out_before_what_stops_an_update() -> None:
    advice = violated(*("a" * 300 for _ in range(20)), mandatory=False)
    stops = violated("this one stops it")
    text = comment([report(advice, stack="lab"), report(stops, stack="oslo")], limit=3000)
    assert "this one stops it" in text


def test_the_name_of_a_strange_kind_is_text() -> None:
    root = Change("urn:pulumi:s::p::t::a", "a:b:T", "delete")
    child = Change("urn:pulumi:s::p::t::b", "x:y:<img>*@all*", "delete", parent=root.urn)
    text = comment([report(replace(recorded("no-change"), changes=(root, child)))])
    assert "<img>" not in text
    assert "@all" not in text


def test_facts_are_named_with_their_age_and_what_fails() -> None:
    found = Preflight(
        age_hours=5.2,
        good=58,
        fails=("node osl-1: path MTU to other nodes 1450, limit 1500 (RFC 8899): raise it",),
        advice=("node osl-2: memory 2 GiB",),
        unknown=2,
        missing=("osl-3",),
    )
    assert_golden("comment-preflight.md", comment([report(recorded("no-change"), preflight=found)]))


class Tags(HTMLParser):
    """Which tags are open, and whether one was closed that was not the last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, *_: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("file", sorted(FILES.glob("comment-*.md")), ids=lambda file: file.stem)
def test_a_renderer_of_githubs_markdown_reads_every_part_as_what_it_is(file: Path) -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(file.read_text(encoding="utf-8"))
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert "```" not in html
    assert "**" not in html
    assert "| " not in html


def test_a_change_that_touches_no_stack_says_so() -> None:
    assert_golden("comment-untouched.md", comment([StackReport("lab"), StackReport("oslo")]))
