"""Build the program of the pause image with the Go toolchain of the other tools."""

import fcntl
import hashlib
import subprocess
import tempfile
from pathlib import Path

from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain import golang
from lab.toolchain.build import cache

_SOURCES = Path(__file__).parent / "pause"


def ensure(progress: Progress) -> Path:
    """The program, built once.

    Raises:
        LabError: it could not be built.
    """
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_SOURCES.iterdir()))).hexdigest()
    program = cache() / "tools" / f"pause-{digest[:12]}" / "pause"
    if program.exists():
        return program
    progress.detail("building the pause program")
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(prefix="draft-", dir=program.parent) as folder:
            go = str(golang.find(cache(), progress))
            flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w"]  # the same program from every checkout
            done = subprocess.run(
                [go, "build", *flags, "-o", f"{folder}/pause", "."],
                cwd=_SOURCES,
                env=golang.environment(cache()),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise LabError(f"the pause program could not be built:\n{done.stderr.strip()}")
            Path(folder, "pause").rename(program)
    return program
