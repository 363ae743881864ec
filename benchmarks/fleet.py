"""Nodes to measure with: network namespaces with an sshd each, on a bridge of their own, and gone afterwards.

The machine's own network gets no link, address or rule. Addresses are from 198.51.100.0/24 (RFC 5737) and exist only
inside these namespaces. A node has its own /etc, /var/lib, /root and /run, so that nothing reaches the machine's.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.nodes.model import NodeSpec
from components.nodes.settings.profiles import PROFILES
from lab.fabric import NETNS_FOLDER, run_ip

PREFIX = "vdsbench-"
OPERATOR = f"{PREFIX}op"
"""The namespace from which everything is measured; it holds the bridge."""

_SSHD = """
set -e
mount -t tmpfs -o mode=755 tmpfs /run
for folder in /etc /var/lib /root; do
	layers=/run/layers$folder
	mkdir -p "$layers/upper" "$layers/work"
	chmod --reference="$folder" "$layers/upper"
	mount -t overlay -o "lowerdir=$folder,upperdir=$layers/upper,workdir=$layers/work" overlay "$folder"
done
mkdir -m 755 /run/sshd && mkdir -m 700 /run/ssh
cp "$1/host_key" "$1/key.pub" /run/ssh
chmod 600 /run/ssh/*
exec /usr/sbin/sshd -D -e -f /dev/null -o HostKey=/run/ssh/host_key -o AuthorizedKeysFile=/run/ssh/key.pub \
	-o PermitRootLogin=prohibit-password -o PasswordAuthentication=no -o UsePAM=no -o PidFile=none
"""

_OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private", "nsenter")


@dataclass(frozen=True)
class Fleet:
    """Nodes that listen, and what lets in; all files are in one folder that goes away with them."""

    nodes: tuple[NodeSpec, ...]
    folder: Path

    @property
    def key(self) -> Path:
        """The private key that every node's root accepts."""
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        """Every node's host key, as OpenSSH reads it."""
        return self.folder / "known_hosts"


def described(count: int, folder: Path) -> Fleet:
    """The fleet whose files are in `folder`; every profile, so that every kind of setting is measured."""
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    nodes = tuple(
        NodeSpec.model_validate(
            {
                "name": f"node-{number}",
                "address": f"198.51.100.{number + 10}",
                "country": "NO",
                "machine": "container",
                "provider": {"name": "Benchmark", "country": "NO"},
                "profiles": tuple(PROFILES),
                "hostKey": host_key,
            }
        )
        for number in range(1, count + 1)
    )
    return Fleet(nodes, folder)


@contextlib.contextmanager
def fleet(count: int) -> Iterator[Fleet]:
    """That many nodes, for as long as this is open."""
    if os.geteuid():
        sys.exit("error: network namespaces are made by root only: run this with sudo")
    if not 1 <= count <= 200:
        sys.exit(f"error: {count} nodes: write 1 to 200, the network has no more addresses")
    for caught in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(caught, lambda *_: sys.exit(143))
    with Path(__file__).open() as lock, tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("error: another benchmark of nodes is running: wait for it to end")
        remove()  # what a killed run left
        try:
            yield _start(count, Path(name))
        finally:
            remove()


def _start(count: int, folder: Path) -> Fleet:
    for key in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", folder / key], check=True)
    made = described(count, folder)
    made.known_hosts.write_text("".join(f"{node.address} {node.host_key}\n" for node in made.nodes))
    run_ip(f"netns add {OPERATOR}")
    run_ip(
        "link set lo up",
        "link add br0 type bridge forward_delay 0",
        "addr add 198.51.100.1/24 dev br0",
        "link set br0 up",
        namespace=OPERATOR,
    )
    for node in made.nodes:
        namespace = f"{PREFIX}{node.name}"
        run_ip(f"netns add {namespace}")
        run_ip(
            f"link add {node.name} type veth peer name eth0 netns {namespace}",
            f"link set {node.name} master br0 up",
            namespace=OPERATOR,
        )
        run_ip("link set lo up", f"addr add {node.address}/24 dev eth0", "link set eth0 up", namespace=namespace)
        with (folder / f"{node.name}.log").open("wb") as log:
            subprocess.Popen(
                [*_OWN_MOUNTS, f"--net=/run/netns/{namespace}", "sh", "-c", _SSHD, "sh", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    return made


def remove() -> None:
    """End every process in our namespaces and remove them; fine where there is none."""
    there = sorted(file.name for file in NETNS_FOLDER.glob(f"{PREFIX}*"))
    for name in there:
        listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
        for pid in map(int, listed.stdout.split()):
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        run_ip(f"netns delete {name}")
