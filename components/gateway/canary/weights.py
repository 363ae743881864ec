"""The weights of a route whose canary has steps: read, and set as the owner of the route sets them.

Pulumi owns the route: it applies it under a field manager of its own, which the object names. The weights are applied
under the same manager, with everything else that this manager has set, and only over the version that was read. So the
route keeps one owner, and nothing but two numbers changes.
"""

from collections.abc import Mapping
from typing import Any

from components.core.manifests import Manifest
from components.gateway.canary import record
from components.gateway.model import GatewaySpec, Route
from components.gateway.waits import API
from components.kubernetes_api import SERVER_SIDE_APPLY, Cluster, get


class RouteError(Exception):
    """The route in the cluster is not as the stack file says; the text says what differs, and what to do."""


def paths() -> list[str]:
    """The fields that `pulumi up` leaves as they are, as Pulumi writes them."""
    return [f"spec.rules[0].backendRefs[{index}].weight" for index in (0, 1)]


def read(api: Cluster, route: Route) -> Manifest:
    """The route in the cluster. Raises RouteError if it is not there, or has other backends."""
    found = get(api, _path(route))
    if found is None:
        raise RouteError(f"route '{route.name}' of {route.tenant}: is not in the cluster: run `pulumi up`")
    _backends(found, route)
    return found


def percent(live: Manifest, route: Route) -> int:
    """The canary's share of the route's requests in percent. Raises RouteError as `read` does."""
    stable, canary = (int(one.get("weight", 1)) for one in _backends(live, route))
    return round(canary * 100 / (stable + canary)) if stable + canary else 0


def put(api: Cluster, route: Route, wanted: int) -> bool:
    """Give the canary so many percent of the requests. Whether anything changed.

    Raises:
        RouteError: the route has other backends than the stack file says, or no owner.
        ApiError: status 409 if somebody else has changed it at the same moment: try again.
    """
    live = read(api, route)
    if percent(live, route) == wanted:
        return False
    manager = _owner(live, route)
    changed = _owned(live, manager["fieldsV1"])
    changed |= {"apiVersion": live["apiVersion"], "kind": live["kind"]}
    changed["metadata"] |= {key: live["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
    for backend, weight in zip(_backends(changed, route), (100 - wanted, wanted), strict=True):
        backend["weight"] = weight
    api.request(
        "PATCH", _path(route), changed, query=[("fieldManager", manager["manager"])], content_type=SERVER_SIDE_APPLY
    )
    return True


def restore(api: Cluster, spec: GatewaySpec, route: Route) -> bool:
    """Give the canary the share of its record, or nothing without one. Whether anything changed.

    Raises RecordError, and what `put` raises.
    """
    found = get(api, record.path(spec.namespace, route.tenant, route.name))
    return put(api, route, record.held(found).record.percent if found else 0)


def reset(api: Cluster, _: GatewaySpec, route: Route) -> bool:
    """Give the canary nothing. Whether anything changed. Raises what `put` raises."""
    return put(api, route, 0)


def _path(route: Route) -> str:
    return f"/apis/{API}/namespaces/{route.tenant}/httproutes/{route.name}"


def _backends(item: Manifest, route: Route) -> list[dict[str, Any]]:
    wanted = [(one.service, one.port) for one in (route.stable, route.canary) if one is not None]
    rules = item["spec"].get("rules") or []
    found: list[dict[str, Any]] = list(rules[0].get("backendRefs") or []) if len(rules) == 1 else []
    if [(one["name"], one.get("port")) for one in found] != wanted:
        there = ", ".join(f"{one['name']}:{one.get('port')}" for one in found) or "none"
        said = ", ".join(f"{service}:{port}" for service, port in wanted)
        raise RouteError(
            f"route '{route.name}' of {route.tenant}: has the backends {there} in the cluster, and {said} in the stack "
            "file: run `pulumi up`"
        )
    return found


def _owner(live: Manifest, route: Route) -> Mapping[str, Any]:
    """The manager that has applied the route's rules."""
    appliers = [
        one
        for one in live["metadata"].get("managedFields") or []
        if one["operation"] == "Apply" and "f:rules" in (one["fieldsV1"].get("f:spec") or {})
    ]
    if len(appliers) != 1:
        names = ", ".join(one["manager"] for one in appliers) or "no one"
        raise RouteError(
            f"route '{route.name}' of {route.tenant}: is applied by {names}, and only Pulumi may: remove the other "
            "writer and run `pulumi up`"
        )
    return dict(appliers[0])


def _owned(live: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an object that a manager has set. A list is taken whole: those of routes have one writer."""
    made = {}
    for key, below in fields.items():
        name = key.removeprefix("f:")
        if not key.startswith("f:") or name not in live:
            continue
        deeper = any(one.startswith("f:") for one in below) and isinstance(live[name], dict)
        made[name] = _owned(live[name], below) if deeper else live[name]
    return made
