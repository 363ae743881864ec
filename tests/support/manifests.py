"""Manifests as whole texts, and everything that a slice renders at once: what tests compare."""

from collections.abc import Iterable

import yaml

from components.core.manifests import Manifest
from components.gateway.listener_sets import listener_sets
from components.gateway.render import gateway, gateway_class
from components.gateway.routes import redirect_route, redirects, tenant_routes
from components.pools.model import MetalLbContext, MetalLbSpec
from components.pools.render import address_pool, advertisements, bfd_profile, bgp_peer
from components.stackfile.spec import PlatformSpec


def to_yaml(items: Iterable[Manifest]) -> str:
    """The manifests as one YAML stream, keys in the order of writing: same input, same bytes."""
    return yaml.safe_dump_all(items, sort_keys=False, allow_unicode=True, default_flow_style=False, width=110)


_NO_CONTEXT = MetalLbContext()


def metallb_manifests(spec: MetalLbSpec, context: MetalLbContext = _NO_CONTEXT) -> list[Manifest]:
    """Everything of MetalLB but its installation, in the order of creation."""
    return [
        *(bfd_profile(profile) for profile in spec.bfd_profiles),
        *(bgp_peer(peer) for peer in spec.peers),
        *(address_pool(pool) for pool in spec.pools),
        *(item for pool in spec.pools for item in advertisements(pool, context)),
    ]


def gateway_manifests(platform: PlatformSpec) -> list[Manifest]:
    """GatewayClass, Gateway and all routes, in the order of creation."""
    spec, context = platform.gateway, platform.gateway_context
    sent_on = [redirect_route(listener, spec) for listener in redirects(spec)]
    return [
        gateway_class(spec, context),
        gateway(spec, context),
        *listener_sets(spec, context),
        *sent_on,
        *tenant_routes(spec, context),
    ]
