"""What nodes really ask is compared with the record."""

from typing import Any

import pytest

from components.nodes.preflight.facts import Kept, Survey, dump
from tests.support.evidence import evidence
from tests.support.stacks import stack, stack_data
from tests.support.surveys import fit_facts
from vds.evidence.contents import render
from vds.evidence.model import Evidence
from vds.evidence.node_facts import read_facts
from vds.shared.errors import OperationError

NODES = [node.name for node in stack("lab").nodes]
READ = 1_795_000_000


def read(**changed: Any) -> Kept:
    """Facts of every node, in which the first has something else."""
    first, *others = NODES
    surveys = [
        Survey(first, {**fit_facts(first, NODES), **changed}),
        *(Survey(name, fit_facts(name, NODES)) for name in others),
    ]
    return Kept(tuple(surveys), None, READ)


def standing(found: Evidence) -> dict[tuple[str, str], str]:
    return {(place.kind, place.location): place.status for place in found.places}


def test_what_the_nodes_ask_stands_in_the_record_with_its_place() -> None:
    found = evidence(kept=read())
    rows = standing(found)
    assert rows["dns", "192.0.2.53"] == rows["time", "192.0.2.123"] == "allowed"
    assert rows["package-repository", "packages.lab.example.no"] == "allowed"
    assert found.verdict == "holds"
    assert found.nodes_read_at == "2026-11-18T11:06:40Z"
    [resolver] = [place for place in found.places if place.location == "192.0.2.53"]
    assert resolver.seen_in == tuple(f"node {name}: read of it" for name in sorted(NODES))


@pytest.mark.parametrize(
    ("fact", "kind", "host"),
    [
        ({"dns_servers": {"servers": ["8.8.8.8"]}}, "dns", "8.8.8.8"),
        ({"dns_servers": {"servers": ["2001:4860:4860::8888"]}}, "dns", "2001:4860:4860::8888"),
        ({"time_servers": {"servers": ["2.Debian.pool.ntp.org."]}}, "time", "2.debian.pool.ntp.org"),
        ({"package_hosts": {"hosts": ["deb.debian.org"]}}, "package-repository", "deb.debian.org"),
    ],
)
def test_one_node_that_asks_an_undeclared_host_leaves_the_evidence_undecided(
    fact: dict[str, Any], kind: str, host: str
) -> None:
    found = evidence(kept=read(**fact))
    assert standing(found)[kind, host] == "undeclared"
    assert found.verdict == "undecided"
    assert any(line.startswith(f"{kind} {host}: its country and controller's country") for line in found.undecided)


def test_a_host_at_a_place_abroad_is_excepted_only_with_an_exception() -> None:
    data = stack_data("lab")
    google = {"name": "google", "hosts": [], "networks": ["8.8.8.0/24"], "country": "US", "entity": "Google LLC"}
    data["residency"]["places"].append({**google, "entityCountry": "US", "purposes": ["dns"]})
    until = {"until": "2027-06-30", "reason": "the provider has no resolver yet"}
    data["residency"]["exceptions"] = [{"name": "dns", "place": "google", **until}]
    found = evidence(data=data, kept=read(dns_servers={"servers": ["8.8.8.8"]}))
    assert standing(found)["dns", "8.8.8.8"] == "excepted"


def test_a_place_that_is_declared_for_something_else_is_an_open_point() -> None:
    data = stack_data("lab")
    data["residency"]["places"][0]["purposes"].remove("package-repository")
    found = evidence(data=data, kept=read())
    assert (
        "node osl-cp-1: asks packages.lab.example.no for package-repository, and place 'this-machine' is declared for "
        in str(found.open_points)
    )


def test_a_fact_or_a_node_that_was_not_read_is_an_open_point() -> None:
    unread = read(time_servers={"unknown": "none of systemd-timesyncd, chronyd and ntpd runs"})
    found = evidence(kept=unread._replace(surveys=unread.surveys[:2]))
    first, _, last = NODES
    assert f"node {first}: its time servers are not known: none of systemd-timesyncd" in str(found.open_points)
    assert f"node {last}: the facts have nothing of it: run vds doctor --facts again" in found.open_points
    failed = Kept((Survey(first, {}, failure="refuses the connection"), *read().surveys[1:]), None, READ)
    assert f"node {first}: its dns servers are not known: refuses the connection" in evidence(kept=failed).open_points


def test_what_is_on_the_node_itself_is_no_place() -> None:
    found = evidence(kept=read(time_servers={"servers": ["127.127.1.0", "localhost", "::1"]}))
    assert not {"127.127.1.0", "localhost", "::1"} & {place.location for place in found.places if place.kind == "time"}


def test_without_facts_the_pages_say_that_the_nodes_were_not_asked() -> None:
    files = {name: text.decode(errors="replace") for name, text in render(evidence(), date="today").items()}
    assert "as declared: the nodes were not asked" in files["index.md"]
    assert "The nodes were not asked: their resolvers" in files["record-of-processing.md"]
    files = {name: text.decode(errors="replace") for name, text in render(evidence(kept=read()), date="today").items()}
    assert "read of the nodes at 2026-11-18T11:06:40Z" in files["index.md"]
    assert "The nodes were not asked" not in files["record-of-processing.md"]


def test_a_facts_file_is_read_whatever_its_age_and_refused_if_it_was_changed_or_is_of_another_stack() -> None:
    text = dump(read().surveys, environment="lab", made_at=READ)
    assert read_facts(text, "f", environment="lab", now=READ + 10**9).made_at == READ
    with pytest.raises(OperationError, match=r"--facts f: .*of lab, this stack is oslo"):
        read_facts(text, "f", environment="oslo", now=READ)
    with pytest.raises(OperationError, match=r"--facts f: .*the file was changed"):
        read_facts(text.replace("192.0.2.53", "192.0.2.54"), "f", environment="lab", now=READ)
