"""What a reviewer sees of residency: what comes, what goes, and what lasts longer."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from vds.preview_comment.events import Preview, read
from vds.preview_comment.render import comment, full
from vds.preview_comment.report import StackReport, document_of, loaded, saved
from vds.preview_comment.residency import of_changes, of_specs
from vds.shared.errors import OperationError

NODE = {"country": "NO", "provider": "N AS", "providerCountry": "NO"}
AWS = {
    "name": "aws",
    "hosts": ["s3.us-east-1.amazonaws.com"],
    "networks": [],
    "country": "US",
    "entity": "Amazon Inc.",
    "entityCountry": "US",
    "purposes": ["backup"],
}
WAIVER = {"name": "aws-backup", "place": "aws", "until": "2030-12-31", "reason": "for a while"}
RECORD: Mapping[str, Any] = {"places": [], "exceptions": [], "stateBackend": "x", "secretsProvider": ""}


def step(kind: str, name: str, old: Any, new: Any, op: str = "update") -> str:
    sides = {
        side: None if inputs is None else {"custom": False, "inputs": inputs, "id": name}
        for side, inputs in (("old", old), ("new", new))
    }
    urn = f"urn:pulumi:oslo::vds-platform::{kind}::{name}"
    return json.dumps({"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": kind, **sides}}})


def preview_of(*steps: str) -> Preview:
    return read([*steps, json.dumps({"summaryEvent": {"result": "succeeded", "PolicyPacks": {"p": "0.1.0"}}})])


def of_record(old: Mapping[str, Any], new: Mapping[str, Any]) -> StackReport:
    node = step("vds-platform:index:Node", "osl-1", NODE, NODE, "same")
    record = step("vds-platform:index:Residency", "residency", {**RECORD, **old}, {**RECORD, **new})
    preview = preview_of(node, record)
    return StackReport("oslo", ("Pulumi.oslo.yaml",), preview, residency=of_changes(preview.changes))


def row(report: StackReport) -> str:
    [line] = [line for line in comment([report]).splitlines() if line.startswith("| **Residency**")]
    return line.removeprefix("| **Residency** | ").removesuffix(" |")


def test_a_new_place_abroad_is_not_unchanged() -> None:
    """Finding 7a."""
    report = of_record({}, {"places": [AWS], "exceptions": [WAIVER]})
    assert comment([report]).splitlines()[1].startswith("## ⚠️ `oslo`")
    assert row(report) == (
        "⚠️ ➕ place `aws`: in `US`, of `Amazon Inc. (US)`, for `backup`, at `s3.us-east-1.amazonaws.com`; "
        "➕ exception `aws-backup`: for the place `aws`, until `2030-12-31`, because `for a while`"
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"country": "NO"}, {"country": "US"}, "⚠️ ➕ place `aws`: in `US`; ➖ place `aws`: in `NO`"),
        ({}, {"purposes": ["backup", "telemetry"]}, "⚠️ ➕ place `aws`: for `telemetry`"),
        ({"purposes": ["backup", "dns"]}, {}, "✅ ➖ place `aws`: for `dns`"),
        ({}, {"hosts": [*AWS["hosts"], "*.com"]}, "⚠️ ➕ place `aws`: at `*.com`"),
        ({}, {"networks": ["0.0.0.0/0"]}, "⚠️ ➕ place `aws`: at `0.0.0.0/0`"),
        ({"entity": "N AS"}, {}, "⚠️ ➕ place `aws`: of `Amazon Inc. (US)`; ➖ place `aws`: of `N AS (US)`"),
        ({"entityCountry": "NO"}, {}, "⚠️ ➕ place `aws`: of `Amazon Inc. (US)`; ➖ place `aws`: of `Amazon Inc. (NO)`"),
    ],
)
def test_each_field_of_a_place_that_changes_is_shown(before: Any, after: Any, said: str) -> None:
    assert row(of_record({"places": [{**AWS, **before}]}, {"places": [{**AWS, **after}]})) == said


@pytest.mark.parametrize(
    ("old", "new", "mark"), [("2027-01-01", "2030-12-31", "⚠️"), ("2030-12-31", "2027-01-01", "✅")]
)
def test_an_exception_that_lasts_longer_is_a_risk_and_one_that_ends_earlier_is_none(
    old: str, new: str, mark: str
) -> None:
    before, after = ({"exceptions": [{**WAIVER, "until": day}]} for day in (old, new))
    assert row(of_record(before, after)) == (
        f"{mark} ➕ exception `aws-backup`: until `{new}`; ➖ exception `aws-backup`: until `{old}`"
    )
    assert comment([of_record(before, after)]).splitlines()[1].startswith(f"## {mark}")


def test_an_exception_for_another_place_or_reason_is_shown() -> None:
    other = {**WAIVER, "place": "gcp", "reason": "another reason"}
    said = row(of_record({"exceptions": [WAIVER]}, {"exceptions": [other]}))
    assert said.startswith("⚠️ ➕ exception `aws-backup`: for the place `gcp`, because `another reason`; ➖")


def test_the_state_and_the_runners_of_ci_are_destinations() -> None:
    runner = {"label": "ubuntu-24.04", "seen_in": ".github/workflows/up.yml, up"}
    said = row(of_record({}, {"stateBackend": "s3://bucket?region=us-east-1", "ciRunners": [runner]}))
    assert "➕ stack state stored at `s3://bucket?region=us-east-1`" in said
    assert "run by CI on `ubuntu-24.04` (`.github/workflows/up.yml, up`)" in said


def test_a_node_that_two_components_name_is_one_machine() -> None:
    """Finding 7e: a node and its membership of the cluster have the same name."""
    steps = [
        step(f"vds-platform:index:{kind}", "osl-cp-1", None, NODE | {"country": "SE"}, "create")
        for kind in ("Node", "Member")
    ]
    assert [fact.names for fact in of_changes(preview_of(*steps).changes).added] == [("osl-cp-1",), ("osl-cp-1",)]


SPEC: Mapping[str, Any] = {
    "nodes": [{"name": "osl-1", "country": "NO", "provider": {"name": "N AS", "country": "NO"}}],
    "residency": {"allowedCountries": ["NO"], "places": [AWS], "exceptions": [WAIVER]},
}
WAIVED = {"until": "2027-12-31", "reason": "the old client"}


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"residency": {**SPEC["residency"], "allowedCountries": ["NO", "US"]}}, ("stack", "", "allows", "US")),
        (
            {"preflight": {"accept": [{**WAIVED, "check": "machine"}]}},
            ("exception", "machine", "until", "2027-12-31"),
        ),
        (
            {"cluster": {"security": {"exceptions": [{**WAIVED, "setting": "auditLog"}]}}},
            ("exception", "auditLog", "for the setting", "auditLog"),
        ),
        (
            {"gateway": {"listeners": [{"name": "http", "plainText": WAIVED}]}},
            ("exception", "http.plainText", "until", "2027-12-31"),
        ),
        (
            {"processing": {"controllers": [{"tenant": "a", "controller": {"name": "X", "country": "US"}}]}},
            ("record of processing", "", "controllers.controller.country", "US"),
        ),
        ({"processing": {"purposes": ["profiling"]}}, ("record of processing", "", "purposes", "profiling")),
        ({"nodes": [{"name": "x", "country": "SE"}]}, ("machines", "", "in", "SE")),
    ],
)
def test_a_stack_file_s_countries_parties_and_exceptions_of_every_kind_are_compared(
    changed: Any, fact: tuple[str, ...]
) -> None:
    delta = of_specs(SPEC, {**SPEC, **changed})
    assert fact in [one.key for one in delta.added]
    assert delta.risky
    assert fact in [one.key for one in of_specs({**SPEC, **changed}, SPEC).removed]
    assert not of_specs(SPEC, SPEC).added


@pytest.mark.parametrize("odd", [None, [], "x", 1, [[1]], {"places": "x"}, [{"country": [1]}]])
def test_a_stack_file_of_any_form_can_be_compared(odd: Any) -> None:
    for key in ("nodes", "residency", "processing", "preflight"):
        of_specs({key: odd}, SPEC)


def test_many_places_are_listed_below_the_table_and_none_is_lost() -> None:
    places = [
        {**AWS, "name": f"p{number}", "hosts": [f"h{number}-{n}.example" for n in range(9)]} for number in range(60)
    ]
    report = of_record({}, {"places": places})
    assert row(report).endswith("; and 52 more, below")
    text = comment([report])
    for number in range(60):
        assert f"- ➕ place `p{number}`:" in text
        assert f"`h{number}-8.example`" in text
    assert len(comment([report], limit=6000)) <= 6000
    assert "residency lines" in comment([report], limit=6000)
    assert "- ➕ place `p59`:" in full([report])


def test_a_saved_report_has_the_same_residency_and_json_has_it_too() -> None:
    report = of_record({}, {"places": [AWS]})
    assert loaded(saved([report]).encode()) == (report,)
    [document] = json.loads(json.dumps(document_of([report])))
    assert document["residency"]["added"][0] == {
        "subject": "place",
        "name": "aws",
        "relation": "in",
        "value": "US",
        "names": [],
    }


@pytest.mark.parametrize("field", ["subject", "name", "relation", "value"])
def test_a_report_that_a_stranger_s_program_wrote_makes_no_markdown(field: str) -> None:
    [document] = json.loads(saved([of_record({}, {"places": [AWS]})]))
    at = ["subject", "name", "relation", "value"].index(field)
    document["residency"]["after"][-1][at] = "[see](https://evil.example) @ada <b>"
    if field == "subject":
        with pytest.raises(OperationError, match="wrong form"):
            loaded(json.dumps([document]).encode())
        return
    text = comment(loaded(json.dumps([document]).encode()))
    [line] = [line for line in text.splitlines() if line.startswith("| **Residency**")]
    bare = re.sub(r"`[^`]*`", "", line)
    assert not re.search(r"(?<!\\)\]\(|://|@ada|<b>", bare)
