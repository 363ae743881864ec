"""The node at which a client's requests arrive loses its power: what is lost, on layer 2 and by BGP.

The requests, 200 a second, are answered by the gateway itself. On layer 2 an application behind it is asked too.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import pytest

from lab import router
from lab.asking import ask, from_host
from lab.layout import CLIENT, CUSTOMER, MACHINES, Host
from lab.processes import wait_until
from lab.proof.failover import BEFORE_SECONDS, PER_SECOND, Loss, arrives_at, bring_back, is_ready, measure
from lab.proof.gateway import arp_node, gateway_address, question
from lab.tenants.settings import APPS
from lab.verify import load_spec, wait_for_workloads
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PASSWORD = "of-the-session"
ADDRESS = "203.0.113.5"
_SECONDS = 90
_DETECTION = 3 * router.BFD_MILLISECONDS / 1000  # both sides' multiplier is 3
_MOST_WITH_BFD = 5 * _DETECTION  # seconds without an answer; five times, for a machine with other work
_HOLD_SECONDS = 90  # the platform's default
_ANSWERED_AGAIN = 10
"""Seconds at the end of a load in which no request may be lost."""
_LAYER_2_SECONDS = 75.0
"""Kubernetes takes a node for lost after 50 seconds (--node-monitor-grace-period)."""
_APP_CLIENTS = 4
DOCUMENTED = {
    "layer 2": "a few seconds; above about 10 s is a bug (MetalLB, concepts/layer2)",
    "BGP": f"no figure; the hold time is {_HOLD_SECONDS} s",
    "BGP with BFD": f"no figure; 3 packets of {router.BFD_MILLISECONDS} ms, the default of a BFDProfile",
}


def report(name: str, loss: Loss) -> None:
    """One line for people, with what MetalLB's documents say."""
    print(f"\n{name}: {loss}. Documented: {DOCUMENTED[name]}")


def some_are_lost_and_then_none(loss: Loss, seconds: float) -> bool:
    """Whether the loss of power was felt at all, and each request of the load's last seconds has its answer."""
    return 0 < loss.last < seconds - _ANSWERED_AGAIN


def assert_answered(source: Host, address: str) -> None:
    [answer] = ask(from_host(source), [{"ask": "call", "host": address, "port": 80, "within_seconds": 60}])
    assert answer["answered"], answer


def with_two_pods(config: dict[str, Any]) -> None:
    config[APPS]["api"]["replicas"] = 2


class Apps(NamedTuple):
    """What clients of an application behind the gateway saw, which has a pod on each worker."""

    answered: int
    failed: int
    silence: float
    """The longest time of one client without an answer, in seconds."""
    lost_for_kubernetes: list[int]
    """Seconds from the loss of power until Kubernetes took the node for lost."""


def lose_the_announcer(lab: Lab) -> tuple[Loss, Apps]:
    """Take the power of the node that answers ARP for the gateway's address, and give it back."""
    spec, seconds = load_spec(lab.layout), _LAYER_2_SECONDS
    address = gateway_address(lab.cluster, spec)
    asked = {**question(lab.layout, spec, address), "ask": "load", "seconds": BEFORE_SECONDS + seconds}
    assert_answered(CLIENT, address)
    before = arp_node(address)
    [victim] = (host for host in MACHINES if host.name == before)
    not_ready: list[int] = []

    def watch() -> None:
        while loading.running() and not not_ready:
            if not is_ready(lab.cluster, victim):
                not_ready.append(round(time.monotonic() - power_lost))
            time.sleep(0.5)

    try:
        with ThreadPoolExecutor(2) as pool:
            loading = pool.submit(ask, from_host(CLIENT), [asked] * _APP_CLIENTS, timeout_seconds=4 * seconds)
            power_lost = time.monotonic() + BEFORE_SECONDS
            watching = pool.submit(watch)
            loss = measure(lab.layout, victim, CLIENT, address, asked["hostname"], seconds)
            said = loading.result()
            watching.result()
        after = arp_node(address)
    finally:
        bring_back(lab.layout, lab.cluster, victim)
    wait_for_workloads(lab.cluster, spec)
    assert after in {host.name for host in MACHINES} - {victim.name}
    failed = sum(sum(one["failures"].values()) for one in said)
    answered, silence = sum(one["answered"] for one in said), max(one["longest_gap"] for one in said)
    return loss, Apps(answered, failed, silence, not_ready)


