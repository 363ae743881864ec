"""The weights of a route whose canary has steps: read, and set as the owner of the route sets them.

Pulumi owns the route: it applies it under a field manager of its own, which the object names. The weights are applied
under the same manager, with everything else that this manager has set, and only over the version that was read. So the
route keeps one owner, and nothing but two numbers changes.
"""

from collections.abc import Mapping
from typing import Any

from components.core.manifests import Manifest
from components.gateway.canary import record
from components.gateway.canary.route import CanaryRoute, RouteError, backends, canary_route
from components.gateway.waits import API
from components.kubernetes_api import SERVER_SIDE_APPLY, Api, Cluster, get


def paths() -> list[str]:
    """The fields that `pulumi up` leaves as they are, as Pulumi writes them."""
    return [f"spec.rules[0].backendRefs[{index}].weight" for index in (0, 1)]


def read(api: Api, namespace: str, name: str) -> Manifest:
    """The route in the cluster. Raises RouteError if it is not there."""
    found = get(api, _path(namespace, name))
    if found is None:
        raise RouteError(f"route '{name}' in {namespace}: is not in the cluster: correct the name, or run `pulumi up`")
    return found


def percent(live: Manifest) -> int:
    """The canary's share of the route's requests in percent. Raises RouteError as `canary_route` does."""
    canary_route(live)
    stable, canary = (int(one.get("weight", 1)) for one in backends(live))
    return round(canary * 100 / (stable + canary)) if stable + canary else 0


def put(api: Cluster, route: CanaryRoute, wanted: int) -> bool:
    """Give the canary so many percent of the requests. Whether anything changed.

    Raises:
        RouteError: the route has other backends by now or no owner, or is another one of the same name.
        ApiError: status 409 if somebody else has changed it at the same moment: try again.
    """
    live = read(api, route.namespace, route.name)
    now = canary_route(live)
    if (now.stable, now.canary) != (route.stable, route.canary):
        raise RouteError(
            f"{route.item}: had the backends {route.stable}, {route.canary} and has {now.stable}, {now.canary} by now: "
            f"run `vds canary abort`, then `vds canary start`"
        )
    if route.uid and now.uid != route.uid:
        raise RouteError(
            f"{route.item}: was removed and made anew, so its canary has no share: run `vds canary start` for a new one"
        )
    if percent(live) == wanted:
        return False
    manager = _owner(live, route)
    changed = _owned(live, manager["fieldsV1"])
    changed |= {"apiVersion": live["apiVersion"], "kind": live["kind"]}
    changed["metadata"] |= {key: live["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
    for backend, weight in zip(backends(changed), (100 - wanted, wanted), strict=True):
        backend["weight"] = weight
    query = [("fieldManager", manager["manager"])]
    api.request("PATCH", _path(route.namespace, route.name), changed, query=query, content_type=SERVER_SIDE_APPLY)
    return True


def recorded(api: Api, route: CanaryRoute) -> int:
    """The share in percent that the record says; 0 without one. Raises RecordError if it can't be read."""
    found = get(api, record.path(route.namespace, route.name))
    return record.held(found).record.percent if found else 0


def forget(api: Api, route: CanaryRoute) -> None:
    """Remove the record, if there is one: the next rollout begins anew."""
    path = record.path(route.namespace, route.name)
    if get(api, path) is not None:
        api.request("DELETE", path)


def _path(namespace: str, name: str) -> str:
    return f"/apis/{API}/namespaces/{namespace}/httproutes/{name}"


def _owner(live: Manifest, route: CanaryRoute) -> Mapping[str, Any]:
    """The manager that has applied the route's rules."""
    appliers = [
        one
        for one in live["metadata"].get("managedFields") or []
        if one["operation"] == "Apply" and "f:rules" in (one["fieldsV1"].get("f:spec") or {})
    ]
    if len(appliers) != 1:
        names = ", ".join(one["manager"] for one in appliers) or "no one"
        raise RouteError(
            f"{route.item}: is applied by {names}, and only Pulumi may: remove the other writer and run `pulumi up`"
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
