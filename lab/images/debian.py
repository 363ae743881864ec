"""Programs of Debian with their libraries, taken from its packages. A whole system would be three times larger.

Packages are unpacked, not installed. Debian's own loader lists the libraries of a program.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lab.images.documents import PATH
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain.build import cache

SUITE = "bookworm"
_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_MERGED = ("bin", "sbin", "lib", "lib64")  # since Debian 12 links to the folders of that name in /usr
_PACKAGES = (
    *("bash", "coreutils", "findutils", "grep", "sed", "util-linux", "mount", "kmod"),
    *("iproute2", "iptables", "ipset", "clang-19", "ca-certificates", "iperf3", "python3"),
    *("frr", "frr-pythontools", "libpam-modules", "tini"),
)

_COREUTILS = (
    "basename cat chmod chown cp cut date dirname echo env false head id ln ls mkdir mktemp mv printf pwd readlink rm "
    "rmdir sleep sort stat sync tail tee test timeout touch tr true uname uniq wc"
)
_FRR = "bfdd bgpd staticd zebra watchfrr watchfrr.sh frrcommon.sh frr-reload.py"
_XTABLES = ("", "-save", "-restore")
_XTABLES_LEGACY = [f"{family}-legacy{verb}" for family in ("iptables", "ip6tables") for verb in _XTABLES]
_XTABLES_NFT = [f"{family}-nft{verb}" for family in ("iptables", "ip6tables") for verb in _XTABLES]

# Content of each image: paths in a root with merged /usr. A `*` matches what exists.
TREES = {
    # What Cilium's agent, its CNI's scripts and its chart's init containers run. clang is called with -nostdinc and
    # prints object code itself (pkg/datapath/loader/compile.go), so neither its headers nor llc are wanted.
    "cilium": (
        *(f"usr/bin/{name}" for name in _COREUTILS.split()),
        *("usr/bin/bash", "usr/bin/find", "usr/bin/grep", "usr/bin/sed"),
        *("usr/bin/mount", "usr/bin/umount", "usr/bin/mountpoint", "usr/bin/nsenter"),
        *("usr/bin/kmod", "usr/sbin/modprobe", "usr/bin/lsmod"),
        *("usr/bin/ip", "usr/sbin/ip", "usr/sbin/tc", "usr/bin/ss", "usr/sbin/bridge", "etc/iproute2/*"),
        *(f"usr/sbin/{name}" for name in (*_XTABLES_LEGACY, *_XTABLES_NFT)),
        *("usr/lib/*/xtables/*.so", "usr/sbin/ipset", "usr/lib/llvm-19/bin/clang"),
    ),
    # `bench network` measures throughput by iperf3 and round trips by Python, whose built-in modules are enough.
    "iperf3": ("usr/bin/iperf3", "usr/bin/python3", "usr/lib/python3*/**/*.py"),
    # What frr-k8s runs beside itself: FRR's daemons for BGP and BFD, and Python for its frr-reload.py.
    "frr": (
        *(f"usr/bin/{name}" for name in _COREUTILS.split()),
        *("usr/bin/bash", "usr/bin/grep", "usr/bin/sed", "usr/bin/flock", "usr/bin/install", "usr/bin/tini"),
        *(f"usr/lib/frr/{name}" for name in _FRR.split()),
        *("usr/bin/vtysh", "usr/bin/python3", "usr/lib/python3*/**/*.py", "usr/lib/python3*/lib-dynload/*.so"),
        "usr/lib/*/security/pam_rootok.so",  # vtysh asks PAM
    ),
    "shell": ("usr/bin/bash", "usr/bin/cp"),
    "certificates": ("usr/share/ca-certificates/mozilla/*.crt",),
}
_LINKS: dict[str, dict[str, str]] = {
    "frr": {"usr/bin/sh": "bash"},
    "shell": {"usr/bin/sh": "bash"},
    # The choice of Debian's alternatives; the kubelet on the node has the same.
    "cilium": {
        "usr/bin/sh": "bash",
        "usr/bin/clang": "../lib/llvm-19/bin/clang",
        **{
            f"usr/sbin/{family}{verb}": f"{family}-nft{verb}"
            for family in ("iptables", "ip6tables")
            for verb in _XTABLES
        },
    },
}


def ensure(progress: Progress) -> Path:
    """The folder that has a tree for each name of TREES; made once, whole or not at all.

    Raises:
        LabError: mmdebstrap is missing or failed.
    """
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    place = cache() / "programs" / f"{SUITE}-{key}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return place
        for stale in place.parent.glob("draft-*"):  # from a run that was killed
            shutil.rmtree(stale)
        progress.detail(f"fetching {len(_PACKAGES)} packages of Debian {SUITE} and what they need")
        with tempfile.TemporaryDirectory(prefix="draft-", dir=place.parent) as folder:
            root, draft = Path(folder, "root"), Path(folder, "trees")
            _unpack(root)
            for name, patterns in TREES.items():
                _take(root, draft / name, patterns)
                for path, target in _LINKS.get(name, {}).items():
                    (draft / name / path).symlink_to(target)
            draft.rename(place)
    return place


def _unpack(root: Path) -> None:
    if not shutil.which("mmdebstrap"):
        raise LabError(
            "mmdebstrap is missing, with which Debian's programs come into images: apt-get install mmdebstrap"
        )
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(_PACKAGES)}", SUITE, str(root)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"Debian's packages could not be unpacked:\n{done.stderr.strip()[-2000:]}")
    merge_usr(root)


def merge_usr(root: Path) -> None:
    """Move what is in /bin, /sbin and /lib into /usr and leave links, as an installed Debian 12 has it."""
    for name in _MERGED:
        folder = root / name
        if folder.is_symlink() or not folder.is_dir():
            continue
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        for source in sorted(folder.rglob("*"), key=lambda path: len(path.parts)):
            target = root / "usr" / source.relative_to(root)
            if source.is_dir() and not source.is_symlink():
                target.mkdir(exist_ok=True)
            elif not target.exists() and not target.is_symlink():
                source.rename(target)
        shutil.rmtree(folder)
        folder.symlink_to(f"usr/{name}")


def _take(root: Path, target: Path, patterns: Iterable[str]) -> None:
    """Move programs, what links lead to, and libraries; links of the merged /usr come along with the first library."""
    wanted: set[str] = set()
    for pattern in patterns:
        found = sorted(root.glob(pattern)) if "*" in pattern else [root / pattern]
        if not found:
            raise LabError(f"Debian's packages have no {pattern}, which the image needs")
        for program in found:
            wanted |= set(chain(root, program.relative_to(root).as_posix()))
    for library in needed(root, sorted(wanted)):
        wanted |= set(chain(root, library))
    for path in sorted(wanted):
        source, copy = root / path, target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copy.symlink_to(os.readlink(source))  # noqa: PTH115  # Path.readlink would normalise the target
        elif source.is_dir():
            copy.mkdir(exist_ok=True)
        else:
            os.link(source, copy)  # the root is deleted; trees may share a library
    if any(path.startswith("usr/lib") for path in wanted):
        for name in _MERGED:
            (target / name).symlink_to(f"usr/{name}")


def chain(root: Path, path: str) -> Iterator[str]:
    """A path below a root as it is without links in its folders, and whatever it leads to if it is a link itself."""
    for _ in range(40):  # the kernel's limit for symbolic links
        pure = PurePosixPath(path.lstrip("/"))
        folder = (root / pure.parent).resolve()
        if not folder.is_relative_to(root.resolve()):
            raise LabError(f"{path} leads out of the packages: {folder}")
        real = PurePosixPath(folder.relative_to(root.resolve()).as_posix()) / pure.name
        at = root / real
        if not at.exists() and not at.is_symlink():
            raise LabError(f"Debian's packages have no /{real}, which the image needs")
        yield real.as_posix()
        if not at.is_symlink():
            return
        target = os.readlink(at)  # noqa: PTH115  # Path.readlink would normalise the target
        path = target if target.startswith("/") else os.path.normpath(real.parent / target)
    raise LabError(f"/{path} is a link in a circle")


def needed(root: Path, paths: Iterable[str]) -> set[str]:
    """The libraries that programs and libraries need, as the loader of that root finds them, and the loader."""
    found: set[str] = set()
    loader = _LOADERS.get(platform.machine())
    if loader is None:
        raise LabError(f"the lab knows no loader for {platform.machine()}: it runs on x86_64 and aarch64")
    for path in paths:
        at = root / path
        if at.is_symlink() or not at.is_file():
            continue
        with at.open("rb") as file:
            if file.read(4) != b"\x7fELF":
                continue
        asked = ["chroot", str(root), loader, "--list", f"/{path}"]
        done = subprocess.run(asked, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": PATH})
        if done.returncode and "statically linked" not in done.stdout + done.stderr:
            raise LabError(f"the libraries of Debian's /{path} are not known: {(done.stderr or done.stdout).strip()}")
        found |= libraries(done.stdout)
    return found


def libraries(said: str) -> set[str]:
    """The paths that the loader names.

    Raises:
        LabError: it names a library that is not there.
    """
    if lost := re.findall(r"(\S+) => not found", said):
        raise LabError(f"Debian's packages lack the libraries {', '.join(lost)}")
    return {os.path.normpath(path) for path in re.findall(r"(?:^|=>)\s*(/\S+) \(0x", said, re.MULTILINE)}
