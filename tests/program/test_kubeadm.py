"""The program on a stack whose cluster kubeadm makes: order, names, and what stays secret."""

import pytest

from components.parsing import SpecError
from policies.pack import POLICIES
from tests.support.bootstraps import CREDENTIALS, SECRETS, authority, bootstrap_data
from tests.support.golden import assert_golden
from tests.support.policy import Resource, violations
from tests.support.program import ADMIN, Declared, Program, run_program


def run(**config: str | None) -> Program:
    return run_program("oslo", bootstrap_data(), **{"kubeconfig": None, **SECRETS, **config})


def memberships(program: Program) -> dict[str, Declared]:
    return {item.name: item for item in program.of("remote:Command") if item.name.endswith("-membership")}


def test_the_resources_names_are_what_they_were():
    assert_golden("kubeadm-urns.txt", "".join(f"{urn}\n" for urn in sorted(run().resources)))


def test_every_node_is_tuned_before_it_joins():
    program = run()
    tuned = {item.name.removesuffix("-setup"): item.urn for item in program.of("remote:Command")}
    for name, membership in memberships(program).items():
        assert tuned[name.removesuffix("-membership")] in membership.depends_on


def test_the_first_makes_the_cluster_control_planes_join_in_turn_and_workers_after_them():
    found = memberships(run())
    first, second, third = (found[f"osl-cp-{number}-membership"] for number in (1, 2, 3))
    everyone = {item.urn for item in found.values()}
    assert not first.depends_on & everyone
    assert second.depends_on & everyone == {first.urn}
    assert third.depends_on & everyone == {second.urn}
    for name in ("osl-w-1", "osl-w-2"):
        assert found[f"{name}-membership"].depends_on & everyone == {first.urn, second.urn, third.urn}


def test_the_network_waits_for_every_member():
    program = run()
    release = next(item for item in program.of("helm.sh/v3:Release") if item.inputs["name"] == "cilium")
    assert {item.urn for item in memberships(program).values()} <= release.depends_on


def test_the_secrets_are_in_standard_input_alone_and_encrypted_there():
    for membership in memberships(run()).values():
        assert membership.secret_inputs == {"connection", "stdin"}
        assert membership.secret_outputs >= {"stdin", "stdout", "stderr"}
        assert CREDENTIALS.bootstrap_token in membership.inputs["stdin"]
        rest = {name: value for name, value in membership.inputs.items() if name not in ("stdin", "connection")}
        for secret in CREDENTIALS:
            assert secret not in str(rest)


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
    found = memberships(run())
    assert {name for name, item in found.items() if item.protected} == {f"osl-cp-{n}-membership" for n in (1, 2, 3)}


def test_an_output_of_an_earlier_run_goes_to_no_node():
    for membership in memberships(run()).values():
        assert membership.inputs["addPreviousOutputInEnv"] is False
        assert "triggers" not in membership.inputs, "a changed trigger may replace, and a replaced member is reset"


def test_a_kubeconfig_is_not_asked_for_and_the_bootstraps_secrets_are():
    with pytest.raises(SpecError) as caught:
        run(bootstrapToken=None, certificateKey=None, caKey=None)
    for name in SECRETS:
        assert f"pulumi config set --secret vds-platform:{name}" in str(caught.value)
    assert "kubeconfig" not in str(caught.value)


def test_an_existing_cluster_asks_for_no_secret_of_a_bootstrap():
    assert run_program("oslo").of("index:Kubeadm") == []


def test_secrets_of_a_wrong_form_are_refused_without_being_shown():
    wrong = {"bootstrapToken": "hunter2", "certificateKey": "hunter3", "caKey": authority("another")[1]}
    with pytest.raises(SpecError) as caught:
        run(**wrong)
    text = str(caught.value)
    assert "the stack file has 3 problems" in text
    for secret in wrong.values():
        assert secret not in text
    assert "vds-platform:caKey: is not the key of cluster.caCertificate" in text


def test_the_pack_finds_nothing_wrong_with_a_bootstrap():
    program = run()
    names = {item.urn: item.name for item in program.resources.values()}
    shown = [
        Resource(item.type, item.inputs, item.name, names.get(item.parent), component=not item.provider)
        for item in program.resources.values()
        if not item.type.startswith("pulumi:")
    ]
    assert violations(POLICIES, shown) == []
