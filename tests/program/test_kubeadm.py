"""The program on a stack whose cluster kubeadm makes: order, names, and what stays secret."""

import itertools
import json

import pytest

from components.kubeadm.credentials import Credentials
from components.kubeadm.render import packages
from components.kubeadm.upgrade.reading import NodeVersions
from components.nodes.reading import Fleet
from components.stackfile.parsing import SpecError
from policies.engine import ENGINE_POLICIES
from tests.support.bootstraps import CA_KEY, CREDENTIALS, ENCRYPTION_KEY, authority, bootstrap, bootstrap_data
from tests.support.golden import assert_golden
from tests.support.judged import shown
from tests.support.policy import violations
from tests.support.program import ADMIN, Declared, Program, committed, run_program
from tests.support.stacks import existing_data

OTHER = Credentials("xyz789.fedcba9876543210", "ab" * 32, "cd" * 32)


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """What the runs of a test draw: CREDENTIALS, or what is set here."""
    found = [CREDENTIALS]
    monkeypatch.setattr(Credentials, "drawn", lambda _choose: found[0])
    return found


def run(**config: str | None) -> Program:
    return run_program("oslo", bootstrap_data(), **config)


def memberships(program: Program) -> dict[str, Declared]:
    return {item.name: item for item in program.of("remote:Command") if item.name.endswith("-membership")}


def named(program: Program, name: str) -> Declared:
    [found] = [item for item in program.resources.values() if item.name == name]
    return found


def test_the_resources_names_are_what_they_were():
    assert_golden("kubeadm-urns.txt", "".join(f"{urn}\n" for urn in sorted(run().resources)))


def test_every_node_is_tuned_then_gets_its_packages_beside_the_others_and_then_joins():
    program = run()
    commands = {item.name: item for item in program.of("remote:Command")}
    for name, membership in memberships(program).items():
        node = name.removesuffix("-membership")
        packages = commands[f"{node}-packages"]
        assert {urn for urn in packages.depends_on if "Command" in urn} == {commands[f"{node}-setup"].urn}
        assert packages.inputs["create"].endswith("sh -s prepare")
        assert packages.urn in membership.depends_on


def test_packages_stay_on_a_node_that_leaves_and_their_command_holds_no_secret_of_the_cluster():
    for node in bootstrap().nodes:
        packages = named(run(), f"{node.name}-packages")
        assert "delete" not in packages.inputs
        assert not packages.protected
        assert packages.secret_inputs == {"connection"}
        assert packages.inputs["addPreviousOutputInEnv"] is False
        for secret in CREDENTIALS:
            assert secret not in str(packages.inputs)


def test_another_run_changes_nothing_with_what_it_draws(drawn):
    """A membership, and the reading of the kubeconfig, keep the input that they were made with."""
    before = run()
    drawn[0] = OTHER
    after = run()
    for urn, item in after.resources.items():
        assert seen(item) == seen(before.resources[urn]), item.name


def test_the_first_makes_the_cluster_then_control_planes_join_in_turn_and_workers_at_once():
    found = memberships(run())
    first, second, third = (found[f"osl-cp-{number}-membership"] for number in (1, 2, 3))
    everyone = {item.urn for item in found.values()}
    assert not first.depends_on & everyone
    assert second.depends_on & everyone == {first.urn}
    assert third.depends_on & everyone == {second.urn}
    kept = named(run(), "osl-cp-1-member").urn
    for name in ("osl-w-1", "osl-w-2"):
        assert found[f"{name}-membership"].depends_on & everyone == set()
        assert kept in found[f"{name}-membership"].depends_on
    assert kept in second.depends_on & third.depends_on


