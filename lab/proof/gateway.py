"""Checks of the gateway from a client outside: TLS, the redirect, the canary's share, and who answers ARP."""

import json
import subprocess
from collections.abc import Callable

from components.agency.model import CANARY, Route
from components.gateway.model import HttpListener, HttpsListener
from components.stackfile.spec import PlatformSpec
from lab.asking import Facts, ask, from_host, link_address
from lab.cluster import Cluster
from lab.fabric import namespaces, run_ip
from lab.layout import CLIENT, MACHINES, Layout
from lab.processes import wait_until
from lab.proof.binomial import SIGNIFICANCE, binomial_p
from lab.tenants import settings

REQUESTS = 1000
_ADDRESS_SECONDS = 120
_SERVED_SECONDS = 120
_WARM_UP_REQUESTS = 100  # one in ten reaches the canary: a hundred miss it once in 40,000 tries
_CONNECTIONS = 12  # each reaches one of the gateway's two pods: all reach the same pod once in 2,000 tries


def gateway_address(cluster: Cluster, spec: PlatformSpec) -> str:
    """The address that MetalLB gave, as the Gateway shows it."""
    gateway = spec.gateway
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{gateway.namespace}/gateways/{gateway.name}"

    found: list[str] = []

    def has_address() -> bool:
        status = cluster.request("GET", path).get("status") or {}
        found[:] = [str(address["value"]) for address in status.get("addresses") or []]
        return bool(found)

    # The first `up` waits for it. It is missing for a moment while a data plane restarts.
    missing = f"gateway {gateway.namespace}/{gateway.name} has no address; see `make status` and `make logs`"
    wait_until(has_address, _ADDRESS_SECONDS, lambda: missing)
    return found[0]


def question(layout: Layout, spec: PlatformSpec, address: str) -> Facts:
    """The agency's route as a client asks it by HTTPS; the lab's authority must have signed the certificate."""
    route = settings.wanted(layout).route
    secure = next(item for item in spec.gateway.listeners if isinstance(item, HttpsListener))
    return {
        "ask": "split",
        "address": address,
        "port": secure.port,
        "hostname": route.hostnames[0],
        "path": f"{route.matches[0].path_prefix}/items",
        "authority": str(layout.authority),
    }


def gateway_facts(layout: Layout, spec: PlatformSpec, address: str, route: Route) -> Facts:
    """The split that a client outside gets by HTTPS, who answered its ARP, and what the backend saw."""
    run_ip("neigh flush dev eth0", namespace=CLIENT.namespace)
    share = (route.canary.percent if route.canary else None) or 0
    new = f"{route.app}-{CANARY}"
    weights = {str(route.app): 100 - share, new: share}
    asked = question(layout, spec, address)
    answer = until_served(asked, {name for name, weight in weights.items() if weight})
    counts = answer["counts"]
    p_value = binomial_p(counts.get(new, 0), sum(counts.values()), share / 100)
    wanted = dict(route.add_headers)
    headers = {name.lower(): value for name, value in answer["backend_headers"].items()}
    seen = {name: headers.get(name.lower(), "") for name in wanted}
    client = headers.get("x-forwarded-for", "")
    redirects = _redirects(spec, address, asked)
    return {
        "ok": sum(counts.values()) == REQUESTS
        and p_value > SIGNIFICANCE
        and seen == wanted
        and client == CLIENT.address
        and all(row["ok"] for row in redirects.values()),
        "address": address,
        "arp_answered_by": arp_node(address),
        "requests": REQUESTS,
        "counts": counts,
        "failures": answer["failures"],
        "weights": weights,
        "binomial_p": round(p_value, 4),
        "tls": f"{route.hostnames[0]}, verified by the lab's authority",
        "client_seen": client,
        "redirects": redirects,
        "backend_saw": seen,
        "seconds": answer["seconds"],
    }


def _redirects(spec: PlatformSpec, address: str, route: Facts) -> Facts:
    """What each listener in plain text answers: nothing but the way to HTTPS."""
    rows: Facts = {}
    for listener in spec.gateway.listeners:
        if not isinstance(listener, HttpListener):
            continue
        host, path = route["hostname"], route["path"]
        asked = {"ask": "redirect", "address": address, "port": listener.port, "hostname": host, "path": path}
        wanted = f"https://{host}{path}"
        good = lambda answer, wanted=wanted: (answer["status"], answer["location"]) == (301, wanted)  # noqa: E731
        rows[listener.name] = {"ok": True, **_by_every_pod(asked, good, f"a redirect to {wanted}")}
    return rows


def until_served(asked: Facts, backends: set[str], requests: int = REQUESTS) -> Facts:
    """The measured answers, asked once every pod of the gateway has learnt of every backend.

    Raises:
        LabError: one has not in time.
    """

    def good(answer: Facts) -> bool:
        return not answer["failures"] and set(answer["counts"]) == backends

    _by_every_pod(asked | {"requests": _WARM_UP_REQUESTS}, good, f"all of {sorted(backends)}")
    return dict(ask(from_host(CLIENT), [asked | {"requests": requests}])[0])


def _by_every_pod(asked: Facts, good: Callable[[Facts], bool], wanted: str) -> Facts:
    """A good answer, once every pod of the gateway gives one: each hears of routes and backends by itself."""
    answers: list[Facts] = []

    def served() -> bool:
        answers[:] = ask(from_host(CLIENT), [asked] * _CONNECTIONS)
        return all(good(answer) for answer in answers)

    def said() -> str:
        bad = next((answer for answer in answers if not good(answer)), "no answer")
        return f"{asked['address']} does not give {wanted}: {bad}; see `make logs`"

    wait_until(served, _SERVED_SECONDS, said)
    return answers[0]


def arp_node(address: str) -> str:
    """The machine to which the client outside sends packets for an address, by its table of neighbours."""
    shown = subprocess.run(
        ["ip", "-n", CLIENT.namespace, "-j", "neigh", "show", address],
        capture_output=True,
        text=True,
        check=True,
    )
    entries = json.loads(shown.stdout or "[]")
    seen = entries[0].get("lladdr") if entries else None
    there = set(namespaces())
    nodes = (host for host in MACHINES if host.namespace in there and link_address(host) == seen)
    return next((node.name for node in nodes), f"no machine of the lab ({seen})")
