"""An agency's project, judged from its files and a saved contract."""

import json
from itertools import pairwise

import pytest
import yaml

from components.agency.project import File, check
from components.agency.template import Language
from tests.support.agency import CONTRACT, project
from tests.support.stacks import ROOT

SAVED = File("contract.yaml", yaml.safe_dump({"kind": "Contract", "spec": CONTRACT}))
EXAMPLE = ROOT / "examples/agency"


def judged(
    changes: dict[str, str] | None = None, language: Language = "yaml", stack: str = "prod", contract: File = SAVED
) -> list[str]:
    """Findings of the template with texts of its two files changed."""
    files = []
    for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        text = project(language)[name]
        for before, after in (changes or {}).items():
            text = text.replace(before, after)
        files.append(File(name, text))
    return [str(found) for found in check(*files, contract)]


@pytest.mark.parametrize("language", ["yaml", "python"])
@pytest.mark.parametrize("stack", ["prod", "staging"])
def test_a_new_project_keeps_its_contract(language: Language, stack: str) -> None:
    assert judged(language=language, stack=stack) == []


def test_the_example_is_the_template() -> None:
    for name, text in project().items():
        assert (EXAMPLE / name).read_text() == text
    assert {file.name for file in EXAMPLE.iterdir()} == {*project(), "contract.yaml"}
    saved = File("contract.yaml", (EXAMPLE / "contract.yaml").read_text())
    assert judged(contract=saved) == []
    assert yaml.safe_load(saved.text)["spec"] == CONTRACT


def test_the_readme_of_a_new_project_is_short() -> None:
    for language in ("yaml", "python"):
        assert len(project(language)["README.md"].splitlines()) <= 10


@pytest.mark.parametrize("language", ["yaml", "python"])
def test_a_mistake_has_the_file_and_the_line_where_its_value_is(language: Language) -> None:
    text = project(language)["Pulumi.prod.yaml"].splitlines()
    for before, after, key in (("butikk/butikk@", "nav/butikk@", "image"), ("butikk.example.no", "nav.no", "hostname")):
        (found,) = judged({before: after}, language)
        (line,) = [number for number, one in enumerate(text, 1) if f"{key}" in one]
        assert found.startswith(f"Pulumi.prod.yaml:{line} ")


def test_all_mistakes_are_said_at_once() -> None:
    settings = "port: 8080\n      egress: [altinn]\n      replica: 3"
    found = judged({"port: 8080": settings, "butikk.example.no": "nav.no"})
    assert [one.partition(":")[0] for one in found] == ["Pulumi.yaml", "Pulumi.yaml", "Pulumi.prod.yaml"]
    assert "did you mean replicas?" in found[0]


def test_what_only_an_update_knows_is_undecided_and_the_rest_is_judged() -> None:
    (found,) = judged({"port: 8080": "env: { KEY: '${other.id}' }"})
    assert found.endswith("resource 'app': ${other.id} is known only during an update: preview it to have it checked")
    undecided = judged({"butikk:image: registry": "butikk:image: { secure: x } #"})
    assert any("${image} is known only during an update" in one for one in undecided)


def test_objects_of_other_packages_are_named() -> None:
    (found,) = judged({"resources:": "resources:\n  more: { type: 'kubernetes:core/v1:ConfigMap' }"})
    assert found.endswith("resource 'more': is of another package, so that only the API server judges it")


@pytest.mark.parametrize(("share", "problem"), [("10", []), ("60", ["Pulumi.prod.yaml:5"])])
def test_numbers_of_the_stack_file_are_numbers_where_the_project_says_so(share: str, problem: list[str]) -> None:
    texts = project()
    text = texts["Pulumi.yaml"].replace("# canary: { percent: 10 }", "canary: { percent: '${share}' }")
    text = text.replace("# canary: { image", "canary: { image").replace(
        "config:\n", "config:\n  share: { type: integer }\n"
    )
    stack = f"{texts['Pulumi.prod.yaml']}  butikk:share: {share}\n"
    found = check(File("Pulumi.yaml", text), File("Pulumi.prod.yaml", stack), SAVED)
    assert [str(one).partition(" ")[0] for one in found] == problem


@pytest.mark.parametrize("text", ["", "a: [", json.dumps({"kind": "Pod"}), "[]"])
def test_a_file_that_is_no_contract_says_how_to_save_one(text: str) -> None:
    assert judged(contract=File("saved.yaml", text)) == [
        "saved.yaml: is no Contract: save it with: kubectl get contract contract --output yaml"
    ]


@pytest.mark.parametrize("text", ["", "a: [", "[]", "resources: 3", "resources: { a: 3 }", "name: butikk"])
def test_a_broken_project_is_a_finding_and_no_traceback(text: str) -> None:
    for one, other in pairwise([text, project()["Pulumi.prod.yaml"], text]):
        assert check(File("Pulumi.yaml", one), File("Pulumi.prod.yaml", other), SAVED)


@pytest.mark.parametrize("wrong", [{"namespaces": []}, {"registries": []}, {"size": 5}])
def test_a_contract_that_no_platform_writes_is_named_by_its_file(wrong: dict[str, object]) -> None:
    text = yaml.safe_dump({"kind": "Contract", "spec": {**CONTRACT, **wrong}})
    (found,) = judged({"butikk-prod": "other"}, contract=File("saved.yaml", text))
    assert found.startswith(f"saved.yaml: is not as this version of the package reads it ({next(iter(wrong))}")


def test_a_list_in_place_of_the_configuration_is_no_traceback() -> None:
    stack = File("Pulumi.prod.yaml", "config: [1]")
    assert check(File("Pulumi.yaml", project("yaml")["Pulumi.yaml"]), stack, SAVED)
