"""What the comment says of a registration, and of a stack of an agency: no engine, no cluster and no secret."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components.core.labels import TENANT
from components.core.manifests import manifest
from components.nodes.preflight import facts
from components.nodes.preflight.facts import Survey
from tests.support.golden import assert_golden
from tests.support.registrations import data, file_text
from tests.support.repositories import git
from tests.support.stacks import ROOT, stack_data
from vds.main import application
from vds.post_comment.command import judged
from vds.preview_comment.change import change_between
from vds.preview_comment.objects import compared
from vds.preview_comment.render import comment, marker
from vds.preview_comment.report import StackReport, loaded, saved
from vds.shared.errors import OperationError

OSLO = "Pulumi.oslo.yaml"
KART = "tenants/Pulumi.kart.yaml"


def put(folder: Path, files: Mapping[str, str | None]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(content)


def repository(folder: Path, files: Mapping[str, str | None]) -> Path:
    put(folder, files)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def proposed(folder: Path, files: Mapping[str, str | None]) -> None:
    """A commit on a branch, as CI gets it: main is checked out."""
    git(folder, "checkout", "-qB", "change")
    put(folder, files)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "change")
    git(folder, "checkout", "-q", "main")


def run(*words: str) -> Any:
    command = ["preview-comment", "--base", "main", "--head", "change", *words]
    return CliRunner().invoke(application(), command, catch_exceptions=False)


def kart(**changes: Any) -> str:
    given = {
        "tenant": "kart",
        "domains": ["kart.example.no"],
        "owner": {"groups": ["kart-developers"]},
        "registries": ["quay.io/kart/"],
    }
    return file_text(data(**{**given, **changes}))


MEMORY = {"bytes": 4 * 2**30, "swap_bytes": 0}
EGRESS = {**data()["egress"][0], "name": "maps", "hosts": ["maps.example.no"]}


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The platform's repository, with a registered tenant. There is no engine on the PATH."""
    described = stack_data("oslo")
    oslo = yaml.safe_dump({"config": {"vds-platform:spec": described}})
    files = {OSLO: oslo, "tenants/Pulumi.yaml": "name: vds-tenants\n", "tenants/__main__.py": "x", KART: kart()}
    folder = repository(tmp_path / "platform", files)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return folder


def test_a_registration_that_reaches_more_says_so(platform: Path) -> None:
    waiver = {"name": "volumes", "rule": "tenancy-volume-name", "until": "2099-01-01", "reason": "old volumes move"}
    owner = {"groups": ["kart-developers", "kart-guests"]}
    proposed(platform, {KART: kart(egress=[*data()["egress"], EGRESS], exceptions=[waiver], owner=owner)})
    done = run("-s", "oslo")
    assert done.exit_code == 0, done.stdout
    assert_golden("comment-registration.md", done.stdout)
    assert done.stdout.splitlines()[1].startswith(f"## ⚠️ `{KART}`: ")
    for said in (
        "maps may call maps.example.no at 443/TCP, in NO, of ",
        "kart-guests may change",
        "tenancy-volume-name",
    ):
        assert any(line.startswith("- ➕ ") and said in line for line in done.stdout.splitlines()), said


def test_a_registration_that_allows_less_is_no_warning(platform: Path) -> None:
    proposed(platform, {KART: kart(canaryCeilingPercent=30)})
    done = run("-s", "oslo")
    assert (done.exit_code, done.stdout.splitlines()[1][:4]) == (0, "## ✅")
    assert "spec.canaryCeilingPercent: 30" in done.stdout
    proposed(platform, {KART: kart(canaryCeilingPercent=30, egress=[])})
    done = run("-s", "oslo")
    assert "- ➕" not in done.stdout
    assert "- ➖ pods with the label egress.vds-platform.no/vipps may call " in done.stdout


def test_a_new_registration_shows_all_that_it_makes(platform: Path) -> None:
    proposed(platform, {"tenants/Pulumi.skole.yaml": kart(tenant="skole", domains=["skole.example.no"])})
    done = run("-s", "oslo")
    assert done.exit_code == 0, done.stdout
    assert re.search(r"`tenants/Pulumi\.skole\.yaml`: [0-9]+ created\n", done.stdout)
    assert "skole-prod: medium, 20 pods, 4 processors, 8 GiB of memory" in done.stdout
    assert "all tenants of oslo together: " in done.stdout
    assert "kart-prod" not in done.stdout  # nothing between the two


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"domains": ["kart.example.com"]}, "no listener of the gateway takes kart.example.com"),
        ({"egress": [{**EGRESS, "country": "US"}]}, "US"),
        ({"namespaces": {"prod": {"size": "medium"}}}, "kart-staging is in the cluster, with everything in it"),
        ({"tenant": "other"}, "a stack has the name of its tenant"),
    ],
)
def test_what_an_update_would_refuse_stops(platform: Path, changed: dict[str, Any], said: str) -> None:
    proposed(platform, {KART: kart(**changed)})
    done = run("-s", "oslo")
    assert done.exit_code == 1, done.stdout
    assert done.stdout.splitlines()[1].startswith("## ❌ ")
    problems = done.stdout.partition("### What is wrong with the file")[2]
    assert f"- {KART}:" in problems.replace("​", "").replace("&#95;", "_") or "Pulumi.kart.yaml" in problems
    assert said in problems


