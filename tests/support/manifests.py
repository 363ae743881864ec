"""Manifests as whole texts, and everything that a slice renders at once: what tests compare."""

from collections.abc import Iterable

import yaml

from components.core.manifests import Manifest
from components.gateway.listener_sets import listener_sets
from components.gateway.render import gateway, gateway_class
from components.gateway.routes import redirect_route, redirects
from components.stackfile.spec import PlatformSpec


def to_yaml(items: Iterable[Manifest]) -> str:
    """The manifests as one YAML stream, keys in the order of writing: same input, same bytes."""
    return yaml.safe_dump_all(items, sort_keys=False, allow_unicode=True, default_flow_style=False, width=110)


def gateway_manifests(platform: PlatformSpec) -> list[Manifest]:
    """GatewayClass, Gateway, ListenerSets and redirects, in the order of creation."""
    spec, context = platform.gateway, platform.gateway_context
    sent_on = [redirect_route(listener, spec) for listener in redirects(spec)]
    return [
        gateway_class(spec, context),
        gateway(spec, context),
        *listener_sets(spec, context),
        *sent_on,
    ]
