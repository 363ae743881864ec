"""The checks between the parts of a stack file."""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import Any

from pydantic import TypeAdapter, ValidationError

from components.core.finding import Finding
from components.gateway.capabilities import controller_problems
from components.gateway.cert_manager import values_problems as issuer_values_problems
from components.gateway.model import CrdBundle, GatewaySpec
from components.gateway.rules import gateway_problems
from components.kubeadm.model import Cluster, Kubeadm
from components.kubeadm.rules import cluster_problems
from components.network.cilium.rules import upgrade_problems
from components.network.compatibility.matrix import Part
from components.network.compatibility.search import Way
from components.network.kinds import values_problems
from components.network.model import ChartContext, Cilium, Cni, Flannel
from components.network.ranges import room_problems
from components.network.rules import cni_problems, network_problems
from components.nodes.os_updates.rules import window_problems
from components.nodes.rules import accept_problems, firewall_problems, fleet_problems, node_problems, segment_problems
from components.pools.model import MetalLbSpec
from components.pools.render import extra_problems as metallb_values_problems
from components.pools.rules import metallb_problems, ownership_problems
from components.residency.rules import (
    DataFlow,
    Record,
    data_flow_problems,
    processing_problems,
    residency_problems,
)
from components.stackfile.compatibility import FIELDS, compatibility_problems, untested_advice
from components.stackfile.installed_charts import mirror_problems
from components.stackfile.releases import release_problems
from components.stackfile.spec import PlatformSpec

LISTS = frozenset({"nodes"})
"""Parts of which some items may be right while others are not."""


def platform_problems(spec: PlatformSpec, sound: Collection[str]) -> list[Finding]:
    """Everything that is wrong between the parts of a spec that are right by themselves."""
    found = [problem for needs, check in _CHECKS if needs <= set(sound) for problem in check(spec)]
    if not set(sound) >= _VERSIONS:
        return found
    known = {(one.rule, one.subject) for one in found}

    def breaks_nothing_else(way: Way) -> bool:
        changed = _with_versions(spec, way)
        return changed is not None and all(
            (problem.rule, problem.subject) in known
            for needs, check in _CHECKS
            if needs <= set(sound)
            for problem in check(changed)
        )

    by_bundle = isinstance(spec.gateway.crds, CrdBundle)
    return [*found, *compatibility_problems(spec.combination, by_bundle=by_bundle, accepts=breaks_nothing_else)]


def accepts(spec: PlatformSpec) -> Callable[[Way], bool]:
    """Whether a valid spec stays valid with other versions, and tested by its CNI's makers as far as it was."""
    was_tested = not untested_advice(spec.combination)
    everything = {*PlatformSpec.model_fields, *(f"some {name}" for name in LISTS)}

    def check(way: Way) -> bool:
        changed = _with_versions(spec, way)
        if changed is None or platform_problems(changed, everything):
            return False
        return not untested_advice(changed.combination) or not (was_tested or Part.KUBERNETES in way)

    return check


def _with_versions(spec: PlatformSpec, way: Way) -> PlatformSpec | None:
    """The spec with other versions; None where its models refuse them."""
    parts: dict[str, Any] = {}
    for part, version in way.items():
        name, *groups, field = FIELDS[part].split(".")
        data = parts.setdefault(name, getattr(spec, name).model_dump(mode="json", by_alias=True, exclude_unset=True))
        for group in groups:
            data = data[group]
        data[field] = version
    try:
        return spec.model_copy(update={name: _MODELS[name].validate_python(data) for name, data in parts.items()})
    except ValidationError:
        return None


_MODELS: dict[str, TypeAdapter[Any]] = {
    "cluster": TypeAdapter(Cluster),
    "cni": TypeAdapter(Cni),
    "metallb": TypeAdapter(MetalLbSpec),
    "gateway": TypeAdapter(GatewaySpec),
}
"""The parts that have versions."""
_VERSIONS = frozenset(_MODELS)


def _gives_parts(spec: PlatformSpec) -> bool:
    """Whether kube-controller-manager gives each node a part of the pods' network, and somebody needs it."""
    return isinstance(spec.cni, Cilium | Flannel) or isinstance(spec.cluster, Kubeadm)


def _each_node(spec: PlatformSpec) -> list[Finding]:
    allowed, segments = spec.residency.allowed_countries, spec.network.node_cidrs
    return [problem for node in spec.nodes for problem in node_problems(node, allowed, segments)]