def test_quotas_that_the_workers_do_not_have_are_said(platform: Path, tmp_path: Path) -> None:
    workers = [node["name"] for node in stack_data("oslo")["nodes"]]
    surveys = [Survey(name, {"system": {"name": "x", "id": "debian", "cpus": 1}, "memory": MEMORY}) for name in workers]
    file = tmp_path / "facts.json"
    file.write_text(facts.dump(surveys, environment="oslo", made_at=time.time()))
    proposed(platform, {KART: kart(namespaces={"prod": {"size": "large"}, "staging": {"size": "small"}})})
    done = run("-s", "oslo", "--facts", str(file))
    assert "kart-prod: medium → large, 100 pods, 16 processors" in done.stdout
    assert "❗ the quotas request 18 processors, and the workers have " in done.stdout
    assert done.stdout.splitlines()[1].startswith(f"## ⚠️ `{KART}`: ")


def test_a_removed_registration_says_that_its_namespaces_stay(platform: Path) -> None:
    proposed(platform, {KART: None})
    done = run("-s", "oslo")
    assert "Its namespaces stay in the cluster: run `vds tenant retire` first" in done.stdout.replace("&#96;", "`")
    assert done.stdout.splitlines()[1].startswith("## ⚠️ ")


def test_a_registration_of_an_environment_that_is_not_there_has_no_preview(platform: Path) -> None:
    proposed(platform, {KART: file_text(data(tenant="kart"), environment="bergen")})
    done = run("-s", "oslo")
    assert "Pulumi.bergen.yaml of its environment can't be used" in done.stdout


def test_the_job_that_posts_asks_git_which_registrations_change(platform: Path) -> None:
    proposed(platform, {KART: kart(egress=[])})
    change = change_between("main", "change", platform)
    forged = loaded(saved([StackReport("tenants/Pulumi.bank.yaml", ("x",)), StackReport(KART, ())]).encode())
    reports = judged(["oslo"], change, forged)
    assert [(one.stack, one.touched_by, one.compared) for one in reports] == [
        ("oslo", (), "descriptions"),
        (KART, (KART,), "objects"),
    ]
    assert comment(reports).startswith(marker(["oslo"]))


def test_two_tenants_that_reach_each_other_are_a_violation() -> None:
    peer = {"namespaceSelector": {"matchLabels": {TENANT: "bank"}}}
    spaces = [manifest("v1", "Namespace", name, labels={TENANT: name}) for name in ("kart", "bank")]
    opened = manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "opened",
        namespace="kart",
        spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]},
    )
    closed = {**opened, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}
    preview, reach = compared([closed], [opened], spaces, {})
    said = [one.message for one in preview.mandatory if "bank/other reaches kart/other" in one.message]
    assert said, preview.violations
    assert "this change lets bank/other reach kart/other at all ports" in reach
    assert not compared([opened], [closed], spaces, {})[0].mandatory


# --- an agency's own repository ----------------------------------------------------------------------------

PROD = "Pulumi.prod.yaml"


@pytest.fixture
def agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    example = {file.name: file.read_text() for file in (ROOT / "examples/agency").iterdir()}
    folder = repository(tmp_path / "agency", example)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return folder


def test_a_stack_of_an_agency_gets_the_same_comment(agency: Path) -> None:
    text = (agency / "Pulumi.yaml").read_text().replace("port: 8080", "port: 8080\n      egress: [vipps]")
    proposed(agency, {"Pulumi.yaml": text})
    done = run()
    assert done.exit_code == 0, done.stdout
    assert_golden("comment-agency.md", done.stdout)
    assert "- ➕ app calls api.vipps.no at 443/TCP (vipps)" in done.stdout
    assert "pods: 3 of 20" in done.stdout


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("port: 8080", "port: 8080\n      replicas: 40", "a medium namespace has 20 pods"),
        ("port: 8080", "port: 8080\n      egress: [maps]", "egress maps is not a registered destination"),
    ],
)
def test_a_stack_over_its_quota_or_its_contract_stops(agency: Path, before: str, after: str, said: str) -> None:
    proposed(agency, {"Pulumi.yaml": (agency / "Pulumi.yaml").read_text().replace(before, after)})
    done = run()
    assert done.exit_code == 1
    assert said in done.stdout
    assert "## ❌ `Pulumi.prod.yaml`" in done.stdout


def test_code_of_an_agency_is_never_run_and_is_named(agency: Path) -> None:
    proposed(agency, {"__main__.py": "raise SystemExit", PROD: (agency / PROD).read_text() + "# x\n"})
    done = run()
    assert "**The program or how it runs changes:** `__main__.py`" in done.stdout
    assert "## ⚠️ `Pulumi.prod.yaml`: no change" in done.stdout


def test_another_contract_beside_the_project_is_named(agency: Path) -> None:
    proposed(agency, {"contract.yaml": (agency / "contract.yaml").read_text().replace("api.vipps.no", "api.bank.no")})
    assert "contract.yaml changes; the one in the cluster is what counts" in run().stdout


def test_a_folder_without_stacks_and_without_a_contract_is_refused(agency: Path) -> None:
    git(agency, "rm", "-q", "contract.yaml")
    git(agency, "commit", "-qm", "no contract")
    proposed(agency, {"README.md": "x"})
    with pytest.raises(OperationError, match="write --stack, or run this in an agency's project"):
        run()
