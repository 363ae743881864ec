"""Requirements of the lab: root, a few commands, kernel features, memory and disk."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.layout import CHECKOUT
from lab.processes import LabError, cgroup_mount
from lab.progress import Progress
from lab.toolchain.build import cache

_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # may be missing in a user's PATH


@dataclass(frozen=True)
class Need:
    """A command or a file, and the Debian package that brings it."""

    name: str
    package: str

    def met(self) -> bool:
        """Whether this machine has it."""
        if self.name.startswith("/"):
            return Path(self.name).exists()
        return shutil.which(self.name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}") is not None


NEEDS = (
    Need("ip", "iproute2"),
    Need("nsenter", "util-linux"),
    Need("mount", "mount"),
    Need("ssh", "openssh-client"),
    Need("systemd-nspawn", "systemd-container"),  # runs the machines
    Need("mmdebstrap", "mmdebstrap"),  # makes the Debian root of machines and images
    Need("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    Need("dpkg-deb", "dpkg"),  # makes Debian packages of the built programs
    Need("gpg", "gnupg"),  # signs the repository
    Need("haproxy", "haproxy"),  # load balancer of the API servers
    Need("ping", "iputils-ping"),
    Need("iptables", "iptables"),  # these two show whether the host's rules have changed
    Need("nft", "nftables"),
)

# Three machines with a cluster on them use 2 to 3 GiB, the Go compiler up to 3.
MEMORY_BYTES = 6 * 2**30
# Tools and build caches take 8 GB, registry and packages 2, a machine up to 3.
DISK_BYTES = 15 * 2**30

# Kernel features are tested by using them, in namespaces that end with the shell. Modules are loaded at first use, so a
# list of loaded modules would refuse machines that work.
_TRY_KERNEL = """
try() {
	what=$1
	shift
	"$@" >/dev/null 2>&1 || echo "this kernel lacks $what: load its module, or use a kernel with it"
}
mount -t tmpfs none /tmp || exit
mkdir /tmp/bpf /tmp/sys /tmp/over
try 'the BPF file system' mount -t bpf none /tmp/bpf
try 'a /sys for each network namespace' mount -t sysfs none /tmp/sys
mkdir "$1/lower" "$1/upper" "$1/work"
mount -t overlay -o upperdir="$1/upper",workdir="$1/work",lowerdir="$1/lower" none /tmp/over 2>/dev/null || echo \\
	"the lab's folder can't be a layer of an overlay file system: put the checkout on a disk of its own (ext4, xfs)"
command -v ip >/dev/null || exit 0
try 'veth links' ip link add try0 type veth peer name try1
try 'bridges' ip link add try2 type bridge
try 'VXLAN links' ip link add try3 type vxlan id 1 dstport 8472
"""
_NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--cgroup", "--pid", "--fork")

# Debian's packages start and enable their services. With systemd's folder hidden, or in runlevel 1 with another init,
# none is started, and haproxy does not start at the host's next boot.
_INSTALL_QUIETLY = """
if [ -d /run/systemd ]; then mount -t tmpfs none /run/systemd; fi
had_haproxy=$(command -v haproxy) || true
apt-get -y --no-install-recommends install "$@" || exit
if [ -z "$had_haproxy" ] && command -v haproxy >/dev/null && command -v systemctl >/dev/null; then
	SYSTEMD_OFFLINE=1 systemctl disable haproxy.service || true
fi
"""


def ensure(
    progress: Progress,
    *,
    absent: Callable[[], list[Need]] | None = None,
    lacking: Callable[[], list[str]] | None = None,
) -> None:
    """Install what is missing, where that may be done.

    Raises:
        LabError: something is missing that cannot be installed here; the text has every problem and what to run.
    """
    absent = absent or missing
    found = []
    wanted = absent()
    if wanted and _may_install():
        try:
            _install([need.package for need in wanted], progress)
        except LabError as error:
            found.append(str(error))
        wanted = absent()
    found += _missing_text(wanted)
    found += lacking() if lacking else [*kernel_problems(), *space_problems()]
    if found:
        raise LabError("this machine cannot run the lab:\n  " + "\n  ".join(found))


def missing() -> list[Need]:
    """What this machine does not have."""
    return [need for need in NEEDS if not need.met()]


def kernel_problems() -> list[str]:
    """What this kernel, or what root may do here, does not suffice for; each with what to do."""
    if os.geteuid():
        return ["the lab needs root, for namespaces and mounts: run the same command with sudo"]
    found = []
    try:
        cgroup_mount()
    except LabError as error:
        found.append(str(error))
    if not Path("/dev/kmsg").exists():
        found.append("/dev/kmsg is missing, and the kubelet reads it: in a container, add that device (--privileged)")
    trial = CHECKOUT / ".lab-try"
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir()
    try:
        done = subprocess.run(
            ["unshare", *_NAMESPACES, "sh", "-c", _TRY_KERNEL, "sh", str(trial)], capture_output=True, text=True
        )
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    if done.returncode:
        found.append(
            f"namespaces and mounts cannot be made here: {done.stderr.strip()}; in a container, give it all "
            "capabilities (--privileged); otherwise use a kernel that has them"
        )
    return found + done.stdout.splitlines()


def space_problems() -> list[str]:
    """Too little memory or disk; asked before the lab runs, because it uses some itself."""
    found = []
    memory = available_bytes(Path("/proc/meminfo").read_text())
    if memory < MEMORY_BYTES:
        found.append(f"{_gib(memory)} GiB of memory are free, the lab needs {_gib(MEMORY_BYTES)}: end other programs")
    for what, folder in (("the checkout", CHECKOUT), ("the lab's cache", _existing(cache()))):
        free = shutil.disk_usage(folder).free
        if free < DISK_BYTES:
            found.append(
                f"{what} has {_gib(free)} GiB of disk left, the lab needs {_gib(DISK_BYTES)}: free some in {folder}"
                + (", or set XDG_CACHE_HOME to a folder on a larger disk" if folder != CHECKOUT else "")
            )
    return found


def available_bytes(meminfo: str) -> int:
    """The memory that programs can still get, from /proc/meminfo."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _gib(count: int) -> str:
    return f"{count / 2**30:.0f}"


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _missing_text(wanted: list[Need]) -> list[str]:
    if not wanted:
        return []
    names = ", ".join(need.name for need in wanted)
    packages = " ".join(need.package for need in wanted)
    return [f"missing: {names}; run: apt-get install --no-install-recommends {packages}"]


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
