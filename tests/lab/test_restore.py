"""docs/howto/restore-a-cluster.md, typed word for word: one control plane of three is lost and joins again, then all
three are lost, and the cluster is made again from a snapshot in a bucket. Tenants answer throughout."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
import yaml

from lab import data_center, fabric
from lab.asking import ssh
from lab.chaos import changes
from lab.layout import BUCKETS_NAME, CONTROL_PLANES, SITE
from lab.processes import wait_until
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question, until_served
from lab.stack_file import SPEC
from lab.verify import load_spec, wait_for_workloads
from tests.lab.conftest import Lab, lab_command
from tests.support import howtos
from tests.support.gateway_load import load
from tests.support.howtos import Terminal

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PAGE = "restore-a-cluster"
PORT, BUCKET = 9443, "oslo-cluster"
KEY_ID, SECRET = "LABBACKUP", "of-the-lab/0123456789+"
REQUESTS = 200
LABEL = "example.no/of-the-stack-file"
IN_THE_LAB = {"host: s3.example.no": f"host: {BUCKETS_NAME}\n    port: {PORT}", "s3.example.no": BUCKETS_NAME}
KEYS, ACCESS_KEY, SET_UP, SNAPSHOT, ONE_IS_LOST, AUTHORITY, RESTORE, AFTERWARDS = howtos.blocks(PAGE)


@pytest.fixture
def machines(lab: Lab) -> Iterator[Lab]:
    """Two more control planes, and an S3 server of the site, which verifies signatures."""
    pki = lab.layout.pki
    argv = [str(lab.tools.path("s3server")), f"{SITE.address}:{PORT}", KEY_ID, BUCKET]
    argv += [str(pki / "registry.crt"), str(pki / "registry.key")]
    with fabric.inside(SITE):
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdin
    server.stdin.write(f"{SECRET}\n")
    server.stdin.close()
    try:
        data_center.ensure(lab.layout, Progress(total=1, quiet=True), CONTROL_PLANES[1:])
        yield lab
    finally:
        server.terminate()
        server.wait(30)
        lab_command("down")  # the restored cluster is not the lab's own any more


def set_up(lab: Lab) -> Terminal:
    """The page up to its first snapshot."""
    terminal = lab.terminal(lab.variant(changes.control_planes), IN_THE_LAB)
    terminal.type(KEYS)
    [recipient] = re.findall(r"age1\w+", (terminal.folder / "oslo-backup.key").read_text())
    file = terminal.folder / "Pulumi.lab.yaml"
    content = yaml.safe_load(file.read_text())
    [stack_file] = howtos.blocks(PAGE, "yaml")
    howtos.written(content["config"][SPEC], stack_file, {**IN_THE_LAB, "age1…": recipient})
    for node in content["config"][SPEC]["nodes"]:
        node["labels"] = {**node.get("labels", {}), LABEL: "yes"}
    file.write_text(yaml.safe_dump(content))
    terminal.type(ACCESS_KEY, f"{KEY_ID}:{SECRET}\n")
    terminal.type(SET_UP)
    return terminal


def labelled(lab: Lab) -> set[str]:
    """Nodes with the label of the stack file, which no update sets again: the engine has set it."""
    nodes = lab.cluster.request("GET", "/api/v1/nodes")["items"]
    return {node["metadata"]["name"] for node in nodes if LABEL in node["metadata"]["labels"]}


def members_of_etcd(lab: Lab) -> set[str]:
    pki = "/etc/kubernetes/pki/etcd"
    words = f"--cacert {pki}/ca.crt --cert {pki}/server.crt --key {pki}/server.key member list"
    listed = ssh(lab.layout, CONTROL_PLANES[0].address, f"/usr/local/lib/vds-platform/etcdctl {words}").stdout
    return {line.split(", ")[2] for line in listed.splitlines()}


def test_one_lost_control_plane_joins_the_others_and_all_are_made_again_from_the_bucket(machines: Lab) -> None:
    lab = machines
    terminal = set_up(lab)
    spec = load_spec(lab.layout, terminal.folder / "Pulumi.lab.yaml")
    asked = question(lab.layout, spec, gateway_address(lab.cluster, spec))
    with load(asked) as requests:
        data_center.replace(lab.layout, Progress(total=1, quiet=True), CONTROL_PLANES[1:2])
        print(terminal.type(ONE_IS_LOST, "y\n"))
    everything = {node.name for node in spec.nodes}
    assert members_of_etcd(lab) == {host.name for host in CONTROL_PLANES}
    assert labelled(lab) == everything
    print(f"requests while one control plane was lost and made again: {dict(requests)}")
    assert requests.pop("answered") > 0
    assert requests == {}
    wait_for_workloads(lab.cluster, spec)

    written = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "before", "namespace": "default"}}
    lab.cluster.apply(written)
    print(terminal.type(SNAPSHOT))
    lab.cluster.apply({**written, "metadata": {"name": "after", "namespace": "default"}})

    with load(asked) as requests:
        data_center.replace(lab.layout, Progress(total=1, quiet=True), CONTROL_PLANES)
        shutil.copy(lab.layout.pki / "cluster.key", terminal.folder / "ca.key")
        terminal.type(AUTHORITY)
        print(terminal.type(RESTORE, "y\n"))
    began = time.monotonic()
    wait_until(lambda: bool(lab.cluster.text("GET", "/readyz")), 60, lambda: "the API server does not answer")
    assert labelled(lab) == everything
    names = {
        item["metadata"]["name"]
        for item in lab.cluster.request("GET", "/api/v1/namespaces/default/configmaps")["items"]
    }
    assert "before" in names
    assert "after" not in names, "it was written after the snapshot"
    wait_for_workloads(lab.cluster, spec)
    afterwards = until_served(asked, {"api", "api-canary"}, REQUESTS)
    assert not afterwards["failures"]
    print(f"requests from the loss to the restored control planes: {dict(requests)}")
    print(f"every pod ready {time.monotonic() - began:.0f} s after that")
    assert requests.pop("answered") > REQUESTS
    assert requests == {}, "pods and the gateway need no control plane"
    print(terminal.type(AFTERWARDS))
