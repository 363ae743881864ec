"""The first-environment guide is complete: the lab types what is printed, and the page names what the program needs."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml

from components.agency.project import File, check
from components.core.endpoints import image_registry
from components.gateway.issuers import PrivateCa
from components.kubeadm.credentials import BY_KIND
from components.stackfile.keys import SECRETS
from components.stackfile.parsing import CheckedFile, check_file
from components.stackfile.registration import read_registration
from components.tenancy.registration.contract import contract
from tests.support.bundles import crd, text
from tests.support.first_environment import (
    AFTER_INIT,
    AGENCY_BACK,
    IMAGE,
    PAGE,
    REGISTER,
    REQUESTS,
    SETTINGS,
    SUBSTITUTIONS,
    UP,
    WAY_BACK,
    blocks,
    typed,
)
from tests.support.howtos import page
from tests.support.judged import judged
from tests.support.stacks import ROOT, host_key, stack_data
from vds.init import command

TEXT = page(PAGE)


def position(word: str) -> int:
    """Which block begins so; there is exactly one."""
    [found] = [number for number, block in enumerate(blocks()) if block.startswith(word)]
    return found


def test_every_shell_block_is_typed_in_the_order_of_the_page() -> None:
    assert len(blocks()) == TEXT.count("```sh\n") > 10
    ways = [".venv/bin/vds init", AFTER_INIT, UP, REGISTER, SETTINGS, REQUESTS, AGENCY_BACK, WAY_BACK]
    order = [position(word) for word in ways]
    assert order == sorted(order)
    assert order[-2:] == [len(blocks()) - 2, len(blocks()) - 1]


@pytest.mark.parametrize("old", SUBSTITUTIONS)
def test_every_substitution_of_the_lab_is_needed(old: str) -> None:
    assert any(old in block for block in blocks())


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.splitlines()[0][:40])
def test_a_block_is_a_whole_piece_of_shell_as_printed_and_as_typed(block: str) -> None:
    for script in (block, typed(block)):
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert done.stderr == ""


def test_the_guide_sets_every_secret_of_a_cluster_that_it_makes() -> None:
    before_preview = "".join(blocks()[: position("pulumi preview")])
    needed = {*BY_KIND["kubeadm"], "sshPrivateKey", "issuerKey"}
    assert needed <= set(SECRETS)
    for name in needed:
        assert f"pulumi config set --secret vds-platform:{name}" in before_preview
    assert "vds-platform:kubeconfig" in TEXT, "of a cluster that exists already"


def test_the_guide_names_pulumi_as_the_workflow_has_it() -> None:
    [version] = re.findall(r"^engine=(\S+)", (ROOT / ".ci/pulumi").read_text(), re.MULTILINE)
    assert f"version {version} or newer" in " ".join(TEXT.split())


def test_the_files_come_from_where_init_says() -> None:
    for url in (command._RELEASE_KEY, command._GATEWAY_API):
        assert f" {url}\n" in "".join(blocks())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the page's `vds init` was typed."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / ".venv").symlink_to(sys.prefix)
    cluster = stack_data("oslo")["cluster"]
    addresses = ["198.51.100.11", "198.51.100.21", "198.51.100.22"]
    (folder / "first.known_hosts").write_text("".join(f"{one} {host_key(one)}\n" for one in addresses))
    (folder / "Release.key").write_text(cluster["packages"]["signingKey"]["armoured"])
    (folder / "ca.crt").write_text(cluster["caCertificate"])
    [made] = [block for block in blocks() if "authority.key" in block and block.startswith("(umask")]
    subprocess.run(["bash", "-c", made], cwd=folder, check=True, capture_output=True)
    (folder / "standard-install.yaml").write_text(text(crd("gateways", "v1.5.1"), crd("httproutes", "v1.5.1")))
    script = f"set -eu; containerd=2.2.1-0ubuntu1~24.04.1\n{blocks()[position('.venv/bin/vds init')]}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> CheckedFile:
    """The stack file that the page's `vds init` writes."""
    file = folder / "Pulumi.first.yaml"
    return check_file(file.read_text(), file.name, folder, date.today())


def test_init_writes_a_stack_file_without_a_mistake(written: CheckedFile) -> None:
    assert [str(one) for one in written.findings if not one.advice] == []


def test_no_policy_stops_the_environment_of_the_guide(
    folder: Path, written: CheckedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    [backend] = re.findall(r"PULUMI_BACKEND_URL='(s3:\S+)'", "".join(blocks()))
    assert judged("first", written.data, backend=backend, issuerKey=(folder / "authority.key").read_text()) == []


@pytest.mark.parametrize("backend", ["https://api.pulumi.com", "file:///home/engineer/state"])
def test_the_backends_that_the_guide_warns_of_end_in_a_residency_finding(
    backend: str, folder: Path, written: CheckedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = judged("first", written.data, backend=backend, issuerKey=(folder / "authority.key").read_text())
    assert {one.policy for one in found} == {"residency-state"}


def typed_in(folder: Path, block: str, **variables: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder / "home"), **variables}
    done = subprocess.run(["bash", "-euc", block], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_agency_of_the_guide_is_registered_and_its_application_keeps_its_contract(
    folder: Path, written: CheckedFile
) -> None:
    assert written.spec is not None
    (folder / "home").mkdir()
    shutil.copytree(ROOT / "tenants", folder / "tenants", ignore=shutil.ignore_patterns("Pulumi.*.yaml", "__pycache__"))
    register = blocks()[position(REGISTER)]
    typed_in(folder, register.partition(".venv/bin/vds tenant up")[0])
    registration = read_registration(folder / "tenants" / "Pulumi.butikk.yaml").registration
    assert registration is not None
    assert image_registry(IMAGE) in {host for place in written.spec.residency.places for host in place.hosts}
    settings = blocks()[position(SETTINGS)].partition("kubectl ")[0]
    typed_in(folder, settings, image=f"{IMAGE}@sha256:{'0' * 64}")
    made = folder / "home" / "butikk"
    given = yaml.safe_dump(contract(registration, "butikk-prod", written.spec.published))
    project, stack = made / "Pulumi.yaml", made / "Pulumi.prod.yaml"
    files = (File(project.name, project.read_text()), File(stack.name, stack.read_text()))
    assert check(*files, File("contract.yaml", given)) == []
    assert f"https://{registration.domains[0]}/" in blocks()[position(REQUESTS)]


def test_the_gateways_certificates_come_from_the_authority_of_the_guide(folder: Path, written: CheckedFile) -> None:
    assert written.spec is not None
    issuer = written.spec.gateway.issuer
    assert isinstance(issuer, PrivateCa)
    assert issuer.ca_certificate == (folder / "authority.crt").read_text()
    assert "vds-platform:issuerKey < authority.key" in TEXT
    assert "--cacert authority.crt" in blocks()[position(REQUESTS)]
