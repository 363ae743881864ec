"""None of the running lab's own secrets is where it has no business: in no log, state, journal, disk or output."""

import base64
import json
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubeadm.security.render import ENCRYPTION
from components.stackfile.keys import SECRETS
from lab import stack_file
from lab.asking import ssh
from lab.layout import NODES, STACK
from tests.lab.conftest import Lab, lab_command
from tests.support.canaries import Canary, canary, hits, needles, without_marked

pytestmark = pytest.mark.lab

TENANTS = canary("a tenant's Secret", "canary-of-a-tenant-in-the-lab/+&%")
SECRET = "/api/v1/namespaces/butikk-prod/secrets"
PASSPHRASE, KUBECONFIG, CERTIFICATE = "the passphrase", "the administrator's key", "the gateway's key"
OWN = {
    "sshPrivateKey": ("ssh/id_ed25519",),
    "caKey": ("pki/cluster.key", "machines/osl-cp-*/upper/etc/kubernetes/pki/ca.key"),
    "issuerKey": ("pki/authority.key",),
    "encryptionKeys": ("pki/encryption-key", f"machines/osl-cp-*/upper{ENCRYPTION}"),
    PASSPHRASE: ("pulumi/passphrase",),
    KUBECONFIG: ("kubeconfig", "machines/osl-cp-*/upper/etc/kubernetes/admin.conf"),
}
"""Where a secret is by intention, below `.lab`: the operator's own files, and a control plane's."""
_PATTERNS = "/dev/shm/canaries"  # noqa: S108  in memory, of a machine of the lab
IN_ETCD = ("machines/osl-cp-*/etcd/*",)
"""Where Kubernetes keeps Secrets, in clear unless the API server encrypts them."""


def _secrets(lab: Lab) -> list[Canary]:
    given = stack_file.secret_values(lab.layout)
    assert set(given) <= SECRETS
    user = yaml.safe_load(lab.layout.kubeconfig.read_text())["users"][0]["user"]
    served = lab.cluster.request("GET", "/api/v1/namespaces/gateway-system/secrets")["items"]
    keys = [item["data"]["tls.key"] for item in served if item["type"] == "kubernetes.io/tls"]
    return [
        *(canary(name, value.strip()) for name, value in given.items()),
        canary(PASSPHRASE, (lab.layout.state / "pulumi" / "passphrase").read_text()),
        canary(KUBECONFIG, base64.b64decode(user["client-key-data"]).decode()),
        *(canary(CERTIFICATE, base64.b64decode(key).decode()) for key in keys),
        TENANTS,
    ]


@pytest.fixture
def secrets(lab: Lab) -> Any:
    """The lab's secrets, with one of a tenant that is there for the test."""
    body = {"metadata": {"name": "canary"}, "stringData": {"password": TENANTS.value}}
    lab.cluster.request("POST", SECRET, body)
    try:
        yield _secrets(lab)
    finally:
        lab.cluster.request("DELETE", f"{SECRET}/canary")


def _patterns(wanted: list[Canary]) -> bytes:
    """For `grep --fixed-strings`, which takes a line for each."""
    return b"".join(text + b"\n" for text in needles(wanted) if b"\n" not in text and b"\0" not in text)


def _encrypts(lab: Lab) -> bool:
    manifest = ssh(lab.layout, NODES[0].address, "cat /etc/kubernetes/manifests/kube-apiserver.yaml").stdout
    return "--encryption-provider-config" in manifest


def test_no_file_of_the_lab_and_of_its_machines_has_one(lab: Lab, secrets: list[Canary], tmp_path: Path) -> None:
    file = tmp_path / "patterns"
    etcd = () if _encrypts(lab) else IN_ETCD
    places = OWN | {CERTIFICATE: etcd, TENANTS.name: etcd}
    misplaced = []
    for name in {one.name for one in secrets}:
        file.touch(mode=0o600)
        file.write_bytes(_patterns([one for one in secrets if one.name == name]))
        command = ["grep", "-rlaF", "-f", str(file), "--exclude-dir=io.containerd.content.v1.content", "."]
        done = subprocess.run(command, cwd=lab.layout.state, capture_output=True, text=True, env={"LC_ALL": "C"})
        found = [line.removeprefix("./") for line in done.stdout.splitlines()]
        assert found or not places[name], f"{name} is nowhere, so the search finds nothing: {done.stderr}"
        misplaced += [f"{name}: {where}" for where in found if not any(fnmatch(where, one) for one in places[name])]
    assert misplaced == []


def test_no_journal_and_no_temporary_file_of_a_machine_has_one(lab: Lab, secrets: list[Canary]) -> None:
    for node in NODES:
        journal = ssh(lab.layout, node.address, "journalctl --no-pager --all --output=export")
        assert journal.returncode == 0, journal.stderr
        assert hits(f"journal of {node.name}", journal.stdout, secrets) == []
        patterns = base64.b64encode(_patterns(secrets)).decode()
        search = (
            "base64 -d >/dev/shm/canaries && grep -rlaF -f /dev/shm/canaries /run /tmp /dev/shm; rm /dev/shm/canaries"
        )
        found = ssh(lab.layout, node.address, f"umask 077; export LC_ALL=C; {search}", stdin=patterns).stdout.split()
        assert [where for where in found if where != _PATTERNS] == [], node.name


def test_no_clear_part_of_the_state_has_one(lab: Lab, secrets: list[Canary]) -> None:
    for words in ([], ["--show-secrets"]):
        argv = [str(lab.deployment.engine), "stack", "export", "--stack", STACK, *words]
        environment = lab.deployment.environment()
        done = subprocess.run(argv, cwd=lab.layout.state, env=environment, capture_output=True, text=True, check=True)
        clear = json.dumps(without_marked(json.loads(done.stdout)), ensure_ascii=False)
        assert hits(f"the state {words}", clear, secrets) == []
    assert hits("the decrypted state", done.stdout, secrets), "it has them, encrypted"


def test_no_command_shows_one(lab: Lab, secrets: list[Canary], tmp_path: Path) -> None:
    stack = ("--stack", "lab", "--config-file", str(lab.deployment.config_file))
    for words in (("doctor", *stack, "--json", "--facts", str(tmp_path / "facts")), ("inspect", "cni", *stack)):
        done = lab_command("vds", *words)
        assert done.stdout, done.stderr
        assert hits(words[0], f"{done.stdout}{done.stderr}", secrets) == []
    assert hits("facts", (tmp_path / "facts").read_bytes(), secrets) == []
