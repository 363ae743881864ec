"""`vds init`: what it writes is a stack file that `vds validate` takes."""

import os
import pty
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from components.stackfile.parsing import check_file
from tests.support.bundles import crd, digest, text
from tests.support.stacks import ROOT, host_key, stack_data
from vds.init import command, template

CONTROL_PLANES = [f"--control-plane=osl-cp-{number}=192.0.2.1{number}" for number in (1, 2, 3)]
WORKERS = [f"--worker=osl-w-{number}=192.0.2.2{number}" for number in (1, 2)]
ALL = {
    "--provider": "Nordic VDS AS",
    "--api-server": "192.0.2.10",
    "--pool": "192.0.2.200-192.0.2.220",
    "--domain": "example.no",
    "--state": "state.example.no",
    "--containerd": "2.2.1-0ubuntu1~24.04.1",
}
EXISTING = {name: value for name, value in ALL.items() if name != "--containerd"} | {"--cluster": "existing"}
BUNDLE = text(crd("gateways", "v1.5.1"), crd("httproutes", "v1.5.1"))
ENVIRONMENT = {"PATH": "/nowhere", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


@pytest.fixture
def folder(tmp_path):
    addresses = ["192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.21", "192.0.2.22"]
    (tmp_path / "oslo.known_hosts").write_text("".join(f"{one} {host_key(one)}\n" for one in addresses))
    cluster = stack_data("oslo")["cluster"]
    (tmp_path / "Release.key").write_text(cluster["packages"]["signingKey"]["armoured"])
    (tmp_path / "ca.crt").write_text(cluster["caCertificate"])
    (tmp_path / "standard-install.yaml").write_text(BUNDLE)
    return tmp_path


def run(folder, *words, **options):
    command = [sys.executable, "-m", "vds", "init", "oslo", *words]
    command += [f"{name}={value}" for name, value in options.items()]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def problems(file: Path):
    return [str(one) for one in check_file(file.read_text(), str(file), file.parent).findings if not one.advice]


def spec_of(file: Path):
    return check_file(file.read_text(), str(file), file.parent).spec


def advice(file: Path):
    found = [one for one in check_file(file.read_text(), str(file), file.parent).findings if one.advice]
    return [one.subject for one in found if one.message != "is not in the file yet"]


def test_what_it_writes_is_valid(folder):
    done = run(folder, *CONTROL_PLANES, *WORKERS, **ALL)
    assert (done.returncode, done.stderr) == (0, "")
    file = folder / "Pulumi.oslo.yaml"
    assert problems(file) == []
    assert advice(file) == ["cluster.backup"], "where backups are kept is a decision"
    text = file.read_text()
    for answer in ("osl-w-1", "Nordic VDS AS", "192.0.2.10", "192.0.2.200-192.0.2.220", "*.example.no"):
        assert answer in text


def test_the_cluster_is_made_by_kubeadm_from_the_files_that_it_is_given(folder):
    options = ALL | {"--containerd-package": "containerd.io"}
    done = run(folder, *CONTROL_PLANES, "--worker=osl-w-1=192.0.2.21", **options)
    spec = spec_of(folder / "Pulumi.oslo.yaml")
    assert spec.cluster.containerd.package == "containerd.io"
    assert spec.cluster.kind == "kubeadm"
    assert spec.cluster.kubernetes_version == "1.36.3"
    assert spec.cluster.containerd.version == ALL["--containerd"]
    assert spec.cluster.ca_certificate.strip() == (folder / "ca.crt").read_text().strip()
    fingerprint = stack_data("oslo")["cluster"]["packages"]["signingKey"]["fingerprint"]
    assert spec.cluster.packages.signing_key.fingerprint == fingerprint
    assert fingerprint in done.stdout
    assert (spec.gateway.crds.path, spec.gateway.crds.sha256) == ("standard-install.yaml", digest(BUNDLE))
    assert [one.hostname for one in spec.gateway.listeners] == [None, "*.example.no"]
    assert "`vds tenant new`" in done.stdout, "tenants come after the environment"


def test_an_existing_cluster_needs_no_files(folder):
    for name in ("Release.key", "ca.crt", "standard-install.yaml"):
        (folder / name).unlink()
    done = run(folder, CONTROL_PLANES[0], **{**EXISTING, "--api-server": "192.0.2.11"})
    assert (done.returncode, done.stderr) == (0, "")
    assert problems(folder / "Pulumi.oslo.yaml") == []
    spec = spec_of(folder / "Pulumi.oslo.yaml")
    assert (spec.cluster.kind, spec.cluster.kubernetes_version) == ("existing", "1.36")
    assert spec.gateway.crds.kind == "existing"


def test_the_gateways_certificates_are_signed_by_an_authority_that_is_there(folder):
    (folder / "authority.crt").write_text(stack_data("oslo")["cluster"]["caCertificate"])
    done = run(folder, *CONTROL_PLANES, **ALL)
    assert (done.returncode, done.stderr) == (0, "")
    issuer = spec_of(folder / "Pulumi.oslo.yaml").gateway.issuer
    assert (issuer.kind, issuer.valid_from) == ("private-ca", date.today())


def test_an_authority_that_is_named_must_be_there_and_be_one(folder):
    done = run(folder, *CONTROL_PLANES, **ALL | {"--authority": "other.crt"})
    assert done.returncode == 2
    assert "--authority other.crt can't be read" in done.stderr
    (folder / "other.crt").write_text("none")
    done = run(folder, *CONTROL_PLANES, **ALL | {"--authority": "other.crt"})
    assert done.returncode == 1
    assert "--authority: " in done.stderr
    assert not (folder / "Pulumi.oslo.yaml").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "Release.key",
            "--signing-key Release.key can't be read (No such file or directory): run `curl -fsSLo Release",
        ),
        ("ca.crt", "--ca-certificate ca.crt can't be read"),
        (
            "standard-install.yaml",
            "run `curl -fsSLo standard-install.yaml https://github.com/kubernetes-sigs/gateway-api",
        ),
    ],
)
def test_a_file_that_is_missing_is_named_with_how_to_get_it(folder, name, says):
    (folder / name).unlink()
    done = run(folder, *CONTROL_PLANES, **ALL)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (folder / "Pulumi.oslo.yaml").exists()


