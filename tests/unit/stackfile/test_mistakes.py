"""Mistakes that people make in a stack file: one finding each, with item, value, line and remedy."""

from pathlib import Path

import pytest
import yaml

from components.stackfile.parsing import check_file
from tests.support.stack_file_changes import changed
from tests.support.stacks import ROOT

OSLO = (ROOT / "Pulumi.oslo.yaml").read_text(encoding="utf-8")
CASES = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text(encoding="utf-8"))


def findings(text):
    found = check_file(text, "Pulumi.oslo.yaml", ROOT).findings
    return [one for one in found if one.message != "is not in the file yet"]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{case['mistake']}" for case in CASES])
def test_a_mistake_is_one_finding_with_item_line_and_remedy(case):
    text = changed(OSLO, case["change"])
    found = findings(text)
    if case.get("accepted"):
        assert found == []
        return
    refused = [one for one in found if not one.advice]
    if case.get("advice"):
        assert refused == []
        refused = [one for one in found if case["says"] in str(one)]
    (finding,) = refused
    assert finding.remedy
    assert finding.subject == case["item"]
    assert case["says"] in str(finding)
    assert case.get("value", "") in str(finding)
    lines = text.splitlines()
    assert len(finding.lines) == len(case["at"])
    for line, begins in zip(finding.lines, case["at"], strict=True):
        assert lines[line - 1].strip().startswith(begins)
    assert str(finding).startswith(f"Pulumi.oslo.yaml:{finding.lines[0]} {finding.subject}: ")


@pytest.mark.parametrize(
    ("place", "value"),
    [("gateway.controllerName", "nginx.org/gateway"), ("cni.version", "1.21.0")],
)
def test_a_value_that_the_message_repeats_is_there_for_programs_too(place, value):
    """`vds validate --json` had an empty value where a rule's subject is the path of the field."""
    (finding,) = findings(changed(OSLO, {"set": {place: value}}))
    assert (finding.subject, finding.value) == (place, value)


def test_all_mistakes_of_a_file_are_said_at_once():
    changes = [
        {"replace": "    residency:\n", "with": "    resdency:\n"},
        {"replace": "hubble: true", "with": "hubbel: true"},
        {"replace": "podCidr: 10.244.0.0/16", "with": "pod_cidr: 10.244.0.0/16"},
        {"replace": "vds-platform:readNodes", "with": "vds-platform:readNode"},
    ]
    text = OSLO
    for change in changes:
        text = changed(text, change)
    assert [one.subject for one in findings(text)] == [
        "vds-platform:readNode",
        "resdency",
        "network.pod_cidr",
        "cni.hubbel",
    ]


@pytest.mark.parametrize(
    ("replace", "by", "item", "says"),
    [
        ("readNodes: true", "readNode: true", "vds-platform:readNode", "did you mean vds-platform:readNodes?"),
        ("readNodes: true", 'readNodes: "true"', "", ""),
        ("readNodes: true", "readNodes: yes", "vds-platform:readNodes", "'yes' is neither true nor false"),
        ("  vds-platform:readNodes: true", "  readNodes: true", "", ""),
        ("  vds-platform:readNodes", "  vds-plattform:readNodes", "vds-plattform:readNodes", "vds-platform:readNodes"),
        ("vds-platform:spec:", "vds-platform:specs:", "vds-platform:specs", "did you mean vds-platform:spec?"),
        ("  pulumi:disable", "  kubernetes:context: x\n  pulumi:disable", "", ""),
    ],
)
def test_keys_beside_the_spec(replace, by, item, says):
    found = findings(changed(OSLO, {"replace": replace, "with": by}))
    if not item:
        assert found == []
        return
    assert (found[0].subject, says in str(found[0])) == (item, True), found


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        ({"replace": "config:\n", "with": "confg:\n"}, "confg:", "confg: is not a key here: did you mean config?"),
        ({"replace": "config:\n", "with": "config:\n  spec: {}\n"}, "spec: {}", "spec: is there twice"),
        ({"replace": "config:\n", "with": "vds-platform:readNodes: true\nconfig:\n"}, "vds-", "is not below config"),
        ({"replace": "      port: 22\n", "with": '      "": 22\n'}, '"": 22', "ssh.'': is not a setting here: the set"),
        ({"replace": "      port: 22\n", "with": '      "a\\nb": 22\n'}, '"a', r"ssh.'a\nb': is not a setting here"),
        ({"replace": "      port: 22\n", "with": "      a.b[c]: 22\n"}, "a.b[c]", "ssh.a.b[c]: is not a setting here"),
        (
            {"replace": "user: root", "with": "user: {secure: v1:x}"},
            "user:",
            "ssh.user: is encrypted: write it in clear",
        ),
        ({"replace": "- name: public", "with": '- name: "a\\tb"'}, '- name: "a', r"metallb.pools[1].name: 'a\tb' is"),
    ],
)
def test_keys_and_values_in_odd_places(change, line, says):
    text = changed(OSLO, change)
    (finding,) = findings(text)
    assert says in str(finding)
    assert text.splitlines()[finding.lines[0] - 1].strip().startswith(line)
    assert str(finding).isprintable()


