"""Pools for some Services: by namespace and priority, announced by chosen nodes on chosen interfaces."""

from typing import Any

import pytest

from lab import fabric
from lab.asking import ask, from_host
from lab.layout import CLIENT, WORKERS
from lab.processes import wait_until
from lab.proof.gateway import arp_node
from lab.verify import images
from lab.workloads import PORT, PROBE_NAMESPACE, routed
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

FIRST, SECOND, ELSEWHERE, UNHEARD = "192.0.2.230", "192.0.2.231", "192.0.2.232", "192.0.2.233"
CHOSEN = WORKERS[1]
_SECONDS = 60


def edit(spec: dict[str, Any]) -> None:
    """Pools of one address each. The one of another namespace has the best priority."""

    def pool(name: str, address: str, advertisement: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        l2 = {"kind": "l2", **(advertisement or {})}
        return {"name": name, "addresses": [f"{address}/32"], "advertisement": l2, **more}

    by_name = {"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": CHOSEN.name}}]}
    spec["metallb"]["pools"] += [
        pool("second", SECOND, priority=20, namespaces=[PROBE_NAMESPACE]),
        pool("elsewhere", ELSEWHERE, priority=1, namespaces=["elsewhere"]),
        pool("first", FIRST, by_name, priority=10, namespaces=[PROBE_NAMESPACE]),
        pool("unheard", UNHEARD, {"interfaces": ["eth9"]}, autoAssign=False),
    ]


def services(lab: Lab) -> list[dict[str, Any]]:
    """Two Services that ask for nothing, and one that asks for the pool of an interface that no node has."""
    made = []
    for name in ("one", "two", "unheard"):
        pods, service = routed(name, "", "Cluster", images(lab.layout))
        service["metadata"]["annotations"] = {"metallb.io/address-pool": "unheard"} if name == "unheard" else {}
        made += [pods, service]
    return made


def address(lab: Lab, name: str) -> str:
    found = lab.cluster.request("GET", f"/api/v1/namespaces/{PROBE_NAMESPACE}/services/{name}")
    return "".join(one["ip"] for one in (found["status"].get("loadBalancer") or {}).get("ingress") or ())


def call(where: str, seconds: int) -> dict[str, Any]:
    [answer] = ask(from_host(CLIENT), [{"ask": "call", "host": where, "port": PORT, "within_seconds": seconds}])
    return dict(answer)


def test_services_get_addresses_by_namespace_and_priority_and_chosen_nodes_announce_them(lab: Lab) -> None:
    objects = services(lab)
    try:
        outcome = lab.deployment.run("up", config_file=lab.variant(edit))
        assert outcome.exit_code == 0, outcome.diagnostics
        for name, item in zip(("one", "one", "two", "two", "unheard", "unheard"), objects, strict=True):
            lab.cluster.apply(item)
            if item["kind"] == "Service":
                wait_until(lambda name=name: bool(address(lab, name)), _SECONDS, lambda: "no address")  # type: ignore[misc]
        assert {name: address(lab, name) for name in ("one", "two", "unheard")} == {
            "one": FIRST,
            "two": SECOND,
            "unheard": UNHEARD,
        }
        fabric.run_ip("neigh flush dev eth0", namespace=CLIENT.namespace)
        answer = call(FIRST, _SECONDS)
        assert answer["answered"], answer
        assert arp_node(FIRST) == CHOSEN.name
        assert call(SECOND, _SECONDS)["answered"]
        assert not call(UNHEARD, 0)["answered"]
        print(f"\n{FIRST} by {arp_node(FIRST)}, {SECOND} by {arp_node(SECOND)}, {UNHEARD} by {arp_node(UNHEARD)}")
    finally:
        for item in objects:
            lab.cluster.delete(item)
        lab.restore()
