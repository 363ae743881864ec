"""Reads the counters of the gateway's pods, through the API server's port forwarding."""

from collections.abc import Mapping

from components.gateway.canary.route import CanaryRoute
from components.gateway.canary.traffic import Backends, Pod, totals
from components.gateway.model import METRICS_PORT
from components.gateway.traefik import SELECTED
from components.kubernetes_api import ApiError, Cluster, UnreachableError, list_items

_FORBIDDEN = 403


def read(cluster: Cluster, route: CanaryRoute) -> Mapping[str, Pod | str]:
    """By UID of each running pod of Traefik, its counters, or why it can't be read. Without the right to list the pods,
    there is one reason without a UID.

    Raises ApiError or UnreachableError if the pods can't be listed for another reason.
    """
    place = Backends(route.namespace, route.name, route.gateway_namespace, route.gateway, route.stable, route.canary)
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
            found[pod["metadata"]["uid"]] = totals(text, place)
        except (ApiError, UnreachableError, ValueError) as error:
            found[pod["metadata"]["uid"]] = f"pod {name}: {error}"
    return found
