"""A router of the provider: a Debian machine with FRR that speaks BGP with the nodes, and a customer behind it.

Only tests of BGP start it, on a running lab. A network policy or firewall of the provider is not part of it.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from components.core.labels import EDGE
from components.core.names import METALLB_SYSTEM
from lab import data_center, fabric
from lab.cluster import Manifest
from lab.layout import CUSTOMER, CUSTOMER_GATEWAY, CUSTOMER_NETWORK, ROUTER, WORKERS, Host, Layout
from lab.machines import machine, root
from lab.processes import LabError
from lab.progress import Progress

ASN = 64500
NODES_ASN = 64512
BFD_MILLISECONDS = 300
"""Time between two packets of BFD; three lost ones end a session. With 100, sessions did not stay up on two cores for
which forty processes waited."""
HOLD_SECONDS = 9
POOL = "203.0.113.0/28"
OF_THE_POOL, OF_AN_ADDRESS = "64500:28", "64500:32"
"""Communities of the routes."""
NODES = WORKERS[:2]
"""The nodes that have a session with the router."""
_PACKAGES = ("frr",)
_SYSCTL = """
net.ipv4.ip_forward = 1
net.ipv4.conf.all.rp_filter = 0
net.ipv4.conf.default.rp_filter = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
"""


def configuration(password: str) -> str:
    """FRR's, as the owner of the router would write it: a session with each worker, BFD, and nothing to announce.

    The nodes choose the hold time: FRR's own is 180 s, and the smaller of both counts (RFC 4271, 4.2).
    """
    lines = [
        "frr defaults traditional",
        "log syslog informational",
        f"router bgp {ASN}",
        f" bgp router-id {ROUTER.address}",
        " no bgp ebgp-requires-policy",
        " neighbor nodes peer-group",
        f" neighbor nodes remote-as {NODES_ASN}",
        f" neighbor nodes password {password}",
        " neighbor nodes bfd",
        " neighbor nodes bfd profile fast",
        *(f" neighbor {node.address} peer-group nodes" for node in NODES),
        "exit",
        "bfd",
        " profile fast",
        f"  receive-interval {BFD_MILLISECONDS}",
        f"  transmit-interval {BFD_MILLISECONDS}",
        " exit",
        "exit",
    ]
    return "\n".join(lines) + "\n"


def announce(spec: dict[str, Any], *, hold_seconds: int = HOLD_SECONDS, bfd: bool = True) -> None:
    """Add a pool to a stack file's spec that the nodes announce to the router: as one network, and by address."""
    [place] = spec["residency"]["places"]
    place["networks"].append("203.0.113.0/24")
    place["purposes"].append("egress")  # announcements go to the router
    metallb = spec["metallb"]
    interval = BFD_MILLISECONDS
    if bfd:
        metallb["bfdProfiles"] = [{"name": "fast", "receiveMilliseconds": interval, "transmitMilliseconds": interval}]
    metallb["peers"] = [
        {
            "name": "router",
            "address": ROUTER.address,
            "peerAsn": ASN,
            "myAsn": NODES_ASN,
            "holdSeconds": hold_seconds,
            "connectSeconds": 2,
            **({"bfdProfile": "fast"} if bfd else {}),
            "passwordSecret": "router",
            "nodeSelectors": [{"matchLabels": {EDGE: "true"}}],
        }
    ]
    routes = [
        {"aggregationLength": int(POOL.partition("/")[2]), "communities": [OF_THE_POOL]},
        {"communities": [OF_AN_ADDRESS]},
    ]
    pool = {"name": "routed", "addresses": [POOL], "autoAssign": False}
    metallb["pools"].append({**pool, "advertisement": {"kind": "bgp", "peers": ["router"], "routes": routes}})


def secret(password: str) -> Manifest:
    """The Secret that the peer's `passwordSecret` names."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "router", "namespace": METALLB_SYSTEM},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"password": password},
    }


def prepare(progress: Progress) -> None:
    """Make the router's Debian root, once. It needs Debian's mirror, which no host of the lab reaches.

    Raises:
        LabError: Debian's packages can't be had.
    """
    root.ensure(progress, _PACKAGES)


def start(layout: Layout, password: str) -> None:
    """Start the router on a running lab, with the customer behind it; `prepare` has made its root.

    Raises:
        LabError: the machine does not start.
    """
    remove(layout)
    files = {
        "/etc/frr/frr.conf": (configuration(password).encode(), 0o640),
        "/etc/frr/daemons": (b"bgpd=yes\nbfdd=yes\nvtysh_enable=yes\n", 0o640),
        "/etc/sysctl.d/router.conf": (_SYSCTL.encode(), 0o644),
    }
    data_center.ensure(layout, Progress(total=1, quiet=True), [ROUTER], packages=_PACKAGES, more=files)
    fabric.add_behind(ROUTER, CUSTOMER, CUSTOMER_NETWORK, CUSTOMER_GATEWAY)
    for node in NODES:
        lead_back(node)


def lead_back(node: Host) -> None:
    """The node's route to the customer. In a data centre, the router is the nodes' default gateway."""
    fabric.run_ip(f"route replace {CUSTOMER_NETWORK} via {ROUTER.address}", namespace=node.namespace)


def remove(layout: Layout) -> None:
    """Stop the router and remove it, with the customer; fine where there is none."""
    machine.stop(layout, ROUTER)
    fabric.take_out(CUSTOMER)
    fabric.take_out(ROUTER)
    for node in NODES:
        if node.namespace in fabric.namespaces():
            fabric.run_ip(f"route flush {CUSTOMER_NETWORK}", namespace=node.namespace)
    shutil.rmtree(layout.machine(ROUTER.name), ignore_errors=True)


def run(layout: Layout, argv: Sequence[str]) -> str:
    """What a command on the router prints.

    Raises:
        LabError: it fails.
    """
    done = subprocess.run(machine.inside(layout, ROUTER, argv), capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} on {ROUTER.name}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def shown(layout: Layout, question: str) -> Any:
    """What FRR shows, as in `show bfd peers`."""
    return json.loads(run(layout, ["vtysh", "-c", f"{question} json"]) or "{}")


def configure(layout: Layout, *lines: str) -> None:
    """Change FRR's configuration while it runs, by lines below `router bgp`."""
    words = [word for line in ("configure terminal", f"router bgp {ASN}", *lines) for word in ("-c", line)]
    run(layout, ["vtysh", *words])


def sessions(layout: Layout) -> dict[str, str]:
    """The state of the session with each node, by its address, as BGP names it (RFC 4271, 8.2.2)."""
    peers = shown(layout, "show bgp ipv4 unicast summary").get("peers") or {}
    return {address: str(peer["state"]) for address, peer in peers.items()}


def bfd(layout: Layout) -> dict[str, str]:
    """The state of BFD with each node, by its address; a session of BGP does not wait for it."""
    return {peer["peer"]: str(peer["status"]) for peer in shown(layout, "show bfd peers")}


def routes(layout: Layout, network: str) -> dict[str, list[str]]:
    """Next hops that the kernel uses for a network, each with the communities of its route; empty without a route."""
    learnt = shown(layout, f"show bgp ipv4 unicast {network}").get("paths") or []
    communities = {
        hop["ip"]: list((path.get("community") or {}).get("list") or []) for path in learnt for hop in path["nexthops"]
    }
    installed = json.loads(run(layout, ["ip", "-j", "route", "show", "exact", network]) or "[]")
    hops = [hop for route in installed for hop in (route.get("nexthops") or [route])]
    return {hop["gateway"]: communities.get(hop["gateway"], []) for hop in hops}
