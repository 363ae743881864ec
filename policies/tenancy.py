"""Policies of tenants' namespaces, beside those that are older in pack.py and stack.py, and of what is protected."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from pulumi_policy import PolicyResource

from components.core.finding import Finding
from components.core.names import FOR_DNS
from components.tenancy.isolation import open_door_problems
from components.tenancy.manifest_rules import (
    allows_dns,
    binding_problems,
    forged_label_problems,
    image_problems,
    lacking,
    twice_problems,
)
from components.tenancy.rules import is_tenants
from policies.engine import Config, Found, each, objects, stack
from policies.network import WORKLOADS, in_tenants_namespace, tenants_namespaces
from policies.settings import IMAGES, NAMESPACES, PROTECTED, PROTECTED_TYPES

Props = Mapping[str, Any]
Resources = Sequence[PolicyResource]


def _tenants(resources: Resources, config: Config) -> dict[str, str]:
    """Tenants' namespaces that the program makes, with their URNs."""
    platform = config.get("platformNamespaces", ())
    return {
        name: resource.urn
        for resource in objects(resources, "core:Namespace")
        if is_tenants(name := str(resource.props["metadata"]["name"]), platform=platform)
    }


def _lacking(
    resources: Resources,
    config: Config,
    *,
    rule: str,
    of: str,
    message: str,
    fits: Callable[[Props], bool] = lambda _: True,
) -> Iterator[Found]:
    namespaces = _tenants(resources, config)
    there = [found.props for found in objects(resources, of) if fits(found.props)] if namespaces else []
    for problem in lacking(namespaces, there, rule, message):
        yield Found(problem, namespaces[problem.subject.split("'")[1]])


def _images(resources: Resources, config: Config) -> Iterator[Found]:
    registries = config.get("registries")
    if registries is None:
        places = [p for r in resources if r.provider is None and "places" in r.props for p in r.props["places"]]
        registries = [
            host for place in places if "image-registry" in place["purposes"] for host in place.get("hosts") or ()
        ]
    for resource in objects(resources, *WORKLOADS, patches=True):
        if in_tenants_namespace(resource.props, config):
            problems = image_problems(resource.props, [str(registry) for registry in registries])
            yield from (Found(problem, resource.urn) for problem in problems)


def _bindings(props: Props, config: Config) -> Iterable[Finding]:
    return binding_problems(props, partial(is_tenants, platform=config.get("platformNamespaces", ())))


def _labels(props: Props, config: Config) -> Iterable[Finding]:
    name = str(props["metadata"]["name"])
    tenant = is_tenants(name, platform=config.get("platformNamespaces", ()))
    return forged_label_problems(props, tenant=tenant)


def _once(resources: Resources, _: Config) -> Iterator[Found]:
    clusters: dict[str, list[str]] = {}
    for resource in objects(resources, "core:Namespace"):
        # A provider of Kubernetes is a cluster: the same name in another one is another namespace.
        cluster = (resource.provider.urn or resource.provider.name) if resource.provider else ""
        clusters.setdefault(cluster, []).append(str(resource.props["metadata"]["name"]))
    yield from (Found(problem) for names in clusters.values() for problem in twice_problems(names))


def _protected(resources: Resources, config: Config) -> Iterator[Found]:
    patterns = tuple(config.get("resources", PROTECTED_TYPES))
    for resource in resources:
        matches = (resource.resource_type, f"{resource.resource_type}::{resource.name}")
        if any(fnmatchcase(said, pattern) for said in matches for pattern in patterns) and not resource.opts.protect:
            message = "is not protected, and what deletes it deletes data: set protect in its resource options"
            yield Found(Finding("stack-protected", f"{resource.resource_type} {resource.name}", message), resource.urn)


TENANCY_RULES = [
    stack(
        "tenancy-allow-dns",
        "Every tenant's namespace lets its pods ask for names.",
        judge=partial(
            _lacking,
            rule="tenancy-allow-dns",
            of="networking.k8s.io:NetworkPolicy",
            fits=allows_dns,
            message="no NetworkPolicy lets its pods ask for names, so somebody will open all of egress instead: add "
            f"one with podSelector: {{}} and egress, {FOR_DNS}",
        ),
        schema=NAMESPACES,
    ),
    stack(
        "tenancy-quota",
        "Every tenant's namespace has a quota.",
        judge=partial(
            _lacking,
            rule="tenancy-quota",
            of="core:ResourceQuota",
            message="has no ResourceQuota, so one tenant can take every node: add one",
        ),
        schema=NAMESPACES,
    ),
    stack(
        "tenancy-limits",
        "Every tenant's namespace has default limits.",
        judge=partial(
            _lacking,
            rule="tenancy-limits",
            of="core:LimitRange",
            message="has no LimitRange, so a container that asks for nothing may take everything: add one",
        ),
        schema=NAMESPACES,
    ),
    each(
        "tenancy-cluster-binding",
        "No tenant has rights in the whole cluster, and not everybody has rights in a tenant's namespace.",
        "rbac.authorization.k8s.io:ClusterRoleBinding",
        "rbac.authorization.k8s.io:RoleBinding",
        judge=_bindings,
        patches=True,
        schema=NAMESPACES,
    ),
    each(
        "tenancy-forged-label",
        "No namespace passes for another.",
        "core:Namespace",
        judge=_labels,
        patches=True,
        schema=NAMESPACES,
    ),
    stack(
        "tenancy-images",
        "Tenants' images come by digest or from an allowed registry.",
        judge=_images,
        schema=IMAGES,
    ),
    each(
        "tenancy-isolation",
        "No policy of a tenant's namespace lets everybody in or out.",
        "networking.k8s.io:NetworkPolicy",
        "cilium.io:CiliumNetworkPolicy",
        "cilium.io:CiliumClusterwideNetworkPolicy",
        "projectcalico.org:NetworkPolicy",
        "crd.projectcalico.org:NetworkPolicy",
        judge=lambda props, config: open_door_problems(props, tenants_namespaces(config)),
        patches=True,
        schema=NAMESPACES,
    ),
    stack("tenancy-one-bundle", "Every namespace is declared once.", judge=_once),
    stack(
        "stack-protected",
        "What holds data is protected.",
        judge=_protected,
        schema=PROTECTED,
    ),
]