def test_a_change_reaches_the_first_control_plane_then_the_others_in_turn_and_then_the_workers():
    program = run()
    kept = {item.name: item for item in program.of("remote:Command") if item.name.endswith("-member")}
    everyone = {item.urn for item in kept.values()}
    first, second, third = (kept[f"osl-cp-{number}-member"] for number in (1, 2, 3))
    assert not first.depends_on & everyone
    assert second.depends_on & everyone == {first.urn}
    assert third.depends_on & everyone == {second.urn}
    assert kept["osl-w-1-member"].depends_on & everyone == {first.urn}
    for name, item in kept.items():
        assert memberships(program)[f"{name}ship"].urn in item.depends_on
        assert item.inputs["create"].endswith("sh -s keep")
        assert item.secret_inputs == {"connection"}
        for secret in CREDENTIALS:
            assert secret not in str(item.inputs)


def test_a_control_plane_has_the_encryption_keys_before_its_api_server_starts_and_one_has_them_after_the_other():
    program = run()
    keys = {item.name: item for item in program.of("remote:Command") if item.name.endswith("-encryption")}
    assert set(keys) == {f"osl-cp-{number}-encryption" for number in (1, 2, 3)}
    for name, item in keys.items():
        assert item.urn in memberships(program)[name.replace("encryption", "membership")].depends_on
        assert item.secret_inputs == {"connection", "stdin"}
        assert item.secret_outputs >= {"stdin", "stdout", "stderr"}
        assert "delete" not in item.inputs, "an API server without its keys reads no Secret"
    for number in (2, 3):
        before = named(program, f"osl-cp-{number - 1}-member")
        assert before.urn in keys[f"osl-cp-{number}-encryption"].depends_on
    again = named(program, "osl-cp-1-reencryption")
    assert {item.urn for item in keys.values()} <= again.depends_on


def test_an_encryption_key_goes_to_the_control_planes_alone():
    holders = {item.name for item in run().resources.values() if ENCRYPTION_KEY in str(item.inputs)}
    assert holders == {f"osl-cp-{number}-encryption" for number in (1, 2, 3)}


def test_another_encryption_key_changes_nothing_but_the_keys_and_what_they_encrypt():
    before, after = run(), run(encryptionKeys=f"{'A' * 43}=,{ENCRYPTION_KEY}")
    changed = {item.name for urn, item in after.resources.items() if item.inputs != before.resources[urn].inputs}
    assert changed == {"osl-cp-1-encryption", "osl-cp-2-encryption", "osl-cp-3-encryption", "osl-cp-1-reencryption"}


def test_the_cnis_chart_waits_for_the_first_control_plane_and_its_agents_for_every_member():
    program = run()
    members = {item.urn for item in memberships(program).values()}
    assert named(program, "cni-cilium").depends_on & members == set()
    assert named(program, "osl-cp-1-upgrade").urn in named(program, "cni-cilium").depends_on
    agents = named(program, "cni-agents-cilium")
    assert members <= agents.depends_on
    for name in ("metallb-namespace", "gateway-namespace", "registrations-kind"):
        assert {agents.urn, *members} <= named(program, name).depends_on


@pytest.mark.parametrize("version", ["3.32.1", "3.24.6"])
def test_calicos_operator_waits_for_the_first_control_plane_and_its_roll_out_for_every_member(version):
    data = bootstrap_data()
    data["cni"] = {"kind": "calico", "version": version, "install": {"kind": "helm"}}
    [charts] = [place for place in data["residency"]["places"] if place["name"] == "github-pages"]
    charts["hosts"].append("docs.tigera.io")
    program = run_program("oslo", data)
    members = {item.urn for item in memberships(program).values()}
    assert named(program, "osl-cp-1-upgrade").urn in named(program, "cni-calico-namespace").depends_on
    assert named(program, "cni-calico-namespace").depends_on & members == set()
    assert named(program, "cni-calico").depends_on & members == set()
    for item in program.resources.values():
        if item.name in ("cni-calico-installation", "cni-calico-apiserver"):
            assert members <= item.depends_on
    assert members <= named(program, "metallb-namespace").depends_on