def _fixed_address(spec: PlatformSpec) -> list[Finding]:
    """A gateway's address that no pool has: its Service would never get it."""
    address = spec.gateway.address
    if address is None or any(block.holds(address) for pool in spec.metallb.pools for block in pool.addresses):
        return []
    blocks = ", ".join(str(block) for pool in spec.metallb.pools for block in pool.addresses)
    said, remedy = f"{address} is in no pool of metallb.pools ({blocks})", "write an address of a pool"
    return [Finding("gateway-address", "gateway.address", said, remedy, value=str(address))]


def _backup_place(spec: PlatformSpec) -> Iterable[Finding]:
    """Whether the backup's server is a declared place for backups. What a day decides, the policies judge."""
    backup = spec.cluster.backup if isinstance(spec.cluster, Kubeadm) else None
    if backup is None:
        return []
    flow = DataFlow(backup.host, "backup", "cluster.backup.host")
    known = spec.residency
    return data_flow_problems(flow, Record(known.places, known.exceptions, known.allowed_countries, today=date.min))


def _receiver_place(spec: PlatformSpec) -> Iterable[Finding]:
    """Whether alarms go to a declared place. What a day decides, the policies judge."""
    receiver = spec.monitoring.receiver if spec.monitoring else None
    if receiver is None or receiver.inside:
        return []
    flow = DataFlow(receiver.host, "telemetry", "monitoring.receiver.url")
    known = spec.residency
    return data_flow_problems(flow, Record(known.places, known.exceptions, known.allowed_countries, today=date.min))


_CHECKS: tuple[tuple[set[str], Callable[[PlatformSpec], Iterable[Finding]]], ...] = (
    ({"residency"}, lambda spec: residency_problems(spec.residency)),
    ({"network"}, lambda spec: network_problems(spec.network)),
    ({"cni", "network"}, lambda spec: cni_problems(spec.cni, spec.network)),
    (
        {"cni", "network", "environment", "images"},
        lambda spec: values_problems(spec.cni, spec.network, ChartContext(spec.environment, images=spec.images)),
    ),
    (
        {"cni", "metallb", "nodes", "images", "network"},
        lambda spec: metallb_values_problems(spec.metallb, spec.metallb_context),
    ),
    ({"cni"}, lambda spec: upgrade_problems(spec.cni) if isinstance(spec.cni, Cilium) else []),
    (set(_VERSIONS), lambda spec: release_problems(spec.combination.versions)),
    (
        {"cluster", "cni", "network", "nodes"},
        lambda spec: room_problems(spec.network, len(spec.nodes)) if _gives_parts(spec) else [],
    ),
    (
        {"cni", "some nodes", "network"},
        lambda spec: segment_problems(spec.nodes, spec.network.node_cidrs, spec.cni.requirements().same_segment),
    ),
    ({"nodes"}, lambda spec: fleet_problems(spec.nodes)),
    (
        {"node_firewall", "ssh", "network"},
        lambda spec: firewall_problems(spec.node_firewall, spec.ssh, spec.network.node_cidrs),
    ),
    ({"nodes", "os_updates"}, lambda spec: window_problems(spec.os_updates, spec.nodes)),
    ({"nodes", "preflight"}, lambda spec: accept_problems(spec.preflight.accept, spec.nodes)),
    (
        {"cluster", "network", "nodes", "residency", "images"},
        lambda spec: cluster_problems(
            spec.cluster, spec.network, spec.nodes, spec.residency.allowed_countries, spec.images
        ),
    ),
    ({"cluster", "residency"}, _backup_place),
    ({"monitoring", "residency"}, _receiver_place),
    ({"metallb", "network", "some nodes"}, lambda spec: metallb_problems(spec.metallb, spec.network, spec.nodes)),
    (
        {"metallb", "cni", "gateway"},
        lambda spec: ownership_problems(
            spec.metallb, spec.cni, keeps_clients_address=spec.gateway.install.kind == "traefik"
        ),
    ),
    ({"some nodes", "network", "residency"}, _each_node),
    ({"cni", "gateway"}, lambda spec: controller_problems(spec.gateway, spec.cni)),
    ({"gateway"}, lambda spec: gateway_problems(spec.gateway)),
    ({"gateway", "metallb"}, _fixed_address),
    (
        {"gateway", "images", "metallb", "cni", "network", "nodes"},
        lambda spec: issuer_values_problems(spec.gateway, spec.gateway_context),
    ),
    ({"charts", "cni", "metallb", "gateway"}, lambda spec: mirror_problems(spec, spec.charts.mirror)),
    ({"processing"}, lambda spec: processing_problems(spec.processing)),
)
"""Which parts a check looks at, and the check: the predicates are the slices' own, as the policies use them.

What a check says of `some` nodes stays true when the broken ones are put right; a count would not.
"""
