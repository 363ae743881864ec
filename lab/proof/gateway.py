"""What a client outside gets of the gateway: the split of the canary, and who answered for its address."""

from __future__ import annotations

import json
import subprocess

from components.spec import PlatformSpec
from lab.asking import Facts, ask, from_host, link_address
from lab.cluster import Cluster
from lab.fabric import run_ip
from lab.layout import CLIENT, NODES
from lab.processes import wait_until
from lab.proof.binomial import SIGNIFICANCE, binomial_p

REQUESTS = 1000
_ADDRESS_SECONDS = 120
_SERVED_SECONDS = 120
_WARM_UP_REQUESTS = 100  # one in ten reaches the canary: a hundred miss it once in 40,000 tries


def gateway_address(cluster: Cluster, spec: PlatformSpec) -> str:
    """The address that MetalLB gave, as the Gateway shows it."""
    gateway = spec.gateway
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{gateway.namespace}/gateways/{gateway.name}"

    found: list[str] = []

    def has_address() -> bool:
        status = cluster.request("GET", path).get("status") or {}
        found[:] = [str(address["value"]) for address in status.get("addresses") or []]
        return bool(found)

    # There at the first `up`, which waits for it; a data plane that starts again takes it out for a moment.
    missing = f"gateway {gateway.namespace}/{gateway.name} has no address; see `make status` and `make logs`"
    wait_until(has_address, _ADDRESS_SECONDS, lambda: missing)
    return found[0]


def gateway_facts(spec: PlatformSpec, address: str) -> Facts:
    """The split that a client outside gets, who answered its ARP, and what the backend saw."""
    route = spec.gateway.routes[0]
    port = spec.gateway.listeners[0].port
    run_ip("neigh flush dev eth0", namespace=CLIENT.namespace)
    question = {"ask": "split", "host": address, "port": port, "path": f"{route.path_prefix}/items"}
    weights = {"stable": route.stable.weight, "canary": route.canary.weight if route.canary else 0}
    weighted = {track for track, weight in weights.items() if weight}
    answer = _until_served(question | {"hostname": route.hostname}, weighted)
    counts = answer["counts"]
    share = weights["canary"] / sum(weights.values())
    p_value = binomial_p(counts.get("canary", 0), sum(counts.values()), share)
    wanted = dict(route.add_headers)
    seen = {name: value for name, value in answer["backend_headers"].items() if name in wanted}
    return {
        "ok": sum(counts.values()) == REQUESTS and p_value > SIGNIFICANCE and seen == wanted,
        "address": address,
        "arp_answered_by": _arp_node(address),
        "requests": REQUESTS,
        "counts": counts,
        "failures": answer["failures"],
        "weights": weights,
        "binomial_p": round(p_value, 4),
        "backend_saw": seen,
        "seconds": answer["seconds"],
    }


def _until_served(question: Facts, tracks: set[str]) -> Facts:
    """The measured answers, asked once the gateway has learnt of every backend: it hears of them one by one."""

    def served() -> bool:
        first = ask(from_host(CLIENT), [question | {"requests": _WARM_UP_REQUESTS}])[0]
        return not first["failures"] and set(first["counts"]) == tracks

    wait_until(served, _SERVED_SECONDS, lambda: f"{question['host']} does not reach all of {tracks}; see `make logs`")
    return dict(ask(from_host(CLIENT), [question | {"requests": REQUESTS}])[0])


def _arp_node(address: str) -> str:
    shown = subprocess.run(
        ["ip", "-n", CLIENT.namespace, "-j", "neigh", "show", address],
        capture_output=True,
        text=True,
        check=True,
    )
    entries = json.loads(shown.stdout or "[]")
    seen = entries[0].get("lladdr") if entries else None
    return next((node.name for node in NODES if link_address(node) == seen), f"nobody known ({seen})")
