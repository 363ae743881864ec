"""The two commands as the engine runs them: a document on standard input, an exit status, lines on standard error."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from components.nodes.decommission.document import decommission_document
from tests.support.stacks import ROOT, host_key, stack

SECRET = "hunter2hunter2"


def kubeconfig() -> str:
    """Of a cluster at a port where nobody listens."""
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    user = {"name": "c", "user": {"token": SECRET}}
    return json.dumps({"current-context": "c", "clusters": [cluster], "users": [user], "contexts": [context]})


def run(*words: str, text: str | None = None, known: str = "", **changes: Any) -> subprocess.CompletedProcess[str]:
    spec = stack("lab")
    document = json.loads(
        decommission_document(
            spec.nodes[2],
            spec.ssh,
            script="",
            gateway_namespace="gw",
            kubeconfig=kubeconfig(),
            private_key=SECRET,
        )
    )
    document |= {"address": "127.0.0.1", "port": 1, "dialAttempts": 1, **changes}
    given = json.dumps(document) if text is None else text
    command = [sys.executable, "-m", "vds", *words]
    environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "PULUMI_COMMAND_STDOUT": known}
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


def test_a_cluster_that_does_not_answer_is_status_2_and_one_line():
    done = run("decommission")
    assert done.returncode == 2
    assert done.stderr == "", "the engine shows that as it comes, and all output again with the failure"
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("error: node osl-w-2: the cluster does not answer")


def test_with_json_there_is_one_document_for_status_2_too():
    done = run("decommission", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["exitCode"] == 2
    assert error["problems"][0] in done.stderr


def test_a_key_that_is_none_is_status_1_whatever_the_consent():
    done = run("decommission", "--json", drainSeconds=0, whenUnreachable="abandon")
    assert done.returncode == 1
    assert "vds-platform:sshPrivateKey" in done.stderr
    assert json.loads(done.stdout)["error"]["problems"][0] in done.stderr


@pytest.fixture(scope="module")
def key() -> str:
    import asyncssh

    return str(asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode())


def test_with_consent_a_dead_node_of_a_dead_cluster_is_status_0_and_warnings(key):
    done = run("decommission", "--json", whenUnreachable="abandon", privateKey=key)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["server"] == "abandoned"
    warnings = [line for line in done.stderr.splitlines() if line.startswith("node osl-w-2: warning: ")]
    assert len(warnings) == 2
    assert "/etc/sysctl.d/zz-vds-platform.conf" in warnings[1]


def test_a_bastion_that_does_not_answer_is_no_reason_to_abandon_a_node(key):
    bastion = {"host": "127.0.0.1", "port": 1, "user": "root", "hostKey": host_key("bastion")}
    done = run("decommission", drainSeconds=0, whenUnreachable="abandon", privateKey=key, bastion=bastion)
    assert done.returncode == 1
    assert "the bastion 127.0.0.1 port 1: Connection refused: start the bastion" in done.stdout


def test_without_it_status_1_and_the_remedy(key):
    done = run("decommission", drainSeconds=0, privateKey=key)
    assert done.returncode == 1
    assert done.stdout.startswith("error: node osl-w-2 (127.0.0.1 port 1) can't be decommissioned")


def test_recommission_needs_the_cluster_once_and_then_never_stops_a_deployment():
    first = run("recommission")
    assert (first.returncode, first.stdout) == (2, "")
    assert "its UID can't be recorded" in first.stderr
    later = run("recommission", known="uid-1")
    assert (later.returncode, later.stdout) == (0, "uid-1\n")
    assert "may still be cordoned" in later.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", f'{{"privateKey": "{SECRET}"}}', json.dumps(SECRET)])
@pytest.mark.parametrize("command", ["decommission", "recommission"])
def test_anything_but_the_document_is_status_2(command, text):
    done = run(command, text=text)
    assert done.returncode == 2
    assert "standard input is not the document that pulumi writes" in done.stderr


def test_help_says_what_the_statuses_mean():
    done = run("decommission", "--help")
    assert done.returncode == 0
    assert "Exit codes: 0 everything is fine" in done.stdout
