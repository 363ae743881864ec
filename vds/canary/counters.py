"""Counts a canary's requests: in the gateway's pods, in a Prometheus, and with requests of its own.

All three are reached through the API server's port forwarding, so that nothing of the cluster opens.
"""

import random
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from components.core.names import MONITORING_SYSTEM
from components.gateway.canary import prometheus
from components.gateway.canary.model import Source, seconds
from components.gateway.canary.route import CanaryRoute
from components.gateway.canary.traffic import Backends, Pod, Seen, Totals, samples, totals
from components.gateway.model import METRICS_PORT
from components.gateway.traefik import LATENCY_LIMITS, SELECTED
from components.kubernetes_api import ApiError, Cluster, PodError, UnreachableError, get, list_items

_FORBIDDEN = 403
_ERRORS = (ApiError, UnreachableError, ValueError)


class Service(NamedTuple):
    """A Service in the cluster, and one of its ports."""

    namespace: str
    name: str
    port: int

    def __str__(self) -> str:
        """As `--prometheus` takes it."""
        return f"{self.namespace}/{self.name}:{self.port}"


PROMETHEUS = Service(MONITORING_SYSTEM, "prometheus", 9090)
"""Where a Prometheus is looked for if none is named."""


def read(cluster: Cluster, route: CanaryRoute, prometheus_at: Service, after: float) -> Mapping[Source, Seen]:
    """By source that the plan's gates name, what it has counted. `after`: seconds since 1970, of `prometheus.seen`.

    Raises ApiError or UnreachableError if the gateway's pods can't be listed; the right to do so is not needed.
    """
    readers = {
        "gateway": partial(gateway, cluster, route),
        "prometheus": partial(collected, cluster, route, prometheus_at, after),
        "probe": partial(probed, cluster, route),
    }
    return {source: readers[source]() for source in sorted(route.plan.sources)}


def gateway(cluster: Cluster, route: CanaryRoute) -> Seen:
    """By UID of each running pod of Traefik, its counters, or why it can't be read. Without the right to list the pods,
    there is one reason without a UID.

    Raises ApiError or UnreachableError if the pods can't be listed for another reason.
    """
    selector = ",".join(f"{key}={value}" for key, value in SELECTED.items())
    found: dict[str, Pod | str] = {}
    path = f"/api/v1/namespaces/{route.gateway_namespace}/pods"
    try:
        pods = list_items(cluster, path, query=[("labelSelector", selector)])
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return {"": str(error)}
    for pod in pods:
        if (pod.get("status") or {}).get("phase") != "Running":
            continue
        name = pod["metadata"]["name"]
        try:
            text = cluster.pod_text(route.gateway_namespace, name, METRICS_PORT, "/metrics")
            found[pod["metadata"]["uid"]] = totals(samples(text), _backends(route))
        except _ERRORS as error:
            found[pod["metadata"]["uid"]] = f"pod {name}: {error}"
    return found


def collected(cluster: Cluster, route: CanaryRoute, service: Service, after: float) -> Seen:
    """What a Prometheus has of the route's backends, by pod, or why it can't be read."""
    backends = _backends(route)
    path = f"/api/v1/query?query={quote(prometheus.query(backends))}"
    try:
        pods = ready_pods(cluster, service)
        if not pods:
            return {"": f"Prometheus {service}: no pod of it is ready"}
        pod, port = min(pods)  # of several the same one at each look: they do not collect at the same moments
        return prometheus.seen(cluster.pod_text(service.namespace, pod, port, path), backends, after)
    except _ERRORS as error:
        return {"": f"Prometheus {service}: {error}"}


def probed(cluster: Cluster, route: CanaryRoute) -> Seen:
    """What requests of this look show of both versions, in random order, or why they could not be sent."""
    plan, probe = route.plan, route.plan.probe
    if probe is None:
        return {"": "the plan has no probe"}
    services = {"stable": route.stable, "canary": route.canary}
    most = seconds(plan.interval) / (2 * probe.requests)
    answers: dict[str, list[float | None]] = {place: [] for place in services}
    try:
        pods = {
            place: ready_pods(cluster, Service(route.namespace, name, route.ports[name]))
            for place, name in services.items()
        }
        order = [place for place in services for _ in range(probe.requests)]
        random.shuffle(order)
        for place in order:
            one = random.choice(pods[place]) if pods[place] else None  # noqa: S311  which pod is no secret
            answers[place].append(_answer(cluster, route.namespace, one, probe.path, most))
    except _ERRORS as error:
        return {"": f"probe: {error}"}
    return {"": {place: _totals(took) for place, took in answers.items()}}


def ready_pods(cluster: Cluster, service: Service) -> list[tuple[str, int]]:
    """The pods behind a Service that are ready, each with the port of its own. Raises ApiError as the API server does,
    and ValueError if there is no such Service or port."""
    found = get(cluster, f"/api/v1/namespaces/{service.namespace}/services/{service.name}")
    ports = [one for one in ((found or {}).get("spec") or {}).get("ports") or [] if one.get("port") == service.port]
    if not ports:
        raise ValueError(f"Service {service}: is not in the cluster")
    path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
    slices = list_items(cluster, path, query=[("labelSelector", f"kubernetes.io/service-name={service.name}")])
    return sorted(pod for one in slices for pod in _pods_of(one, str(ports[0].get("name") or "")))


def _pods_of(item: Mapping[str, Any], port_name: str) -> list[tuple[str, int]]:
    numbers = [one.get("port") for one in item.get("ports") or [] if (one.get("name") or "") == port_name]
    return [
        (one["targetRef"]["name"], int(numbers[0]))
        for one in item.get("endpoints") or []
        if numbers and (one.get("conditions") or {}).get("ready") and (one.get("targetRef") or {}).get("kind") == "Pod"
    ]


def _answer(cluster: Cluster, namespace: str, pod: tuple[str, int] | None, path: str, most: float) -> float | None:
    """The seconds until a pod's answer; None if it was no good one. A version without a ready pod gives none."""
    if pod is None:
        return None
    begun = time.monotonic()
    try:
        cluster.pod_text(namespace, pod[0], pod[1], path, most)
    except PodError:
        return None
    took = time.monotonic() - begun
    return took if took <= most else None


def _totals(answers: list[float | None]) -> Totals:
    good = [one for one in answers if one is not None]
    within = {limit: sum(one <= float(limit) for one in good) for limit in LATENCY_LIMITS}
    return Totals(len(answers), len(answers) - len(good), len(answers), within)


def _backends(route: CanaryRoute) -> Backends:
    return Backends(route.namespace, route.name, route.gateway_namespace, route.gateway, route.stable, route.canary)
