"""What the doctor makes of what it saw: one judgement for the table, the JSON and the exit status."""

import json
from datetime import date
from typing import get_args

import pytest
from rich.console import Console

from components.nodes.model import AcceptedCheck, CheckId
from components.nodes.preflight.checks import CHECKS
from components.nodes.preflight.facts import Survey
from components.nodes.preflight.verdict import CheckResult, State
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


DRIFTED = Setting(key="net.ipv4.ip_forward", wanted="1", live="0", state="drifted")


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


BY_ID = {check.id: check for check in CHECKS}


def row(check: str, state: State) -> CheckResult:
    return CheckResult("osl-cp-1", BY_ID[check], state, "as it is")


@pytest.mark.parametrize(
    ("found", "converged", "advised"),
    [
        (row("kernel", "ok"), True, False),
        (row("kernel", "fails"), False, False),
        (row("path-mtu", "unknown"), False, False),
        (row("machine", "unproved"), False, False),
        (row("machine", "accepted"), True, False),
        (row("swap", "advice"), True, True),
        (row("steal", "advice"), True, True),
        (row("softnet", "advice"), True, True),
        (row("conntrack", "advice"), True, True),
        (row("conntrack-full", "advice"), False, True),
        (row("etcd-disk", "advice"), False, True),  # of a running etcd, so it stops no run
        (row("nic-ring", "unknown"), True, False),
    ],
)
def test_a_required_check_that_could_not_be_made_is_as_one_that_fails_and_advice_counts_if_strict(
    found: CheckResult, converged: bool, advised: bool
):
    diagnosis = Diagnosis((NodeStatus("osl-cp-1", "converged"),), (found,))
    assert (diagnosis.converged, diagnosis.advised) == (converged, advised)
    assert document_of(diagnosis)["advice"] is advised


def test_what_the_stack_file_accepts_until_a_day_is_converged_until_then():
    readings = {node.name: reading("converged") for node in LAB.nodes}
    facts = {"machine": {"container": "systemd-nspawn", "said_by": "systemd-detect-virt"}}
    nodes = [LAB.nodes[0].model_copy(update={"machine": "container"})]
    accept = [
        AcceptedCheck.model_validate({"check": name, "until": "2026-11-26", "reason": "a machine of a lab"})
        for name in get_args(CheckId)
    ]
    fleet = Fleet(readings, (Survey("osl-cp-1", facts),))
    for day, converged in ((26, True), (27, False)):
        found = diagnose(fleet, nodes, LAB.node_requirements, accept, today=date(2026, 11, day))
        assert found.converged is converged


def test_a_gateway_that_does_not_answer_is_not_converged():
    statuses = (NodeStatus("osl-cp-1", "converged"),)
    assert not Diagnosis(statuses, (), (GatewayFinding("gateway", "fails", "no answer", "look"),)).converged


def test_a_cluster_that_cannot_be_asked_is_not_converged():
    statuses = (NodeStatus("osl-cp-1", "converged"),)
    dark = GatewayFinding("gateway", "unknown", "the cluster could not be asked", "bring it up")
    assert not Diagnosis(statuses, (), (dark,)).converged


def test_a_cluster_that_is_yet_to_be_made_is_no_failure():
    statuses = (NodeStatus("osl-cp-1", "converged"),)
    yet = GatewayFinding("gateway", "advice", "no cluster yet", "pulumi up")
    assert Diagnosis(statuses, (), (yet,)).converged


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