def test_the_secrets_are_in_standard_input_alone_and_encrypted_there():
    for name, membership in memberships(run()).items():
        assert membership.secret_inputs == {"connection", "stdin"}
        assert membership.secret_outputs >= {"stdin", "stdout", "stderr"}
        first = name == "osl-cp-1-membership"
        assert (CREDENTIALS.bootstrap_token in membership.inputs["stdin"]) != first, "the first joins nobody"
        assert (CREDENTIALS.certificate_key in membership.inputs["stdin"]) == (name[:7] == "osl-cp-" and not first)
        rest = {name: value for name, value in membership.inputs.items() if name not in ("stdin", "connection")}
        for secret in CREDENTIALS:
            assert secret not in str(rest)


def test_the_authoritys_key_is_in_no_resource():
    """Nor in an export: only the hook has it, which runs before the cluster is made."""
    program = run()
    for line in CA_KEY.strip().splitlines():
        for item in program.resources.values():
            assert line not in str(item.inputs), item.name
        assert line not in str(program.outputs)


def test_no_command_of_the_engine_lets_nodes_in():
    """What lets nodes in is brought by hooks, before the engine creates a membership, and by nothing else."""
    program = run()
    verbs = {
        words.split()[-1]
        for item in program.of("remote:Command")
        for key in ("create", "update", "delete")
        if (words := item.inputs.get(key))
    }
    assert not verbs & {"admit", "upload", "authority"}
    hooks = {name: item.before_create for name, item in memberships(program).items()}
    assert hooks == {
        "osl-cp-1-membership": ("make-cluster",),
        **{f"osl-cp-{number}-membership": ("admit-control-plane",) for number in (2, 3)},
        **{f"osl-w-{number}-membership": ("admit-worker",) for number in (1, 2)},
    }
    assert not [item.name for item in program.resources.values() if item.before_create and item.name not in hooks]


def test_a_worker_leaves_by_its_decommission_and_a_control_plane_by_its_protected_membership():
    program = run()
    planes = {"osl-cp-1", "osl-cp-2", "osl-cp-3"}
    for name, membership in memberships(program).items():
        node = name.removesuffix("-membership")
        assert "delete" not in membership.inputs
        assert ("delete" in named(program, f"{node}-member").inputs) == (node in planes)
        [command] = [item for item in program.of("local:Command") if item.name == f"{node}-decommission"]
        document = json.loads(command.inputs["stdin"])
        assert bool(document.get("leavingScript")) == (node not in planes)
        assert CREDENTIALS.bootstrap_token not in document.get("leavingScript", "")


def test_the_kubeconfig_is_read_by_itself_after_the_first_control_plane():
    program = run()
    (reading,) = [item for item in program.of("remote:Command") if item.name == "osl-cp-1-kubeconfig"]
    assert named(program, "osl-cp-1-upgrade").urn in reading.depends_on, "an upgrade renews its certificate"
    assert reading.secret_outputs >= {"stdout", "stderr"}
    assert reading.secret_inputs == {"connection", "stdin"}
    assert reading.ignore_changes == ("stdin",), "what is in the state was encrypted with the password of its run"


def seen(item: Declared) -> dict[str, object]:
    """The inputs that the engine compares."""
    return {name: value for name, value in item.inputs.items() if name not in item.ignore_changes}


@pytest.mark.parametrize("workers", [2, 47], ids=["five nodes", "fifty nodes"])
def test_another_node_changes_nothing_but_the_record_of_all_nodes(drawn, workers):
    """Of what is declared: an input that is another one is an update, and what it makes is unknown at preview.

    So one more worker is the same work in a cluster of fifty nodes as in one of five.
    """
    few, more = bootstrap_data(), bootstrap_data()
    like = few["nodes"][-1]
    others = [dict(like) | {"name": f"osl-x-{n}", "address": f"198.51.100.{n}"} for n in range(100, 98 + workers)]
    node = dict(like) | {"name": "osl-w-9", "address": "198.51.100.29"}
    few["nodes"] = [*few["nodes"], *others]
    more["nodes"] = [*few["nodes"], node]
    before = run_program("oslo", few)
    drawn[0] = OTHER
    after = run_program("oslo", more)
    changed = {
        item.name
        for urn, item in after.resources.items()
        if urn in before.resources and seen(item) != seen(before.resources[urn])
    }
    new = {item.name for urn, item in after.resources.items() if urn not in before.resources}
    commands = {f"osl-w-9-{what}" for what in ("setup", "packages", "membership", "upgrade", "member", "decommission")}
    assert new == {"osl-w-9", "placement-osl-w-9", "cni-node-osl-w-9"} | commands
    assert changed == {"record-nodes"}


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        (("osl-w-2-membership", "osl-w-2-member"), True),
        (("osl-cp-1-membership", "osl-cp-1-member"), True),
        (("osl-cp-1-kubeconfig",), False),
    ],
)
def test_at_preview_the_kubeconfig_is_known_unless_it_is_read_anew(changed, known):
    """An output of what the engine would run is unknown; an unknown kubeconfig makes every object an update."""
    program = run_program("oslo", bootstrap_data(), preview=True, changed=changed)
    (provider,) = program.of("pulumi:providers:kubernetes")
    assert (provider.inputs["kubeconfig"] == ADMIN) is known


