"""Retires a tenant's namespace: stops what runs, exports its objects, and at last deletes it by its name."""

import os
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from components.core import labels
from components.kubernetes_api import Api, ApiError, get, list_items
from vds.shared.errors import IncompleteError, OperationError

EXPORTED = f"{labels.PREFIX}exported"
"""Annotation of a namespace: the day of its last export."""
_ROLE = "vds-platform-retire"
_RBAC = "rbac.authorization.k8s.io"
_BY_CONTROLLERS = frozenset(
    {
        *("events", "pods", "endpoints", "endpointslices", "replicasets", "controllerrevisions", "leases"),
        *("ciliumendpoints", "podmetrics", "bindings"),
    }
)
"""Kinds that controllers make of other objects, or that are no objects."""
_STOPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("apps", "deployments", {"replicas": 0}),
    ("apps", "statefulsets", {"replicas": 0}),
    ("batch", "cronjobs", {"suspend": True}),
    ("batch", "jobs", {"suspend": True}),
)


def suspend(api: Api, namespace: str) -> int:
    """Stop everything that a tenant runs here, and take its rights. The number of objects that were changed."""
    _own_rights(api, namespace)
    changed = 0
    bindings = f"/apis/{_RBAC}/v1/namespaces/{namespace}/rolebindings"
    for one in list_items(api, bindings, query=[("labelSelector", f"{labels.REGISTERED}=true")]):
        api.request("DELETE", f"{bindings}/{one['metadata']['name']}")
        changed += 1
    for group, resource, spec in _STOPS:
        path = f"/apis/{group}/v1/namespaces/{namespace}/{resource}"
        for one in list_items(api, path):
            if any((one.get("spec") or {}).get(key) != value for key, value in spec.items()):
                api.request("PATCH", f"{path}/{one['metadata']['name']}", {"spec": spec})
                changed += 1
    return changed


def export(api: Api, namespace: str, folder: Path, today: date) -> tuple[int, list[str]]:
    """Write every object of the namespace to `folder`, which only the caller can read: Secrets are among them.

    The number of objects, and the names of volume claims, whose contents are in no export.
    """
    place = folder / namespace
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    count, claims = 0, []
    for prefix, resource, kind in _kinds(api):
        found = [
            _as_written(one, prefix, kind) for one in list_items(api, f"{prefix}/namespaces/{namespace}/{resource}")
        ]
        if not found:
            continue
        group = prefix.removeprefix("/apis/").removeprefix("/api/").replace("/", "-")
        file = os.open(place / f"{resource}.{group}.yaml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            yaml.safe_dump_all(found, opened, sort_keys=False, allow_unicode=True)
        count += len(found)
        claims += [one["metadata"]["name"] for one in found if kind == "PersistentVolumeClaim"]
    annotated = {"metadata": {"annotations": {EXPORTED: today.isoformat()}}}
    api.request("PATCH", f"/api/v1/namespaces/{namespace}", annotated)
    return count, claims


def delete(api: Api, namespace: str, tenant: str) -> None:
    """Delete the namespace and everything in it. Raises OperationError where it is another tenant's, was not exported,
    or has pods that run."""
    found = get(api, f"/api/v1/namespaces/{namespace}")
    if found is None:
        return
    metadata = found["metadata"]
    written = metadata.get("labels") or {}
    if written.get(labels.TENANT) != tenant or labels.REGISTERED not in written:
        raise OperationError(f"{namespace} is no registered namespace of tenant {tenant}: correct the name")
    if EXPORTED not in (metadata.get("annotations") or {}):
        raise OperationError(f"{namespace} was not exported: run `vds tenant retire {tenant} --export FOLDER` first")
    pods = list_items(api, f"/api/v1/namespaces/{namespace}/pods")
    if running := [one["metadata"]["name"] for one in pods if (one.get("status") or {}).get("phase") == "Running"]:
        raise IncompleteError(f"{namespace} still has pods that run ({', '.join(running[:3])}): stop them, or wait")
    api.request("DELETE", f"/api/v1/namespaces/{namespace}")


def _own_rights(api: Api, namespace: str) -> None:
    """An administrator of tenants may not read what is in them, but may take this right, which goes with the namespace.

    An administrator of the cluster has it already; the role does no harm.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    user = (answer.get("status") or {})["userInfo"]["username"]
    prefix = f"/apis/{_RBAC}/v1/namespaces/{namespace}"
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "patch"]}]
    subject = {"apiGroup": _RBAC, "kind": "User", "name": user}
    bound = {"apiGroup": _RBAC, "kind": "Role", "name": _ROLE}
    for resource, kind, body in (
        ("roles", "Role", {"rules": rules}),
        ("rolebindings", "RoleBinding", {"subjects": [subject], "roleRef": bound}),
    ):
        made = {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {"name": _ROLE}, **body}
        try:
            api.request("POST", f"{prefix}/{resource}", made)
        except ApiError as error:
            if error.status != 409:
                raise


def _kinds(api: Api) -> Iterator[tuple[str, str, str]]:
    """API prefix, resource and kind of everything that can be in a namespace, in the API server's preferred version."""
    groups: Sequence[Any] = api.request("GET", "/apis").get("groups") or ()
    for prefix in ("/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
        for one in api.request("GET", prefix)["resources"]:
            listed = one["namespaced"] and "/" not in one["name"] and "list" in one.get("verbs", ())
            if listed and one["name"] not in _BY_CONTROLLERS:
                yield prefix, one["name"], one["kind"]


def _as_written(item: dict[str, Any], prefix: str, kind: str) -> dict[str, Any]:
    """The object as somebody would apply it."""
    dropped = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")
    metadata = {key: value for key, value in item["metadata"].items() if key not in dropped}
    body = {key: value for key, value in item.items() if key not in ("metadata", "status", "apiVersion", "kind")}
    version = prefix.removeprefix("/apis/").removeprefix("/api/")
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}
