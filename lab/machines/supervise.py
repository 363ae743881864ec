"""Runs one machine, and boots it again when it asks for a reboot: `python -m lab.machines.supervise`.

Without a service manager, systemd-nspawn does not reboot. It exits with code 133, which systemd would understand. This
process is outside the machine's cgroups and ends when the machine is off.
"""

import subprocess
import sys
from pathlib import Path

from lab.layout import PREFIX, Host, Layout
from lab.machines import cgroups, network
from lab.processes import LabError, kill

_REBOOT = 133  # EXIT_FORCE_RESTART, systemd's shared/exit-status.h

# Folders that can't be on an overlay: containerd's snapshots are overlays themselves, and etcd syncs each write.
BOUND = ("containerd", "kubelet", "etcd")

# Enters the machine's cgroups, then a mount namespace in which its disk is mounted. So the mounts end with the machine,
# and systemd-nspawn's files in /run/systemd too.
_START = """
machine=$1 root=$2
shift 2
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done
shift
exec unshare --mount --propagation private sh -euc '
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
cd "$1"
mount --bind "$2" lower
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work disk
shift 2
exec "$@"
' sh "$machine" "$root" "$@"
"""


def command(folder: Path, host: Host, root: Path, groups: list[Path]) -> list[str]:
    """One boot of a machine, from its first to its last process."""
    return [
        *("sh", "-euc", _START, "sh", str(folder), str(root), *map(str, groups), "--"),
        *("env", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", "SYSTEMD_NSPAWN_USE_CGNS=1"),  # boot.sh protects /proc and /sys
        *("systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit", "--directory=disk"),
        *(f"--machine={host.name}", f"--hostname={host.name}"),
        f"--network-namespace-path=/run/netns/{host.namespace}",
        # All capabilities that root has here, as on a server, except setting the clock.
        *("--capability=all", "--drop-capability=CAP_SYS_TIME", "--system-call-filter=@known"),
        "--bind=/dev/kmsg",  # kubelet reads it
        *(f"--bind={folder / name}:/var/lib/{name}" for name in BOUND),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
        *("/bin/sh", "-c", Path(__file__).with_name("boot.sh").read_text()),
    ]


def main(name: str, address: str, state: str, root: str) -> int:
    """Boot a machine until it is off; returns systemd-nspawn's exit code."""
    host = Host(name, address)
    folder = Layout(Path(state)).machine(name)
    while True:
        network.renew(host)
        cgroups.remove(name)
        groups = cgroups.prepare(name)
        code = subprocess.run(command(folder, host, Path(root), groups), stdin=subprocess.DEVNULL).returncode
        if code < 0:  # it was powered off; the caller cleans up
            return code
        kill(name)
        cgroups.remove(name)
        if code != _REBOOT:
            return code


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except LabError as error:
        sys.exit(f"{PREFIX}: {error}")