def test_a_key_that_is_none_is_no_traceback(folder):
    (folder / "Release.key").write_bytes(b"<html>\xff")
    done = run(folder, *CONTROL_PLANES, **ALL)
    assert done.returncode == 2
    assert "--signing-key Release.key is no armoured key" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_server_is_enough_and_is_the_api_server(folder):
    options = {name: value for name, value in ALL.items() if name != "--api-server"}
    done = run(folder, CONTROL_PLANES[0], **options)
    assert (done.returncode, done.stderr) == (0, "")
    assert problems(folder / "Pulumi.oslo.yaml") == []


@pytest.mark.parametrize("value", ['NO "x" {a: b}', "no", "1.30", "# x", "- x", "*x", "æøå: AS"])
def test_an_answer_is_text_whatever_it_looks_like(folder, value):
    done = run(folder, CONTROL_PLANES[0], **ALL | {"--provider": value})
    assert (done.returncode, done.stderr) == (0, "")
    assert problems(folder / "Pulumi.oslo.yaml") == []


def test_a_file_that_is_there_is_left_as_it_is(folder):
    (folder / "Pulumi.oslo.yaml").write_text("mine")
    done = run(folder, *CONTROL_PLANES, **ALL)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (folder / "Pulumi.oslo.yaml").read_text() == "mine"


def test_wrong_answers_are_said_at_once_and_nothing_is_written(folder):
    done = run(folder, *CONTROL_PLANES, **ALL | {"--pool": "192.0.2.10-20", "--country": "no"})
    assert done.returncode == 1
    for said in ("write 192.0.2.10-192.0.2.20", 'write "NO"'):
        assert said in done.stderr
    for option in ("--pool: ", "--country: "):
        assert option in done.stderr, "the option, and not the place in a file that is not there"
    assert "metallb.pools" not in done.stderr
    assert not (folder / "Pulumi.oslo.yaml").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"--country": "ZZ"}, "--country: 'ZZ'"),
        ({"--provider-country": "ZZ"}, "--provider-country: 'ZZ'"),
        ({"--country": "ZZ", "--provider-country": "SE"}, "--country: 'ZZ'"),
    ],
)
def test_a_wrong_country_is_one_finding_at_its_option(folder, options, says):
    """It becomes fourteen places of the stack file."""
    done = run(folder, *CONTROL_PLANES, *WORKERS, **ALL | options)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "ISO" in line] == [
        f'error: {says} is no country of ISO 3166: write one, as in "NO"'
    ]


def test_without_a_terminal_all_missing_options_are_named_at_once(folder):
    done = run(folder)
    assert done.returncode == 2
    missing = ("--control-plane", "--provider", "--api-server", "--pool", "--domain", "--state")
    assert "--containerd" in done.stderr
    assert all(option in done.stderr for option in missing)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--control-plane=osl-1"], "write NAME=ADDRESS"),
        (["--control-plane=osl-1=osl-1.example.no"], "has no IPv4 address"),
        (["--control-plane=osl-1=192.0.2.11", "--known-hosts=nowhere"], "ssh-keyscan -t ed25519 192.0.2.11 > nowhere"),
    ],
)
def test_what_it_cannot_use_is_said_with_what_to_do(folder, words, says):
    done = run(folder, *words, **ALL)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "Pulumi.oslo.yaml").exists()


@pytest.mark.parametrize("name", ["", "../oslo", "os lo", "Oslo", "bodø", "x" * 300])
def test_a_name_that_no_stack_has_is_refused_first(folder, name):
    command = [sys.executable, "-m", "vds", "init", name, CONTROL_PLANES[0], *(f"{a}={b}" for a, b in ALL.items())]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is no name of a stack" in done.stderr
    assert "Traceback" not in done.stderr


def test_on_a_terminal_it_asks(folder):
    terminal, ours = pty.openpty()
    command = [sys.executable, "-m", "vds", "init", "oslo"]
    process = subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdin=ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    answers = ["osl-1=192.0.2.11", "osl-w-1=192.0.2.21", "Nordic VDS AS", "192.0.2.200/29", "example.no"]
    answers += ["state.example.no", "2.2.1-0ubuntu1~24.04.1"]
    os.write(terminal, "".join(f"{answer}\n" for answer in answers).encode())
    _, said = process.communicate()
    os.close(terminal)
    os.close(ours)
    assert process.returncode == 0, said
    assert problems(folder / "Pulumi.oslo.yaml") == []


def test_its_versions_are_those_of_the_committed_example():
    oslo = stack_data("oslo")
    cluster = oslo["cluster"]
    packages = cluster["packages"]
    assert oslo["cni"]["version"] == template.CILIUM
    assert oslo["metallb"]["install"]["version"] == template.METALLB
    assert oslo["gateway"]["install"]["version"] == template.TRAEFIK
    assert packages["criTools"] == template.CRI_TOOLS
    assert packages["kubernetesCni"] == template.KUBERNETES_CNI
    assert cluster["images"]["pause"] == template.PAUSE
    assert command._KUBERNETES["kubeadm"] == cluster["kubernetesVersion"]
    assert cluster["kubernetesVersion"].startswith(f"{command._KUBERNETES['existing']}.")
    assert f"/v{command._KUBERNETES['existing']}/" in command._RELEASE_KEY
