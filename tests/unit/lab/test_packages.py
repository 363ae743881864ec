"""Packages that dpkg takes, in a repository that apt can trust by the key that the stack file names."""

import gzip
import hashlib
import itertools
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.core.versions import parse
from components.kubeadm import signing as platform_signing
from components.kubeadm.model import SigningKey
from lab.images.layers import File, Folder
from lab.packages import recipes, repository, signing
from lab.packages.deb import Package, indexes, release, stanza
from lab.progress import Progress
from lab.toolchain.build import Tools
from lab.toolchain.pins import EARLIER, TOOLS, module_version


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Programs that are only there, and a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = {tool.name: tmp_path / tool.name for tool in TOOLS}
    for name, path in paths.items():
        path.write_text(f"program {name}")
    return Tools(paths, {}, {tool.name: tool.version for tool in TOOLS})


def all_packages(tools: Tools, *, restrict_oom: bool = False) -> dict[str, Package]:
    found = recipes.packages(tools, restrict_oom=restrict_oom)
    return {package.name: package for packages in found.values() for package in packages}


def text(package: Package, path: str) -> str:
    found = [e.content for e in package.entries if isinstance(e, File) and e.path == path]
    assert len(found) == 1
    assert isinstance(found[0], bytes)
    return found[0].decode()


def asked(deb: Path, *question: str) -> str:
    return subprocess.run(["dpkg-deb", *question, deb], capture_output=True, text=True, check=True).stdout


# --- what the packages are ----------------------------------------------------------------------------------


def test_repositories_and_versions_are_named_as_upstreams(tools: Tools) -> None:
    kubernetes = module_version("kubernetes", "k8s.io/kubernetes")
    minor = ".".join(kubernetes.split(".")[:2])
    found = recipes.packages(tools, restrict_oom=False)
    assert {path: [package.name for package in packages] for path, packages in found.items()} == {
        f"v{minor}/deb": ["kubeadm", "kubelet", "kubectl", "cri-tools", "kubernetes-cni"],
        "debian": ["containerd", "age"],
    }
    assert all_packages(tools)["kubelet"].version == f"{kubernetes}-1.1"


def with_earlier(tools: Tools, step: str) -> Tools:
    earlier = {tool.name: tool.version for tool in EARLIER[step]}
    return Tools(
        tools._paths | {name: tools.path(name.removesuffix("-earlier")) for name in earlier},
        dict.fromkeys(earlier, "cache"),
        tools._versions | earlier,
    )


def test_the_patch_before_is_served_beside_its_successor(tools: Tools) -> None:
    both = with_earlier(tools, "patch")
    served = [package for found in recipes.packages(both, restrict_oom=False).values() for package in found]
    kubelets = [package.version for package in served if package.name == "kubelet"]
    assert kubelets == [f"{both.version('kubelet-earlier')}-1.1", f"{tools.version('kubelet')}-1.1"]
    assert len([package for package in served if package.name == "cri-tools"]) == 1
    [step] = {parse(new).micro - parse(old).micro for old, new in itertools.pairwise(kubelets)}
    assert step == 1, "one patch"


def test_the_minor_before_has_a_repository_of_its_own(tools: Tools) -> None:
    found = recipes.packages(with_earlier(tools, "minor"), restrict_oom=False)
    minors = [parse(path.partition("/")[0].removeprefix("v")).minor for path in found if path != "debian"]
    assert [new - old for old, new in itertools.pairwise(minors)] == [1]
    for path, packages in found.items():
        of_kubernetes = {p.version.rpartition(".")[0] for p in packages if p.name in ("kubeadm", "kubelet", "kubectl")}
        assert path == "debian" or all(version.startswith(path[1:5]) for version in of_kubernetes)


def test_kubeadms_drop_in_replaces_the_kubelets_command(tools: Tools) -> None:
    drop_in = text(all_packages(tools)["kubeadm"], "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf")
    commands = re.findall("^ExecStart=(.*)$", drop_in, re.MULTILINE)
    assert commands[0] == ""
    arguments = commands[1].split()[1:]
    assert arguments == [f"$KUBELET_{name}_ARGS" for name in ("KUBECONFIG", "CONFIG", "KUBEADM", "EXTRA")]
    assert 'KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"' in drop_in


