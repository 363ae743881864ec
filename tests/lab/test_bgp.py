"""Addresses announced by BGP to a real router: what it learns and refuses, and what a customer behind it sees."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import router
from lab.asking import ask, from_host
from lab.layout import CUSTOMER
from lab.processes import wait_until
from lab.verify import images
from lab.workloads import PORT, PROBE_NAMESPACE, routed
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PASSWORD = "of-the-session"
CLUSTER, LOCAL, OTHER = "203.0.113.1", "203.0.113.2", "203.0.113.3"
NODES = {node.address for node in router.NODES}
_SECONDS = 90
_ASKED = 40  # by L4 hash, all reach the same node once in 2^39 tries


def services(lab: Lab) -> list[dict[str, Any]]:
    """An application for each traffic policy, and a Service for another load balancer."""
    found = images(lab.layout)
    made = [*routed("by-cluster", CLUSTER, "Cluster", found), *routed("by-local", LOCAL, "Local", found)]
    *_, other = routed("other", OTHER, "Cluster", found)
    other["spec"]["loadBalancerClass"] = "example.no/other"
    return [*made, other]


@pytest.fixture
def routed_lab(routers_root: None, lab: Lab) -> Iterator[Lab]:
    objects = [router.secret(PASSWORD), *services(lab)]
    router.start(lab.layout, PASSWORD)
    try:
        for item in objects:
            lab.cluster.apply(item)
        outcome = lab.deployment.run("up", config_file=lab.variant(router.announce))
        assert outcome.exit_code == 0, outcome.diagnostics
        yield lab
    finally:
        for item in objects:
            lab.cluster.delete(item)
        try:
            lab.restore()
        finally:
            router.remove(lab.layout)


def established(lab: Lab) -> bool:
    return router.sessions(lab.layout) == dict.fromkeys(NODES, "Established")


def none_established(lab: Lab) -> bool:
    return "Established" not in router.sessions(lab.layout).values()


def until_established(lab: Lab) -> float:
    began = time.monotonic()
    wait_until(lambda: established(lab), _SECONDS, lambda: f"sessions: {router.sessions(lab.layout)}")
    return time.monotonic() - began


def until_learnt(lab: Lab, network: str, wanted: dict[str, list[str]]) -> None:
    wait_until(
        lambda: router.routes(lab.layout, network) == wanted,
        _SECONDS,
        lambda: f"{network}: {router.routes(lab.layout, network)}, and not {wanted}",
    )


def refused(lab: Lab) -> int:
    """TCP segments that the router's kernel dropped because of a signature that is missing or wrong (RFC 2385)."""
    names, values = router.run(lab.layout, ["sh", "-c", "grep ^TcpExt: /proc/net/netstat"]).splitlines()
    counters = dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
    return counters["TCPMD5NotFound"] + counters["TCPMD5Unexpected"] + counters["TCPMD5Failure"]


def clients(address: str) -> set[str]:
    """Whom the application saw asking, when the customer asked it."""
    answers = ask(from_host(CUSTOMER), [{"ask": "call", "host": address, "port": PORT, "within_seconds": 30}] * _ASKED)
    assert all(answer["answered"] for answer in answers), answers
    return {answer["client"] for answer in answers}


def test_a_router_learns_the_pool_from_both_nodes_and_a_customer_behind_it_is_answered(routed_lab: Lab) -> None:
    lab = routed_lab
    print(f"sessions established after {until_established(lab):.0f} s")
    for network, community in (
        (router.POOL, router.OF_THE_POOL),
        (f"{CLUSTER}/32", router.OF_AN_ADDRESS),
        (f"{LOCAL}/32", router.OF_AN_ADDRESS),
    ):
        until_learnt(lab, network, {node: [community] for node in NODES})
    wait_until(
        lambda: router.bfd(lab.layout) == dict.fromkeys(NODES, "up"), _SECONDS, lambda: f"{router.bfd(lab.layout)}"
    )

    router.run(lab.layout, ["sysctl", "-q", "-w", "net.ipv4.fib_multipath_hash_policy=1"])
    assert clients(LOCAL) == {CUSTOMER.address}
    # A node may choose another node's pod. It then asks from an address of its own, with a tunnel one of podCidr.
    assert clients(CLUSTER) - {CUSTOMER.address}

    other = lab.cluster.request("GET", f"/api/v1/namespaces/{PROBE_NAMESPACE}/services/other")
    assert not (other["status"].get("loadBalancer") or {}).get("ingress")
    assert router.routes(lab.layout, f"{OTHER}/32") == {}

    before = refused(lab)
    router.configure(lab.layout, "no neighbor nodes password")
    wait_until(lambda: none_established(lab), _SECONDS, lambda: "the sessions go on without a password")
    for _ in range(10):  # MetalLB connects every two seconds
        time.sleep(1)
        assert none_established(lab)
    assert refused(lab) > before
    assert router.routes(lab.layout, f"{LOCAL}/32") == {}
    router.configure(lab.layout, f"neighbor nodes password {PASSWORD}")
    print(f"established again {until_established(lab):.0f} s after the password is right")
    again = lab.deployment.run("up", config_file=lab.variant(router.announce))
    assert again.unchanged, again.output
