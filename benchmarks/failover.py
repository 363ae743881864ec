"""Measures how long clients get no answer when the node that announces the gateway's address loses its power.

The lab must run (`make up`). Two loads of about 200 requests a second come from outside: one is answered by the gateway
itself (the redirect to HTTPS), the other by an application with a pod on each worker. Printed beside them: when another
node said that it announces the address, and when Kubernetes said that the node is gone. MetalLB's page on layer 2 says
that this takes a few seconds. Kubernetes waits 50 seconds (--node-monitor-grace-period), and then takes the pods out of
their Services.
"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab import data_center, fabric
from lab.asking import ask, from_host
from lab.cluster import Cluster, condition
from lab.deploy import Deployment
from lab.layout import CLIENT, MACHINES, OPERATOR, Host, Layout
from lab.machines import machine
from lab.processes import LabError, wait_until
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question
from lab.tenants.registered import Agency
from lab.toolchain import build
from lab.verify import load_spec, wait_for_workloads

_SECONDS = 75
_CLIENTS = 4
_BEFORE = 5
_APP = "/apis/apps/v1/namespaces/butikk-prod/deployments/api"
_STATUSES = "/apis/metallb.io/v1beta1/servicel2statuses"


def announcing(cluster: Cluster) -> set[str]:
    """Nodes that say that they announce an address."""
    found = cluster.request("GET", _STATUSES)["items"]
    return {str((item.get("status") or {}).get("node")) for item in found}


def is_ready(cluster: Cluster, node: str) -> bool:
    """Whether Kubernetes takes a node for ready."""
    return condition(cluster.request("GET", f"/api/v1/nodes/{node}"), "Ready") == "True"


def lose_power(layout: Layout, host: Host) -> None:
    """The cable first: a machine without power closes no connection."""
    fabric.cut(host)
    machine.stop(layout, host)


class Redirects:
    """Requests that the gateway answers itself."""

    def __init__(self, address: str, hostname: str) -> None:
        self.address, self.hostname = address, hostname

    def load(self) -> tuple[int, int, float]:
        """Answered, failed, and the longest time in seconds without an answer."""
        answered = failed = 0
        longest, began = 0.0, time.monotonic()
        last = began
        with fabric.inside(CLIENT):
            while time.monotonic() < began + _SECONDS:
                connection = http.client.HTTPConnection(self.address, 80, timeout=1)
                try:
                    connection.request("GET", "/", headers={"Host": self.hostname})
                    connection.getresponse().read()
                    longest, last, answered = max(longest, time.monotonic() - last), time.monotonic(), answered + 1
                except (OSError, http.client.HTTPException):
                    failed += 1
                finally:
                    connection.close()
                time.sleep(0.02)
        return answered, failed, max(longest, time.monotonic() - last)


def one_pod_on_each_worker(cluster: Cluster) -> None:
    """The application of the agency's route, with two pods."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": "api"}},
        "matchLabelKeys": ["pod-template-hash"],
    }
    change = {"spec": {"replicas": 2, "template": {"spec": {"topologySpreadConstraints": [spread]}}}}
    cluster.request("PATCH", _APP, change, content_type="application/strategic-merge-patch+json")

    def ready() -> bool:
        found = cluster.request("GET", _APP)
        status = found.get("status") or {}
        return bool(
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("replicas") == status.get("updatedReplicas") == status.get("readyReplicas") == 2
        )

    wait_until(ready, 120, lambda: "api does not get two pods")


def measure(layout: Layout) -> dict[str, Any]:
    """Seconds after the loss, and requests."""
    cluster, spec = Cluster(layout.kubeconfig), load_spec(layout)
    wait_for_workloads(cluster, spec)
    one_pod_on_each_worker(cluster)
    address = gateway_address(cluster, spec)
    asked = {**question(layout, spec, address), "ask": "load", "seconds": _SECONDS}
    redirects = Redirects(address, asked["hostname"])
    (victim,) = (host for host in MACHINES if host.name in announcing(cluster))
    with ThreadPoolExecutor(1 + _CLIENTS) as pool:
        loading = pool.submit(ask, from_host(CLIENT), [asked] * _CLIENTS, timeout_seconds=4 * _SECONDS)
        asking = [pool.submit(redirects.load) for _ in range(_CLIENTS)]
        time.sleep(_BEFORE)
        lost = time.monotonic()
        lose_power(layout, victim)
        seen: dict[str, float] = {}
        while not loading.done():
            if "announced by another node" not in seen and announcing(cluster) - {victim.name}:
                seen["announced by another node"] = round(time.monotonic() - lost, 1)
            if "not ready for Kubernetes" not in seen and not is_ready(cluster, victim.name):
                seen["not ready for Kubernetes"] = round(time.monotonic() - lost, 1)
            time.sleep(0.2)
        said = loading.result()
        counts = [one.result() for one in asking]
    fabric.plug(victim)
    data_center.ensure(layout, Progress(total=1, quiet=True), [victim])
    wait_until(lambda: is_ready(cluster, victim.name), 300, lambda: f"{victim.name} does not come back")
    cluster.request("DELETE", _APP)
    restored = Agency(Deployment(layout, build.ensure(Progress(total=1, quiet=True)))).up(None, "--refresh")
    if restored.exit_code:
        raise LabError(f"the application could not be deployed again:\n{restored.diagnostics}")
    kinds = {kind for one in said for kind in one["failures"]}
    return {
        "node": victim.name,
        "seconds after the loss": seen,
        "gateway": {
            "answered": sum(one[0] for one in counts),
            "failed": sum(one[1] for one in counts),
            "longest time without an answer": round(max(one[2] for one in counts), 1),
        },
        "application": {
            "answered": sum(one["answered"] for one in said),
            "failed": {kind: sum(one["failures"].get(kind, 0) for one in said) for kind in sorted(kinds)},
            "longest time without an answer": max(one["longest_gap"] for one in said),
        },
    }


def main() -> None:
    """Print one measurement as JSON."""
    with fabric.inside(OPERATOR):
        print(json.dumps(measure(Layout()), indent=2))


if __name__ == "__main__":
    main()
