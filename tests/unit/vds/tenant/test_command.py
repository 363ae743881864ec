"""`vds tenant new` and `check`, which need no cluster and no engine, and how several updates are run."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.commands import vds
from tests.support.registrations import data, file_text
from tests.support.stacks import ROOT
from tests.support.tools import Tools
from vds.main import run

NEW = (
    *("tenant", "new", "nyetat", "--environment", "oslo", "--group", "nyetat-developers"),
    *("--domain", "nyetat.example.no", "--registry", "registry.example.no/nyetat/"),
    *("--namespace", "prod=medium", "--namespace", "staging=small"),
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project vds-tenants, as the platform's checkout has it."""
    (tmp_path / "tenants").mkdir()
    shutil.copy(ROOT / "tenants" / "Pulumi.yaml", tmp_path / "tenants")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_registration_is_sound_and_says_what_was_asked(checkout: Path):
    assert vds(*NEW).exit_code == 0
    made = yaml.safe_load((checkout / "tenants" / "Pulumi.nyetat.yaml").read_text())["config"]
    assert made["vds-tenants:environment"] == "oslo"
    assert made["vds-tenants:registration"] == {
        "tenant": "nyetat",
        "owner": {"groups": ["nyetat-developers"]},
        "namespaces": {"prod": {"size": "medium"}, "staging": {"size": "small"}},
        "domains": ["nyetat.example.no"],
        "registries": ["registry.example.no/nyetat/"],
    }
    again = vds(*NEW)
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)


def test_a_wrong_answer_writes_nothing(checkout: Path):
    done = vds(*NEW[:-4], "--namespace", "prod=huge")
    assert done.exit_code == 1
    assert "'small', 'medium' or 'large'" in done.stderr
    assert not (checkout / "tenants" / "Pulumi.nyetat.yaml").exists()


@pytest.mark.parametrize("language", ["yaml", "python"])
def test_a_new_agency_gets_a_project_that_its_contract_allows(checkout: Path, language: str):
    address = "https://git.example.no/vds-platform.git"
    done = vds(*NEW, "--agency", "agency", "--language", language, "--repository", address)
    assert done.exit_code == 0, done.stderr
    contract = yaml.safe_load((ROOT / "examples" / "agency" / "contract.yaml").read_text())
    contract["spec"] |= {
        "tenant": "nyetat",
        "namespaces": ["nyetat-prod", "nyetat-staging"],
        "domains": ["nyetat.example.no"],
        "registries": ["registry.example.no/nyetat/"],
    }
    (checkout / "agency" / "contract.yaml").write_text(yaml.safe_dump(contract))
    checked = vds("tenant", "check", "--folder", "agency")
    assert (checked.exit_code, checked.stdout) == (0, "2 checked, no problems\n")
    contract["spec"]["domains"] = ["bank.example.no"]
    (checkout / "agency" / "contract.yaml").write_text(yaml.safe_dump(contract))
    refused = vds("tenant", "check", "--folder", "agency")
    assert refused.exit_code == 1
    assert "nyetat.example.no" in refused.stdout


def test_the_committed_example_is_sound_in_its_environment():
    done = vds("tenant", "check", "--folder", str(ROOT / "tenants"))
    assert (done.exit_code, done.stdout) == (0, "1 checked, no problems\n")


