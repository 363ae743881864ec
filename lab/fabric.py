"""The lab's network: hosts are network namespaces, connected by a bridge in a namespace of its own.

The host's own namespace gets no link, address, route or firewall rule. So the lab can't conflict with other software
there, and the host's `bridge-nf-call-iptables` does not affect the lab's bridge.
"""

import contextlib
import ctypes
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.layout import FABRIC, GATEWAY_ADDRESS, HOSTS, PREFIX, PREFIX_LENGTH, SITE, SITE_ADDRESSES, Host
from lab.processes import LabError

BRIDGE = "br0"
NETNS_FOLDER = Path("/run/netns")
_AGEING = 24 * 3600 * 100
"""How long the bridge knows the port of a silent host, in hundredths of a second."""


def run_ip(*batch: str, namespace: str | None = None) -> None:
    """Run `ip` commands as one batch, in a namespace where one is given."""
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(batch), capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"ip failed: {done.stderr.strip()} in batch: {'; '.join(batch)}")


def namespaces() -> list[str]:
    """The lab's network namespaces that exist now."""
    if not NETNS_FOLDER.exists():
        return []
    return sorted(p.name for p in NETNS_FOLDER.iterdir() if p.name.startswith(f"{PREFIX}-"))


def ensure(mtu_bytes: int = 1500) -> None:
    """Make the bridge and every host that is not there yet; machines are added one by one."""
    if FABRIC not in namespaces():
        run_ip(f"netns add {FABRIC}")
        run_ip(
            "link set lo up",
            f"link add {BRIDGE} type bridge forward_delay 0 ageing_time {_AGEING}",
            f"addr add {GATEWAY_ADDRESS}/{PREFIX_LENGTH} dev {BRIDGE}",
            f"link set {BRIDGE} mtu {mtu_bytes} up",
            namespace=FABRIC,
        )
    for host in HOSTS:
        add(host, more_addresses=SITE_ADDRESSES if host == SITE else ())


def add(host: Host, *, more_addresses: Sequence[str] = ()) -> None:
    """A host's network namespace, with a link of the bridge's MTU; fine where it is there."""
    if host.namespace in namespaces():
        return
    mtu_bytes = _links(FABRIC)[BRIDGE]
    run_ip(f"netns add {host.namespace}")
    run_ip(
        f"link add {host.name} mtu {mtu_bytes} type veth peer name eth0 mtu {mtu_bytes} netns {host.namespace}",
        *_plugged(host),
        f"link set {host.name} up",
        namespace=FABRIC,
    )
    run_ip(
        "link set lo up",
        *(f"addr add {address}/{PREFIX_LENGTH} dev eth0" for address in (host.address, *more_addresses)),
        "link set eth0 up",
        f"route add default via {GATEWAY_ADDRESS}",
        namespace=host.namespace,
    )


def add_behind(router: Host, host: Host, network: str, gateway: str) -> None:
    """A host whose only link ends in the router, which is its gateway in a network in CIDR form.

    Links of a machine end with its boot, so the router must run.
    """
    length = network.partition("/")[2]
    run_ip(f"netns add {host.namespace}")
    run_ip(
        f"link add {host.name} type veth peer name eth0 netns {host.namespace}",
        f"addr add {gateway}/{length} dev {host.name}",
        f"link set {host.name} up",
        namespace=router.namespace,
    )
    run_ip(
        "link set lo up",
        f"addr add {host.address}/{length} dev eth0",
        "link set eth0 up",
        f"route add default via {gateway}",
        namespace=host.namespace,
    )


def take_out(host: Host) -> None:
    """Remove a host's network namespace and its link; fine where there is none."""
    if FABRIC in namespaces() and host.name in _links(FABRIC):
        run_ip(f"link delete {host.name}", namespace=FABRIC)  # otherwise a namespace in use would keep its end
    if host.namespace in namespaces():
        run_ip(f"netns delete {host.namespace}")


def set_mtu(mtu_bytes: int) -> None:
    """Make every link of the lab carry packets of this size and no larger ones: both ends, and the bridge between."""
    run_ip(*(f"link set {name} mtu {mtu_bytes}" for name in _links(FABRIC) if name != "lo"), namespace=FABRIC)
    for name in namespaces():
        if name != FABRIC:
            run_ip(f"link set eth0 mtu {mtu_bytes}", namespace=name)


def cut(host: Host) -> None:
    """Pull a host's cable: its own link stays up, and nothing passes any more."""
    run_ip(f"link set {host.name} nomaster", namespace=FABRIC)


def plug(host: Host) -> None:
    """Put a host's cable back."""
    run_ip(*_plugged(host), namespace=FABRIC)


def _plugged(host: Host) -> list[str]:
    """A host's port gets broadcasts and frames to itself only, as a rented server's does.

    With a bridge's default it also gets frames to hosts that are not there. Cilium answers those: the load of a node
    without power went to the other one at once, and a loss was never seen.
    """
    return [f"link set {host.name} master {BRIDGE}", f"link set {host.name} type bridge_slave flood off"]


def received(host: Host) -> int:
    """Packets that came in at a host's link since it was made."""
    words = ["ip", "-n", host.namespace, "-s", "-j", "link", "show", "eth0"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(json.loads(shown.stdout)[0]["stats64"]["rx"]["packets"])


def _links(namespace: str) -> dict[str, int]:
    """The links of a namespace and their MTU, in bytes."""
    shown = subprocess.run(["ip", "-n", namespace, "-j", "link"], capture_output=True, text=True, check=True)
    return {link["ifname"]: int(link["mtu"]) for link in json.loads(shown.stdout)}


def remove() -> None:
    """Remove every namespace of the lab, and with them the links; fine where there is none."""
    for name in namespaces():
        run_ip(f"netns delete {name}")


@contextlib.contextmanager
def inside(host: Host) -> Iterator[None]:
    """Be on a host of the lab: this thread's connections and child processes start from its namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    target = os.open(NETNS_FOLDER / host.namespace, os.O_RDONLY)
    try:
        _set_network_namespace(target)
        yield
    finally:
        _set_network_namespace(before)
        os.close(before)
        os.close(target)


def _set_network_namespace(descriptor: int) -> None:
    clone_newnet = 0x40000000  # linux/sched.h; os.setns exists only since Python 3.12
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, clone_newnet):
        raise LabError(f"cannot enter the lab's network: {os.strerror(ctypes.get_errno())}; root is needed")
