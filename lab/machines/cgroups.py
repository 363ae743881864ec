"""Each machine's part of every cgroup hierarchy.

The root of a machine's cgroup namespace is the cgroup of its first process. So that process must be in the machine's
folder of every hierarchy before systemd-nspawn makes the namespace. Then the machine sees nothing above.

cgroup v1 (alone, or with v2 as `unified`) has one hierarchy for each controller. cgroup v2 has one hierarchy, in which
parent folders delegate controllers. systemd-nspawn makes `payload` and `supervisor` in it, because a folder that
delegates controllers can't contain processes.
"""

import contextlib
from pathlib import Path

from lab.layout import PREFIX

MOUNT = Path("/sys/fs/cgroup")
# Required by the kubelet on cgroup v2 (k8s.io/kubernetes, pkg/kubelet/cm/cgroup_manager_linux.go), and disk traffic.
_CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")


def folders(name: str, mount: Path = MOUNT) -> list[Path]:
    """A machine's folder in each hierarchy, made or not."""
    return [hierarchy / PREFIX / name for hierarchy in _hierarchies(mount)]


def prepare(name: str, mount: Path = MOUNT) -> list[Path]:
    """Make a machine's folder in each hierarchy; its first process must enter all of them."""
    made = folders(name, mount)
    for folder in made:
        if (mount / "cgroup.controllers").exists():
            folder.parent.mkdir(exist_ok=True)
            _hand_down(mount)
            _hand_down(folder.parent)
        _make(folder)
        if folder.parents[1].name == "cpuset":  # v1: no process may enter before both are set
            for part in (folder.parent, folder):
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (part / setting).write_text((part.parent / setting).read_text())
    return made


def remove(name: str, mount: Path = MOUNT) -> None:
    """Remove what is left of a machine's folders; a folder with processes stays.

    The lab's own folder goes with its last machine, but in v2, where the lab's other processes stand.
    """
    for folder in folders(name, mount):
        inner = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
        shared = (folder.parents[1] / "cgroup.controllers").exists()
        for path in (*inner, folder, *(() if shared else (folder.parent,))):
            with contextlib.suppress(OSError):  # missing, or in use by another machine
                path.rmdir()


def _hierarchies(mount: Path) -> list[Path]:
    if (mount / "cgroup.controllers").exists():
        return [mount]
    # Controllers mounted together (`cpu,cpuacct`) also have a symbolic link each.
    return sorted(path.parent for path in mount.glob("*/cgroup.procs") if not path.parent.is_symlink())


def _make(folder: Path) -> None:
    while True:
        try:
            return folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # another machine just removed the parent with its own folder
            continue


def _hand_down(folder: Path) -> None:
    available = set((folder / "cgroup.controllers").read_text().split())
    for controller in (name for name in _CONTROLLERS if name in available):
        with contextlib.suppress(OSError):  # if it can't be delegated, the program that needs it reports that
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
