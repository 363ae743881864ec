"""What the doctor makes of what it saw: one judgement for the table, the JSON and the exit status."""

import json

import pytest
from rich.console import Console

from components.nodes.preflight.facts import Survey
from components.nodes.preflight.verdict import CheckResult
from components.nodes.reading import Fleet
from components.nodes.settings.drift import UnreachableNode
from components.nodes.settings.readback import Readback, Setting
from tests.support.stacks import stack
from vds.doctor.command import table
from vds.doctor.diagnosis import Diagnosis, GatewayFinding, NodeStatus, diagnose, document_of

LAB = stack("lab")


def reading(verdict: str, *settings: Setting) -> Readback:
    return Readback("osl-cp-1", "6.1", False, "2026-11-21T00:00:00Z", settings, {}, {}, {}, verdict)


def of(first: Readback | UnreachableNode) -> Diagnosis:
    rest = {node.name: reading("converged") for node in LAB.nodes[1:]}
    return diagnose(Fleet({"osl-cp-1": first, **rest}), LAB.nodes, LAB.node_requirements)


def test_converged_nodes_are_converged():
    found = of(reading("converged"))
    assert found.converged
    assert found.to_fix == ()


DRIFTED = Setting("net.ipv4.ip_forward", "1", "0", "drifted")


@pytest.mark.parametrize(
    ("first", "said", "to_fix"),
    [
        (reading("drifted", DRIFTED), "drifted: net.ipv4.ip_forward is 0, wanted 1", ("osl-cp-1",)),
        (reading("outdated"), "outdated", ("osl-cp-1",)),
        (reading("absent"), "absent", ("osl-cp-1",)),
        (
            UnreachableNode("192.0.2.11 port 22 could not be reached"),
            "unread: 192.0.2.11 port 22 could not be reached",
            (),
        ),
    ],
)
def test_what_is_not_converged_says_why_and_whether_a_run_would_help(first, said, to_fix):
    found = of(first)
    assert not found.converged
    assert str(found.nodes[0]) == said
    assert found.to_fix == to_fix


def test_a_failing_check_is_not_converged_and_advice_is():
    kernel = {"release": "4.9.0", "btf": False, "options": {}}
    surveys = (Survey("osl-cp-1", {"kernel": kernel}),)
    readings = {node.name: reading("converged") for node in LAB.nodes}
    assert not diagnose(Fleet(readings, surveys), LAB.nodes, LAB.node_requirements).converged
    swap = (Survey("osl-cp-1", {"memory": {"bytes": 2**34, "swap_bytes": 2**30}}),)
    assert diagnose(Fleet(readings, swap), LAB.nodes, LAB.node_requirements).converged


def test_a_gateway_that_does_not_answer_is_not_converged():
    statuses = (NodeStatus("osl-cp-1", "converged"),)
    assert not Diagnosis(statuses, (), (GatewayFinding("gateway", "fails", "no answer", "look"),)).converged


def test_a_cluster_that_cannot_be_asked_is_not_converged():
    statuses = (NodeStatus("osl-cp-1", "converged"),)
    dark = GatewayFinding("gateway", "unknown", "the cluster could not be asked", "bring it up")
    assert not Diagnosis(statuses, (), (dark,)).converged


def test_a_cluster_that_is_yet_to_be_made_and_a_fact_that_cannot_be_had_are_no_failures():
    statuses = (NodeStatus("osl-cp-1", "converged"),)
    unknown = CheckResult("osl-cp-1", "etcd-disk", "unknown", "fio is not installed")
    yet = GatewayFinding("gateway", "advice", "no cluster yet", "pulumi up")
    assert Diagnosis(statuses, (unknown,), (yet,)).converged


def test_a_node_that_could_not_be_surveyed_is_not_converged():
    readings = {node.name: reading("converged") for node in LAB.nodes}
    surveys = (Survey("osl-cp-1", {}, failure="it did not end its reading in time"),)
    assert not diagnose(Fleet(readings, surveys), LAB.nodes, LAB.node_requirements).converged


def test_only_where_no_node_could_be_read_nothing_was_seen():
    dark = UnreachableNode("could not be reached")
    assert not of(dark).all_unread
    assert diagnose(Fleet({node.name: dark for node in LAB.nodes}), LAB.nodes, LAB.node_requirements).all_unread


def test_the_json_says_what_the_page_says():
    found = of(reading("drifted", DRIFTED))
    document = json.loads(json.dumps(document_of(found)))
    assert document["nodes"]["osl-cp-1"]["drifted"] == ["net.ipv4.ip_forward is 0, wanted 1"]
    assert document["converged"] is False
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table(found))
    text = console.export_text()
    assert "net.ipv4.ip_forward is 0, wanted 1" in text
    assert "not converged" in text
