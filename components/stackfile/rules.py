"""The checks between the parts of a stack file."""

from collections.abc import Callable, Collection

from components.core.finding import Finding
from components.gateway.controllers import controller_problems
from components.gateway.model import CrdBundle, Traefik
from components.gateway.rules import gateway_problems
from components.kubeadm.rules import cluster_problems
from components.network.cilium.upgrades import upgrade_problems
from components.network.compatibility.matrix import Combination
from components.network.kinds import values_problems
from components.network.model import ChartContext, Cilium
from components.network.ranges import room_problems
from components.network.rules import cni_problems, network_problems, policy_problems
from components.nodes.rules import fleet_problems, node_problems
from components.pools.model import Helm as MetalLbHelm
from components.pools.ownership import ownership_problems
from components.pools.render import extra_problems as metallb_values_problems
from components.pools.rules import metallb_problems
from components.residency.processing_rules import processing_problems
from components.residency.rules import residency_problems
from components.stackfile.compatibility import compatibility_problems, together
from components.stackfile.installed_charts import mirror_problems
from components.stackfile.spec import PlatformSpec
from components.tenancy.rules import tenancy_problems

LISTS = frozenset({"nodes", "tenants"})
"""Parts of which some items may be right while others are not."""


def platform_problems(spec: PlatformSpec, sound: Collection[str]) -> list[Finding]:
    """Everything that is wrong between the parts of a spec that are right by themselves."""
    return [problem for needs, check in _CHECKS if needs <= set(sound) for problem in check(spec)]


def _each_node(spec: PlatformSpec) -> list[Finding]:
    allowed, segment = spec.residency.allowed_countries, spec.network.node_cidr
    return [problem for node in spec.nodes for problem in node_problems(node, allowed, segment)]


def _together(spec: PlatformSpec) -> Combination:
    return together(
        spec.cni,
        kubernetes=spec.cluster.kubernetes_version,
        gateway_api=spec.gateway.bundle_version,
        metallb=spec.metallb.install.version if isinstance(spec.metallb.install, MetalLbHelm) else None,
        traefik=spec.gateway.install.version if isinstance(spec.gateway.install, Traefik) else None,
    )


_CHECKS: tuple[tuple[set[str], Callable[[PlatformSpec], list[Finding]]], ...] = (
    ({"residency"}, lambda spec: residency_problems(spec.residency)),
    ({"network"}, lambda spec: network_problems(spec.network)),
    ({"cni", "network"}, lambda spec: cni_problems(spec.cni, spec.network)),
    (
        {"cni", "network", "environment", "images"},
        lambda spec: values_problems(spec.cni, spec.network, ChartContext(spec.environment, images=spec.images)),
    ),
    (
        {"cni", "metallb", "nodes", "images"},
        lambda spec: metallb_values_problems(spec.metallb, spec.metallb_context),
    ),
    ({"cni"}, lambda spec: upgrade_problems(spec.cni) if isinstance(spec.cni, Cilium) else []),
    (
        {"cluster", "cni", "gateway", "metallb"},
        lambda spec: compatibility_problems(_together(spec), by_bundle=isinstance(spec.gateway.crds, CrdBundle)),
    ),
    (
        {"cni", "some tenants"},
        lambda spec: policy_problems(spec.cni, [tenant.name for tenant in spec.tenants]),
    ),
    (
        {"cni", "network", "nodes"},
        lambda spec: room_problems(spec.network, len(spec.nodes)) if isinstance(spec.cni, Cilium) else [],
    ),
    ({"nodes"}, lambda spec: fleet_problems(spec.nodes)),
    (
        {"cluster", "network", "nodes", "residency", "images"},
        lambda spec: cluster_problems(
            spec.cluster, spec.network, spec.nodes, spec.residency.allowed_countries, spec.images
        ),
    ),
    ({"metallb", "network", "some nodes"}, lambda spec: metallb_problems(spec.metallb, spec.network, spec.nodes)),
    (
        {"metallb", "cni", "gateway"},
        lambda spec: ownership_problems(
            spec.metallb, spec.cni, keeps_clients_address=spec.gateway.install.kind == "traefik"
        ),
    ),
    ({"some nodes", "network", "residency"}, _each_node),
    ({"cni", "gateway"}, lambda spec: controller_problems(spec.gateway, spec.cni)),
    ({"gateway", "tenants"}, lambda spec: gateway_problems(spec.gateway, spec.tenants)),
    ({"some tenants", "gateway"}, lambda spec: tenancy_problems(spec.tenants, platform=[spec.gateway.namespace])),
    ({"charts", "cni", "metallb"}, lambda spec: mirror_problems(spec, spec.charts.mirror)),
    ({"processing", "tenants"}, lambda spec: processing_problems(spec.processing, spec.tenants)),
)
"""Which parts a check looks at, and the check: the predicates are the slices' own, as the policies use them.

What a check says of `some` nodes stays true when the broken ones are put right; a count would not.
"""
