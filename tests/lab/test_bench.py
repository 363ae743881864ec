"""The network between two pods of the lab, measured: real iperf3 and real round trips through Cilium's data path."""

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from components.kubernetes_api import ApiError
from lab.layout import CHECKOUT, NODES
from lab.processes import wait_until
from lab.verify import images
from tests.lab.conftest import Lab, lab_command
from vds.bench.manifests import NAMESPACE

pytestmark = pytest.mark.lab


def words(lab: Lab, *more: str) -> list[str]:
    image = images(lab.layout)["e2e/iperf3"]
    file = str(lab.deployment.config_file)
    return ["vds", "bench", "network", "--stack", "lab", "--config-file", file, "--image", image, *more]


def is_there(lab: Lab) -> bool:
    try:
        lab.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}")
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


def test_throughput_latency_and_loss_are_measured_between_two_nodes(lab: Lab) -> None:
    source, target = NODES[1].name, NODES[2].name
    done = lab_command(*words(lab, "--from", source, "--to", target, "--seconds", "3", "--json"), timeout=300)
    assert done.stdout.startswith("{"), done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert (document["from"], document["to"]) == (source, target)
    details = document["details"]
    assert details["throughput"]["gbps"] > 0.05, document
    assert details["latency"]["round_trips"] > 100, document
    assert 0 < details["latency"]["p50_ms"] <= details["latency"]["p99_ms"], document
    assert details["loss"]["packets"] > 1000, document
    assert done.returncode == (0 if document["ok"] else 1)  # how fast this machine is proves nothing
    assert not is_there(lab)


def test_a_run_that_is_ended_takes_its_pods_with_it(lab: Lab) -> None:
    deployment = lab.deployment
    deployment.prepare()
    # Not through `python -m lab`: a signal must reach the command itself.
    process = subprocess.Popen(
        [sys.executable, "-m", *words(lab, "--seconds", "60")],
        cwd=CHECKOUT,
        env=deployment.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: is_there(lab), 60, lambda: "it made no namespace")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143, said
    assert "deleting the pods" in said
    assert not is_there(lab)


def test_an_image_of_nobodys_registry_is_refused_before_anything_is_made(lab: Lab) -> None:
    ours = images(lab.layout)["e2e/iperf3"]
    argv = [word if word != ours else "networkstatic/iperf3" for word in words(lab)]
    done = lab_command(*argv)
    assert done.returncode == 2
    assert "bytes go to docker.io (image-registry), which no declared place holds" in done.stderr
    assert not is_there(lab)
