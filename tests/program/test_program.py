"""The program itself, under mocks: what it declares, in which order, and what it keeps secret."""

import datetime
import json

import pulumi
import pytest
import yaml

from components.core.labels import WAITED_FOR
from components.nodes.reading import Fleet
from components.pools.admission import Question
from components.pools.announced import Wait
from components.pools.without_bgp import Removal
from components.stackfile.parsing import SpecError
from lab import router
from tests.support.bootstraps import bootstrap_data
from tests.support.golden import assert_golden
from tests.support.kubeconfigs import client_user, kubeconfig
from tests.support.program import SECRETS, committed, run_program
from tests.support.stacks import ROOT, existing_data, stack, stack_data


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_resources_names_are_what_they_were(name):
    assert_golden(f"{name}-urns.txt", "".join(f"{urn}\n" for urn in sorted(committed(name).resources)))


def test_a_node_is_one_command_over_a_verified_connection():
    spec = stack("oslo")
    commands = run_program("oslo", existing_data()).of("remote:Command")
    assert len(commands) == len(spec.nodes)
    for command in commands:
        connection = command.inputs["connection"]
        node = next(node for node in spec.nodes if str(node.address) == connection["host"])
        assert connection["hostKey"] == node.host_key
        assert connection["perDialTimeout"] * connection["dialErrorLimit"] <= 15
        assert "triggers" not in command.inputs, "a changed trigger may replace, and a replaced node is decommissioned"


def test_a_stack_over_shared_settings_is_a_whole_platform():
    folder = "examples/two-environments"
    text = (ROOT / folder / "Pulumi.bergen.yaml").read_text(encoding="utf-8")
    spec = yaml.safe_load(text)["config"]["vds-platform:spec"]
    state = "s3://vds-state?endpoint=state.example.no"
    shared = f"{folder}/defaults.yaml"
    program = run_program(
        "bergen", {**spec, "cluster": {"kind": "existing", "kubernetesVersion": "1.36"}}, backend=state, defaults=shared
    )
    assert {"bgo-cp-1", "bgo-w-1", "bgo-w-2"} <= set(program.outputs["nodes"])
    with pytest.raises(SpecError, match=r"'nope\.yaml' can't be read"):
        run_program("bergen", spec, backend=state, defaults="nope.yaml")


def test_a_stack_that_has_not_its_environments_name_is_refused():
    with pytest.raises(SpecError, match="environment: oslo, but the stack is bergen"):
        run_program("bergen", stack_data("oslo"), backend="s3://vds-state?endpoint=state.example.no")


def test_the_script_is_on_standard_input_and_not_in_argv():
    for command in run_program("oslo", existing_data()).of("remote:Command"):
        assert "forget_unwanted" in command.inputs["stdin"]
        for verb in ("create", "update"):
            assert len(command.inputs[verb]) < 60


def test_both_secrets_stay_secret():
    program = run_program("oslo", existing_data())
    for command in program.of("remote:Command"):
        assert command.secret_inputs == {"connection"}, "the SDK hides it whole"
    (provider,) = program.of("pulumi:providers:kubernetes")
    assert "kubeconfig" in provider.secret_inputs


def test_no_secret_is_exported_or_logged():
    program = run_program("oslo", existing_data())
    for secret in SECRETS.values():
        assert secret not in str(program.outputs)
        assert secret not in str(program.log)


def test_everything_goes_to_a_provider_of_the_programs_own():
    program = committed("oslo")
    for resource in program.resources.values():
        if resource.type.startswith("kubernetes:"):
            assert "::cluster::" in resource.provider
        if resource.type.startswith("command:"):
            assert "::ssh::" in resource.provider