def test_what_the_administrator_may_change_is_kept_by_dpkg(tools: Tools) -> None:
    assert all_packages(tools)["kubelet"].conffiles == ["/etc/default/kubelet"]
    assert all_packages(tools, restrict_oom=True)["containerd"].conffiles == []  # its file is the platform's


def test_where_scores_may_be_lowered_containerd_runs_as_upstreams_unit_does(tools: Tools) -> None:
    containerd = all_packages(tools, restrict_oom=False)["containerd"]
    unit = text(containerd, "usr/lib/systemd/system/containerd.service")
    assert "ExecStart=/usr/bin/containerd\n" in unit
    assert "OOMScoreAdjust=-999\n" in unit
    assert not [e for e in containerd.entries if e.path.startswith("usr/lib/containerd")]


def test_where_they_may_not_containerd_takes_the_platforms_file_into_its_own(tools: Tools) -> None:
    containerd = all_packages(tools, restrict_oom=True)["containerd"]
    unit = text(containerd, "usr/lib/systemd/system/containerd.service")
    assert "ExecStart=/usr/bin/containerd --config /usr/lib/containerd/config.toml\n" in unit
    assert "OOMScoreAdjust" not in unit  # systemd could not set it either, and would not start the service
    configuration = text(containerd, "usr/lib/containerd/config.toml")
    assert 'imports = ["/etc/containerd/*.toml"]' in configuration
    assert "restrict_oom_score_adj = true" in configuration


# --- one package --------------------------------------------------------------------------------------------


def small(content: str = "#!/bin/sh\n", folder: Path | None = None) -> Package:
    program: Path | bytes = content.encode()
    if folder:
        program = folder / "source"
        program.write_text(content)
    return Package(
        "small",
        "1.2.3-1.1",
        "A program",
        (File("usr/bin/small", program, 0o755), File("etc/small.conf", b"a=1\n"), Folder("var/lib/small", 0o700)),
        depends=("libc6", "mount (>= 2.0)"),
        scripts={"postinst": "#!/bin/sh\nexit 0\n"},
    )


def test_dpkg_reads_what_was_meant(tmp_path: Path) -> None:
    deb = small(folder=tmp_path).write(tmp_path)
    assert re.fullmatch(r"small_1\.2\.3-1\.1_[a-z0-9]+\.deb", deb.name)
    assert asked(deb, "--field") == small().control()
    assert "Installed-Size: 8\n" in small().control()  # two files, of one block each, and six folders
    listed = {line.split()[-1]: line.split()[:2] for line in asked(deb, "--contents").splitlines()}
    assert listed["./usr/bin/small"] == ["-rwxr-xr-x", "root/root"]
    assert listed["./etc/small.conf"] == ["-rw-r--r--", "root/root"]
    assert listed["./var/lib/small/"] == ["drwx------", "root/root"]
    assert listed["./"] == ["drwxr-xr-x", "root/root"]
    info = asked(deb, "--info")
    assert "postinst" in info
    assert "conffiles" in info


