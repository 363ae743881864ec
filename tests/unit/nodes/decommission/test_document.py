"""The document that a node is decommissioned by."""

import json

import pytest
from pydantic import ValidationError

from components.nodes.decommission.document import FILES_ON_NODE, Decommission, decommission_document
from components.nodes.settings.script import node_script
from tests.support.stacks import problems, stack, stack_data

SPEC = stack("lab")
SCRIPT = node_script(SPEC.nodes[0], SPEC.node_requirements)


def document() -> str:
    return decommission_document(
        SPEC.nodes[0], SPEC.ssh, script=SCRIPT, gateway_namespace="gw", kubeconfig="hush1", private_key="hush2"
    )


def test_what_is_written_is_what_is_read():
    read = Decommission.model_validate_json(document())
    assert (read.node, read.address, read.host_key) == ("osl-cp-1", "192.0.2.11", SPEC.nodes[0].host_key)
    assert (read.kubeconfig.get_secret_value(), read.private_key.get_secret_value()) == ("hush1", "hush2")
    assert read.script == SCRIPT


def test_the_same_facts_are_the_same_bytes():
    assert document() == document()


def test_secrets_are_not_shown():
    assert "hush" not in repr(Decommission.model_validate_json(document()))
    broken = json.loads(document()) | {"privateKey": ["hush2"]}
    with pytest.raises(ValidationError) as caught:
        Decommission.model_validate(broken)
    assert "hush" not in str(caught.value)


def test_a_document_of_a_newer_version_is_read_as_far_as_it_is_known():
    assert Decommission.model_validate(json.loads(document()) | {"later": 1}).node == "osl-cp-1"


def test_what_is_said_to_be_left_is_what_the_script_writes():
    for path in FILES_ON_NODE:
        assert path in SCRIPT


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"whenUnreachable": "ignore"}, "nodes[osl-cp-1].whenUnreachable: 'ignore' is not one of the choices"),
        ({"drainSeconds": 3601}, "nodes[osl-cp-1].drainSeconds: '3601' is out of range: write a number from 0 to 3600"),
        ({"drainSeconds": -1}, "nodes[osl-cp-1].drainSeconds: '-1' is out of range: write a number from 0 to 3600"),
    ],
)
def test_a_wrong_wish_is_refused(change, remedy):
    data = stack_data("lab")
    data["nodes"][0] |= change
    [problem] = problems(data)
    assert remedy in problem