def test_no_secret_is_logged_or_exported_in_clear():
    program = run()
    for secret in (*CREDENTIALS, ADMIN):
        assert secret not in "".join(program.log)
    assert program.secret_exports == {"kubeconfig"}
    assert program.outputs["kubeconfig"] == ADMIN


def test_the_clusters_provider_has_the_first_control_planes_kubeconfig():
    (provider,) = run().of("pulumi:providers:kubernetes")
    assert provider.inputs["kubeconfig"] == ADMIN
    assert "kubeconfig" in provider.secret_inputs


def test_control_planes_are_protected_and_workers_are_not():
    """With the command that drains a node, which is deleted before its membership."""
    commands = [item for item in run().resources.values() if item.type.endswith(":Command") and item.protected]
    planes = [f"osl-cp-{number}" for number in (1, 2, 3)]
    assert {item.name for item in commands} == {
        f"{name}-{what}" for name in planes for what in ("membership", "member", "decommission")
    }
    assert not [item for item in run_program("oslo", existing_data()).resources.values() if item.protected]


def test_the_first_thing_that_a_destroy_would_delete_is_protected():
    """The engine deletes first what nothing depends on: that is the protection alone."""
    for program in (run(), committed("lab")):
        [protection] = program.of(":DestroyProtection")
        assert protection.protected
        assert program.resources.keys() - program.needed_by(protection.urn) == {protection.urn}, (
            "components without children too"
        )


def test_a_cluster_that_exists_can_be_destroyed_without_asking():
    assert run_program("oslo", existing_data()).of(":DestroyProtection") == []


def test_an_output_of_an_earlier_run_goes_to_no_node():
    for membership in memberships(run()).values():
        assert membership.inputs["addPreviousOutputInEnv"] is False
        assert membership.inputs["update"] == "true", "its standard input is that of the day when it joined"
        assert "triggers" not in membership.inputs, "a changed trigger may replace, and a replaced member is reset"


def test_no_kubeconfig_and_no_authoritys_key_is_asked_for_before_it_is_needed():
    """Only the run that makes the cluster needs the key: its hook asks for it."""
    assert run(caKey=None).of("index:Kubeadm")


def test_an_existing_cluster_asks_for_no_secret_of_a_bootstrap():
    assert run_program("oslo", existing_data()).of("index:Kubeadm") == []


def test_another_authoritys_key_is_refused_without_being_shown():
    wrong = authority("another")[1]
    with pytest.raises(SpecError) as caught:
        run(caKey=wrong)
    assert "vds-platform:caKey: is not the key of cluster.caCertificate" in str(caught.value)
    assert wrong not in str(caught.value)


def test_the_pack_finds_nothing_wrong_with_the_first_preview_of_a_bootstrap():
    assert violations(ENGINE_POLICIES, shown(run(), configured=False)) == []


def test_what_is_wrong_in_a_cluster_that_is_still_to_be_made_is_found_by_what_was_asked_for():
    resources = [item for item in shown(run(), configured=False) if not item.type.endswith(":HTTPRoute")]
    found = violations(ENGINE_POLICIES, resources)
    assert {(item.policy, item.mandatory) for item in found} == {("gateway-tls", True)}


