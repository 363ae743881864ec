"""What an environment declares for the registrations of tenants."""

import json

import pytest

from components.core.labels import TENANT
from components.stackfile.registration import published
from components.tenancy.bundle import cluster_manifests
from components.tenancy.registration.administration import ADMINISTRATOR
from components.tenancy.registration.contract import contract_definition
from components.tenancy.registration.environment import ENVIRONMENT
from tests.support.program import Declared, Program, run_program
from tests.support.stacks import stack, stack_data


def of_registrations(program: Program) -> dict[tuple[str, str], Declared]:
    found = [one for one in program.resources.values() if one.name.startswith("registrations-")]
    return {(one.inputs["kind"], one.inputs["metadata"]["name"]): one for one in found}


@pytest.fixture(scope="module")
def lab() -> Program:
    return run_program("lab")


def test_the_environment_publishes_what_registrations_need(lab: Program) -> None:
    made = of_registrations(lab)["ConfigMap", ENVIRONMENT]
    known = published(made.inputs["data"])
    platform = stack("lab")
    assert known.environment == platform.published
    assert known.residency == platform.residency
    assert (known.environment.environment, known.environment.mtu) == ("lab", 1450)
    assert known.environment.namespaces == ("gateway-system",)
    assert [one.hostname for one in known.environment.gateway.listeners] == ["*.example.no"]


def test_nothing_of_it_is_a_secret(lab: Program) -> None:
    said = json.dumps([one.inputs for one in of_registrations(lab).values()])
    assert "PRIVATE KEY" not in said
    assert "client-key" not in said


def test_the_kind_stays_and_comes_before_what_names_it(lab: Program) -> None:
    made = of_registrations(lab)
    kind = made["CustomResourceDefinition", "contracts.vds-platform.no"]
    assert kind.inputs == contract_definition()
    assert kind.retained
    for name, one in made.items():
        assert one is kind or kind.urn in one.depends_on, name


def test_what_holds_for_all_registered_tenants_is_there(lab: Program) -> None:
    made = of_registrations(lab)
    for item in cluster_manifests(stack("lab").published):
        assert made[item["kind"], item["metadata"]["name"]].inputs == item


def test_the_gateways_own_address_is_published(lab: Program) -> None:
    data = stack_data("lab")
    data["gateway"]["address"] = "192.0.2.201"
    made = of_registrations(run_program("lab", data))["ConfigMap", ENVIRONMENT]
    assert published(made.inputs["data"]).environment.gateway.address == "192.0.2.201"


def test_administrators_of_tenants_are_restricted_before_they_are_bound() -> None:
    administrated = stack_data("lab") | {"registrations": {"administrators": ["tenant-administrators"]}}
    made = of_registrations(run_program("lab", administrated))
    binding = made["ClusterRoleBinding", ADMINISTRATOR]
    assert [one["name"] for one in binding.inputs["subjects"]] == ["tenant-administrators"]
    restriction = made["ValidatingAdmissionPolicyBinding", ADMINISTRATOR]
    assert restriction.urn in binding.depends_on


def test_without_a_word_an_environment_takes_registrations_and_has_no_namespace_of_a_tenant(lab: Program) -> None:
    assert "registrations" not in stack_data("lab")
    assert ("ClusterRoleBinding", ADMINISTRATOR) not in of_registrations(lab)
    assert not [one for one in lab.of("core/v1:Namespace") if TENANT in one.inputs["metadata"]["labels"]]
    assert "tenants" not in lab.outputs
