"""The lab's tenants: files that the programs take, and nothing that a contract refuses."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.agency.rules import app_problems, route_problems
from components.stackfile.registration import Published, problems_of, read_registration
from components.tenancy.registration.contract import contract_spec
from lab.chaos import changes
from lab.layout import REGISTRY_NAME, Layout
from lab.tenants import settings
from tests.support.stacks import host_key, problems, stack, stack_data

IMAGES = {"e2e/echo-basic": f"{REGISTRY_NAME}/e2e/echo-basic@sha256:{'1' * 64}"}


@pytest.mark.parametrize("tenant", settings.TENANTS)
def test_the_environment_of_the_lab_takes_its_registrations(tenant: str) -> None:
    lab = stack("lab")
    file = read_registration(settings.SOURCE.with_name(f"Pulumi.{tenant}.yaml"))
    assert problems_of(file, (), date(2026, 11, 1), Published(lab.published, lab.residency)) == []
    assert file.environment == lab.environment
    assert file.registration is not None
    assert set(file.registration.namespace_names) <= set(settings.NAMESPACES)


def test_what_the_agency_deploys_keeps_its_contract(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    settings.agency_folder(layout).mkdir()
    settings.stack_file(layout).write_text(yaml.safe_dump(settings.filled(IMAGES)))
    wanted = settings.wanted(layout)
    registered = read_registration(settings.SOURCE.with_name("Pulumi.butikk.yaml")).registration
    assert registered is not None
    contract = contract_spec(registered, settings.NAMESPACE, stack("lab").published)
    assert [problem for app in wanted.apps.values() for problem in app_problems(app, contract)] == []
    assert route_problems(wanted.route, contract) == []
    assert {app.image for app in wanted.apps.values()} == set(IMAGES.values())


@pytest.mark.parametrize("change", [changes.edge, changes.control_planes_and_edge, changes.worker, changes.chart])
def test_what_an_update_changes_while_a_fault_hits_it_is_a_stack_file_that_is_taken(change: Any) -> None:
    changed = stack_data("lab")
    change(changed)
    for node in changed["nodes"]:
        node.setdefault("hostKey", host_key(node["name"]))
    assert changed != stack_data("lab")
    assert problems(changed) == []
