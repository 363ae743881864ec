"""What the lab fills into `Pulumi.lab.yaml`: what only it can know, and nothing that a customer could not write."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.gateway.certificates import issuer_problems
from components.stackfile.parsing import parse
from lab import keys, stack_file
from lab.layout import CHECKOUT, Layout
from lab.machines import host
from lab.services import certificates
from lab.supplies import gateway_crds
from lab.toolchain.pins import TOOLS

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    certificates.ensure(made)
    keys.ensure(made)
    committed = yaml.safe_load((CHECKOUT / "Pulumi.lab.yaml").read_text())["config"][stack_file.SPEC]
    supplies = {
        "signingKey": committed["cluster"]["packages"]["signingKey"],
        "revision": "1.1",
        "criTools": "1.36.0-1.1",
        "kubernetesCni": "1.9.1-1.1",
        "containerd": "2.4.2-1",
        "images": {"cilium/cilium": DIGEST},
    }
    made.supplies.write_text(json.dumps(supplies))
    made.gateway_crds.write_text("made: up\n")
    return made


def spec_of(layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(stack_file.filled(layout))["config"][stack_file.SPEC]
    return found


@pytest.mark.parametrize("sandbox", [True, False])
def test_what_a_sandbox_lacks_is_written_there_and_nowhere_else(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, sandbox: bool
) -> None:
    monkeypatch.setattr(host, "cgroup_v1", lambda: sandbox)
    monkeypatch.setattr(host, "lacks_sys_resource", lambda: sandbox)
    spec = spec_of(layout)
    assert spec["cluster"].get("cgroupV1", False) == sandbox
    assert ("values" in spec["cni"]["install"]) == sandbox


@pytest.mark.parametrize("published", [True, False])
def test_the_labs_machines_say_what_they_are_and_only_what_they_cannot_prove_is_accepted(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    monkeypatch.setattr(host, "publishes_kernel_configuration", lambda: published)
    spec = spec_of(layout)
    assert {node["machine"] for node in spec["nodes"]} == {"container"}
    undecided = {"machine", "etcd-disk"} | (set() if published else {"bpf"})
    assert {one["check"] for one in spec["preflight"]["accept"]} == undecided
    assert all(one.keys() == {"check", "until", "reason"} for one in spec["preflight"]["accept"])


def test_the_file_that_is_filled_in_is_one_that_the_program_takes(layout: Layout) -> None:
    spec = spec_of(layout)
    assert spec["images"]["pins"] == {"cilium/cilium": DIGEST}
    assert spec["gateway"]["crds"]["sha256"] == hashlib.sha256(layout.gateway_crds.read_bytes()).hexdigest()
    spec["gateway"].pop("crds")  # its file is of no release here
    spec["gateway"]["bundleVersion"] = "1.5.1"
    spec["ssh"]["knownHostsFile"] = str(layout.known_hosts)
    platform = parse(spec, base_dir=CHECKOUT)
    assert platform.cluster.ca_certificate == (layout.pki / "cluster.crt").read_text()
    given = {"issuerKey": stack_file.secret_values(layout)["issuerKey"]}
    assert issuer_problems(given, platform.gateway, time.time()) == []


def test_no_secret_is_in_the_file_and_each_is_among_the_secrets(layout: Layout) -> None:
    text = stack_file.filled(layout)
    secrets = stack_file.secret_values(layout)
    assert set(secrets) == {"sshPrivateKey", "caKey", "encryptionKeys", "issuerKey"}
    assert not any(value in text for value in secrets.values())
    assert "PRIVATE KEY" not in text


def test_versions_of_the_stack_file_are_those_that_are_built() -> None:
    spec = yaml.safe_load((CHECKOUT / "Pulumi.lab.yaml").read_text())["config"][stack_file.SPEC]
    built = {tool.name: tool.version for tool in TOOLS}
    assert spec["cluster"]["kubernetesVersion"] == built["kubeadm"]
    assert spec["cni"]["version"] == built["cilium-agent"]
    assert spec["metallb"]["install"]["version"] == built["metallb-controller"]
    assert spec["gateway"]["install"]["version"] == built["traefik"]


def test_the_crds_are_one_file_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "crd" / "standard"
    folder.mkdir(parents=True)
    for name in ("b", "a"):
        (folder / f"{name}.yaml").write_text(f"name: {name}\n")
    assert [item["name"] for item in yaml.safe_load_all(gateway_crds(tmp_path))] == ["a", "b"]
