"""The apt repository as a folder."""

import email.utils
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.packages import recipes, signing
from lab.packages.deb import Package, indexes, release, run, stanza
from lab.progress import Progress
from lab.toolchain.build import Tools, cache


@dataclass(frozen=True)
class Versions:
    """What a stack file writes under `cluster.packages` and `cluster.containerd`."""

    revision: str
    cri_tools: str
    kubernetes_cni: str
    containerd: str


@dataclass(frozen=True)
class Repository:
    """The lab's packages and how apt knows that they are the lab's."""

    folder: Path
    """What is to be served: `v1.36/deb/` and `debian/`, each with `Suites: /`."""
    fingerprint: str
    """The signing key's, 40 hexadecimal digits in capitals."""
    armoured_key: str
    versions: Versions


def build(tools: Tools, progress: Progress, *, restrict_oom: bool) -> Repository:
    """The repository of these tools; built once, whole or not at all.

    Raises:
        LabError: dpkg-deb or gpg is missing or failed.
    """
    home = cache() / "packages"
    home.mkdir(parents=True, exist_ok=True)
    repositories = recipes.packages(tools, restrict_oom=restrict_oom)
    versions = {package.name: package.version for packages in repositories.values() for package in packages}
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        key = signing.ensure(home)
        folder = home / _key(repositories, key)
        if not folder.exists():
            for stale in home.glob("draft-*"):  # from a run that was killed
                shutil.rmtree(stale)
            with tempfile.TemporaryDirectory(prefix="draft-", dir=home) as parent:
                draft = Path(parent, "repository")
                for path, packages in repositories.items():
                    write(draft / path, packages, key, progress)
                draft.rename(folder)
    said = Versions(recipes.REVISION, versions["cri-tools"], versions["kubernetes-cni"], versions["containerd"])
    return Repository(folder, key.fingerprint, key.armoured, said)


def _key(repositories: dict[str, tuple[Package, ...]], key: signing.Key) -> str:
    parts = [f"{path} {package.key}" for path, packages in repositories.items() for package in packages]
    return hashlib.sha256("\n".join([key.fingerprint, *parts]).encode()).hexdigest()[:12]


def signing_key() -> signing.Key:
    """The key of every repository of the lab."""
    return signing.ensure(cache() / "packages")


def write(
    folder: Path, packages: Sequence[Package], key: signing.Key, progress: Progress, others: Sequence[Path] = ()
) -> None:
    """A new repository. `others`: packages that exist already, as those of Debian."""
    folder.mkdir(parents=True)
    stanzas = []
    for file in others:
        shutil.copy(file, folder)
        stanzas.append(stanza(run(["dpkg-deb", "--field", str(file)]).decode(), file.name, file.read_bytes()))
    for package in packages:
        progress.detail(f"packing {package.name} {package.version}")
        built = package.write(folder)
        stanzas.append(stanza(package.control(), built.name, built.read_bytes()))
    files = indexes(stanzas)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    signed = release(files, email.utils.formatdate(usegmt=True))
    (folder / "Release").write_text(signed)
    (folder / "InRelease").write_bytes(key.sign(signed))
    (folder / "Release.key").write_text(key.armoured)
