"""Every place of a stack file and of a state where data is or is sent. Pure.

The data flows of resources are those of `components.residency.data_flows`, which the residency policies check.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from components.charts.releases import inside
from components.core.endpoints import backend_host, image_registry, secrets_host, url_hosts, without_secrets
from components.core.manifests import kind_of
from components.core.names import token
from components.core.unknown import UNKNOWN
from components.kubeadm.model import Kubeadm, image_source
from components.residency.data_flows import data_flows
from components.residency.egress import GROUP_KINDS
from components.residency.providers import Around
from components.stackfile.spec import PlatformSpec
from policies.releases import versions
from vds.evidence.state import Resource, State, is_secret

ENCRYPTED = "encrypted in the state"
DECLARED_IN = "residency.places."
"""Begins the source of a row that only the record of places has."""


class Seen(NamedTuple):
    """A place as one source names it."""

    kind: str
    """A key of `model.KINDS`."""
    name: str
    location: str
    """A host, an address, a network; what `place_of` is asked for, unless `host` is."""
    seen_in: str
    country: str = ""
    entity: str = ""
    entity_country: str = ""
    tenant: str = ""
    host: str = ""
    """The host of which `location` is the hash, because a Secret has it."""


def of_spec(spec: PlatformSpec) -> Iterator[Seen]:
    """The stack file's own: nodes, what SSH goes through, sources of software, the API server, pools, peers and ping
    targets."""
    for node in spec.nodes:
        where = (node.country, node.provider.name, node.provider.country)
        yield Seen("node", node.name, str(node.address), f"nodes.{node.name}", *where)
        if node.ssh_address:
            yield Seen("SSH access", node.name, str(node.ssh_address), f"nodes.{node.name}.sshAddress", *where)
    if bastion := spec.ssh.bastion:
        yield Seen("SSH access", bastion.host, bastion.host, "ssh.bastion")
    for chart in spec.wanted_charts:
        for host in url_hosts(chart.source):
            field = "charts.mirror" if spec.charts.mirror else f"{chart.field.partition('.')[0]}.install.repository"
            yield Seen("chart-repository", host, host, field)
    if isinstance(spec.cluster, Kubeadm):
        # The stack file says under whose law they are, and not where their servers are.
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
            declared = (place.country, place.entity, place.entity_country)
            yield Seen(purpose, place.name, where, f"{DECLARED_IN}{place.name}", *declared)


def of_state(state: State, backend: str) -> Iterator[Seen]:
    """What resources use, the ones that are still to be deleted among them, and where the state itself lies."""
    if backend:
        yield Seen("state", without_secrets(backend), backend_host(backend), "Pulumi's state backend")
    kind, _, url = state.secrets_provider.partition(" ")
    if holder := secrets_host(url or kind, backend):
        yield Seen("secrets", holder, holder, "the stack's secrets provider")
    by_urn = {resource.urn: resource for resource in state.resources}
    groups = [known(resource.inputs) for resource in state.resources if str(kind_of(resource.type)) in GROUP_KINDS]
    for resource in state.resources:
        source = f"state: {resource.name}"
        if resource.type.endswith(":index:Node"):
            declared = {**resource.inputs, **resource.outputs}
            address, *where = (
                _text(declared.get(key)) for key in ("address", "country", "provider", "providerCountry")
            )
            yield Seen("node", resource.name, address, source, *where)
            continue
        if not resource.custom and not resource.kubernetes:
            continue
        inputs = known(resource.inputs)
        around = Around(destinations=_destinations(resource, by_urn), groups=groups)
        for flow in data_flows(
            resource.type, resource.name, inputs, partial(inside, resource.name, inputs, versions()), around
        ):
            endpoint = flow.shown or (f"not known: {flow.unknown}" if flow.unknown else ENCRYPTED)
            name = endpoint
            if flow.purpose == "addresses":  # the whole range, of a pool that has a name
                name = f"pool {_text(resource.metadata.get('name')) or resource.name}"
                endpoint = flow.written or ENCRYPTED
            tenant = _text(resource.metadata.get("namespace"))
            host = flow.endpoint if flow.secret else ""
            yield Seen(flow.purpose, name, endpoint, f"{source}: {flow.field}", tenant=tenant, host=host)


def said_backend(state: State) -> str:
    """The state's backend, as the program declared it."""
    backends = (r.inputs.get("stateBackend") for r in state.resources if r.type == token("Residency"))
    return next((backend for backend in backends if isinstance(backend, str)), "")


def _destinations(resource: Resource, by_urn: Mapping[str, Resource]) -> Any:
    """Hosts to which commands of a resource send data, as the nearest component around it says."""
    owner = by_urn.get(resource.parent)
    while owner is not None:
        if "destinations" in owner.outputs:
            return known(owner.outputs["destinations"])
        owner = by_urn.get(owner.parent)
    return None


def known(value: Any) -> Any:
    """A value of the state with UNKNOWN where it is encrypted."""
    if is_secret(value):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: known(inner) for key, inner in value.items()}
    return [known(inner) for inner in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
