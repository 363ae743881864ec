"""The command: which stacks it looks at, and what it says before anything runs."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components.nodes.preflight import facts
from tests.support.repositories import git
from tests.support.stacks import ROOT, stack, stack_data
from vds.main import application
from vds.post_comment.command import judged
from vds.preview_comment.budget import Block, Risk, fit, size
from vds.preview_comment.change import Changeset, change_between
from vds.preview_comment.difference import diff_lines, noise
from vds.preview_comment.events import Change
from vds.preview_comment.render import comment
from vds.preview_comment.report import StackReport, loaded, preflight, saved
from vds.shared.errors import OperationError

STACK = "Pulumi.oslo.yaml"


def text_of(data: Mapping[str, Any], **config: Any) -> str:
    return yaml.safe_dump({"config": {"vds-platform:spec": data, **config}, "encryptionsalt": "v1:x"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two stacks and some of what a project has."""
    folder = tmp_path / "project"
    files = {
        STACK: text_of(stack_data("oslo")),
        "Pulumi.bergen.yaml": text_of(stack_data("oslo") | {"environment": "bergen"}),
        **dict.fromkeys(("README.md", "policies/residency.py", "vds/main.py", "Pulumi.yaml", "charts.lock.yaml"), "x"),
    }
    put(folder, files)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    monkeypatch.chdir(folder)
    return folder


def put(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def committed(project: Path, files: Mapping[str, str] | None = None) -> Changeset:
    """A commit on a branch, as CI gets it: main is checked out."""
    git(project, "checkout", "-qB", "change")
    put(project, files or {})
    git(project, "add", ".")
    git(project, "commit", "-qm", "change")
    git(project, "checkout", "-q", "main")
    return change_between("main", "change", project)


def run(*words: str) -> Any:
    return CliRunner().invoke(application(), ["preview-comment", "-s", "oslo", *words], catch_exceptions=False)


def test_a_document_touches_no_stack(project: Path) -> None:
    done = run("--head", committed(project, {"README.md": "y", "docs/x.md": "y"}).head or "")
    assert done.exit_code == 0
    assert "## ✅ No stack is touched by this change" in done.stdout


def test_a_stack_file_with_problems_ends_with_1_and_names_them(project: Path) -> None:
    data = stack_data("oslo")
    data["nodes"][0]["country"] = "SE"
    done = run("--head", committed(project, {STACK: text_of(data)}).head or "")
    assert done.exit_code == 1
    assert "### What is wrong with the stack file" in done.stdout
    assert "➕ machines in `SE` (`osl-cp-1`)" in done.stdout
    assert "the stack file must be corrected first" in done.stdout


def test_a_change_of_shared_settings_touches_each_stack_that_names_them(project: Path) -> None:
    shares = text_of(stack_data("oslo"), **{"vds-platform:defaults": "defaults.yaml"})
    change = committed(project, {STACK: shares, "defaults.yaml": "gateway: {}\n"})
    assert change.touched("oslo") == (STACK, "defaults.yaml")
    assert change.touched("bergen") == ()
    assert change.program is None


@pytest.mark.parametrize(
    "file",
    [
        *("vds/decommission/node.py", "vds/decommission/drain.py", ".github/workflows/up.yml", "Makefile"),
        *("policies/residency.py", "components/network/mtu.py", "requirements.txt", "Pulumi.yaml", "lab/cli.py"),
        *("setup.sh", ".gitattributes", "sitecustomize.py", "new.py", "yaml/__init__.py"),
    ],
)
def test_what_runs_touches_every_stack_and_is_no_data(project: Path, file: str) -> None:
    """Finding 3: these were said to touch no stack."""
    change = committed(project, {file: "changed"})
    assert change.touched("oslo") == change.touched("bergen") == (file,)
    assert change.program is not None
    assert change.program.files == (file,)


def test_locks_and_charts_of_a_mirror_are_data_that_touches_a_stack(project: Path) -> None:
    mirrored = stack_data("oslo") | {"charts": {"mirror": {"kind": "folder", "path": "mirror/"}}}
    files = {STACK: text_of(mirrored), "mirror/cilium-1.20.2.tgz": "bytes", "charts.lock.yaml": "y"}
    change = committed(project, files)
    assert change.touched("oslo") == tuple(sorted(files))
    assert change.touched("bergen") == ("charts.lock.yaml",)
    assert change.program is None


@pytest.mark.parametrize(
    "named", ["policies/residency.py", "policies/residency.yaml", "sitecustomize.py", ".github/workflows/up.yml"]
)
def test_a_name_in_a_stack_file_makes_no_program_to_data(project: Path, named: str) -> None:
    data = stack_data("oslo")
    data["ssh"]["knownHostsFile"] = named
    change = committed(project, {STACK: text_of(data), named: "changed"})
    assert change.program is not None
    assert change.program.files == (named,)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/proc/self/environ", "a/../../b"])
def test_a_stack_file_can_t_name_what_is_outside_of_the_project(project: Path, path: str) -> None:
    data = stack_data("oslo")
    data["ssh"]["knownHostsFile"] = path
    with pytest.raises(OperationError, match="outside of the project"):
        committed(project, {STACK: text_of(data)}).touched("oslo")


def test_a_link_in_place_of_data_is_refused(project: Path, tmp_path: Path) -> None:
    (project / STACK).unlink()
    (project / STACK).symlink_to("/etc/passwd")
    change = committed(project)
    with pytest.raises(OperationError, match=r"Pulumi\.oslo\.yaml: the change makes it a link"):
        change.put_data(change.export_base(tmp_path / "out"))


def test_data_goes_into_a_copy_of_the_base_and_code_does_not(project: Path, tmp_path: Path) -> None:
    change = committed(project, {STACK: "changed\n", "policies/residency.py": "gutted", "new.py": "new"})
    made = change.export_base(tmp_path / "out")
    change.put_data(made)
    assert (made / STACK).read_text() == "changed\n"
    assert (made / "policies/residency.py").read_text() == "x"
    assert not (made / "new.py").exists()


def test_a_commit_with_code_is_not_run_and_says_so(project: Path) -> None:
    """Without --program not even the engine is started: there is none here."""
    data = stack_data("oslo")
    data["nodes"][0]["provider"] = {"name": "Annen AS", "country": "NO"}
    done = run("--head", committed(project, {STACK: text_of(data), "policies/residency.py": "gutted"}).head or "")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1].startswith("## ⚠️ `oslo`: no preview; ")
    assert "is not run before a reviewer has approved it" in done.stdout
    assert "**The program and what judges it change:** `policies/residency.py`" in done.stdout
    assert "➕ owner `Annen AS (NO)` (`osl-cp-1`)" in done.stdout
    assert run("--head", "change", "--require-preview").exit_code == 1


