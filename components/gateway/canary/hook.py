"""What `pulumi up` does with the weights of a route whose canary has steps: it keeps them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pulumi

from components.core.labels import CANARY_STEPS
from components.gateway.canary import weights
from components.gateway.canary.record import RecordError
from components.gateway.canary.route import RouteError, canary_route
from components.kubernetes_api import ApiError, Cluster, KubeconfigError, UnreachableError

_ERRORS = (ApiError, UnreachableError, KubeconfigError, RecordError, RouteError, OSError)


def keep_weights(
    name: str, cluster: Callable[[], Awaitable[Cluster | None]], remedy: str = "run this again"
) -> pulumi.ResourceOptions:
    """Options of such routes. `name`: of the hooks, once in a program. `cluster`: None where there is none yet.
    `remedy`: what to do if the cluster can't be asked.

    A change of the weights alone is no change. When something else of the route changes, the engine writes the weights
    of its state, and a hook those of the record directly afterwards. A route that is new, or whose canary had no steps
    before, begins with nothing for its canary. Where the record can't be read before, the route is not changed.
    """

    async def check(args: pulumi.ResourceHookArgs) -> None:
        try:
            api = await cluster()
            if api is not None:
                await asyncio.to_thread(_check, api, args)
        except _ERRORS as error:
            raise _refused(args, error, remedy) from None

    async def restore(args: pulumi.ResourceHookArgs) -> None:
        try:
            api = await cluster()
            if api is not None:
                await asyncio.to_thread(_restore, api, args)
        except _ERRORS as error:
            found = _metadata(args.new_inputs)
            pulumi.log.warn(
                f"route '{found.get('name')}' in {found.get('namespace')}: the canary's share may not be that of its "
                f"record ({error}): run `vds canary status {found.get('name')} --namespace {found.get('namespace')}`"
            )

    hooks = pulumi.ResourceHookBinding(
        before_update=[pulumi.ResourceHook(f"{name}-check", check)],
        after_update=[pulumi.ResourceHook(name, restore)],
    )
    return pulumi.ResourceOptions(ignore_changes=weights.paths(), hooks=hooks)


def _metadata(item: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (item or {}).get("metadata") or {}


def _had_steps(args: pulumi.ResourceHookArgs) -> bool:
    return CANARY_STEPS in (_metadata(args.old_inputs).get("annotations") or {})


def _check(api: Cluster, args: pulumi.ResourceHookArgs) -> None:
    """Raises if this is not the route's cluster, or if the record can't be read there."""
    known = _metadata(args.old_outputs)
    live = weights.read(api, str(known.get("namespace")), str(known.get("name")))
    if live["metadata"].get("uid") != known.get("uid"):
        raise RouteError(f"{api.host} has another route of this name")
    if _had_steps(args):
        weights.recorded(api, canary_route(live))


def _restore(api: Cluster, args: pulumi.ResourceHookArgs) -> None:
    route = canary_route(dict(args.new_inputs or {}))
    if not _had_steps(args):
        weights.forget(api, route)
    weights.put(api, route, weights.recorded(api, route))


def _refused(args: pulumi.ResourceHookArgs, error: Exception, remedy: str) -> Exception:
    known, more = _metadata(args.old_outputs), "" if isinstance(error, RecordError) else f": {remedy}"
    return RouteError(
        f"route '{known.get('name')}' in {known.get('namespace')}: is not changed, because the record of its canary "
        f"can't be read ({error}){more}"
    )
