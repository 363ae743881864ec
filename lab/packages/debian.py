"""Packages of Debian as files, with all that a machine of the lab lacks for them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.machines import root as debian_root
from lab.processes import LabError


def download(names: Sequence[str], root: Path, folder: Path) -> list[Path]:
    """Fetch packages and what they depend on, without what `root` has. apt compares the signatures of Debian.

    Raises:
        LabError: apt-get failed.
    """
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text("\n".join(debian_root.suite_sources()) + "\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::Cache::archives": folder / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    for verb in (["update", "--error-on=any"], ["--yes", "--download-only", "install", *names]):
        done = subprocess.run(
            ["apt-get", "-q", *words, *verb],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode:
            raise LabError(f"apt-get {verb[0]} for packages of Debian failed: {done.stderr.strip()[-2000:]}")
    return sorted((folder / "archives").glob("*.deb"))
