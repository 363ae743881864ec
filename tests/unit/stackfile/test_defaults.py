"""Shared settings: what is merged, and that each mistake is at the file and line that it was written on."""

import json
import shutil

import pytest

from components.stackfile.defaults import merged
from components.stackfile.parsing import check_file, parse
from components.stackfile.reader import read
from tests.support.stacks import ROOT, stack_data

EXAMPLE = ROOT / "examples" / "two-environments"
NAMES = ("bergen", "tromso")


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    return tmp_path


def check(folder, name="bergen", replace="", by=""):
    file = f"Pulumi.{name}.yaml"
    text = (folder / file).read_text(encoding="utf-8")
    assert replace in text
    return check_file(text.replace(replace, by, 1), file, folder)


def mistakes(checked):
    return [one for one in checked.findings if not one.advice]


def change(folder, replace, by):
    text = (folder / "defaults.yaml").read_text(encoding="utf-8")
    assert replace in text
    (folder / "defaults.yaml").write_text(text.replace(replace, by, 1), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_short_file_over_shared_settings_is_a_whole_environment(name):
    checked = check(EXAMPLE, name)
    assert mistakes(checked) == []
    assert checked.spec.environment == name
    assert checked.spec.cluster.kubernetes_version == "1.36.3"
    assert checked.spec.cluster.certificate_names == (f"api.{name}.example.no",)
    own = (EXAMPLE / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
    assert len(own.splitlines()) < 80


def test_an_example_has_no_advice_but_on_secrets_that_it_can_not_have():
    for name in NAMES:
        assert {one.message for one in check(EXAMPLE, name).findings} == {"is not in the file yet"}


def test_a_group_of_another_kind_replaces_the_shared_one():
    assert str(check(EXAMPLE, "bergen").spec.cni.routing.mode) == "native"
    assert str(check(EXAMPLE, "tromso").spec.cni.routing.mode) == "tunnel"
    assert merged({"a": {"kind": "x"}}, {"a": {"kind": "y", "of": "y"}}) == {"a": {"kind": "x"}}


@pytest.mark.parametrize(
    ("own", "shared", "together"),
    [
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"c": 2, "b": 1}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [1]}),
        ({"a": None}, {"a": {"b": 1}, "c": 2}, {"c": 2}),
        ({"a": {"b": None}}, {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        ({"a": None}, {}, {"a": None}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}),
        ([], {"a": 1}, []),
    ],
)
def test_what_is_merged(own, shared, together):
    assert merged(own, shared) == together


def test_a_mistake_in_the_shared_file_is_at_its_line(folder):
    change(folder, "podCidr: 10.244.0.0/16", "podCidr: 10.244.0.1/16")
    change(folder, "hubble: true", "hubbel: true")
    found = mistakes(check(folder))
    lines = (folder / "defaults.yaml").read_text(encoding="utf-8").splitlines()
    assert [(one.file, lines[one.lines[0] - 1].strip()[:8], one.subject) for one in found] == [
        ("defaults.yaml", "podCidr:", "network.podCidr"),
        ("defaults.yaml", "hubbel: ", "cni.hubbel"),
    ]


def test_a_mistake_in_the_own_file_is_at_its_line(folder):
    (found,) = mistakes(check(folder, replace="nodeCidr: 203.0.113.0/24", by="nodeCidr: 203.0.113.1/24"))
    assert str(found).startswith("Pulumi.bergen.yaml:23 network.nodeCidr: ")


def test_a_rule_between_both_files_names_the_file_of_its_field(folder):
    change(folder, "podMtu: 1500", "podMtu: 1400")
    (found,) = mistakes(check(folder))
    assert (found.file, found.subject) == ("defaults.yaml", "cni.podMtu")
    change(folder, "podMtu: 1400", "podMtu: 1500")
    (found,) = mistakes(check(folder, "tromso", "podMtu: 1450", "podMtu: 1500"))
    assert (found.file, found.subject) == ("Pulumi.tromso.yaml", "cni.podMtu")


def test_what_is_missing_in_both_is_at_the_own_file(folder):
    (found,) = mistakes(check(folder, replace="      apiServer: { host: 203.0.113.11, port: 6443 }\n"))
    assert found.subject == "network.apiServer"
    assert found.file == "Pulumi.bergen.yaml"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "vds-platform:defaults: 'defaults.yaml' can't be read (No such file or directory): write a path"),
        ("", "vds-platform:defaults: 'defaults.yaml' has no settings"),
        ("- a\n", "vds-platform:defaults: 'defaults.yaml' has no settings"),
        ("config:\n  a: 1\n", "defaults.yaml:1 config: is a key of a stack file"),
        ("vds-platform:spec: {}\n", "defaults.yaml:1 vds-platform:spec: is a key of a stack file"),
        ("ssh: {port: 22\n", "defaults.yaml:1 line 1: a bracket opens here"),
        ("ssh: {port: 22, port: 23}\n", "defaults.yaml:1 ssh.port: the key is there twice"),
        ("sshKey: |\n  -----BEGIN PRIVATE KEY-----\n  hunter2\n", "defaults.yaml:1 sshKey: is a private key"),
    ],
)
def test_a_shared_file_that_can_not_be_used(folder, content, says):
    (folder / "defaults.yaml").unlink()
    if content is not None:
        (folder / "defaults.yaml").write_text(content, encoding="utf-8")
    text = "\n".join(map(str, check(folder).findings))
    assert says in text
    assert "hunter2" not in text


def test_a_name_that_is_no_file(folder):
    (found,) = mistakes(check(folder, replace="vds-platform:defaults: defaults.yaml", by="vds-platform:defaults: [a]"))
    assert str(found).startswith("Pulumi.bergen.yaml:6 vds-platform:defaults: is not the name of a file")


def test_a_spec_as_json_text_is_merged_too(folder):
    file = folder / "Pulumi.bergen.yaml"
    spec = read(file.read_text(encoding="utf-8"), file="f").value["config"]["vds-platform:spec"]
    text = f"config:\n  vds-platform:defaults: defaults.yaml\n  vds-platform:spec: '{json.dumps(spec)}'\n"
    assert mistakes(check_file(text, file.name, folder)) == []


def test_a_stack_has_the_name_of_its_environment():
    text = (ROOT / "Pulumi.oslo.yaml").read_text(encoding="utf-8")
    (found,) = mistakes(check_file(text, "Pulumi.bergen.yaml", ROOT))
    assert found.rule == "stack-name"
    assert "environment: oslo, but the stack is bergen" in str(found)
    assert found.remedy == "write environment: bergen"
    for name in ("Pulumi.oslo.yaml", "-", "copy.yaml"):
        assert mistakes(check_file(text, name, ROOT)) == []


def test_the_stacks_name_is_compared_with_the_engines():
    with pytest.raises(Exception, match="oslo, but the stack is bergen"):
        parse(stack_data("oslo"), base_dir=ROOT, stack="bergen")


def test_a_copy_of_a_file_is_checked_for_the_stack_that_it_is_used_for() -> None:
    text = (ROOT / "Pulumi.oslo.yaml").read_text()
    assert mistakes(check_file(text, "Pulumi.variant.yaml", ROOT, stack="oslo")) == []
