"""The first preview of a program that makes its own cluster, by the real engine: nothing in it has properties yet, and
the policies judge its objects by their inputs."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import bootstraps
from tests.support.engine import Engine
from tests.support.program import certificates

PROGRAM = '''
"""A sound tenant's namespace on a cluster that this program makes."""
import pulumi
import pulumi_command as command
import pulumi_kubernetes as k


class Machine(pulumi.ComponentResource):
    def __init__(self, name):
        where = {"country": "NO", "providerCountry": "NO"}
        super().__init__("agency:index:Machine", name, where)
        self.register_outputs(where)


made = command.remote.Command(
    "cluster",
    connection={"host": "203.0.113.12", "user": "root", "password": "x", "host_key": "ssh-ed25519 AAAA"},
    create="kubeadm init",
    opts=pulumi.ResourceOptions(parent=Machine("osl")),
)
o = pulumi.ResourceOptions(provider=k.Provider("new", kubeconfig=made.stdout))
labels = {"vds-platform.no/tenant": "shop", "pod-security.kubernetes.io/enforce": "restricted"}
shop = {"namespace": "shop"}
every = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
server = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
names = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [server], "ports": ports}]}
hard = {"pods": "20", "requests.cpu": "4", "requests.memory": "8Gi", "requests.storage": "1Gi"}
limits = [{"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}}]
k.core.v1.Namespace("shop", metadata={"name": "shop", "labels": labels}, opts=o)
k.networking.v1.NetworkPolicy("deny", metadata={"name": "deny", **shop}, spec=every, opts=o)
k.networking.v1.NetworkPolicy("dns", metadata={"name": "dns", **shop}, spec=names, opts=o)
k.core.v1.ResourceQuota("q", metadata={"name": "q", **shop}, spec={"hard": hard}, opts=o)
k.core.v1.LimitRange("l", metadata={"name": "l", **shop}, spec={"limits": limits}, opts=o)
'''

ABROAD = """
env = [{"name": "SINK", "value": "https://logs.example.com/push"}]
pod = {"containers": [{"name": "a", "image": "ghcr.io/evil/a:1", "env": env}]}
k.core.v1.Pod("p", metadata={"name": "p", "namespace": "kube-system"}, spec=pod, opts=o)
k.networking.v1.NetworkPolicy(
    "out", metadata={"name": "out", "namespace": "kube-system"}, spec={"podSelector": {}, "egress": [{}]}, opts=o
)
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("first-preview"), "a passphrase")


def preview(engine: Engine, folder: Path, stack: str) -> str:
    here = {"name": "here", "hosts": ["localhost"], "country": "NO", "entity": "x", "entityCountry": "NO"}
    pack = engine.folder / "pack.json"
    pack.write_text(json.dumps({"residency-state": {"places": [{**here, "purposes": ["state"]}]}}))
    done = subprocess.run(
        [
            *("pulumi", "preview", "--non-interactive", "--stack", stack, "--suppress-progress"),
            *("--policy-pack", str(engine.project / "policies"), "--policy-pack-config", str(pack)),
        ],
        cwd=folder,
        env=engine.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"


def foreign(engine: Engine, name: str, text: str) -> str:
    folder = engine.folder / name
    folder.mkdir()
    runtime = {"name": "python", "options": {"virtualenv": str(engine.project / ".venv")}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": name, "runtime": runtime}))
    (folder / "__main__.py").write_text(text)
    engine.must("stack", "init", "--cwd", str(folder), "first")
    return preview(engine, folder, "first")


def test_a_sound_program_that_makes_its_cluster_passes(engine: Engine) -> None:
    said = foreign(engine, "sound", PROGRAM)
    assert said.startswith("0\n"), said
    assert "mandatory" not in said


def test_what_goes_abroad_is_refused_before_the_cluster_is_there(engine: Engine) -> None:
    said = " ".join(foreign(engine, "abroad", PROGRAM + ABROAD).split())
    assert said[0] != "0"
    for found in (
        "Pod kube-system/p: spec.containers.0.image: bytes go to ghcr.io (image-registry)",
        "Pod kube-system/p: spec.containers.0.env.0.value: bytes go to logs.example.com",
        "NetworkPolicy kube-system/out: spec.egress.0: bytes go to 0.0.0.0/0",
    ):
        assert found in said, said


def test_the_documented_bootstrap_of_the_project_s_own_program_passes(engine: Engine) -> None:
    spec = bootstraps.bootstrap_data() | {"charts": {"mirror": {"kind": "folder", "path": "mirror"}}}
    engine.add_stack(spec, {**bootstraps.SECRETS, **certificates(spec), "sshPrivateKey": "a key"}, readNodes=False)
    said = preview(engine, engine.project, spec["environment"])
    assert said.startswith("0\n"), said
