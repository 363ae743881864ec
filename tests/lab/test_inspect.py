"""Debugging by our own commands: crictl, tcpdump and Cilium's status on real machines."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.asking import ask, from_host, pods
from lab.layout import CLIENT, NODES
from lab.proof.gateway import gateway_address, question
from lab.verify import load_spec
from tests.lab.conftest import Lab, lab_command

pytestmark = pytest.mark.lab


def look(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    command, *more = words
    config = ("--stack", "lab", "--config-file", str(lab.deployment.config_file))
    return lab_command("vds", "inspect", command, *config, *more, timeout=120)


def a_pod(lab: Lab, app: str) -> str:
    found = next(pod for pod in pods(lab.layout, lab.cluster) if pod["app"] == app)
    return f"{found['namespace']}/{found['name']}"


def test_a_pods_routes_have_the_mtu_that_the_model_says(lab: Lab) -> None:
    done = look(lab, "routes", a_pod(lab, "api"), "--json")
    assert done.returncode == 0, done.stderr
    assert "1450" in done.stdout


def test_a_clients_request_is_captured_in_the_pod(lab: Lab) -> None:
    spec = load_spec(lab.layout)
    asked = question(lab.layout, spec, gateway_address(lab.cluster, spec)) | {"requests": 400}
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(ask, from_host(CLIENT), [asked])
        done = look(lab, "capture", a_pod(lab, "api"), "--packets", "5", "--", "tcp", "port", "8080")
        load.result()
    assert done.returncode == 0, done.stdout + done.stderr
    assert ".8080: Flags" in done.stdout


def test_every_agent_says_that_it_is_well(lab: Lab) -> None:
    done = look(lab, "cni", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    text = json.dumps(json.loads(done.stdout))
    assert all(node.name in text for node in NODES)
