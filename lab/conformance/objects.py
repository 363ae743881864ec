"""Objects of the cluster by their API paths. A refusal is an error of the lab."""

from typing import Any

from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError
from lab.cluster import FIELD_MANAGER, Cluster, Manifest
from lab.processes import LabError


def items(cluster: Cluster, path: str) -> dict[str, Manifest]:
    """The objects of a list by their names."""
    return {item["metadata"]["name"]: item for item in _request(cluster, "GET", path)["items"]}


def apply(cluster: Cluster, path: str, manifest: Manifest, *, manager: str = FIELD_MANAGER) -> None:
    """Server-side apply at a path, under a field manager's name."""
    query = [("fieldManager", manager), ("force", "true")]
    _request(cluster, "PATCH", path, manifest, content_type=SERVER_SIDE_APPLY, query=query)


def create(cluster: Cluster, path: str, manifest: Manifest) -> None:
    """Make an object that is not there yet."""
    _request(cluster, "POST", path, manifest)


def try_create(cluster: Cluster, path: str, manifest: Manifest) -> Manifest:
    """What the API server would write down; nothing is made."""
    return dict(_request(cluster, "POST", path, manifest, query=[("dryRun", "All")]))


def remove(cluster: Cluster, path: str) -> None:
    """Delete an object, fine where it is gone already."""
    try:
        cluster.request("DELETE", path)
    except ApiError as error:
        if error.status != 404:
            raise _refused("DELETE", path, error) from None


def _request(cluster: Cluster, method: str, path: str, body: Any = None, **how: Any) -> Any:
    try:
        return cluster.request(method, path, body, **how)
    except ApiError as error:
        raise _refused(method, path, error) from None


def _refused(method: str, path: str, error: ApiError) -> LabError:
    return LabError(f"the API server answered {error.status} to {method} {path}: {str(error)[:500]}")
