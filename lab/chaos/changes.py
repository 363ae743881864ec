"""Changes of the stack file that an update makes while a fault hits it."""

import copy
from typing import Any

from lab.layout import CONTROL_PLANES, WORKERS

SPARE = WORKERS[2]


def sysctl(spec: dict[str, Any]) -> None:
    """A kernel value on every node: a script runs on each.

    No profile has this key, so that the script writes two new files. For another value of a key that it knows, it only
    replaces files, and a full disk has space for that.
    """
    for node in spec["nodes"]:
        node["sysctls"] = [{"key": "net.ipv4.tcp_fin_timeout", "value": "61", "how": "exact"}]


def edge(spec: dict[str, Any]) -> None:
    """Two more pools, and after them a listener with a certificate: seven objects in the cluster."""
    [pool] = spec["metallb"]["pools"]
    for name, addresses in (("chaos-1", "192.0.2.221-192.0.2.222"), ("chaos-2", "192.0.2.223-192.0.2.224")):
        spec["metallb"]["pools"].append({**copy.deepcopy(pool), "name": name, "addresses": [addresses]})
    secure = next(one for one in spec["gateway"]["listeners"] if one["protocol"] == "HTTPS")
    other = {"name": "chaos", "hostname": "*.chaos.example.no", "certificateSecret": "wildcard-chaos"}
    spec["gateway"]["listeners"].append({**secure, **other})


def worker(spec: dict[str, Any]) -> None:
    """A third worker: it is set up, and joins the cluster."""
    like = next(node for node in spec["nodes"] if node["name"] == WORKERS[1].name)
    spec["nodes"].append({**copy.deepcopy(like), "name": SPARE.name, "address": SPARE.address})


def chart(spec: dict[str, Any]) -> None:
    """A value of MetalLB's chart, which is pulled from the registry; and a kernel value, which comes before it."""
    sysctl(spec)
    values = spec["metallb"]["install"].setdefault("values", {})
    values["speaker"] = {**values.get("speaker", {}), "logLevel": "debug"}


def control_planes(spec: dict[str, Any]) -> None:
    """Two more control planes, so that etcd has three members."""
    first = next(node for node in spec["nodes"] if node["name"] == CONTROL_PLANES[0].name)
    spec["nodes"] += [
        {**copy.deepcopy(first), "name": host.name, "address": host.address} for host in CONTROL_PLANES[1:]
    ]


def control_planes_and_edge(spec: dict[str, Any]) -> None:
    """Both."""
    control_planes(spec)
    edge(spec)