def test_two_tenants_with_one_host_name_are_found_in_their_files(checkout: Path):
    shutil.copy(ROOT / "Pulumi.oslo.yaml", checkout)
    (checkout / "tenants" / "Pulumi.nettbutikk.yaml").write_text(
        file_text(data(tenant="nettbutikk", domains=["kart.example.no"], registries=["registry.example.no/b/"]))
    )
    (checkout / "tenants" / "Pulumi.kart.yaml").write_text(
        file_text(data(tenant="kart", domains=["api.kart.example.no"], registries=["registry.example.no/k/"]))
    )
    done = vds("tenant", "check", "kart", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert any("api.kart.example.no belongs to tenant 'nettbutikk' too" in one["message"] for one in found)
    assert all(one["file"] == "tenants/Pulumi.kart.yaml" and one["line"] for one in found)


def test_a_registration_is_not_sound_where_its_environment_is_not_known(checkout: Path):
    (checkout / "tenants" / "Pulumi.butikk.yaml").write_text(file_text(environment="bergen"))
    done = vds("tenant", "check")
    assert done.exit_code == 1
    assert "is not checked against environment bergen" in done.stdout


def test_up_without_a_kubeconfig_begins_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    (checkout / "tenants" / "Pulumi.butikk.yaml").write_text(file_text())
    (checkout / "policies").mkdir()
    monkeypatch.delenv("KUBECONFIG", raising=False)
    done = vds("tenant", "up", "--all")
    assert done.exit_code == 2
    assert "KUBECONFIG must name one file" in done.stderr


def test_one_that_fails_stops_no_other_and_resume_leaves_out_what_is_done(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("a", "b", "c"):
        (checkout / "tenants" / f"Pulumi.{name}.yaml").write_text(file_text(data(tenant=name)))
    (checkout / "policies").mkdir()
    (checkout / "admin.kubeconfig").write_text("{}")
    monkeypatch.setenv("KUBECONFIG", str(checkout / "admin.kubeconfig"))
    tools = Tools(checkout / "bin")
    fails = 'case "$*" in *"up --stack b"*) echo "Diagnostics:"; echo "  error: no quota left"; exit 1;; esac'
    tools.add("pulumi", fails)
    monkeypatch.setenv("PATH", f"{tools.folder}:/usr/bin:/bin")
    first = vds("tenant", "up", "--all", "--json")
    said = json.loads(first.stdout)
    assert first.exit_code == 1
    assert (said["updated"], list(said["failed"])) == (["a", "c"], ["b"])
    assert "error: no quota left" in said["failed"]["b"]
    ups = [words for words in tools.words("pulumi") if "up" in words]
    assert all("--policy-pack" in words and "--skip-preview" not in words for words in ups)
    (checkout / "tenants" / "Pulumi.c.yaml").write_text(file_text(data(tenant="c", domains=["c.example.no"])))
    tools.add("pulumi")
    second = json.loads(vds("tenant", "up", "--all", "--resume", "--json").stdout)
    assert (second["updated"], second["skipped"], second["failed"]) == (["b", "c"], ["a"], {})
    assert not (checkout / "tenants" / ".up-all.json").exists()


@pytest.mark.parametrize(
    ("tenant", "changed", "said"),
    [
        ("n\x1b[31m", {}, "tenant: "),
        ("n" * 300, {}, "tenant: has 300 characters"),
        ("nyetat", {"--environment": "../oslo"}, "vds-tenants:environment: '../oslo' is refused"),
        ("nyetat", {"--environment": "o\ns"}, "vds-tenants:environment: is refused"),
        ("nyetat", {"--registry": ""}, "registries[1]: is refused: write host and folders"),
        ("nyetat", {"--registry": "quay.io:99999/"}, "registries[1]: 'quay.io:99999/' has a port"),
        ("nyetat", {"--registry": "\x1b[31m"}, "registries[1]: "),
        ("nyetat", {"--domain": f"{'a' * 64}.example.no"}, "domains: "),
        ("nyetat", {"--namespace": "=small"}, "namespaces.'': is refused"),
        ("nyetat", {"--namespace": "prod=no"}, "namespaces.prod.size: 'no' is not one of the choices"),
        ("nyetat", {"--namespace": "a\nb=small"}, "namespaces.'a\\nb': is refused"),
    ],
)
def test_a_wrong_answer_is_named_on_one_line(
    checkout: Path, tenant: str, changed: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"--environment": "oslo", "--group": "g", "--domain": "n.example.no", "--registry": "quay.io/n/", **changed}

    status = run(["tenant", "new", tenant, *(word for pair in words.items() for word in pair)])

    lines = capsys.readouterr().err.splitlines()
    assert status == 1
    assert said in "\n".join(lines)
    assert all(line.startswith("error: ") and line.isprintable() for line in lines)
    assert [path.name for path in (checkout / "tenants").iterdir()] == ["Pulumi.yaml"]


def test_a_name_that_yaml_reads_otherwise_is_in_quotes(checkout: Path) -> None:
    done = vds(*NEW, "--namespace", "no=small", "--namespace", "123=small")

    assert done.exit_code == 0, done.stderr
    written = yaml.safe_load((checkout / "tenants" / "Pulumi.nyetat.yaml").read_text())
    assert sorted(written["config"]["vds-tenants:registration"]["namespaces"]) == ["123", "no", "prod", "staging"]