def test_another_kubeconfig_for_the_same_cluster_replaces_nothing():
    (provider,) = committed("oslo").of("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == "oslo"


def test_what_somebody_reads_is_changed_in_place():
    (provider,) = committed("lab").of("pulumi:providers:kubernetes")
    assert provider.inputs["enableConfigMapMutable"] == "true"
    assert provider.inputs["enableSecretMutable"] == "true"


def test_the_network_waits_for_every_node_and_registrations_wait_for_the_network():
    program = committed("lab")
    release = next(item for item in program.of("helm.sh/v3:Release") if item.name == "cni-cilium")
    members = {command.urn for command in program.of("remote:Command") if command.name.endswith("-membership")}
    agents = next(item for item in program.of("DaemonSetPatch") if item.name == "cni-agents-cilium")
    assert {release.urn, *members} <= agents.depends_on
    (operator,) = program.of("DeploymentPatch")
    assert (operator.inputs["metadata"]["name"], operator.depends_on) == ("cilium-operator", agents.depends_on)
    (kind,) = [item for item in program.resources.values() if item.name == "registrations-kind"]
    assert {release.urn, agents.urn, operator.urn} <= kind.depends_on


def test_every_node_of_a_cluster_that_kubeadm_makes_is_waited_for_until_it_is_ready():
    program = committed("lab")
    (release,) = [item for item in program.of("helm.sh/v3:Release") if item.name == "cni-cilium"]
    members = {command.urn for command in program.of("remote:Command") if command.name.endswith("-membership")}
    waits = [item for item in program.of(":NodePatch") if item.name.startswith("cni-node-")]
    assert {item.inputs["metadata"]["name"] for item in waits} == {node.name for node in stack("lab").nodes}
    for item in waits:
        ready, written = json.loads(item.inputs["metadata"]["annotations"]["pulumi.com/waitFor"])
        assert ready == "condition=Ready"
        assert written == "jsonpath={.metadata.annotations['vds-platform.no/waited-for']}=ready"
        assert {release.urn, *members} <= item.depends_on, "without a CNI no node becomes ready"
        assert item.retained, "a patch that is taken back makes a Node that is gone anew"
        assert item.wait == "600s"
    existing = run_program("oslo", existing_data()).of(":NodePatch")
    assert not [item for item in existing if item.name.startswith("cni-node-")], "who joins it, waits for it"


def placements(program):
    found = [item for item in program.of(":NodePatch") if item.name.startswith("placement-")]
    return {item.name.removeprefix("placement-"): item for item in found}


def test_no_label_is_taken_from_a_node_of_the_platforms_own_cluster_when_it_leaves():
    """The provider takes fields back without looking whether the Node is there: one that is gone, it makes anew."""
    found = placements(committed("lab"))
    assert set(found) == {node.name for node in stack("lab").nodes}, "so that the last label goes by an update"
    assert all(item.retained for item in found.values())
    assert any("labels" not in item.inputs["metadata"] for item in found.values())


def test_labels_are_taken_from_a_node_of_another_cluster_before_it_leaves():
    """It stays a member there. The engine deletes first what depends on others."""
    found = placements(run_program("oslo", existing_data()))
    assert found
    for node, item in found.items():
        assert not item.retained
        assert any(urn.endswith(f"::{node}-decommission") for urn in item.depends_on)
        assert item.inputs["metadata"].get("labels") or "spec" in item.inputs


def test_in_a_cluster_that_exists_the_network_waits_for_every_node():
    program = run_program("oslo", existing_data())
    nodes = {item.urn for item in program.resources.values() if item.type.endswith(":Command")}
    later = ("announced-wait", "metallb-webhook", "metallb-without-bgp")
    nodes -= {item.urn for item in program.of("local:Command") if item.name in later}
    release = next(item for item in program.of("helm.sh/v3:Release") if item.name == "cni-cilium")
    assert len(nodes) == 2 * len(stack("oslo").nodes)
    assert nodes <= release.depends_on


def test_what_waits_for_pods_says_which_of_them_do_not_run_when_it_fails():
    program = committed("lab")
    explained = {item.name for item in program.resources.values() if item.on_error == ("explain-failure",)}
    assert {
        "cni-cilium",
        "cni-agents-cilium",
        "metallb-chart",
        "gateway-traefik-deployment",
        "gateway-gateway",
    } <= explained
    assert {f"cni-node-{node.name}" for node in stack("lab").nodes} <= explained
    assert not [name for name in explained if name.endswith(("-namespace", "-setup", "-membership"))]


def test_a_run_ends_when_a_node_announces_the_gateways_address():
    program = committed("lab")
    (wait,) = [item for item in program.of("local:Command") if item.name == "announced-wait"]
    assert any(":Gateway::gateway-gateway" in urn for urn in wait.depends_on)
    assert wait.secret_inputs == {"stdin"}
    document = Wait.model_validate_json(wait.inputs["stdin"])
    assert (document.namespace, document.gateway, document.owner) == ("gateway-system", "public", "metallb")
    assert document.ports == (80, 443)
    assert "delete" not in wait.inputs


def test_no_connection_is_made_from_a_machine_that_cannot_reach_the_address():
    data = stack_data("lab")
    data["gateway"]["connect"] = False
    (wait,) = [item for item in run_program("lab", data).of("local:Command") if item.name == "announced-wait"]
    assert Wait.model_validate_json(wait.inputs["stdin"]).ports == ()


def test_pools_are_made_when_the_webhook_of_metallb_answers():
    program = committed("lab")
    (wait,) = [item for item in program.of("local:Command") if item.name == "metallb-webhook"]
    assert wait.secret_inputs == {"stdin"}
    question = Question.model_validate_json(wait.inputs["stdin"])
    assert question.manifest["kind"] == "IPAddressPool"
    assert any(urn.endswith("::metallb-chart") for urn in wait.depends_on)


def test_peers_are_removed_before_the_speakers_of_a_stack_that_announces_nothing_by_bgp():
    """The engine deletes them after all updates, and a speaker without FRR refuses its configuration until then."""
    with_bgp = stack_data("lab")
    router.announce(with_bgp)
    for program, bgp in ((committed("lab"), False), (run_program("lab", with_bgp), True)):
        (removal,) = [item for item in program.of("local:Command") if item.name == "metallb-without-bgp"]
        (chart,) = [item for item in program.of(":Release") if item.name == "metallb-chart"]
        assert removal.urn in chart.depends_on
        # Declared with BGP too: after an update to BGP that failed, the way back is a change, and it runs.
        assert Removal.model_validate_json(removal.inputs["stdin"]).bgp is bgp
        assert removal.secret_inputs == {"stdin"}


@pytest.mark.parametrize(
    ("name", "chart"), [("cni-agents-cilium", "cni-cilium"), ("metallb-pods-metallb-speaker", "metallb-chart")]
)
def test_pods_on_every_node_are_waited_for_again_with_every_revision_of_their_chart(name, chart):
    """After an update that failed, the values of before are what was waited for already."""
    program = committed("lab")
    (wait,) = [item for item in program.of(":DaemonSetPatch") if item.name == name]
    assert wait.inputs["metadata"]["annotations"][WAITED_FOR].endswith("-7")
    assert any(urn.endswith(f"::{chart}") for urn in wait.depends_on)
    assert wait.wait == "600s"
    assert wait.on_error == ("explain-failure",)
    assert wait.retained, "the chart has removed the DaemonSet first, and a patch that is taken back makes it anew"


def test_every_child_belongs_to_its_component():
    for resource in committed("oslo").resources.values():
        if resource.type.startswith(("kubernetes:", "command:")):
            assert "vds-platform:index:" in resource.parent


def test_the_lab_and_production_install_by_the_same_kinds():
    programs = {name: committed(name) for name in ("lab", "oslo")}
    installed = {
        name: sorted(
            f"{item.type} {item.inputs.get('name') or item.name}"
            for item in program.resources.values()
            if item.type.endswith((":Release", ":Deployment", ":DaemonSetPatch")) and "envoy" not in item.name
        )
        for name, program in programs.items()
    }
    assert installed["lab"] == installed["oslo"]
    assert len(installed["lab"]) == 5
    for release in (item.inputs for program in programs.values() for item in program.of("helm.sh/v3:Release")):
        assert release["version"]


def test_the_pod_mtu_is_exported_with_its_arithmetic():
    network = committed("lab").outputs["network"]
    assert network["podMtu"] == 1450
    assert network["podMtuBecause"] == "1500 − 50 (VXLAN) = 1450"


def test_every_nodes_read_back_is_exported():
    assert set(committed("oslo").outputs["nodes"]) == {node.name for node in stack("oslo").nodes}


def test_a_node_nobody_reads_keeps_the_command_that_the_state_has():
    for command in committed("lab").of("remote:Command"):
        ignored = {"setup": ("update",), "membership": ("stdin",), "kubeconfig": ("stdin",)}.get(
            command.name.rpartition("-")[2], ()
        )
        assert command.ignore_changes == ignored


def test_a_bad_stack_file_declares_nothing_and_is_one_readable_error():
    data = stack_data("lab")
    data["nodes"][0]["country"] = "DE"
    data["cni"]["podMtu"] = 1500
    with pytest.raises(pulumi.RunError) as caught:
        run_program("lab", data)
    assert isinstance(caught.value, SpecError)
    assert str(caught.value).startswith("the stack file has 2 problems; nothing was changed:\n  cni.podMtu: 1500")


def test_missing_secrets_are_said_with_the_command_that_sets_them():
    data = stack_data("lab")
    with pytest.raises(SpecError) as caught:
        run_program("lab", data, sshPrivateKey=None)
    assert "pulumi config set --secret vds-platform:sshPrivateKey" in str(caught.value)


def test_a_firewall_is_confirmed_by_a_second_connection_before_anything_else_needs_the_node():
    data = bootstrap_data() | {"nodeFirewall": {"operators": ["203.0.113.0/24"]}}
    program = run_program("oslo", data)
    commands = {item.name: item for item in program.of("remote:Command")}
    for node in data["nodes"]:
        setup, firewall = commands[f"{node['name']}-setup"], commands[f"{node['name']}-firewall"]
        assert firewall.inputs["create"].endswith("sh -s confirm")
        assert setup.urn in firewall.depends_on
        assert firewall.urn in commands[f"{node['name']}-packages"].depends_on
        assert "table inet vds_platform" in setup.inputs["stdin"]


@pytest.fixture
def silent(monkeypatch):
    """Nodes are not read, and the cluster's API server does not run; gives the kubeconfig until a day."""
    monkeypatch.setattr("components.nodes.reading.read_fleet", lambda *_, **__: Fleet({}))

    def until(days):
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        found = kubeconfig({"server": "https://127.0.0.1:1"}, client_user(ends))
        monkeypatch.setattr("tests.support.program.ADMIN", found)
        return found

    return until


def test_a_preview_with_a_certificate_that_has_ended_fails_and_says_what_to_do(silent):
    """`make chaos`: with certificates of a year ago a preview waited for eight minutes, and was cut off."""
    silent(-1)
    said = (
        r"the cluster can't be changed: https://127.0.0.1:1: Connection refused; the kubeconfig's client certificate "
    )
    with pytest.raises(pulumi.RunError, match=said + r".* ended on .*: run `kubeadm certs renew all`"):
        run_program("oslo", bootstrap_data(), preview=True, readNodes="true")


@pytest.mark.parametrize(("days", "warned"), [(29, True), (31, False)])
def test_a_preview_warns_before_the_administrators_certificate_ends(silent, days, warned):
    silent(days)
    program = run_program("oslo", bootstrap_data(), preview=True, readNodes="true")
    said = "the kubeconfig's client certificate of CN=kubernetes-admin ends on "
    lines = [line for line in program.log if said in line]
    assert bool(lines) == warned
    assert all("read the new kubeconfig before that day" in line for line in lines)


def test_a_preview_does_not_wait_for_an_api_server_that_does_not_run(silent):
    found = silent(1)
    program = run_program("oslo", bootstrap_data(), preview=True, readNodes="true")
    said = "this preview does not compare what is in the cluster: https://127.0.0.1:1: Connection refused: on each"
    assert [line for line in program.log if said in line]
    [provider] = program.of("pulumi:providers:kubernetes")
    assert provider.inputs.get("kubeconfig") != found