def test_objects_that_nobody_showed_are_named_and_stop_nothing():
    resources = [item._replace(asked=item.configured) for item in shown(run(), configured=False)]
    found = violations(ENGINE_POLICIES, resources)
    assert {(item.policy, item.mandatory) for item in found} == {("stack-judged", False)}
    assert any("HTTPRoute gateway-redirect-http: is not judged yet" in item.message for item in found)


def test_labels_are_set_on_members_before_the_gateways_pods_are_scheduled_by_them():
    program = run()
    members = {item.urn for item in memberships(program).values()}
    patches = {item.name: item for item in program.resources.values() if item.name.startswith("placement-")}
    labelled = {name: item for name, item in patches.items() if "labels" in item.inputs["metadata"]}
    assert set(labelled) == {"placement-osl-w-1", "placement-osl-w-2"}
    for patch in labelled.values():
        assert patch.inputs["metadata"]["labels"] == {"vds-platform.no/edge": "true"}
    for patch in patches.values():
        assert members <= patch.depends_on
    assert {item.urn for item in patches.values()} <= named(program, "gateway-namespace").depends_on


def test_upgrades_reach_control_planes_in_turn_and_then_the_workers_one_by_one():
    """Directly or through what waits for the one before; joining waits for no other worker's upgrade."""
    program = run()
    order = [f"{node}-upgrade" for node in ("osl-cp-1", "osl-cp-2", "osl-cp-3", "osl-w-1", "osl-w-2")]
    found = [named(program, name) for name in order]
    for before, after in itertools.pairwise(found):
        assert before.urn in program.needed_by(after.urn)
        assert after.urn not in program.needed_by(before.urn)
    assert found[3].urn not in program.needed_by(named(program, "osl-w-2-membership").urn)
    for item in found:
        assert item.inputs["create"] == "true", "a node joins with the packages of the stack file"
        assert item.inputs["update"].endswith("-m vds upgrade")
        assert item.ignore_changes == ("update",)
        assert item.secret_inputs == {"stdin"}
        assert named(program, item.name.replace("-upgrade", "-membership")).urn in item.depends_on
        kept = named(program, item.name.replace("-upgrade", "-member"))
        assert item.urn in kept.depends_on, "its files change after its packages"
    assert {item.urn for item in found} <= program.needed_by(named(program, "metallb-namespace").urn)


def test_another_patch_of_kubernetes_is_an_update_of_every_members_packages_and_of_nothing_in_the_cluster():
    newer = bootstrap_data()
    newer["cluster"]["kubernetesVersion"] = "1.36.4"
    before, after = run(), run_program("oslo", newer)
    changed = {item.name for urn, item in after.resources.items() if seen(item) != seen(before.resources[urn])}
    nodes = [node.name for node in bootstrap().nodes]
    expected = {f"{node}-{what}" for node in nodes for what in ("packages", "upgrade", "member")}
    expected |= {"registrations-environment"}  # has the version, for registrations
    assert changed - {"kubeadm"} == expected | {f"osl-w-{number}-decommission" for number in (1, 2)}


def test_a_node_that_is_behind_is_an_update_although_nothing_in_the_stack_file_changed(monkeypatch):
    fleet = Fleet({}, answers={"osl-w-1": behind_by_a_patch()})
    monkeypatch.setattr("components.nodes.reading.read_fleet", lambda *_, **__: fleet)
    program = run()
    item = named(program, "osl-w-1-upgrade")
    said = "kubeadm, kubectl, kubelet 1.36.2-1.1 → 1.36.3-1.1; drained for at most 300 s"
    assert item.inputs["update"].endswith(f"-m vds upgrade # osl-w-1: {said}")
    assert item.ignore_changes == ()
    assert named(program, "osl-w-2-upgrade").ignore_changes == ("update",)


def behind_by_a_patch() -> NodeVersions:
    wanted = packages(bootstrap().cluster)
    return NodeVersions(member=True, packages={k: v.replace("1.36.3", "1.36.2") for k, v in wanted.items()})
