"""One lab on a machine, one command at a time, and nothing left after it."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import fabric
from lab.layout import CHECKOUT, MACHINES, PREFIX, ROUTER, Layout
from lab.machines import machine
from lab.processes import LabError, kill, members

_OWNER = Path(f"/run/{PREFIX}/owner")
_LOCK = Path(f"/run/{PREFIX}.lock")
"""Empty; it stays until the next boot. Only root can open it, so no other user can hold it."""


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Hold the machine's lab for one command. The kernel unlocks the file when this process ends, in any way.

    Raises:
        LabError: another command holds it, or the lab belongs to another checkout.
    """
    with os.fdopen(os.open(_LOCK, os.O_CREAT | os.O_WRONLY, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another lab command is running on this machine; wait for it, or end it") from None
        owner = _OWNER.read_text() if _OWNER.exists() else str(CHECKOUT)
        if owner != str(CHECKOUT) and members():  # without a process it is left over from a kill or a reboot
            raise LabError(f"this machine's lab belongs to {owner}; run `make down` there first")
        yield


def claim(layout: Layout) -> None:
    """Write down whose lab this is; clear away what a reboot or a run killed half-way left of an earlier one."""
    layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark = layout.state / "fabric-of-boot"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if not mark.exists() or mark.read_text() != boot:
        remove(layout)
        layout.state.mkdir(parents=True, mode=0o700)
    else:
        for part in ("op", "probe"):  # from a command that was killed: a running engine would lock the stack
            kill(part)
    _OWNER.parent.mkdir(exist_ok=True)
    _OWNER.write_text(str(CHECKOUT))
    fabric.ensure()
    mark.write_text(boot)


def remove(layout: Layout) -> None:
    """Stop every machine, end every process of the lab, remove its namespaces, cgroups and files.

    Fine where there is none.
    """
    every = (*MACHINES, ROUTER)
    with ThreadPoolExecutor(len(every)) as pool:
        list(pool.map(lambda host: machine.stop(layout, host), every))
    kill()
    fabric.remove()
    for mount in _mounts(layout):
        subprocess.run(["umount", "--lazy", mount], check=False)
    shutil.rmtree(layout.state, ignore_errors=True)
    shutil.rmtree(_OWNER.parent, ignore_errors=True)


def _mounts(layout: Layout) -> list[str]:
    """What a test that was killed left mounted in the lab's folder, the innermost first."""
    found = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((path for path in found if path.startswith(f"{layout.state}/")), reverse=True)


def leftovers(layout: Layout) -> list[str]:
    """What of a lab is on the machine: empty after `remove`."""
    found = [f"namespace {name}" for name in fabric.namespaces()]
    found += [f"folder {path}" for path in (layout.state, _OWNER.parent) if path.exists()]
    found += [
        f"mount {line.split()[1]}" for line in Path("/proc/mounts").read_text().splitlines() if f"/{PREFIX}" in line
    ]
    return found


def require_root() -> None:
    """Raises LabError where the lab's namespaces cannot be made."""
    if os.geteuid():
        raise LabError("the lab needs root, for network namespaces: run the same command with sudo")
