"""What the pages say first, and what they do not claim."""

import re
from dataclasses import replace

import pytest

from tests.support.evidence import DATE, evidence, export
from tests.support.stacks import stack_data
from vds.evidence.contents import render, sentence
from vds.evidence.graph import MARKS, PAINT_OF, graph_of
from vds.evidence.model import Evidence, Place

LAB, OSLO = evidence(), evidence(name="oslo")


def without_backups(found: Evidence) -> Evidence:
    return replace(found, places=tuple(place for place in found.places if place.kind != "backup"))


def test_the_verdict_names_the_kinds_that_are_not_declared() -> None:
    found = without_backups(LAB)
    assert found.verdict == "holds"
    said = sentence(found)
    assert "every place is declared" not in said
    assert re.search("No place is named, or declared, for: .*Backups", said)
    assert "backup" in found.kinds_not_declared


def test_a_kind_that_only_the_stack_file_can_have_is_not_missing() -> None:
    assert not {"BGP peer", "SSH access"} & set(OSLO.kinds_not_declared)
    record = render(OSLO, date=DATE)["record-of-processing.md"].decode()
    assert (
        "### Kinds of which the stack file has no place\n\n- Bastions and addresses that SSH goes through\n" in record
    )


@pytest.mark.parametrize("file", ["index.md", "record-of-processing.md", "policies.md"])
def test_what_could_not_be_decided_is_the_first_part_of_every_page(file: str) -> None:
    made = export()
    made["deployment"]["pending_operations"] = [{"type": "creating", "resource": {"urn": "a::b"}}]
    page = render(evidence(made), date=DATE)[file].decode()
    first = re.search("^## (.*)\n\n(.*)", page, re.M)
    assert first
    assert first[1] == "What could not be decided"
    assert first[2].startswith("- creating b: the engine was interrupted there")


def test_a_page_with_many_doubts_shows_its_violations_too() -> None:
    many = replace(
        LAB,
        open_points=tuple(f"point {number}" for number in range(50)),
        places=(*LAB.places, Place("backup", "abroad", "s3.example.com", "US", "X Inc.", "US", (), "refused")),
    )
    page = render(many, date=DATE)["index.md"].decode()
    assert "… and 30 more" in page
    assert "abroad: is in US, controlled from US" in page


def test_green_is_only_what_is_declared_and_allowed() -> None:
    assert {status for status, paint in PAINT_OF.items() if paint == "well"} == {"allowed", "own"}
    assert [MARKS[status] for status in ("no data", "undeclared", "excepted")] == ["–", "?", "!"]
    rows = {row.text: row.status for box in graph_of(OSLO).countries for row in box.rows}
    [point] = [status for text, status in rows.items() if "exchange" in text]
    assert point == "no data"
    tenants = {row.text: row.status for row in graph_of(OSLO).tenants.rows}
    assert tenants["butikk: butikk-developers · controller not declared"] == "undeclared"


def test_a_tenant_with_a_declared_controller_is_green() -> None:
    data = stack_data("lab")
    butikk = {"name": "Butikketaten", "contact": "post@butikk.example.no"}
    data["processing"] = {"controllers": [{"tenant": "butikk", "controller": butikk}]}
    rows = {row.text: row.status for row in graph_of(evidence(data=data)).tenants.rows}
    assert rows["butikk: butikk-developers"] == "own"


def test_software_from_abroad_is_excepted_and_never_called_allowed() -> None:
    abroad = [one for one in OSLO.places if one.country == "US"]
    assert {one.status for one in abroad} == {"excepted"}
    assert all("until 2027-12-31" in one.excepted for one in abroad)


def test_every_exception_of_the_stack_file_is_in_the_evidence_with_its_day() -> None:
    data = stack_data("oslo")
    until = {"until": "2027-06-30", "reason": "the provider changes it in spring"}
    data["cluster"].setdefault("security", {})["exceptions"] = [{"setting": "audit-log", **until}]
    data["preflight"]["accept"] = [{"check": "path-mtu", "nodes": ["osl-w-1"], **until}]
    found = {(one.item, one.until) for one in evidence(name="oslo", data=data).exempt}
    assert ("security setting audit-log", "2027-06-30") in found
    assert ("preflight check path-mtu undecided on osl-w-1", "2027-06-30") in found


def test_a_place_that_only_the_record_names_is_not_shown_as_used() -> None:
    record = render(OSLO, date=DATE)["record-of-processing.md"].decode()
    [resolvers] = [line for line in record.splitlines() if line.startswith("| resolver.nordic-vds.example.no")][:1]
    assert "allowed; only declared: nothing that was read names it" in resolvers
    [quay] = [line for line in record.splitlines() if line.startswith("| quay.io")]
    assert "only declared" not in quay
