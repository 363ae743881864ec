"""Start and stop the lab's processes by cgroup.

A process can't leave its cgroup by forking or by losing its parent. So one write to `cgroup.kill` stops everything that
a part of the lab has started. No process id is guessed.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.layout import PREFIX

# Enters the cgroup before it becomes the command, so no part of the command runs outside.
_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
# In its own mount namespace, so the host's resolv.conf does not change.
_RESOLVE = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class LabError(Exception):
    """Something of the lab failed; the text names what, and what to do."""


def cgroup_mount() -> Path:
    """Where cgroup v2 is mounted: alone, or beside v1 as `unified`."""
    for mount in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if (mount / "cgroup.controllers").exists():
            return mount
    raise LabError(
        "cgroup v2 is not mounted; run: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
    )


def cgroup(part: str = "") -> Path:
    """The cgroup of one part of the lab (`site`, `osl-w-1`, …), or of the whole lab."""
    root = cgroup_mount() / PREFIX
    return root / part if part else root


def command(argv: Sequence[str], *, part: str, namespace: str | None = None, resolver: Path | None = None) -> list[str]:
    """`argv` as it must be run to be inside the part's cgroup and, where given, its network namespace.

    `resolver` is the resolv.conf that the command sees.
    """
    group = cgroup(part)
    group.mkdir(parents=True, exist_ok=True)
    enter = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    resolve = ["unshare", "--mount", "sh", "-c", _RESOLVE, str(resolver)] if resolver else []
    return ["sh", "-c", _ENTER, str(group), *enter, *resolve, *argv]


def start(
    argv: Sequence[str],
    *,
    part: str,
    log: Path,
    namespace: str | None = None,
    resolver: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command(argv, part=part, namespace=namespace, resolver=resolver),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )


@contextlib.contextmanager
def ending_with_us(process: subprocess.Popen[Any], *, by: signal.Signals, seconds: float) -> Iterator[None]:
    """Where the body is left by an exception, the child ends first: in order if it does so in `seconds`, else killed.

    It gets the signal `by`, but not after Ctrl-C: a terminal has sent it to the child too, and a second one means to
    many a program that it may not clear up. What the child still writes to a pipe of ours is read and thrown away.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            process.send_signal(by)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        raise


def members(part: str = "") -> list[int]:
    """Ids of all living processes of a part, sub-cgroups included."""
    found: list[int] = []
    for procs in cgroup(part).rglob("cgroup.procs") if cgroup(part).exists() else []:
        try:
            found += [int(line) for line in procs.read_text().split()]
        except OSError:  # the cgroup was just removed
            continue
    return found


def kill(part: str = "", *, timeout_seconds: float = 60) -> None:
    """End every process of a part and remove its cgroup.

    Raises:
        LabError: processes are still there after `timeout_seconds`.
    """
    group = cgroup(part)
    if not group.exists():
        return
    with contextlib.suppress(FileNotFoundError):  # its last process just ended, and its parent removed it
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + timeout_seconds
    while group.exists() and not _remove(group):  # busy until the last process is reaped
        if time.monotonic() > deadline:
            raise LabError(f"processes {members(part)} of {group} did not end; check them with `ps -fp`")
        time.sleep(0.02)


def _remove(group: Path) -> bool:
    try:
        for folder in sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True):
            folder.rmdir()
        group.rmdir()
    except OSError:
        return False
    return True


def wait_until(true: Callable[[], bool], seconds: float, or_else: Callable[[], str]) -> None:
    """Wait until something is true; a question that fails is not yet answered.

    Raises:
        LabError: it is not true after `seconds`; `or_else` gives the text.
    """
    deadline = time.monotonic() + seconds
    while True:
        failure = ""
        try:
            if true():
                return
        except LabError as error:
            failure = f"; at last {error}"
        if time.monotonic() > deadline:
            raise LabError(f"{or_else()} (after {seconds:g} s{failure})")
        time.sleep(0.05)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
