"""`vds recover`: what a killed update leaves is put right, and a running one is left alone."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.kubernetes_api import ApiError, UnreachableError
from tests.support.commands import vds
from tests.support.tools import Tools
from vds.recover.command import _is_engine, end_releases
from vds.recover.state import kubeconfig, releases, resolve_pending, restore_checkpoint
from vds.shared.errors import OperationError

PROJECT = "vds-platform"
NO_PROCESS = 4194305  # larger than the kernel's largest


def creating(kind: str, **meta: str) -> dict[str, Any]:
    resource = {"urn": f"urn::{kind}", "type": kind, "inputs": {"metadata": meta} if meta else {}}
    return {"type": "creating", "resource": resource}


def test_a_create_cut_short_is_found_again_by_its_name() -> None:
    pending = [
        creating("kubernetes:core/v1:ConfigMap", name="a", namespace="b"),
        creating("kubernetes:core/v1:Namespace", name="c"),
        creating("command:remote:Command"),
        {"type": "updating", "resource": creating("kubernetes:core/v1:Secret", name="d")["resource"]},
    ]
    deployment: dict[str, Any] = {"resources": [{"urn": "before"}], "pending_operations": pending}
    resolve_pending(deployment)
    found = {r["urn"]: r.get("id") for r in deployment["resources"]}
    assert found == {
        "before": None,
        "urn::kubernetes:core/v1:ConfigMap": "b/a",
        "urn::kubernetes:core/v1:Namespace": "c",
    }
    assert "pending_operations" not in deployment


def test_a_create_that_the_state_has_already_is_not_there_twice() -> None:
    made = creating("kubernetes:core/v1:Namespace", name="c")
    deployment: dict[str, Any] = {"resources": [made["resource"]], "pending_operations": [made]}
    resolve_pending(deployment)
    assert deployment["resources"] == [made["resource"]]


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    folder = tmp_path / ".pulumi" / "stacks" / PROJECT
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("left", ["", '{"checkpoint": {"lat'])
def test_a_state_cut_short_is_replaced_with_its_backup(tmp_path: Path, backend: Path, left: str) -> None:
    (backend / "oslo.json").write_text(left)
    (backend / "oslo.json.attrs").write_text('{"md5": "of another content"}')
    (backend / "oslo.json.bak").write_text('{"checkpoint": 1}')
    [said], older = restore_checkpoint(tmp_path, PROJECT, "oslo")
    assert "cut short: replaced with oslo.json.bak" in said
    assert not older
    assert json.loads((backend / "oslo.json").read_text()) == {"checkpoint": 1}
    assert not (backend / "oslo.json.attrs").exists()


def test_a_whole_state_and_other_projects_are_left_alone(tmp_path: Path, backend: Path) -> None:
    other = backend.with_name("other") / "oslo.json"
    other.parent.mkdir()
    other.write_text("")
    (backend / "oslo.json").write_text('{"checkpoint": 2}')
    (backend / "oslo.json.bak").write_text('{"checkpoint": 1}')
    assert restore_checkpoint(tmp_path, PROJECT, "oslo") == ([], False)
    assert json.loads((backend / "oslo.json").read_text()) == {"checkpoint": 2}
    assert other.read_text() == ""


def test_half_written_notes_beside_a_state_are_removed(tmp_path: Path, backend: Path) -> None:
    for name in ("oslo.json", "oslo.json.bak"):
        (backend / name).write_text('{"checkpoint": 2}')
    (backend / "oslo.json.attrs").write_text("")  # the engine then fails with "failed to load checkpoint: EOF"
    (backend / "oslo.json.bak.attrs").write_text('{"user.cache_control": ""}')
    restore_checkpoint(tmp_path, PROJECT, "oslo")
    assert sorted(path.name for path in backend.iterdir()) == ["oslo.json", "oslo.json.bak", "oslo.json.bak.attrs"]


@pytest.fixture
def both_cut(tmp_path: Path, backend: Path) -> Path:
    """What a full disk leaves: the state and the copy beside it; the folder of the copies after each update."""
    (backend / "oslo.json").write_text("{")
    (backend / "oslo.json.bak").write_text("")
    copies = tmp_path / ".pulumi" / "backups" / PROJECT / "oslo"
    copies.mkdir(parents=True)
    return copies


def test_with_both_cut_the_newest_whole_copy_of_an_earlier_update_is_used(
    tmp_path: Path, backend: Path, both_cut: Path
) -> None:
    for stamp, content in (("1", '{"checkpoint": 1}'), ("2", '{"checkpoint": 2}'), ("3", "{")):
        (both_cut / f"oslo.{stamp}.json").write_text(content)
    [said], older = restore_checkpoint(tmp_path, PROJECT, "oslo")
    assert "replaced with oslo.2.json" in said
    assert older
    assert json.loads((backend / "oslo.json").read_text()) == {"checkpoint": 2}


def test_without_any_whole_copy_nothing_is_touched_and_it_is_said(
    tmp_path: Path, backend: Path, both_cut: Path
) -> None:
    (both_cut / "oslo.1.json").write_text("{")
    with pytest.raises(OperationError, match="restore it from a backup of your own, then run `vds recover"):
        restore_checkpoint(tmp_path, PROJECT, "oslo")
    assert (backend / "oslo.json").read_text() == "{"


# --- the command, with a stand-in for the engine ---------------------------------------------------------

ENGINE = """
case "$1 $2 $3" in
*whoami*) echo '{{"url": "{url}"}}' ;;
*refresh*--target*) : ;;
*cancel*) rm -f '{folder}/locked' ;;
*export*) cat '{folder}/state' ;;
*import*) cat >'{folder}/imported' ;;
esac
case "$*" in *--target*)
	[ ! -e '{folder}/locked' ] || {{ cat '{folder}/locked' >&2; exit 255; }}
	echo 'error: no resource named' >&2; exit 255 ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path, backend: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    tools = Tools(tmp_path / "bin")
    tools.add("pulumi", ENGINE.format(url=f"file://{tmp_path}", folder=tmp_path))
    (tmp_path / "state").write_text('{"version": 3, "deployment": {"resources": []}}')
    return tools


