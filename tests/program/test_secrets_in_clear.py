"""Secrets as plain configuration, kubeconfigs without TLS, and a dead SSH agent stop the program before it declares
anything."""

import json

import pytest

from components.stackfile.parsing import SpecError
from tests.support.bootstraps import bootstrap_data
from tests.support.kubeconfigs import kubeconfig
from tests.support.program import run_program
from tests.support.stacks import existing_data


def said(data, **options) -> str:
    with pytest.raises(SpecError) as caught:
        run_program("oslo", data, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["sshPrivateKey", "kubeconfig", "certificates"])
def test_a_secret_as_plain_configuration_is_refused(name):
    text = said(existing_data(), in_clear=[name])
    assert f"vds-platform:{name}: is a secret, and is not encrypted in the file" in text


def test_the_authoritys_key_as_plain_configuration_is_refused_and_all_are_named_at_once():
    text = said(bootstrap_data(), in_clear=["caKey", "sshPrivateKey"])
    assert "the stack file has 2 problems" in text
    assert "vds-platform:caKey" in text
    assert "PRIVATE KEY" not in text


CHANGES = {
    "insecure": ("cluster", {"insecure-skip-tls-verify": True}, "lets any server answer for the cluster"),
    "http": ("cluster", {"server": "http://192.0.2.10:6443"}, "is not an https address"),
    "exec": ("user", {"exec": {"command": "sh"}}, "runs a program on the machine that uses it"),
    "auth-provider": ("user", {"auth-provider": {"name": "gcp"}}, "runs a program on the machine that uses it"),
    "file": ("user", {"client-key": "/root/key.pem"}, "names a file of the machine that uses it"),
    "no authority": ("cluster", {"certificate-authority-data": ""}, "has no certificate"),
}


@pytest.mark.parametrize(("kind", "change", "says"), CHANGES.values(), ids=CHANGES)
def test_a_kubeconfig_that_is_not_safe_is_refused(kind, change, says):
    found = json.loads(kubeconfig(user={"token": "hunter2"}))
    found[f"{kind}s"][0][kind] |= change
    text = said(existing_data(), kubeconfig=json.dumps(found))
    assert "vds-platform:kubeconfig" in text
    assert says in text
    assert "hunter2" not in text


def test_an_ssh_agent_that_does_not_answer_is_named_before_the_provider_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    text = said(existing_data())
    assert "SSH_AUTH_SOCK: names an SSH agent that does not answer (No such file or directory)" in text
    assert "unset SSH_AUTH_SOCK" in text
