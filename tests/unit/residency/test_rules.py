"""Places, exceptions and the state backend of a stack."""

from pathlib import Path
from typing import Any

import pytest

from components.core.untrusted import yaml_value
from components.residency.ci_runners import ci_runners
from components.residency.model import Residency
from components.residency.rules import residency_problems
from components.residency.state_store import state_store
from tests.support.stacks import problems, stack_data


def test_the_backend_is_read_in_the_engines_own_order(tmp_path: Path) -> None:
    assert state_store(tmp_path, "oslo", {}).backend == ""
    (tmp_path / "Pulumi.yaml").write_text("name: x\nbackend:\n  url: s3://state\n")
    (tmp_path / "Pulumi.oslo.yaml").write_text("secretsprovider: awskms://alias/k?region=eu-north-1\n")
    store = state_store(tmp_path, "oslo", {})
    assert store[:2] == ("s3://state", "awskms://alias/k?region=eu-north-1")
    assert state_store(tmp_path, "oslo", {"PULUMI_BACKEND_URL": "file://~"}).backend == "file://~"
    (tmp_path / "Pulumi.oslo.yaml").write_text("encryptionsalt: v1:x\n")
    assert state_store(tmp_path, "oslo", {}).secrets_provider == "passphrase"


def test_a_password_in_the_backends_url_goes_no_further(tmp_path: Path) -> None:
    store = state_store(tmp_path, "oslo", {"PULUMI_BACKEND_URL": "https://me:hunter2@state.example.no/x"})
    assert store.backend == "https://state.example.no/x"


def test_the_runners_of_a_stack_are_those_of_jobs_that_may_work_on_it(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "up.yml").write_text("""
jobs:
  hosted: {runs-on: ubuntu-24.04, env: {STACK: oslo}}
  own: {runs-on: [self-hosted, Norway], env: {STACK: "${{ matrix.stack }}"}, strategy: {matrix: {stack: [oslo, x]}}}
  group: {runs-on: {group: large}, env: {STACK: "${{ inputs.stack }}"}}
  unlabelled: {runs-on: [self-hosted, linux], env: {STACK: oslo}}
  computed: {runs-on: "${{ vars.RUNNER }}", env: {STACK: oslo}}
  called: {uses: ./x.yml, env: {STACK: oslo}}
  another: {runs-on: elsewhere, env: {STACK: bergen}}
  others: {runs-on: elsewhere, env: {STACK: "${{ matrix.stack }}"}, strategy: {matrix: {stack: [bergen]}}}
  preview: {runs-on: elsewhere}
""")
    (folder / "bad.yml").write_text("jobs: [")
    (folder / "list.yaml").write_text("- jobs")
    rows = ci_runners(tmp_path, "oslo")
    assert [row.label for row in rows] == ["", "", "ubuntu-24.04", "norway", "large", "self-hosted", "", ""]
    assert rows[0].seen_in == ".github/workflows/bad.yml, which can't be read as a workflow"
    assert rows[1].seen_in == ".github/workflows/list.yaml, which can't be read as a workflow"
    assert rows[2].seen_in == ".github/workflows/up.yml, job hosted"
    assert state_store(tmp_path, "oslo", {}).runners == rows


def test_the_runners_of_this_repository_are_at_a_place_of_its_own_record() -> None:
    root = Path(__file__).parents[3]
    assert {row.label for row in ci_runners(root, "oslo")} == {"norway"}
    spec = yaml_value((root / "Pulumi.oslo.yaml").read_text())["config"]["vds-platform:spec"]
    [place] = [place for place in spec["residency"]["places"] if "ci" in place["purposes"]]
    assert place["hosts"] == ["norway"]


PLACE: dict[str, Any] = {
    "name": "hub",
    "hosts": ["docker.io"],
    "country": "US",
    "entity": "Docker Inc.",
    "entityCountry": "US",
    "purposes": ["image-registry"],
}
EXCEPTION = {"name": "e", "place": "hub", "until": "2026-12-31", "reason": "until the mirror is there"}


def said(**residency: Any) -> list[str]:
    spec = Residency.model_validate({"allowedCountries": ["NO"], **residency})
    return [str(problem) for problem in residency_problems(spec)]


def test_a_place_abroad_needs_an_exception() -> None:
    (problem,) = said(places=[PLACE])
    assert "residency place 'hub': place 'hub' is in US, allowed: NO; place 'hub' is controlled by" in problem
    assert "is controlled by Docker Inc., under the law of US" in problem
    assert said(places=[PLACE], exceptions=[EXCEPTION]) == []


def test_places_abroad_without_any_exception_are_one_problem() -> None:
    data = stack_data("oslo")
    places = [item.pop("place") for item in data["residency"].pop("exceptions")]
    (problem,) = problems(data)
    assert problem.startswith("residency.exceptions: is missing, and 3 places need one: ")
    assert all(f"place '{place}' is in US" in problem for place in places)


def test_an_exception_for_no_place_and_a_host_at_two_places_are_refused() -> None:
    assert "is for place 'hub', which is not one of none" in said(exceptions=[EXCEPTION])[0]
    home = {**PLACE, "name": "home", "country": "NO", "entityCountry": "NO"}
    assert any("both have docker.io" in line for line in said(places=[home, {**home, "name": "again"}]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until": "2026-02-30"}, 'is no day: February 2026 has 28 days: write "2026-02-28" or another day'),
        ({"until": "30.6.2027"}, 'write "2027-06-30"'),
        ({"until": "soon"}, "write a date in quotes, as in '2027-06-30'"),
        ({"reason": "short"}, "has 5 characters, at least 10"),
    ],
)
def test_an_exception_has_a_day_that_exists_and_a_reason(change: dict[str, str], message: str) -> None:
    data = stack_data("oslo")
    data["residency"]["exceptions"][0] |= change
    [problem] = problems(data)
    assert message in problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": ["198.51.100.1/24"]}, "is not a network without host bits: write 198.51.100.0/24"),
        ({"networks": ["198.51.100.1"]}, "is not a network without host bits: write 198.51.100.1/32"),
        ({"networks": ["oslo"]}, "is not a network (CIDR): write one, as in '198.51.100.0/24'"),
        ({"hosts": ["https://x.example.no/a"]}, "is not a host as places have them: write x.example.no"),
        ({"hosts": ["løgg.example.no"]}, "is not a host as places have them: write xn--lgg-0na.example.no"),
        ({"hosts": ["Quay.io"]}, "is not a host as places have them: write quay.io"),
        ({"hosts": ["*.*"]}, "write a host without scheme or port"),
        ({"hosts": [], "networks": []}, "has neither hosts nor networks"),
    ],
)
def test_a_place_is_written_as_what_is_reached_there(change: dict[str, Any], message: str) -> None:
    data = stack_data("lab")
    data["residency"]["places"][0] |= change
    assert any(message in problem for problem in problems(data))
