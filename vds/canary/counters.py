"""Reads the counters of the gateway's pods, through the API server's port forwarding."""

from collections.abc import Mapping

from components.gateway.canary.traffic import Backends, Pod, totals
from components.gateway.model import METRICS_PORT, GatewaySpec, Route
from components.gateway.traefik import SELECTED
from components.kubernetes_api import ApiError, Cluster, UnreachableError, list_items


def backends(spec: GatewaySpec, route: Route) -> Backends:
    """The route's backends as Traefik names them."""
    assert route.stable is not None  # noqa: S101  for mypy: a canary has one
    assert route.canary is not None  # noqa: S101
    return Backends(route.tenant, route.name, spec.namespace, spec.name, route.stable.service, route.canary.service)


def read(cluster: Cluster, spec: GatewaySpec, route: Route) -> Mapping[str, Pod | str]:
    """By UID of each running pod of Traefik, its counters, or why it can't be read.

    Raises ApiError or UnreachableError if the pods can't be listed.
    """
    selector = ",".join(f"{key}={value}" for key, value in SELECTED.items())
    found: dict[str, Pod | str] = {}
    path = f"/api/v1/namespaces/{spec.namespace}/pods"
    for pod in list_items(cluster, path, query=[("labelSelector", selector)]):
        if (pod.get("status") or {}).get("phase") != "Running":
            continue
        name = pod["metadata"]["name"]
        try:
            text = cluster.pod_text(spec.namespace, name, METRICS_PORT, "/metrics")
            found[pod["metadata"]["uid"]] = totals(text, backends(spec, route))
        except (ApiError, UnreachableError, ValueError) as error:
            found[pod["metadata"]["uid"]] = f"pod {name}: {error}"
    return found
