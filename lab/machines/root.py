"""The Debian root that every machine starts from: one folder, made by mmdebstrap from Debian's packages, never changed.

It has what a rented server has. The platform must install everything else that a node of a cluster needs.
"""

import fcntl
import hashlib
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.layout import SITE
from lab.processes import LabError, ending_with_us, tail
from lab.progress import Progress
from lab.toolchain.build import cache

SUITE = "bookworm"
PACKAGES = (
    # As on a server: init, remote access, name, time, administration.
    *("systemd", "systemd-sysv", "systemd-timesyncd", "dbus", "openssh-server", "sudo", "procps", "kmod", "less"),
    *("ca-certificates", "curl", "gpgv", "e2fsprogs", "netbase"),
    "python3",  # python3-minimal has no ctypes, which the nodes' survey uses
    # Required by kubeadm's preflight, the container runtime, Cilium and the nodes' survey.
    *("conntrack", "ebtables", "ethtool", "ipset", "iproute2", "iptables", "nftables", "runc", "socat", "util-linux"),
    # Network tools for operators.
    *("iputils-arping", "iputils-ping", "tcpdump"),
)
# Units that are not needed in a machine, with the reason.
MASKED = {
    "apt-daily.timer": "work at a random time",
    "apt-daily-upgrade.timer": "work at a random time",
    "dpkg-db-backup.timer": "work at a random time",
    "e2scrub_all.timer": "no disk of its own",
    "e2scrub_reap.service": "no disk of its own",
    "fstrim.timer": "no disk of its own",
    "console-getty.service": "no console",
    "getty@.service": "no console",
    "getty-static.service": "no console",
    "proc-sys-fs-binfmt_misc.automount": "the kernel has one table for all machines",
    "proc-sys-fs-binfmt_misc.mount": "the kernel has one table for all machines",
    "systemd-binfmt.service": "the kernel has one table for all machines",
    "systemd-pstore.service": "would move crash records of the host",
    "sys-kernel-config.mount": "the kernel has one for all",
    "sys-kernel-debug.mount": "the kernel has one for all",
    "sys-kernel-tracing.mount": "the kernel has one for all",
    "sys-fs-fuse-connections.mount": "the kernel has one for all",
    "modprobe@.service": "no modules to load by name",
}
FILES = {
    # If etcd stops before the API server, the latter waits until systemd kills it (after 90 s by default).
    "etc/systemd/system.conf.d/lab.conf": "[Manager]\nDefaultTimeoutStopSec=15s\n",
    # On disk, as on a server. Without kernel messages, because they are those of the host.
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=persistent\nSystemMaxUse=200M\nReadKMsg=no\n",
    # The clock is the host's. The service runs as on a server, but can't set it.
    "etc/systemd/system/systemd-timesyncd.service.d/lab.conf": (
        "[Unit]\nConditionVirtualization=\nConditionCapability=\n"
        "[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\n"
    ),
    # By address, because a name that can't be resolved delays each shutdown by seconds.
    "etc/systemd/timesyncd.conf.d/lab.conf": f"[Time]\nNTP={SITE.address}\nFallbackNTP=\n",
}
# Made for each machine, or copied from the machine that made the root.
REMOVED = (
    "etc/ssh/ssh_host_*",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/*",  # the lab's closed network can't reach Debian's mirror
    "etc/apt/apt.conf.d/99mmdebstrap",
)
FOLDERS = ("var/log/journal", "lib/modules")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")  # path in its package
_NEEDED_BYTES = 2 * 2**30  # the root takes 0.3 GB, mmdebstrap's download as much again


def ensure(progress: Progress, more: Sequence[str] = ()) -> Path:
    """Find the root in the cache, or make it. `more`: packages of Debian that only this machine has.

    Raises:
        LabError: there is no mmdebstrap, no mirror of Debian that it reaches, or no space.
    """
    target = cache() / "roots" / key(more)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        progress.detail("waiting for another run that makes the Debian root")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        for stale in target.parent.glob("draft-*"):  # from a run that was killed
            shutil.rmtree(stale)
        _require(target.parent)
        with tempfile.TemporaryDirectory(prefix="draft-", dir=target.parent) as folder:
            draft = Path(folder) / "root"
            _debootstrap(draft, progress, more)
            customise(draft)
            draft.replace(target)
    return target


def key(more: Sequence[str] = ()) -> str:
    """Names the root by its recipe; the packages' versions are what Debian had on the day that it was made."""
    recipe = repr((SUITE, platform.machine(), (*PACKAGES, *more), sorted(MASKED), FILES, REMOVED, FOLDERS))
    return f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"


def customise(root: Path) -> None:
    """Make a new Debian root one for all machines."""
    for pattern in REMOVED:
        for path in root.glob(pattern):
            path.unlink()
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)


def sources(texts: Mapping[str, str]) -> list[str]:
    """Lines of this machine's own apt sources that bring the suite: file name → text, in either of apt's formats.

    Empty where it is not that Debian; mmdebstrap then takes Debian's own mirror.
    """
    suites = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    found = []
    for name, text in sorted(texts.items()):
        for address, suite, components, signed_by in _deb822(text) if name.endswith(".sources") else _one_line(text):
            if suite in suites and "main" in components:
                option = f"[signed-by={signed_by}] " if signed_by else ""
                found.append(f"deb {option}{address} {suite} main")
    return found


def suite_sources() -> list[str]:
    """Lines of sources for apt that bring the suite: this machine's own, or Debian's mirror."""
    found = sources(_apt_sources())
    return found or [f"deb [signed-by={_KEYRING}] http://deb.debian.org/debian {SUITE} main"]


def arguments(draft: Path, mirrors: list[str], options: list[str], more: Sequence[str] = ()) -> list[str]:
    """The command that makes the root; its mounts are in a namespace of their own, so that a killed one leaves none."""
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join((*PACKAGES, *more))}"),
        *options,
        *(SUITE, str(draft), *mirrors),
    ]


def _debootstrap(draft: Path, progress: Progress, more: Sequence[str]) -> None:
    mirrors = sources(_apt_sources())
    options = [f"--aptopt={setting}" for setting in _proxies()]
    if not mirrors:
        options.append(f"--keyring={_KEYRING}")
    log = cache() / "logs" / "root.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        process = subprocess.Popen(
            arguments(draft, mirrors, options, more), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        with ending_with_us(process, by=signal.SIGTERM, seconds=10):
            while process.poll() is None:
                progress.detail(f"the Debian root: {tail(log, 1)}")
                time.sleep(0.2)
    if process.returncode:
        raise LabError(
            f"the Debian root could not be made; the log {log} ends:\n{tail(log)}\n"
            "mmdebstrap needs a Debian mirror: if `apt-get update` fails too, correct that; otherwise read the log"
        )


def _require(folder: Path) -> None:
    if not shutil.which("mmdebstrap"):
        raise LabError("missing: mmdebstrap; run: apt-get install --no-install-recommends mmdebstrap")
    if not sources(_apt_sources()) and not _KEYRING.exists():
        raise LabError(
            "missing: the keys for Debian's package signatures; "
            "run: apt-get install --no-install-recommends debian-archive-keyring"
        )
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise LabError(
            f"{folder} has {free / 2**30:.1f} GiB free, the Debian root needs {_NEEDED_BYTES / 2**30:.0f} GiB: "
            "free some, or set XDG_CACHE_HOME to a folder on a larger disk"
        )


def _apt_sources() -> dict[str, str]:
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *folder.glob("sources.list.d/*.list"), *folder.glob("sources.list.d/*.sources")]
    return {path.name: path.read_text(errors="replace") for path in files if path.exists()}


def _proxies() -> list[str]:
    """This machine's proxy settings for apt, which mmdebstrap's own apt does not read."""
    if not shutil.which("apt-config"):
        return []
    found = []
    for name in ("Acquire::http::Proxy", "Acquire::https::Proxy"):
        said = subprocess.run(["apt-config", "dump", "--format", "%v", name], capture_output=True, text=True).stdout
        if said.strip():
            found.append(f'{name} "{said.strip()}"')
    return found


Source = tuple[str, str, list[str], str]
"""Address, suite, components, path of the key."""


def _one_line(text: str) -> list[Source]:
    found = []
    for line in text.splitlines():
        entry = re.match(r"deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.split("#")[0].strip())
        if entry:
            key_path = re.search(r"signed-by=(/\S+)", entry[1] or "")
            found.append((entry[2], entry[3], entry[4].split(), key_path[1] if key_path else ""))
    return found


def _deb822(text: str) -> list[Source]:
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        fields = {name.strip().lower(): value.split() for name, _, value in (line.partition(":") for line in lines)}
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        signed_by = fields.get("signed-by", [""])[0] if fields.get("signed-by") else ""
        found += [
            (address, suite, fields.get("components", []), signed_by if signed_by.startswith("/") else "")
            for address in fields.get("uris", [])
            for suite in fields.get("suites", [])
        ]
    return found
