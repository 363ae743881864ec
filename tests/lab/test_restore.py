"""All control planes are lost and made again from a snapshot in a bucket: tenants answer throughout and afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import data_center, fabric
from lab.asking import ask, from_host
from lab.layout import CLIENT, CONTROL_PLANES, OPERATOR, REGISTRY_NAME, SITE
from lab.machines import machine
from lab.processes import command, wait_until
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question, until_served
from lab.verify import load_spec, wait_for_workloads
from tests.lab.conftest import Lab, lab_command

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PORT, BUCKET = 9443, "clusters"
KEY_ID, SECRET = "LABBACKUP", "of-the-lab/0123456789+"
CONTROL_PLANE = CONTROL_PLANES[0]
REQUESTS = 200


@pytest.fixture
def bucket(lab: Lab) -> Iterator[None]:
    """An S3 server of the site, which verifies signatures, with a certificate of the lab's authority."""
    pki = lab.layout.pki
    argv = [str(lab.tools.path("s3server")), f"{SITE.address}:{PORT}", KEY_ID, BUCKET]
    argv += [str(pki / "registry.crt"), str(pki / "registry.key")]
    with fabric.inside(SITE):
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdin
    server.stdin.write(f"{SECRET}\n")
    server.stdin.close()
    try:
        yield
    finally:
        server.terminate()
        server.wait(30)
        lab_command("down")  # the restored cluster is not the lab's own any more


def with_backup(recipient: str) -> Any:
    def edit(spec: dict[str, Any]) -> None:
        spec["cluster"]["backup"] = {
            "host": REGISTRY_NAME,
            "port": PORT,
            "bucket": BUCKET,
            "region": "no-1",
            "recipient": recipient,
            "everyMinutes": 60,
            "keep": 10,
        }
        spec["residency"]["places"][0]["purposes"].append("backup")

    return edit


def vds(lab: Lab, *words: str) -> dict[str, Any]:
    """A command of the operator, and its JSON document."""
    argv = [sys.executable, "-m", "vds", *words, "--stack", "lab", "--json"]
    done = subprocess.run(
        command(argv, part="op", resolver=lab.layout.resolver),
        cwd=lab.deployment.project,
        env=lab.deployment.environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def configured(lab: Lab) -> Path:
    """A stack file with a backup, and its secrets."""
    keygen = subprocess.run([lab.tools.path("age-keygen")], capture_output=True, text=True, check=True)
    file = lab.variant(with_backup(keygen.stderr.split()[-1]))
    for name, value in (("backupAccessKey", f"{KEY_ID}:{SECRET}"), ("backupIdentity", keygen.stdout.split()[-1])):
        lab.set_secret(file, name, value)
    return file


def test_a_lost_control_plane_is_made_again_from_the_bucket_and_tenants_answer(bucket: None, lab: Lab) -> None:
    file = configured(lab)
    outcome = lab.deployment.run("up", config_file=file)
    assert outcome.exit_code == 0, outcome.diagnostics
    named = ("--config-file", str(file))
    written = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "before", "namespace": "default"}}
    lab.cluster.apply(written)
    began = time.monotonic()
    taken = vds(lab, "backup", "run", *named)["nodes"][CONTROL_PLANE.name]["last"]
    took = time.monotonic() - began
    checked = vds(lab, "backup", "check", *named)["nodes"][CONTROL_PLANE.name]
    assert checked["object"] == taken["object"]
    lab.cluster.apply({**written, "metadata": {"name": "after", "namespace": "default"}})

    spec = load_spec(lab.layout)
    asked = question(lab.layout, spec, gateway_address(lab.cluster, spec))
    machine.stop(lab.layout, CONTROL_PLANE)
    fabric.take_out(CONTROL_PLANE)  # with what the CNI left on its link
    shutil.rmtree(lab.layout.machine(CONTROL_PLANE.name))
    data_center.ensure(lab.layout, Progress(total=1, quiet=True), [CONTROL_PLANE])

    meanwhile = ask(from_host(CLIENT), [asked | {"requests": REQUESTS}])[0]
    assert not meanwhile["failures"], "pods and the gateway need no control plane"
    restored = vds(lab, "restore", "--yes", *named)
    print(f"snapshot of {taken['keys']} keys and {taken['uploaded']} bytes in {took:.1f} s")
    print(
        f"check in {checked['check_seconds']} s, restore in {restored['seconds']} s, lost {restored['lostSeconds']} s"
    )
    with fabric.inside(OPERATOR):
        wait_until(lambda: bool(lab.cluster.text("GET", "/readyz")), 60, lambda: "the API server does not answer")
        names = {
            item["metadata"]["name"]
            for item in lab.cluster.request("GET", "/api/v1/namespaces/default/configmaps")["items"]
        }
        assert "before" in names
        assert "after" not in names, "it was written after the snapshot"
        wait_for_workloads(lab.cluster, spec)
        afterwards = until_served(asked, {"api-stable", "api-canary"}, REQUESTS)
        assert not afterwards["failures"]
    outcome = lab.deployment.run("up", config_file=file)
    assert outcome.exit_code == 0, outcome.diagnostics