def test_the_same_input_gives_the_same_package(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    one = small(folder=first).write(first)
    assert one.read_bytes() == small(folder=second).write(second).read_bytes()
    assert sorted(path.name for path in first.iterdir()) == [one.name, "source"]


def test_a_packages_key_changes_with_all_that_it_is_made_of(tmp_path: Path) -> None:
    one = small(folder=tmp_path)
    assert replace(one, entries=tuple(reversed(one.entries))).key == one.key
    before = one.key
    (tmp_path / "source").write_text("another program")
    assert one.key != before
    changed = [{"version": "2"}, {"depends": ()}, {"scripts": {}}, {"entries": ()}]
    keys = {Package(**{**vars(small()), **change}).key for change in changed}  # type: ignore[arg-type]
    assert len(keys | {small().key}) == 5


def test_an_index_says_what_the_package_says_and_what_it_must_be() -> None:
    assert stanza("Package: small\nVersion: 1\n", "small_1_amd64.deb", b"content") == (
        "Package: small\nVersion: 1\nFilename: ./small_1_amd64.deb\nSize: 7\n"
        f"SHA256: {hashlib.sha256(b'content').hexdigest()}\n"
    )


def test_indexes_are_the_same_plain_and_compressed() -> None:
    found = indexes(["Package: a\n", "Package: b\n"])
    assert found["Packages"] == b"Package: a\n\nPackage: b\n"
    assert gzip.decompress(found["Packages.gz"]) == found["Packages"]


def test_a_release_names_every_index_with_its_digest() -> None:
    said = release({"Packages": b"x"}, "Wed, 25 Nov 2026 21:50:38 GMT")
    assert "Date: Wed, 25 Nov 2026 21:50:38 GMT\n" in said
    assert f"SHA256:\n {hashlib.sha256(b'x').hexdigest()} 1 Packages\n" in said


# --- the repository -----------------------------------------------------------------------------------------


def verified(signed: bytes, armoured: str, home: Path) -> str:
    """What a signature covers. Raises where it is not the key's."""
    home.mkdir(mode=0o700)
    key = home / "key.gpg"
    subprocess.run(["gpg", "--homedir", home, "--dearmor", "-o", key], input=armoured.encode(), check=True)
    done = subprocess.run(["gpgv", "--keyring", key, "--output", "-"], input=signed, capture_output=True, check=True)
    return done.stdout.decode()


def test_the_repository_is_whole_signed_and_trusted_by_the_stack_files_key(tools: Tools, tmp_path: Path) -> None:
    built = repository.build(tools, Progress(total=1, quiet=True), restrict_oom=True)
    key = SigningKey(fingerprint=built.fingerprint, armoured=built.armoured_key)
    assert platform_signing.fingerprint(key.armoured) == built.fingerprint
    folders = sorted(path.parent for path in built.folder.rglob("InRelease"))
    assert [folder.relative_to(built.folder).as_posix() for folder in folders] == ["debian", "v1.36/deb"]
    for number, folder in enumerate(folders):
        said = verified((folder / "InRelease").read_bytes(), built.armoured_key, tmp_path / f"home{number}")
        for digest, size, name in re.findall(r"^ (\S{64}) (\d+) (\S+)$", said, re.MULTILINE):
            content = (folder / name).read_bytes()
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, int(size))
        index = (folder / "Packages").read_text()
        assert len(re.findall("^Package: ", index, re.MULTILINE)) == len(list(folder.glob("*.deb")))
        for name, digest in re.findall(r"^Filename: (\S+)\nSize: \d+\nSHA256: (\S+)$", index, re.MULTILINE):
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_stack_file_gets_the_versions_that_the_index_has(tools: Tools) -> None:
    built = repository.build(tools, Progress(total=1, quiet=True), restrict_oom=False)
    index = "\n".join(path.read_text() for path in built.folder.rglob("Packages"))
    found = dict(re.findall(r"^Package: (\S+)\nVersion: (\S+)$", index, re.MULTILINE))
    said = built.versions
    assert (found["cri-tools"], found["kubernetes-cni"]) == (said.cri_tools, said.kubernetes_cni)
    assert found["containerd"] == said.containerd
    assert found["kubeadm"].endswith(f"-{said.revision}")


def test_it_is_built_once_and_again_when_a_program_has_changed(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(total=1, quiet=True)
    first = repository.build(tools, progress, restrict_oom=False)
    with monkeypatch.context() as patch:
        patch.setattr(Package, "write", lambda *_: pytest.fail("packed again"))
        assert repository.build(tools, progress, restrict_oom=False) == first
    tools.path("ctr").write_text("another program")
    second = repository.build(tools, progress, restrict_oom=False)
    assert second.folder != first.folder
    assert second.fingerprint == first.fingerprint


def test_a_repository_that_could_not_be_built_is_not_there(tools: Tools, tmp_path: Path) -> None:
    tools.path("crictl").chmod(0)
    tools.path("crictl").unlink()
    with pytest.raises(OSError, match="crictl"):
        repository.build(tools, Progress(total=1, quiet=True), restrict_oom=False)
    assert not list((tmp_path / "cache").rglob("InRelease"))


def test_the_signing_key_is_made_once_and_nobody_elses_to_read(tmp_path: Path) -> None:
    key = signing.ensure(tmp_path)
    assert signing.ensure(tmp_path) == key
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("signing-key.asc", 0o600)]
    assert "PRIVATE" not in key.armoured