@pytest.mark.parametrize("place", ["ssh", "ssh.user", "metallb.pools", "metallb.pools[public].name", "gateway.install"])
@pytest.mark.parametrize(
    "key", ["-----BEGIN OPENSSH PRIVATE KEY----- hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n"]
)
def test_a_private_key_is_never_repeated(place, key):
    (finding,) = findings(changed(OSLO, {"set": {place: key}}))
    assert "is a private key (not repeated): remove it from the file" in str(finding)
    assert "hunter2" not in repr(finding)


def test_a_private_key_is_refused_where_any_text_is_good():
    for place in ("residency.places[quay].entity", "nodes[osl-w-1].provider.name"):
        (finding,) = findings(changed(OSLO, {"set": {place: "-----BEGIN PRIVATE KEY----- x"}}))
        assert "is a private key" in str(finding)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("nodes[osl-w-1].provider.name", "a\0b", "has the character U+0000, which is not printed: remove it"),
    ],
)
def test_text_that_no_server_takes(place, value, says):
    (finding,) = findings(changed(OSLO, {"set": {place: value}}))
    assert says in str(finding)
    assert len(str(finding)) < 300


def test_a_kind_that_is_a_group_is_not_repeated():
    (finding,) = findings(changed(OSLO, {"set": {"gateway.install.kind": {"password": "hunter2"}}}))
    assert "hunter2" not in repr(finding)
    assert finding.subject == "gateway.install.kind"


def test_a_long_text_is_not_repeated():
    (finding,) = findings(changed(OSLO, {"set": {"gateway.listeners": "x" * 5000}}))
    assert len(str(finding)) < 200


def test_json_text_that_is_too_deep_is_a_finding():
    (finding,) = findings(f"config:\n  vds-platform:spec: '{'[' * 3000}'\n")
    assert "is not a group of settings" in finding.message


def test_host_keys_are_not_missed_where_ssh_can_not_be_read():
    text = "\n".join(line for line in OSLO.splitlines() if "hostKey" not in line)
    for change in ({"replace": "    ssh:", "with": "    SSH:"}, {"set": {"ssh.user": "Root!"}}):
        assert [one.rule for one in findings(changed(text, change))] == ["stack-file"]


def test_keys_that_a_missing_file_would_give_are_not_missed_too():
    text = "\n".join(line for line in OSLO.splitlines() if "hostKey" not in line)
    (found,) = findings(changed(text, {"set": {"ssh.knownHostsFile": "nowhere"}}))
    assert found.subject == "ssh.knownHostsFile"
    assert {one.rule for one in findings(text)} == {"nodes-host-key"}


def test_a_secret_is_never_repeated_whatever_is_wrong_with_it():
    secret = "hunter2-hunter2"
    for text in (
        f"config:\n  vds-platform:sshPrivateKey: {secret}\n  vds-platform:spec: {{}}\n",
        f"config:\n  vds-platform:sshPrivateKey: {{secure: {secret}}}\n  vds-platform:sshKey: {secret}\n",
        f"config:\n  vds-platform:sshPrivateKey:\n    secure: {secret}\n    secure: {secret}2\n",
        f"config:\n  vds-platform:spec:\n    environment:\n      secure: {secret}\n",
        f"config:\n  vds-platform:sshPrivateKey: '{secret}\n",
        f"config:\n  vds-platform:spec:\n    password: {secret}\n    nodes: [{{token: {secret}}}]\n",
        f"config:\n  vds-platform:kubeconfig: {secret}\n  vds-platform:kubeconfig: {secret}3\n",
        f"config:\n  vds-platform:spec:\n    password: {secret}\n    password: {secret}4\n",
    ):
        found = check_file(text, "Pulumi.x.yaml", ROOT).findings
        assert found
        assert secret not in "\n".join(map(str, found)) + repr(found)


def test_a_secret_in_clear_is_refused_and_a_missing_one_is_advice():
    found = check_file(OSLO + "  vds-platform:sshPrivateKey: abc\n", "Pulumi.oslo.yaml", ROOT).findings
    assert [one.subject for one in found if not one.advice] == ["vds-platform:sshPrivateKey"]
    found = check_file(OSLO, "Pulumi.oslo.yaml", ROOT).findings
    assert "vds-platform:sshPrivateKey" in [one.subject for one in found if one.advice]
    encrypted = "".join(
        f"  vds-platform:{name}:\n    secure: v1:x\n"
        for name in ("sshPrivateKey", "caKey", "encryptionKeys", "backupAccessKey")
    )
    assert check_file(OSLO + encrypted, "Pulumi.oslo.yaml", ROOT).findings == ()
