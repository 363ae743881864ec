"""What a node really asks must be at a declared place."""

from datetime import date
from typing import Any

import pytest

from components.nodes.preflight.facts import Survey
from components.nodes.preflight.verdict import CheckResult
from components.residency.asked import CHECKS, Declared, asked_findings
from components.stackfile.parsing import parse
from tests.support.stacks import ROOT, stack_data
from tests.support.surveys import fit_facts, table_of

TODAY = date(2026, 11, 26)
NAMES = ["osl-cp-1", "osl-w-1", "osl-w-2"]


def judged(data: dict[str, Any] | None = None, **facts: Any) -> dict[str, CheckResult]:
    """Rows of the first node by check, where the facts differ from good ones."""
    spec = parse(data or stack_data("lab"), base_dir=ROOT)
    surveys = [Survey(NAMES[0], {**fit_facts(NAMES[0], NAMES), **facts})]
    found = asked_findings(surveys, spec.nodes, spec.declared_hosts, TODAY)
    assert {row.node for row in found} == {NAMES[0]}
    return {row.check.id: row for row in found}


def test_declared_hosts_are_good_and_are_shown() -> None:
    rows = judged()
    assert {row.state for row in rows.values()} == {"ok"}
    assert rows["declared-resolvers"].measured == "192.0.2.53"
    assert rows["declared-registries"].measured == "registry.lab.example.no"


@pytest.mark.parametrize(
    ("check", "fact", "host", "purpose"),
    [
        ("declared-resolvers", {"dns_servers": {"servers": ["192.0.2.53", "8.8.8.8"]}}, "8.8.8.8", "dns"),
        ("declared-resolvers", {"dns_servers": {"servers": ["10.9.9.9"]}}, "10.9.9.9", "dns"),
        ("declared-time-servers", {"time_servers": {"servers": ["Ntp.Ubuntu.com."]}}, "ntp.ubuntu.com", "time"),
        ("declared-packages", {"package_hosts": {"hosts": ["deb.debian.org"]}}, "deb.debian.org", "package-repository"),
        ("declared-registries", {"image_hosts": {"hosts": ["registry-1.docker.io"]}}, "docker.io", "image-registry"),
    ],
)
def test_a_host_that_no_place_holds_stops_the_run(check: str, fact: Any, host: str, purpose: str) -> None:
    row = judged(**fact)[check]
    assert row.state == "fails"
    assert row.stops
    assert row.measured == f"{host} ({purpose}), which no declared place holds"
    assert f"purposes: [{purpose}]" in row.remedy


def test_a_place_for_another_purpose_or_abroad_does_not_count() -> None:
    data = stack_data("lab")
    data["residency"]["places"][0]["purposes"].remove("dns")
    assert "is declared for" in judged(data)["declared-resolvers"].measured
    data = stack_data("lab")
    google = {"name": "google", "networks": ["8.8.8.0/24"], "country": "US", "entity": "Google LLC"}
    data["residency"]["places"].append({**google, "entityCountry": "US", "purposes": ["dns"]})
    excuse = {"name": "dns", "place": "google", "reason": "the provider has no resolver yet"}
    for until, state in (("2026-11-26", "ok"), ("2026-11-25", "fails")):
        data["residency"]["exceptions"] = [{**excuse, "until": until}]
        assert judged(data, dns_servers={"servers": ["8.8.8.8"]})["declared-resolvers"].state == state


def test_what_was_not_read_is_undecided_and_a_time_service_that_does_not_run_yet_is_advice() -> None:
    for check, fact in (
        ("declared-resolvers", "dns_servers"),
        ("declared-packages", "package_hosts"),
        ("declared-registries", "image_hosts"),
    ):
        row = judged(**{fact: {"unknown": "it is not there"}})[check]
        assert row.undecided
        assert row.stops
    row = judged(time_servers={"unknown": "none of systemd-timesyncd, chronyd and ntpd runs"})["declared-time-servers"]
    assert (row.state, row.stops) == ("advice", False)


def test_the_node_itself_and_private_addresses_of_the_nodes_networks_need_no_place() -> None:
    assert judged(time_servers={"servers": ["127.127.1.0", "localhost", "::1"]})["declared-time-servers"].state == "ok"
    spec = parse(stack_data("lab"), base_dir=ROOT)
    survey = Survey(NAMES[0], fit_facts(NAMES[0], NAMES) | {"dns_servers": {"servers": ["10.1.0.2"]}})
    for networks, state in (((), "fails"), (("10.2.0.0/16",), "fails"), (("10.1.0.0/16",), "ok")):
        [row] = [
            row
            for row in asked_findings([survey], spec.nodes[:1], Declared(spec.residency, networks), TODAY)
            if row.check.id == "declared-resolvers"
        ]
        assert row.state == state


def test_sources_that_the_cluster_names_with_their_country_need_no_place() -> None:
    data = stack_data("lab")
    data["residency"]["places"][0]["hosts"] = ["localhost"]
    rows = judged(data)
    assert rows["declared-packages"].state == rows["declared-registries"].state == "ok"
    rows = judged(data, package_hosts={"hosts": ["packages.lab.example.no", "deb.debian.org"]})
    assert rows["declared-packages"].measured == "deb.debian.org (package-repository), which no declared place holds"


def test_a_node_that_did_not_answer_is_left_to_the_check_of_the_survey() -> None:
    spec = parse(stack_data("lab"), base_dir=ROOT)
    assert asked_findings([Survey(NAMES[0], {}, failure="silent")], spec.nodes, spec.declared_hosts, TODAY) == []


def test_the_how_to_has_the_table() -> None:
    table = table_of(CHECKS)
    assert table in (ROOT / "docs" / "howto" / "examine-nodes.md").read_text(encoding="utf-8"), f"write:\n{table}"
