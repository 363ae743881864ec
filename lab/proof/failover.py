"""What a client loses when the node at which its requests arrive loses its power."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from lab import data_center, fabric
from lab.asking import Facts, ask, from_host
from lab.cluster import Cluster, condition
from lab.layout import Host, Layout
from lab.machines import machine
from lab.processes import wait_until
from lab.progress import Progress

PER_SECOND = 200
BEFORE_SECONDS = 5
"""How long requests are sent before the loss."""
_LOOK_SECONDS = 5
_READY_SECONDS = 300


class Loss(NamedTuple):
    """What became of requests that were sent at a steady rate."""

    sent: int
    lost: int
    silence: float
    """The longest time without an answer, in seconds."""
    last: float
    """Seconds from the loss of power to the last request without an answer; 0 if all have one."""
    reasons: dict[str, int]
    """Lost requests by what the client saw."""

    def __str__(self) -> str:
        return (
            f"{self.silence:.2f} s without an answer, {self.lost} of {self.sent} requests lost {self.reasons}, "
            f"the last one sent {self.last:.2f} s after the loss of power"
        )


def arrives_at(hosts: Sequence[Host], source: Host, address: str, hostname: str) -> Host:
    """The host at which a client's requests arrive: the one that receives most packets while the client asks.

    A router chooses it by a hash of the addresses, so it stays the same.
    """
    before = [fabric.received(host) for host in hosts]
    ask(from_host(source), [_question(address, hostname, _LOOK_SECONDS)])
    after = [fabric.received(host) for host in hosts]
    return max(zip(hosts, before, after, strict=True), key=lambda row: row[2] - row[1])[0]


def _question(address: str, hostname: str, seconds: float) -> Facts:
    where: Facts = {"address": address, "port": 80, "hostname": hostname, "path": "/"}
    return {"ask": "paced", **where, "per_second": PER_SECOND, "seconds": seconds}


def measure(layout: Layout, host: Host, source: Host, address: str, hostname: str, seconds: float) -> Loss:
    """Take a machine's power while a client asks the gateway, which answers each request itself: with a redirect.

    The machine stays off. `seconds` is how long requests are sent after the loss.
    """
    question = _question(address, hostname, BEFORE_SECONDS + seconds)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(ask, from_host(source), [question], timeout_seconds=2 * seconds + 60)
        time.sleep(BEFORE_SECONDS)
        lost = time.monotonic()
        fabric.cut(host)  # first, because a machine without power closes no connection
        machine.stop(layout, host)
        [said] = loading.result()
    last = max((at - lost for at in said["lost_at"]), default=0.0)
    return Loss(said["sent"], len(said["lost_at"]), said["longest_gap"], max(0.0, last), said["failures"])


def bring_back(layout: Layout, cluster: Cluster, host: Host) -> None:
    """Give a machine its power again; fine where it has it.

    Raises:
        LabError: it does not boot, or Kubernetes does not take it for ready.
    """
    fabric.plug(host)
    data_center.ensure(layout, Progress(total=1, quiet=True), [host])
    wait_until(lambda: is_ready(cluster, host), _READY_SECONDS, lambda: f"{host.name} does not come back")


def is_ready(cluster: Cluster, host: Host) -> bool:
    """Whether Kubernetes takes a node for ready."""
    return condition(cluster.request("GET", f"/api/v1/nodes/{host.name}"), "Ready") == "True"
