"""What the program declares so that a node can be decommissioned when it is no longer there to ask."""

import json

import pytest

from components.core.names import PYTHON
from components.nodes.decommission.document import Decommission
from tests.support.bootstraps import SECRETS as BOOTSTRAP_SECRETS
from tests.support.bootstraps import bootstrap_data
from tests.support.program import ADMIN, SECRETS, committed, run_program
from tests.support.stacks import ROOT, existing_data, stack, stack_data


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_every_node_has_a_setup_that_nothing_undoes_and_a_decommission_that_is_deleted_before_it(name):
    program = committed(name)
    setups = {item.parent: item for item in program.of("remote:Command") if item.name.endswith("-setup")}
    commands = {item.parent: item for item in program.decommissions}
    assert len(setups) == len(stack(name).nodes)
    assert set(setups) == set(commands)
    for parent, command in commands.items():
        assert "delete" not in setups[parent].inputs
        assert setups[parent].urn in command.depends_on
        assert command.inputs["delete"].endswith("vds decommission")
        assert command.inputs["create"].endswith("vds recommission")


def test_all_that_a_decommission_knows_is_one_secret_document_on_standard_input():
    spec = stack("oslo")
    for command in run_program("oslo", existing_data()).decommissions:
        document = json.loads(command.inputs["stdin"])
        node = next(node for node in spec.nodes if node.name == document["node"])
        assert document["hostKey"] == node.host_key
        assert document["address"] == str(node.address)
        assert document["gatewayNamespace"] == spec.gateway.namespace
        assert (document["whenUnreachable"], document["drainSeconds"]) == ("fail", 300)
        assert document["script"].endswith('main "$@"\n')
        assert command.secret_inputs == {"stdin"}
        others = {key: value for key, value in command.inputs.items() if key != "stdin"}
        assert set(others) == {"create", "delete", "addPreviousOutputInEnv", "logging"}
        assert others["addPreviousOutputInEnv"] is True, "it is how the cluster's UID reaches the deletion"
        assert others["logging"] == "stderr"
        for secret in SECRETS.values():
            assert secret in document.values()
            assert secret not in str(others)


def test_consent_and_patience_come_from_the_stack_file():
    data = stack_data("lab")
    data["nodes"][2] |= {"whenUnreachable": "abandon", "drainSeconds": 0}
    documents = [json.loads(item.inputs["stdin"]) for item in run_program("lab", data).decommissions]
    found = {item["node"]: (item["whenUnreachable"], item["drainSeconds"]) for item in documents}
    assert found == {"osl-cp-1": ("fail", 300), "osl-w-1": ("fail", 300), "osl-w-2": ("abandon", 0)}


def test_a_node_of_a_cluster_made_here_is_drained_by_its_kubeconfig_and_before_it_is_reset():
    program = run_program("oslo", bootstrap_data(), kubeconfig=None, **BOOTSTRAP_SECRETS)
    members = {item.urn for item in program.of("remote:Command") if item.name.endswith("-membership")}
    commands = program.decommissions
    assert {item.name for item in commands} == {
        urn.rpartition("::")[2].replace("membership", "decommission") for urn in members
    }
    for command in commands:
        assert members <= command.depends_on
        assert json.loads(command.inputs["stdin"])["kubeconfig"] == ADMIN
        assert command.secret_inputs == {"stdin"}


def test_what_the_cluster_has_of_a_node_stays_in_the_state_while_the_node_may_not_leave():
    """Made anew by the next update, it would wait for a node that does not answer."""
    program = run_program("oslo", bootstrap_data(), kubeconfig=None, **BOOTSTRAP_SECRETS)
    patches = {item.urn for item in program.of(":NodePatch")}
    assert len(patches) == 2 * len(program.decommissions)
    for command in program.decommissions:
        assert patches <= command.depends_on


def test_what_has_pods_goes_before_any_node_leaves():
    for program in (run_program("oslo", bootstrap_data(), kubeconfig=None, **BOOTSTRAP_SECRETS), committed("lab")):
        decommissions = {item.urn for item in program.decommissions}
        for part in ("Registrations", "MetalLb", "Gateway"):
            made = [item for item in program.resources.values() if f":{part}$" in item.urn and item.custom]
            assert made
            for item in made:
                assert decommissions <= program.needed_by(item.urn), item.urn


def test_the_note_in_the_cluster_names_the_nodes_and_goes_before_any_of_them():
    program = committed("lab")
    note = next(item for item in program.of("core/v1:ConfigMap") if item.name == "record-nodes")
    assert note.inputs["metadata"]["namespace"] == "kube-system"
    assert note.inputs["metadata"]["name"] == "vds-platform"
    assert note.inputs["data"] == {"environment": "lab", "nodes": '["osl-cp-1", "osl-w-1", "osl-w-2"]'}
    assert {item.urn for item in program.decommissions} <= note.depends_on
    assert {item.urn for item in program.of("remote:Command") if item.name.endswith("-setup")} <= note.depends_on


def test_the_interpreter_is_where_the_project_has_its_environment():
    assert f"virtualenv: {PYTHON.partition('/')[0]}\n" in (ROOT / "Pulumi.yaml").read_text()


def test_every_command_goes_through_the_bastion_by_sudo_and_so_does_the_decommission():
    data = bootstrap_data()
    key = data["nodes"][0]["hostKey"]
    data["ssh"] = {"user": "debian", "bastion": {"host": "bastion.example.no", "user": "jump", "hostKey": key}}
    data["nodes"][0] |= {"sshAddress": "203.0.113.11", "sshPort": 2211}
    program = run_program("oslo", data)
    commands = {item.name: item for item in program.of("remote:Command")}
    for item in commands.values():
        proxy = item.inputs["connection"]["proxy"]
        assert (proxy["host"], proxy["user"], proxy["port"], proxy["hostKey"]) == (
            "bastion.example.no",
            "jump",
            22,
            key,
        )
        for verb in ("create", "update", "delete"):
            line = item.inputs.get(verb, "true")
            assert line == "true" or "; sudo -n " in line
    connection = commands["osl-cp-1-setup"].inputs["connection"]
    assert (connection["host"], connection["port"], connection["user"]) == ("203.0.113.11", 2211, "debian")
    assert commands["osl-cp-2-setup"].inputs["connection"]["host"] == "198.51.100.12"
    [document] = [item for item in program.of("local:Command") if item.name == "osl-cp-1-decommission"]
    read = Decommission.model_validate_json(document.inputs["stdin"])
    assert (read.address, read.port, read.user) == ("203.0.113.11", 2211, "debian")
    assert read.bastion.host_key == key
