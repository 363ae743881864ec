"""Every place that a stack file and a state say bytes lie at or go to. Pure.

What resources use is found by `components.residency.data_flows`, as the residency policies find it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.charts.reference import chart_name
from components.core.endpoints import backend_host, image_registry, secrets_host, url_hosts
from components.kubeadm.model import Kubeadm, image_source
from components.residency.data_flows import NOT_KNOWN, UNKNOWN, object_uses, values_uses
from components.residency.rules import Use
from components.stackfile.spec import PlatformSpec
from policies.residency import own_images, taken_apart
from vds.evidence.state import Resource, State, address_of, is_secret

ENCRYPTED = "encrypted in the state"


class Seen(NamedTuple):
    """A place as one source names it."""

    kind: str
    """A key of `model.KINDS`."""
    name: str
    location: str
    """A host, an address, a network; what `place_of` is asked for."""
    seen_in: str
    country: str = ""
    entity: str = ""
    entity_country: str = ""
    tenant: str = ""


def of_spec(spec: PlatformSpec) -> Iterator[Seen]:
    """The stack file's own: nodes, sources of software, the API server, pools, peers and whoever is pinged."""
    for node in spec.nodes:
        where = (node.country, node.provider.name, node.provider.country)
        yield Seen("node", node.name, str(node.address), f"nodes.{node.name}", *where)
    for chart in spec.wanted_charts:
        for host in url_hosts(chart.source):
            field = "charts.mirror" if spec.charts.mirror else f"{chart.field.partition('.')[0]}.install.repository"
            yield Seen("chart-repository", host, host, field)
    if isinstance(spec.cluster, Kubeadm):
        # Under whose law they are, as the stack file says; where their servers stand, it does not say.
        packages, images = spec.cluster.packages, image_source(spec.cluster, spec.images)
        for host in url_hosts(packages.url):
            yield Seen("package-repository", host, host, "cluster.packages", entity_country=packages.country)
        registry = image_registry(f"{images.registry}/x")
        yield Seen("image-registry", registry, registry, images.field, entity_country=images.country or "")
    yield Seen("API server", "API server", spec.network.api_server.host, "network.apiServer")
    for pool in spec.metallb.pools:
        for block in pool.addresses:
            yield Seen("addresses", f"pool {pool.name}", str(block), f"metallb.pools.{pool.name}")
    for peer in spec.metallb.peers:
        yield Seen("BGP peer", peer.name, str(peer.address), f"metallb.peers.{peer.name}")
    for point in spec.preflight.reference_points:
        yield Seen("reference point", point.name, str(point.address), f"preflight.referencePoints.{point.name}")


def declared(spec: PlatformSpec) -> Iterator[Seen]:
    """Places of the stack file's own record, a row for every purpose."""
    for place in spec.residency.places:
        where = ", ".join([*place.hosts, *map(str, place.networks)])
        for purpose in place.purposes:
            said = (place.country, place.entity, place.entity_country)
            yield Seen(purpose, place.name, where, f"residency.places.{place.name}", *said)


def of_state(state: State, backend: str, chart_images: Mapping[str, Sequence[str]]) -> Iterator[Seen]:
    """What resources use, the ones that are still to be deleted among them, and where the state itself lies.

    `chart_images`: by chart, the registries that the auditor read in its default values.
    """
    if backend:
        yield Seen("state", address_of(backend), backend_host(backend), "Pulumi's state backend")
    kind, _, url = state.secrets_provider.partition(" ")
    if holder := secrets_host(url or kind, backend):
        yield Seen("secrets", holder, holder, "the stack's secrets provider")
    for resource in state.resources:
        source = f"state: {resource.name}"
        if resource.type.endswith(":index:Node"):
            said = {**resource.inputs, **resource.outputs}
            address, *where = (_text(said.get(key)) for key in ("address", "country", "provider", "providerCountry"))
            yield Seen("node", resource.name, address, source, *where)
            continue
        if resource.kubernetes.endswith("/IPAddressPool"):
            yield from _pool(resource, source)
        for use in dict.fromkeys(_uses(resource, chart_images)):
            field = use.where.partition(": ")[2]
            endpoint = use.endpoint or ENCRYPTED
            seen_in = f"{source}: {field}" if field else source
            yield Seen(use.purpose, endpoint, endpoint, seen_in, tenant=_text(resource.metadata.get("namespace")))


def _pool(resource: Resource, source: str) -> Iterator[Seen]:
    name, spec = _text(resource.metadata.get("name")) or resource.name, _known(resource.inputs.get("spec"))
    blocks = spec.get("addresses") if isinstance(spec, Mapping) else None
    for block in blocks if isinstance(blocks, list) else ():
        yield Seen("addresses", f"pool {name}", block if isinstance(block, str) else ENCRYPTED, source)


def _uses(resource: Resource, chart_images: Mapping[str, Sequence[str]]) -> Iterator[Use]:
    kind = resource.kubernetes.rpartition("/")[2]
    if not kind or kind == "Secret":
        return
    manifest = _known(resource.inputs)
    if kind == "IPAddressPool":
        return  # whole ranges are named, not their first addresses
    apart = taken_apart(resource.type)
    if resource.kubernetes.startswith("helm.sh/"):
        yield from _chart_uses(resource.name, manifest)
        if not apart:  # else its objects are resources themselves, and say where they go
            yield from _values_uses(resource.name, manifest, chart_images)
    if apart or resource.kubernetes.startswith("helm.sh/"):
        return
    yield from object_uses(kind, resource.name, manifest)


def _chart_uses(item: str, release: Mapping[str, Any]) -> Iterator[Use]:
    chart, options = release.get("chart"), release.get("repositoryOpts") or release.get("fetchOpts")
    repository = options.get("repo") if isinstance(options, Mapping) else options
    for field, value in (("chart", chart), ("repositoryOpts.repo", repository)):
        if value is UNKNOWN:
            yield Use(NOT_KNOWN, "chart-repository", f"{item}: {field}")
        for host in url_hosts(value) if isinstance(value, str) else ():
            yield Use(host, "chart-repository", f"{item}: {field}")


def _values_uses(item: str, release: Mapping[str, Any], chart_images: Mapping[str, Sequence[str]]) -> Iterator[Use]:
    values, chart = release.get("values"), release.get("chart")
    yield from values_uses(item, values)
    name = chart_name(chart) if isinstance(chart, str) else "?"
    registries = own_images(name, values, chart_images, str(release.get("version") or ""))
    hosts = None if registries is None else [image_registry(f"{registry}/x") for registry in registries]
    for host in [f"as chart {name} has them"] if hosts is None else hosts:
        yield Use(host, "image-registry", f"{item}: the chart's own defaults")


def _known(value: Any) -> Any:
    """The value with UNKNOWN where it is encrypted."""
    if is_secret(value):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: _known(inner) for key, inner in value.items()}
    return [_known(inner) for inner in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
