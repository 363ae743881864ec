"""The JSON Schema: an editor that has it marks what the loader refuses, as far as a value by itself shows it."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from components.stackfile.reader import read
from components.stackfile.schema import DEFAULTS_FILE, FILE, files
from tests.support.stack_file_changes import changed
from tests.support.stacks import ROOT

SCHEMA, SHARED = (json.loads(files()[file]) for file in (FILE, DEFAULTS_FILE))
REGISTRY = Registry().with_resource(DEFAULTS_FILE.name, Resource.from_contents(SHARED))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, registry=REGISTRY)
OSLO = (ROOT / "Pulumi.oslo.yaml").read_text(encoding="utf-8")
CASES = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text(encoding="utf-8"))
NOT_YAML = {31, 34, 73}
"""Texts that no reader takes, or of which a schema sees one of two equal keys."""


def errors(content):
    return list(VALIDATOR.iter_errors(read(content, file="f").value))


def settings():
    for name, definition in SCHEMA["$defs"].items():
        for setting, schema in definition.get("properties", {}).items():
            yield f"{name}.{setting}", schema


def test_the_committed_schemas_are_the_models():
    for file, text in files().items():
        assert file.read_text(encoding="utf-8") == text, "run python -m components.stackfile.schema"


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_committed_stack_files_fit_it_and_point_to_it(name):
    content = (ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
    assert errors(content) == []
    assert content.startswith(f"# yaml-language-server: $schema={FILE.relative_to(ROOT)}\n")


def test_every_setting_has_a_description():
    assert [name for name, schema in settings() if not schema.get("description")] == []


def test_no_setting_has_a_bare_one_of():
    assert all('"oneOf"' not in text for text in files().values())


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["id"] not in NOT_YAML], ids=lambda case: f"{case['id']}-{case['mistake']}"
)
def test_a_mistake_that_a_schema_can_see_is_refused(case):
    found = errors(changed(OSLO, case["change"]))
    assert bool(found) is bool(case.get("schema")), [error.message for error in found]


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"set": {"cni.routing": {"mode": "tunnel", "protocol": "gre"}}}, "protocol"),
        ({"set": {"cni.loadBalancing": {"mode": "drs"}}}, "mode"),
        ({"set": {"cni.hubble": "yes"}}, "hubble"),
        ({"set": {"cni.kind": "flanel"}}, "kind"),
        ({"set": {"gateway.listeners[https].port": 0}}, "port"),
        ({"set": {"cluster.kubernetesVersion": "1.36"}}, "kubernetesVersion"),
    ],
)
def test_an_error_is_at_the_setting_and_not_at_the_group(change, at):
    assert at in {error.absolute_path[-1] for error in errors(changed(OSLO, change))}


@pytest.mark.parametrize(
    ("replace", "by", "fits"),
    [
        ("readNodes: true", 'readNodes: "true"', True),
        ("readNodes: true", 'readNodes: "yes"', False),
        ("readNodes: true", "readNode: true", False),
        ("vds-platform:readNodes: true", "readNodes: false", True),
        ("vds-platform:readNodes: true", "readNode: false", False),
        ("vds-platform:readNodes: true", "kubernetes:context: x", True),
        ("vds-platform:readNodes: true", "vds-platform:sshPrivateKey: clear", False),
        ("vds-platform:readNodes: true", "vds-platform:sshPrivateKey: {secure: v1:x}", True),
    ],
)
def test_keys_beside_the_spec(replace, by, fits):
    assert (errors(changed(OSLO, {"replace": replace, "with": by})) == []) is fits


def test_a_stack_file_over_shared_settings_needs_only_what_is_its_own():
    folder = ROOT / "examples" / "two-environments"
    for file in folder.glob("Pulumi.*.yaml"):
        content = file.read_text(encoding="utf-8")
        assert errors(content) == []
        assert errors(content.replace("  vds-platform:defaults: defaults.yaml\n", "")), "then it is not whole"
        (error,) = errors(content.replace("nodeCidr: ", "nodeCidr: x"))
        assert error.absolute_path[-1] == "nodeCidr"


@pytest.mark.parametrize(
    ("replace", "by", "at"),
    [
        ("hubble: true", "hubbel: true", "cni"),
        ("routes: same-l2", "routes: same", "routes"),
        ("podCidr: 10.244.0.0/16", "podCidr: here", "podCidr"),
        ('allowedCountries: ["NO"]', 'allowedCountries: ["UK"]', 0),
    ],
)
def test_shared_settings_are_checked_in_part(replace, by, at):
    validator = jsonschema.Draft202012Validator(SHARED)
    content = (ROOT / "examples" / "two-environments" / "defaults.yaml").read_text(encoding="utf-8")
    assert list(validator.iter_errors(read(content, file="f").value)) == []
    changed_value = read(content.replace(replace, by, 1), file="f").value
    assert [error.absolute_path[-1] for error in validator.iter_errors(changed_value)] == [at]
