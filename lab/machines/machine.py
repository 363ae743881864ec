"""Start and stop machines, and run commands in them.

A machine has its own namespaces. Kernel values that exist only once are protected by `boot.sh`: values in /proc/sys
outside net.* are copies, which the kernel neither uses nor checks, and /sys is read-only. A privileged pod mounts /proc
and /sys itself, so it can change the host's values and mount its disks. The kernel loads modules when they are first
used; a machine can't load modules by name. The clock, the kernel log and the memory size are those of the host.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab import fabric
from lab.layout import CHECKOUT, GATEWAY_ADDRESS, Host, Layout
from lab.machines import cgroups, supervise
from lab.machines.files import Files, install
from lab.processes import LabError, command, kill, members, tail, wait_until
from lab.processes import start as start_process

_BOOT_SECONDS = 60  # 1 s on quiet cores, 10 s beside heavy builds
_SHUTDOWN_SECONDS = 100  # systemd's own limit for a service is 90 s
_STOP_SECONDS = 5
_POWER_OFF = signal.SIGRTMIN + 4  # systemd(1): starts poweroff.target
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


def start(layout: Layout, host: Host, root: Path, files: Files) -> None:
    """Boot a machine and wait until it answers on SSH and systemd has started all; one that is on is left alone.

    Its network namespace must be there. `files` go to a new disk only: after that, the disk is the machine's.

    Raises:
        LabError: it does not boot; the text has the end of its log.
    """
    if not is_running(layout, host):
        stop(layout, host)  # left by a killed run
        _make_disk(layout, host, root, files)
        start_process(
            [sys.executable, "-m", "lab.machines.supervise", host.name, host.address, str(layout.state), str(root)],
            part=_supervisor(host),
            log=_log(layout, host),
            env={"PYTHONPATH": str(CHECKOUT)},
        )
    _wait_ready(layout, host)


def stop(layout: Layout, host: Host) -> None:  # noqa: ARG001
    """Pull the plug: every process ends at once, and only the disk is left. Fine where it is off."""
    # The supervisor ends after its machine. If it ended first, it would leave a zombie. Repeated, because a machine
    # that reboots has no process for a moment.
    deadline = time.monotonic() + _STOP_SECONDS
    while members(_supervisor(host)) and time.monotonic() < deadline:
        _kill(host.name)
        time.sleep(0.02)
    for part in (_supervisor(host), host.name, _visitors(host)):
        _kill(part)
    cgroups.remove(host.name)


def power_off(layout: Layout, host: Host) -> None:
    """Shut a machine down in order; it stays off until it is started."""
    leader = leader_pid(layout, host)
    if leader is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, _POWER_OFF)
        wait_until(
            lambda: not is_running(layout, host),
            _SHUTDOWN_SECONDS,
            or_else=lambda: f"{host.name} does not shut down; its log ends:\n{tail(_log(layout, host))}",
        )
    stop(layout, host)


def is_running(layout: Layout, host: Host) -> bool:  # noqa: ARG001  # one signature for all that is asked of a machine
    """Whether a machine is on; also while it boots again."""
    return bool(members(_supervisor(host)))


def leader_pid(layout: Layout, host: Host) -> int | None:  # noqa: ARG001
    """The machine's first process, by this machine's numbers; none while it is off or between two boots."""
    depth = len(_numbers("self"))
    for process in members(host.name):
        numbers = _numbers(str(process))
        if len(numbers) == depth + 1 and numbers[-1] == 1:
            return process
    return None


def inside(layout: Layout, host: Host, argv: Sequence[str]) -> list[str]:
    """`argv` as it must be run to be in all of a machine's namespaces, as root, without anything of this environment.

    Raises:
        LabError: the machine is off.
    """
    leader = leader_pid(layout, host)
    if leader is None:
        raise LabError(f"{host.name} is off; run `make start`")
    variables = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
    return command(
        ["nsenter", "--target", str(leader), "--all", "env", "-i", "--chdir=/", *variables, *argv], part=_visitors(host)
    )


def _kill(part: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # its supervisor just removed it
        kill(part)


def _make_disk(layout: Layout, host: Host, root: Path, files: Files) -> None:
    folder = layout.machine(host.name)
    for name in ("lower", "upper", "work", "disk", *supervise.BOUND):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "upper").chmod(0o755)  # is the machine's /
    made_from = folder / "made-from"
    if not made_from.exists():
        install(files, folder / "upper", root)
        made_from.write_text(str(root))
    elif made_from.read_text() != str(root):
        raise LabError(f"the disk of {host.name} is a layer over {made_from.read_text()}, not {root}; run `make down`")


def _wait_ready(layout: Layout, host: Host) -> None:
    wait_until(
        lambda: _answers(layout, host),
        _BOOT_SECONDS,
        or_else=lambda: f"{host.name} does not answer on SSH; its log ends:\n{tail(_log(layout, host))}",
    )
    # `degraded` is an answer too: a unit failed, and its caller reports that.
    asking = inside(layout, host, ["timeout", str(_BOOT_SECONDS), "systemctl", "is-system-running", "--wait"])
    subprocess.run(asking, capture_output=True)


def _answers(layout: Layout, host: Host) -> bool:
    """Whether its SSH server says its name to somebody on the bridge."""
    if not is_running(layout, host):
        time.sleep(0.1)  # the last lines may not have arrived
        raise LabError(f"{host.name} has ended")
    with fabric.inside(Host("fabric", GATEWAY_ADDRESS)):
        try:
            with socket.create_connection((host.address, 22), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def _numbers(process: str) -> list[int]:
    """A process's id in each PID namespace, from the outermost; empty where it has ended."""
    try:
        status = Path("/proc", process, "status").read_text()
    except OSError:
        return []
    found = re.search(r"^NSpid:(.*)$", status, re.MULTILINE)
    return [int(number) for number in found[1].split()] if found else []


def _log(layout: Layout, host: Host) -> Path:
    return layout.logs / f"{host.name}.log"


def _supervisor(host: Host) -> str:
    return f"{host.name}.supervisor"


def _visitors(host: Host) -> str:
    return f"{host.name}.visitors"