def locked(folder: Path, host: str, process: int) -> None:
    text = f"error: the stack is currently locked by 1 lock(s).\n  file:///l.json: created by me@{host} (pid {process})"
    (folder / "locked").write_text(f"{text} at 2026-11-26T08:07:17Z\n")


def called(engine: Tools, word: str) -> list[list[str]]:
    return [words for words in engine.words("pulumi") if word in words]


def test_nothing_to_recover_changes_nothing(engine: Tools) -> None:
    done = vds("recover", "--stack", "oslo")
    assert (done.exit_code, done.stdout) == (0, "the stack oslo is ready: run `pulumi up`\n")
    assert not called(engine, "import")
    assert not called(engine, "cancel")


def test_the_lock_of_a_process_that_has_ended_is_removed(tmp_path: Path, engine: Tools) -> None:
    locked(tmp_path, socket.gethostname(), NO_PROCESS)
    done = vds("recover", "--stack", "oslo")
    assert done.exit_code == 0, done.stderr
    assert f"removed the lock of process {NO_PROCESS}" in done.stdout
    assert len(called(engine, "cancel")) == 1


@pytest.mark.parametrize("host", ["another-machine", ""])
def test_a_lock_of_another_machine_or_of_a_live_process_is_kept(
    tmp_path: Path, engine: Tools, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr("vds.recover.command._is_engine", lambda process: process == os.getpid())
    locked(tmp_path, host or socket.gethostname(), NO_PROCESS if host else os.getpid())
    done = vds("recover", "--stack", "oslo")
    assert done.exit_code == 2
    assert "is locked by me@" in done.stderr
    assert "wait until that update ends; if its process is dead, run `pulumi cancel --stack oslo`" in done.stderr
    assert not called(engine, "cancel")
    assert not called(engine, "export"), "what the other update writes now is not read"


def test_a_killed_process_that_is_still_listed_has_ended(tmp_path: Path, engine: Tools) -> None:
    program = tmp_path / "pulumi"
    program.symlink_to(shutil.which("sleep") or "sleep")
    with subprocess.Popen([program, "60"]) as process:
        assert _is_engine(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # leaves it listed, as a zombie
        locked(tmp_path, socket.gethostname(), process.pid)
        done = vds("recover", "--stack", "oslo")
        assert done.exit_code == 0, done.stderr
        assert f"removed the lock of process {process.pid}" in done.stdout


def test_a_lock_that_can_not_be_read_is_kept(tmp_path: Path, engine: Tools) -> None:
    (tmp_path / "locked").write_text("error: the stack is currently locked by 1 lock(s).\n")
    assert vds("recover", "--stack", "oslo").exit_code == 2
    assert not called(engine, "cancel")


def test_interrupted_operations_are_written_down_and_refreshed(tmp_path: Path, engine: Tools) -> None:
    pending = [creating("kubernetes:core/v1:Namespace", name="c"), creating("command:remote:Command")]
    state = {"version": 3, "deployment": {"resources": [], "pending_operations": pending}}
    (tmp_path / "state").write_text(json.dumps(state))
    done = vds("recover", "--stack", "oslo")
    assert done.exit_code == 0, done.stderr
    imported = json.loads((tmp_path / "imported").read_text())["deployment"]
    assert [resource["id"] for resource in imported["resources"]] == ["c"]
    assert "pending_operations" not in imported
    assert [words for words in called(engine, "refresh") if "--target" not in words]


@pytest.mark.usefixtures("engine")
def test_a_state_of_an_earlier_update_is_refreshed_and_said(backend: Path, both_cut: Path, engine: Tools) -> None:
    (both_cut / "oslo.1.json").write_text('{"checkpoint": 1}')
    done = vds("recover", "--stack", "oslo")
    assert done.exit_code == 0, done.stderr
    assert "use the stack file of the update that was interrupted" in done.stdout
    assert [words for words in called(engine, "refresh") if "--target" not in words]


def test_a_state_of_another_project_is_restored_in_its_folder(
    tmp_path: Path, engine: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stacks of registered tenants are of the project vds-tenants."""
    (tmp_path / "Pulumi.yaml").write_text("name: vds-tenants\n")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".pulumi" / "stacks" / "vds-tenants"
    folder.mkdir()
    (folder / "butikk.json").write_text("{")
    (folder / "butikk.json.bak").write_text('{"checkpoint": 1}')
    done = vds("recover", "--stack", "butikk")
    assert done.exit_code == 0, done.stderr
    assert (folder / "butikk.json").read_text() == '{"checkpoint": 1}'


# --- Helm ------------------------------------------------------------------------------------------------


class Api:
    """Helm's records of one release in a cluster."""

    def __init__(self, *status: str, down: bool = False) -> None:
        self.records = {f"sh.helm.release.v1.cilium.v{i}": one for i, one in enumerate(status, 1)}
        self.down = down

    def request(self, method: str, path: str, _body: Any = None, *, query: Any = ()) -> dict[str, Any]:
        if self.down:
            raise UnreachableError("https://192.0.2.10:6443: no answer in time")
        if method == "DELETE":
            del self.records[path.rpartition("/")[2]]
            return {}
        assert query == [("labelSelector", "owner=helm,name=cilium")]
        return {"items": [{"metadata": {"name": n, "labels": {"status": s}}} for n, s in self.records.items()]}


@pytest.mark.parametrize(
    ("status", "left"),
    [(["pending-install"], []), (["superseded", "deployed", "pending-upgrade"], ["superseded", "deployed"])],
)
def test_helm_forgets_what_was_cut_short_and_keeps_the_rest(status: list[str], left: list[str]) -> None:
    api = Api(*status)
    assert len(end_releases(api, [("kube-system", "cilium")])) == 1
    assert list(api.records.values()) == left


def test_a_cluster_that_does_not_answer_is_said() -> None:
    with pytest.raises(OperationError, match=r"must answer, .* no answer in time: run this again"):
        end_releases(Api(down=True), [("kube-system", "cilium")])


def test_a_release_and_the_kubeconfig_are_found_in_the_state() -> None:
    release = {"type": "kubernetes:helm.sh/v3:Release", "inputs": {"name": "cilium", "namespace": "kube-system"}}
    assert releases([{"type": "creating", "resource": release}]) == [("kube-system", "cilium")]
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"a kubeconfig"'}
    provider = {"type": "pulumi:providers:kubernetes", "inputs": {"kubeconfig": secret}}
    assert kubeconfig({"resources": [release, provider]}) == "a kubeconfig"
    assert kubeconfig({"resources": [release]}) is None


def test_a_refusal_of_the_cluster_is_an_error_of_the_command() -> None:
    class Refusing(Api):
        def request(self, *_: Any, **__: Any) -> dict[str, Any]:
            raise ApiError(403, "secrets is forbidden")

    with pytest.raises(OperationError, match="secrets is forbidden"):
        end_releases(Refusing(), [("kube-system", "cilium")])