def with_other_pods(spec: dict[str, Any]) -> None:
    spec["gateway"]["limits"] = {"connectSeconds": 1, "connectAttempts": 3}


def test_on_layer_2_another_node_takes_over_the_gateways_address(lab: Lab) -> None:
    lab.deploy(with_two_pods)
    try:
        loss, apps = lose_the_announcer(lab)
        report("layer 2", loss)
        print(f"an application behind the gateway: {apps}")
        outcome = lab.deployment.run("up", config_file=lab.variant(with_other_pods))
        assert outcome.exit_code == 0, outcome.diagnostics
        again, retried = lose_the_announcer(lab)
        report("layer 2", again)
        print(f"an application behind the gateway, with connectSeconds 1 and connectAttempts 3: {retried}")
    finally:
        lab.restore()
        lab.deploy()
    for one in (loss, again):
        assert some_are_lost_and_then_none(one, _LAYER_2_SECONDS)
        assert one.lost < 10 * PER_SECOND  # MetalLB's own limit
    assert retried.failed < apps.failed


@pytest.fixture
def routed_lab(routers_root: None, lab: Lab) -> Iterator[Lab]:
    router.start(lab.layout, PASSWORD)
    lab.cluster.apply(router.secret(PASSWORD))
    try:
        yield lab
    finally:
        lab.cluster.delete(router.secret(PASSWORD))
        try:
            lab.restore()
        finally:
            router.remove(lab.layout)


def announced(lab: Lab, *, bfd: bool) -> None:
    """The gateway's address is announced by both nodes, and the customer is answered."""

    def edit(spec: dict[str, Any]) -> None:
        router.announce(spec, hold_seconds=_HOLD_SECONDS, bfd=bfd)
        spec["gateway"] |= {"address": ADDRESS, "connect": False}  # the laptop has no route to it

    outcome = lab.deployment.run("up", config_file=lab.variant(edit))
    assert outcome.exit_code == 0, outcome.diagnostics
    wait_until(partial(from_both, lab, bfd=bfd), _SECONDS, partial(said, lab))
    assert_answered(CUSTOMER, ADDRESS)


def from_both(lab: Lab, *, bfd: bool) -> bool:
    nodes = {node.address for node in router.NODES}
    up = not bfd or router.bfd(lab.layout) == dict.fromkeys(nodes, "up")
    return up and set(router.routes(lab.layout, f"{ADDRESS}/32")) == nodes


def said(lab: Lab) -> str:
    routes = router.routes(lab.layout, f"{ADDRESS}/32")
    return f"sessions {router.sessions(lab.layout)}, BFD {router.bfd(lab.layout)}, routes {routes}"


def lose(lab: Lab, seconds: float, *, bfd: bool) -> Loss:
    """Take the power of the node that the router has chosen for the customer, and give it back."""
    hostname = question(lab.layout, load_spec(lab.layout), ADDRESS)["hostname"]
    victim = arrives_at(router.NODES, CUSTOMER, ADDRESS, hostname)
    [other] = (node for node in router.NODES if node != victim)
    try:
        loss = measure(lab.layout, victim, CUSTOMER, ADDRESS, hostname, seconds)
        for network in (f"{ADDRESS}/32", router.POOL):
            assert set(router.routes(lab.layout, network)) == {other.address}, loss
    finally:
        bring_back(lab.layout, lab.cluster, victim)
        router.lead_back(victim)
    wait_for_workloads(lab.cluster, load_spec(lab.layout))
    wait_until(partial(from_both, lab, bfd=bfd), _SECONDS, partial(said, lab))
    return loss


def test_by_bgp_with_bfd_the_router_uses_the_other_node_at_once(routed_lab: Lab) -> None:
    seconds = 30.0
    announced(routed_lab, bfd=True)
    loss = lose(routed_lab, seconds, bfd=True)
    report("BGP with BFD", loss)
    # A client's first packet is sent again after a second, so it may be that no request is lost.
    assert router.BFD_MILLISECONDS / 1000 < loss.silence < _MOST_WITH_BFD
    assert loss.last < seconds - _ANSWERED_AGAIN


def test_by_bgp_without_bfd_the_router_uses_the_lost_node_until_the_hold_time_ends(routed_lab: Lab) -> None:
    seconds = _HOLD_SECONDS + 30.0
    announced(routed_lab, bfd=False)
    loss = lose(routed_lab, seconds, bfd=False)
    report("BGP", loss)
    assert some_are_lost_and_then_none(loss, seconds)
    assert loss.silence > _MOST_WITH_BFD
