"""Policies that need more than one resource to judge."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from pulumi_policy import PolicyResource

from components.core.finding import Finding
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.gateway.manifest_rules import unnamed_problems
from components.gateway.rules import ownership_problems, route_claims
from components.network.mtu_rules import ETHERNET_MTU, cilium_config_problems, installation_problems, release_problems
from components.nodes.rules import country_problem
from components.pools.rules import Pooled, Taken, api_server_address, overlap_problems, pool_blocks, taken_problems
from components.tenancy.rules import default_deny_problems, is_tenants
from policies.engine import Config, Found, is_patch, objects, stack, unread
from policies.network import tenants_namespaces
from policies.places import machines, place
from policies.settings import ALLOWED_COUNTRIES, MACHINES, NAMESPACES, TAKEN, UNDERLAY

Resources = Sequence[PolicyResource]


def _undeclared(resources: Resources, config: Config) -> Iterator[Found]:
    allowed = config.get("allowedCountries", ALLOWED_COUNTRIES)
    for machine in machines(resources):
        item = f"node {machine.name}"
        known = place(machine.address, config.get("places", {}))
        if machine.country is None and known is None:
            yield Found(
                Finding(
                    "residency-place",
                    item,
                    f"nothing says in which country {machine.host} stands: put it into a component with `country` "
                    "among its inputs and outputs, or name its network in the policy's `places`",
                ),
                machine.urn,
            )
        elif machine.country and known and machine.country != known:
            yield Found(
                Finding(
                    "residency-place",
                    item,
                    f"declares {machine.country}, but the policy's `places` has {machine.host} in {known}: "
                    "correct whichever is wrong",
                ),
                machine.urn,
            )
        elif known:
            for problem in country_problem(item, known, allowed, what=f"the machine ({machine.host})"):
                yield Found(problem, machine.urn)


def _mtu(resources: Resources, config: Config) -> Iterator[Found]:
    underlay = int(config.get("underlayMtu") or _declared_underlay(resources) or ETHERNET_MTU)
    for resource in objects(resources, "core:ConfigMap", patches=True):
        metadata = resource.props.get("metadata") or {}
        if (metadata.get("namespace"), metadata.get("name")) == (KUBE_SYSTEM, CILIUM_CONFIG):
            yield from _at(resource, cilium_config_problems(resource.props, underlay))
    for resource in objects(resources, "helm.sh:Release"):
        yield from _at(resource, release_problems(resource.props, underlay))
    for resource in objects(resources, "operator.tigera.io:Installation", patches=True):
        yield from _at(resource, installation_problems(resource.props, underlay))


def _declared_underlay(resources: Resources) -> int | None:
    """What a component says the nodes' links carry."""
    declared = [int(r.props["underlayMtu"]) for r in resources if r.provider is None and "underlayMtu" in r.props]
    return min(declared, default=None)


def _pool_addresses(resources: Resources, config: Config) -> Iterator[Found]:
    pools = list(objects(resources, "metallb.io:IPAddressPool", "cilium.io:CiliumLoadBalancerIPPool", patches=True))
    if not pools:
        return
    taken = [*_configured(config), *_api_servers(resources)]
    for machine in machines(resources):
        if machine.address is not None:
            taken.append(Taken(f"node {machine.name}", machine.address))
        elif machine.name not in config.get("nodes", {}):
            message = f"{machine.host} is a name, so nobody can tell whether a pool contains it: write its address"
            yield Found(Finding("metallb-pool-addresses", f"node {machine.name}", message), machine.urn)
    taken = list(dict.fromkeys(taken))
    pooled: list[Pooled] = []
    for pool in pools:
        blocks, problems = pool_blocks(pool.props)
        pooled += blocks
        problems += [problem for block in blocks for problem in taken_problems(block, taken)]
        yield from _at(pool, problems)
    yield from (Found(problem) for problem in overlap_problems(pooled))


def _configured(config: Config) -> Iterator[Taken]:
    for name, host in config.get("nodes", {}).items():
        yield from (Taken(f"node {name}", address) for _, address in api_server_address(str(host)))
    if cidr := config.get("nodeCidr"):
        segment = ip_network(cidr)
        if segment.num_addresses > 2:
            yield Taken("the network address", segment[0])
            yield Taken("the broadcast address", segment[-1])
    for host in config.get("gateways", ()):
        yield from (Taken("the router", address) for _, address in api_server_address(str(host)))


def _api_servers(resources: Resources) -> Iterator[Taken]:
    """Cilium without kube-proxy is told where the API server is."""
    for resource in objects(resources, "helm.sh:Release"):
        values: Mapping[str, Any] = resource.props.get("values") or {}
        yield from api_server_address(str(values.get("k8sServiceHost") or ""))


def _hostname_owners(resources: Resources, config: Config) -> Iterator[Found]:
    kinds = ("HTTPRoute", "GRPCRoute", "TLSRoute")
    routes = list(objects(resources, *(f"gateway.networking.k8s.io:{name}" for name in kinds), patches=True))
    claims = [claim for route in routes for claim in route_claims(route.props)]
    yield from (Found(problem) for problem in ownership_problems(claims))
    whole = [route.props for route in routes if not is_patch(route)]
    gateways = [found.props for found in objects(resources, "gateway.networking.k8s.io:Gateway")]
    yield from (Found(problem) for problem in unnamed_problems(whole, gateways, tenants_namespaces(config)))


def _default_deny(resources: Resources, config: Config) -> Iterator[Found]:
    platform = config.get("platformNamespaces", ())
    namespaces = {
        name: resource.urn
        for resource in objects(resources, "core:Namespace")
        if is_tenants(name := str(resource.props["metadata"]["name"]), platform=platform)
    }
    policies = (
        [resource.props for resource in objects(resources, "networking.k8s.io:NetworkPolicy")] if namespaces else []
    )
    for problem in default_deny_problems(namespaces, policies):
        yield Found(problem, namespaces[problem.subject.split("'")[1]])


def _unread(resources: Resources, _: Config) -> Iterator[Found]:
    for resource in resources:
        said = "is not judged yet: its provider is not configured, and the engine shows nothing of it"
        yield Found(Finding("stack-judged", f"{resource.resource_type} {resource.name}", said), resource.urn)


def _at(resource: PolicyResource, problems: Sequence[Finding]) -> Iterator[Found]:
    return (Found(problem, resource.urn) for problem in problems)


STACK_RULES = [
    stack(
        "residency-place",
        "Every machine that the program works on has a declared country, and it is an allowed one.",
        judge=_undeclared,
        schema=MACHINES,
    ),
    stack(
        "cni-mtu",
        "The CNI's MTU is what the links and the encapsulation leave.",
        judge=_mtu,
        schema=UNDERLAY,
    ),
    stack(
        "metallb-pool-addresses",
        "Load-balancer pools contain no address that somebody has.",
        judge=_pool_addresses,
        schema=TAKEN,
    ),
    stack(
        "stack-judged",
        "Every object can be judged before it is made.",
        judge=_unread,
        of=unread,
    ),
    stack("gateway-hostname-owner", "Every host name has one owner.", judge=_hostname_owners, schema=NAMESPACES),
    stack(
        "tenancy-default-deny",
        "Every tenant's namespace denies all traffic that nobody allowed.",
        judge=_default_deny,
        schema=NAMESPACES,
    ),
]
