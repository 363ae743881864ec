"""`vds evidence`, with a fake engine on the PATH."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.support import registrations
from tests.support.evidence import BACKEND, entry, export, tenant_export
from tests.support.stacks import stack_data
from tests.support.tools import Tools
from vds.main import application
from vds.shared.errors import OperationError

Answer = Callable[..., Tools]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """`engine(export)` says what the fake `pulumi` exports."""
    tools = Tools(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "Pulumi.yaml").write_text("name: vds-tenants\n")

    def answer(made: dict[str, Any] | None = None, *, data: dict[str, Any] | None = None, error: str = "") -> Tools:
        written = {"vds-platform:spec": {"objectValue": data or stack_data("lab")}, "vds-platform:kubeconfig": {}}
        (tmp_path / "config.json").write_text(json.dumps(written))
        (tmp_path / "state.json").write_text(json.dumps(made or export()))
        (tmp_path / "whoami.json").write_text(json.dumps({"user": "ada", "url": BACKEND["lab"]}))
        exported = f"echo '{error}' >&2; exit 6" if error else "cat state.json"
        config = "configget) cat key;; config*) cat config.json"
        tools.add("pulumi", f"case $2$3 in {config};; whoami*) cat whoami.json;; stack*) {exported};; esac")
        return tools

    return answer


def run(*words: str) -> Result:
    return CliRunner().invoke(application(), ["evidence", "-s", "lab", *words])


def refused(*words: str) -> str:
    result = run(*words)
    assert isinstance(result.exception, OperationError), result.output
    return str(result.exception)


def test_a_stack_whose_policies_hold_ends_with_0_and_a_folder_that_coreutils_can_check(
    engine: Answer, tmp_path: Path
) -> None:
    tools = engine()
    result = run()
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Holds: ")
    folder = tmp_path / "evidence" / "lab"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    sha256 = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    assert f"sha256 {sha256}" in result.output
    assert f"`{sha256}`" in (folder / "index.md").read_text()
    covered = {line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert {path.name for path in folder.iterdir()} == covered | {"SHA256SUMS", "index.md"}
    assert not [words for words in tools.words("pulumi") if "--show-secrets" in words]


def test_the_checksums_are_signed_with_the_stack_s_key_and_a_later_run_without_it_leaves_no_old_signature(
    engine: Answer, tmp_path: Path
) -> None:
    engine()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    (tmp_path / "signers").write_text(f"lab {(tmp_path / 'key.pub').read_text()}")
    assert run("--output", "it", "--sign").exit_code == 0
    words = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        "../signers",
        "-I",
        "lab",
        "-n",
        "vds-evidence",
        "-s",
        "SHA256SUMS.sig",
    ]
    subprocess.run(words, cwd=tmp_path / "it", input=(tmp_path / "it/SHA256SUMS").read_bytes(), check=True)
    assert run("--output", "it").exit_code == 0
    assert not (tmp_path / "it/SHA256SUMS.sig").exists()
    (tmp_path / "key").write_text("no key")
    assert "vds-platform:evidenceKey: is not an Ed25519 key" in refused("--sign")
    assert "only it has the key: sign the folder with `ssh-keygen -Y sign" in refused("--sign", "--state", "state.json")


def test_a_file_that_was_changed_is_found_out(engine: Answer, tmp_path: Path) -> None:
    engine()
    run("--output", "it")
    (tmp_path / "it" / "policies.md").write_text("all is well")
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "it", capture_output=True, text=True)
    assert done.returncode == 1
    assert "policies.md: FAILED" in done.stdout


def test_two_runs_differ_in_the_date_line_alone(engine: Answer, tmp_path: Path) -> None:
    engine()
    assert [run("--output", folder).exit_code for folder in ("one", "two")] == [0, 0]
    for path in (tmp_path / "one").iterdir():
        lines = zip(
            path.read_bytes().split(b"\n"), (tmp_path / "two" / path.name).read_bytes().split(b"\n"), strict=True
        )
        assert [one for one, two in lines if one != two and not one.startswith(b"Date: ")] == []


def test_a_violation_ends_with_1_and_is_said(engine: Answer) -> None:
    made = export()
    for side in ("inputs", "outputs"):
        entry(made, "osl-w-2")[side]["country"] = "SE"
    engine(made)
    result = run("--json")
    said = json.loads(result.output)
    assert (result.exit_code, said["verdict"]) == (1, "violated")
    assert any("osl-w-2" in line and "SE" in line for line in said["violations"])
    assert said["sha256"] == hashlib.sha256(Path(said["folder"], "SHA256SUMS").read_bytes()).hexdigest()


def test_what_is_undecided_ends_with_1(engine: Answer) -> None:
    made = export()
    made["deployment"]["pending_operations"] = [{"type": "creating", "resource": {"urn": "a::b"}}]
    engine(made)
    result = run()
    assert result.exit_code == 1
    assert result.output.startswith("Not proved: ")
    assert "? creating b: the engine was interrupted there" in result.output


def stack_file(folder: Path, data: dict[str, Any] | None = None) -> Path:
    file = folder / "Pulumi.lab.yaml"
    file.write_text(json.dumps({"config": {"vds-platform:spec": data or stack_data("lab")}}))
    return file


def test_a_state_from_a_file_needs_neither_the_engine_nor_its_backend(
    engine: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = export()
    entry(made, "residency")["inputs"]["stateBackend"] = entry(made, "residency")["outputs"]["stateBackend"] = (
        "file://~"
    )
    tools = engine(error="PULUMI_ACCESS_TOKEN must be set")
    (tmp_path / "mine.json").write_text(json.dumps(made))
    assert "Pulumi.lab.yaml: can't be read" in refused("--state", "mine.json")
    file = stack_file(tmp_path)
    assert run("--state", "mine.json").exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    file.rename(tmp_path / "elsewhere/mine.yaml")
    assert run("--state", "mine.json", "--config-file", "elsewhere/mine.yaml").exit_code == 0
    assert tools.words("pulumi") == []


def register(folder: Path) -> None:
    """The tenant butikk: its registration, and what the fake engine answers in its folder."""
    (folder / "Pulumi.butikk.yaml").write_text(registrations.file_text(environment="lab"))
    (folder / "Pulumi.other.yaml").write_text(
        registrations.file_text(registrations.data(tenant="other"), environment="oslo")
    )
    (folder / "state.json").write_text(json.dumps(tenant_export()))
    (folder / "whoami.json").write_text(json.dumps({"user": "ada", "url": BACKEND["lab"]}))


def recorded() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = json.loads(Path("evidence/lab/record-of-processing.json").read_text())["tenants"]
    return made


def test_the_states_of_the_environment_s_tenants_are_exported_in_their_folder(engine: Answer, tmp_path: Path) -> None:
    tools = engine()
    register(tmp_path / "tenants")
    assert run().exit_code == 0
    assert [(one["name"], one["seenIn"]) for one in recorded()] == [("butikk", ["registration", "state"])]
    exports = [words[-1] for words in tools.words("pulumi") if "export" in words]
    assert sorted(exports) == ["butikk", "lab"]
    (tmp_path / "tenants" / "state.json").unlink()
    result = run()
    assert result.exit_code == 1
    assert "? tenant butikk: the state of its stack was not read: " in result.output
    assert recorded()[0]["seenIn"] == ["registration"]


def test_states_of_tenants_from_files_need_no_engine(engine: Answer, tmp_path: Path) -> None:
    tools = engine()
    (tmp_path / "tenants").rename(tmp_path / "elsewhere")
    register(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "state.json").rename(tmp_path / "butikk.json")
    (tmp_path / "mine.json").write_text(json.dumps(export()))
    stack_file(tmp_path)
    words = ("--state", "mine.json", "--tenants", "elsewhere")
    assert "name the folder with --tenants" in refused("--state", "mine.json")
    assert run(*words, "--tenant-state", "butikk.json").exit_code == 0
    assert recorded()[0]["seenIn"] == ["registration", "state"]
    result = run(*words)
    assert "tenant butikk: the state of its stack was not read: no --tenant-state has it" in result.output
    assert "elsewhere has no registration of lab" in refused(*words, "--tenant-state", "mine.json")
    (tmp_path / "empty.json").write_text(json.dumps({"version": 3, "deployment": {}}))
    assert "is of no stack, or of several" in refused(*words, "--tenant-state", "empty.json")
    assert tools.words("pulumi") == []


def test_a_wrong_stack_file_is_refused_with_its_lines_where_the_state_is_a_file(engine: Answer, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(export()))
    data = stack_data("lab")
    data["nodes"][0]["country"] = "SE"
    stack_file(tmp_path, data)
    assert "Pulumi.lab.yaml:1 " in refused("--state", "mine.json")


def test_the_level_of_a_policy_is_as_the_pack_s_configuration_has_it(engine: Answer, tmp_path: Path) -> None:
    made = export()
    entry(made, "metallb-advertisement-public")["inputs"]["spec"] = {}
    entry(made, "metallb-advertisement-public")["outputs"]["spec"] = {}
    engine(made)
    assert run().exit_code == 1
    (tmp_path / "pack.json").write_text('{"metallb-advertisement-selects": "advisory"}')
    assert run("--policy-pack-config", "pack.json").exit_code == 0
    (tmp_path / "pack.json").write_text('{"metallb-advertisement": "advisory", "cni-mtu": "loud"}')
    message = refused("--policy-pack-config", "pack.json")
    assert "metallb-advertisement: the pack has no such policy" in message
    assert "cni-mtu: is no level" in message


def test_what_cannot_be_read_is_refused_with_what_to_do(engine: Answer, tmp_path: Path) -> None:
    engine(error="error: no stack named lab found")
    assert (
        "no stack named lab found: `pulumi stack ls` lists the stacks of this backend; or name an export" in refused()
    )
    engine()
    assert "--state none.json: cannot be read" in refused("--state", "none.json")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in refused("--state", "bytes")
    (tmp_path / "oslo.json").write_text(json.dumps(export("oslo")))
    assert "--state oslo.json: is of stack oslo, not lab" in refused("--state", "oslo.json")
    assert "--policy-pack-config none.json: cannot be read" in refused("--policy-pack-config", "none.json")
    (tmp_path / "list.json").write_text("[]")
    assert "is not a JSON object" in refused("--policy-pack-config", "list.json")
    assert not (tmp_path / "evidence").exists()


def test_a_wrong_stack_file_is_refused_as_everywhere(engine: Answer) -> None:
    data = stack_data("lab")
    data["nodes"][0]["country"] = "SE"
    engine(data=data)
    assert "the machine is in SE" in refused()


def test_a_folder_with_other_files_is_left_alone(engine: Answer, tmp_path: Path) -> None:
    engine()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert refused("--output", "mine") == "--output mine: holds letter.txt: name an empty folder"
    assert refused("--output", "state.json") == "--output state.json: is not a folder: name another one"


def test_no_secret_and_no_ciphertext_is_written(engine: Answer, tmp_path: Path) -> None:
    engine()
    run()
    for path in (tmp_path / "evidence" / "lab").iterdir():
        assert b"CIPHERTEXT" not in path.read_bytes()
        assert b"1b47061264138c4ac30d75fd1eb44270" not in path.read_bytes()


def test_help_says_what_the_exit_codes_mean() -> None:
    shown = " ".join(run("--help").output.split())
    for words in ("--state", "--output", "--config-file", "--json", "Exit code 1: a mandatory policy is violated"):
        assert words in shown