def test_what_a_job_with_a_stranger_s_program_has_written_can_t_say_that_all_is_well(project: Path) -> None:
    """The job that posts asks git again: a forged report changes neither the files nor the mark."""
    change = committed(
        project,
        {
            STACK: text_of({**stack_data("oslo"), "registrations": {}}),
            "policies/residency.py": "gutted",
        },
    )
    forged = loaded(saved([StackReport("oslo", ("README.md",)), StackReport("other", ("x",))]).encode())
    reports = judged(["oslo", "bergen"], change, forged)
    text = comment(reports)
    assert [one.touched_by for one in reports] == [(STACK, "policies/residency.py"), ("policies/residency.py",)]
    assert "✅ `" not in text
    assert "The program and what judges it change" in text
    assert change.program is not None
    assert f"`{change.program.digest[:16]}` in the change" in text
    assert "its preview has not ended" in text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'[{"stack": 1}]', b'[{"stack": "x", "preview": {"changes": [{"urn": []}]}}]']
)
def test_reports_of_another_form_are_refused(content: bytes) -> None:
    with pytest.raises(OperationError, match="the reports have the wrong form"):
        loaded(content)


def test_what_renders_asks_nobody() -> None:
    folder = ROOT / "vds" / "preview_comment"
    outside = {"os", "subprocess", "socket", "time", "random", "urllib", "tempfile", "typer"}
    impure = {"change", "command", "runner"}
    for file in folder.glob("*.py"):
        tree = ast.parse(file.read_text())
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        if file.stem not in impure:
            assert not {name.split(".")[0] for name in names} & outside, file.name
            assert not names & {f"vds.preview_comment.{name}" for name in impure}, file.name


def test_facts_too_old_to_judge_by_stop_it() -> None:
    spec = stack("oslo")
    text = facts.dump([], environment="oslo", made_at=0)
    assert "hours old" in preflight(text, spec, now=10**9).unusable
    fresh = preflight(text, spec, now=7200)
    assert (fresh.age_hours, fresh.missing[0]) == (2, "osl-cp-1")


def test_an_sdks_new_version_is_noise_and_a_charts_is_not() -> None:
    def update(kind: str) -> Change:
        return Change("u", kind, "update", old={"version": "1"}, new={"version": "2"})

    assert noise(update("pulumi:providers:kubernetes")) == "an SDK's version"
    assert noise(update("kubernetes:helm.sh/v3:Release")) == ""


def test_items_with_names_that_change_places_are_said_to() -> None:
    first, second = {"name": "a"}, {"name": "b"}
    change = Change("u", "k", "update", old={"x": [first, second]}, new={"x": [second, first]})
    assert diff_lines(change) == ("! the order of a list changes",)
    assert noise(change) == ""


def test_a_value_that_becomes_secret_shows_neither_side() -> None:
    change = Change("u", "k", "update", old={"a": {"b": "hunter2"}}, new={"a": "[secret]"})
    assert diff_lines(change) == ("! a: changes, and is hidden",)


def test_the_least_risky_is_left_out_first_and_counted() -> None:
    blocks = [
        Block("verdict"),
        Block("L" * 100, Risk.LOSS, "loss"),
        Block("U" * 300, Risk.UPDATE, "update", short="- u"),
        Block("C" * 300, Risk.CREATE, "create", units=7),
    ]
    text = fit(blocks, limit=400)
    assert size(text) <= 400
    assert "L" * 100 in text
    assert "- u" in text
    assert "7 creates, 1 update." in text
