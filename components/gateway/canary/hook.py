"""What `pulumi up` does with the weights of a route whose canary has steps: it keeps them."""

import asyncio

import pulumi

from components.core.labels import CANARY_STEPS
from components.gateway.canary import weights
from components.gateway.canary.record import RecordError
from components.gateway.model import GatewaySpec
from components.kubernetes_api import ApiError, Cluster, KubeconfigError, UnreachableError

_HOOK = "canary-weights"


def keep_weights(spec: GatewaySpec, kubeconfig: pulumi.Input[str] | None) -> pulumi.ResourceOptions:
    """Options of such a route.

    A change of the weights alone is no change. When something else of the route changes, the engine writes the weights
    of its state, and the hook those of the record directly afterwards. A route that is new, or whose canary had no
    steps before, begins with nothing for its canary.
    """
    known = pulumi.Output.from_input(kubeconfig)
    by_name = {(route.tenant, route.name): route for route in spec.progressive}

    async def restore(args: pulumi.ResourceHookArgs) -> None:
        metadata, before = ((one or {}).get("metadata") or {} for one in (args.new_inputs, args.old_inputs))
        had_steps = CANARY_STEPS in (before.get("annotations") or {})
        route = by_name.get((str(metadata.get("namespace")), str(metadata.get("name"))))
        text = await known.future()
        if route is None or text is None:
            return
        try:
            change = weights.restore if had_steps else weights.reset
            await asyncio.to_thread(change, Cluster(text), spec, route)
        except (ApiError, UnreachableError, KubeconfigError, RecordError, weights.RouteError) as error:
            pulumi.log.warn(
                f"route '{route.name}' of {route.tenant}: the canary's share may not be that of its record ({error}): "
                f"run `vds canary status {route.name} --stack {pulumi.get_stack()}`"
            )

    hook = pulumi.ResourceHook(_HOOK, restore)
    return pulumi.ResourceOptions(ignore_changes=weights.paths(), hooks=pulumi.ResourceHookBinding(after_update=[hook]))
