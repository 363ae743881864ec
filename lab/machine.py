"""What the lab needs of the machine: a few commands, installed or named, and a kernel that can do its part."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from lab.processes import LabError, cgroup_mount
from lab.progress import Progress

_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # need not be on a user's PATH


@dataclass(frozen=True)
class Need:
    """A command, found by any of its names, and the Debian package that brings it."""

    commands: tuple[str, ...]
    package: str
    oldest: int = 0
    """The major version that will do, as `--version` says it; 0: any."""

    def met(self) -> bool:
        """Whether the machine has it."""
        path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
        found = filter(None, (shutil.which(name, path=path) for name in self.commands))
        return any(not self.oldest or _major_version(command) >= self.oldest for command in found)


# Cilium 1.18 asks for LLVM 18.1 or newer; 19 is in Debian 12 and 13.
NEEDS = (
    Need(("ip",), "iproute2"),
    Need(("nsenter",), "util-linux"),
    Need(("sshd",), "openssh-server"),
    Need(("ssh",), "openssh-client"),
    Need(("ping",), "iputils-ping"),
    Need(("iptables",), "iptables"),  # Cilium's agent sets its own rules by it
    Need(("clang-19", "clang"), "clang-19", oldest=18),  # Cilium compiles its programs for the kernel it finds
    Need(("llc-19", "llc"), "llvm-19", oldest=18),
    Need(("sysctl",), "procps"),
)
IPERF3 = Need(("iperf3",), "iperf3")
"""Optional: only `operations bench` runs it, and says so where it is not installed."""

# A kernel is asked by trying, in namespaces that end with the shell: what is a module loads itself when it is used,
# so a list of what is there now would refuse machines that can do it.
_TRY_KERNEL = """
try() { what=$1; shift; "$@" >/dev/null 2>&1 || echo "$what"; }
mount -t tmpfs none /tmp || exit
cd /tmp && mkdir lower upper work over bpf
try 'the overlay file system' mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none over
try 'the BPF file system' mount -t bpf none bpf
command -v ip >/dev/null || exit 0
try 'veth links' ip link add try0 type veth peer name try1
try 'bridges' ip link add try2 type bridge
try 'VXLAN links' ip link add try3 type vxlan id 1 dstport 8472
"""
_NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--cgroup")

# Debian's packages start and enable their services. With systemd's folder hidden, and in runlevel 1 where another
# init runs, openssh-server starts none; it is not enabled either, so that this machine gets no sshd it did not have.
_INSTALL_QUIETLY = """
if [ -d /run/systemd ]; then mount -t tmpfs none /run/systemd; fi
had_sshd=$(command -v sshd) || true
apt-get -y --no-install-recommends install "$@" || exit
if [ -z "$had_sshd" ] && command -v systemctl >/dev/null; then
	SYSTEMD_OFFLINE=1 systemctl disable ssh.service ssh.socket || true
fi
"""


def missing() -> list[Need]:
    """What the machine does not have."""
    return [need for need in NEEDS if not need.met()]


def kernel_problems() -> list[str]:
    """What this kernel, or what root may do here, does not suffice for; each with what to do."""
    problems = []
    try:
        cgroup_mount()
    except LabError as error:
        problems.append(str(error))
    done = subprocess.run(["unshare", *_NAMESPACES, "sh", "-c", _TRY_KERNEL], capture_output=True, text=True)
    if done.returncode:
        problems.append(
            f"namespaces and mounts cannot be made here: {done.stderr.strip()}; in a container, give it all "
            "capabilities (--privileged), else use a kernel that has them"
        )
    problems += [
        f"this kernel lacks {what}: load its module or use a kernel that has it" for what in done.stdout.splitlines()
    ]
    return problems


def ensure_packages(
    progress: Progress,
    *,
    absent: Callable[[], list[Need]] = missing,
    lacking: Callable[[], list[str]] = kernel_problems,
) -> None:
    """Install what is missing, where that may be done.

    Raises:
        LabError: something is missing that cannot be installed here; the text has every problem and what to run.
    """
    problems = []
    wanted = absent()
    if wanted and _may_install():
        try:
            _install([need.package for need in wanted], progress)
        except LabError as error:
            problems.append(str(error))
        wanted = absent()
    if wanted:
        names = ", ".join(need.commands[0] for need in wanted)
        packages = " ".join(need.package for need in wanted)
        problems.append(f"missing: {names}; run: apt-get install --no-install-recommends {packages}")
    problems += lacking()
    if problems:
        raise LabError("this machine cannot run the lab:\n  " + "\n  ".join(problems))


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install(packages: list[str], progress: Progress) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    quietly = ["unshare", "--mount", "sh", "-c", _INSTALL_QUIETLY, "sh", *packages]
    for command, what in (
        (["apt-get", "update"], "reading package lists"),
        (quietly, f"installing {', '.join(packages)}"),
    ):
        progress.detail(what)
        done = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
        if done.returncode:
            text = "\n    ".join((done.stdout + done.stderr).strip().splitlines()[-8:])
            raise LabError(f"{what} failed:\n    {text}")


def _major_version(command: str) -> int:
    done = subprocess.run([command, "--version"], capture_output=True, text=True)
    said = re.search(r"version (\d+)", done.stdout)
    return int(said[1]) if said else 0
