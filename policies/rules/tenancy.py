"""Policies of tenants: their namespaces, rights, images and network policies."""

from collections.abc import Callable, Iterator

from pydantic import Field

from components.core import labels
from components.core.duplicates import duplicates
from components.core.endpoints import image_registry
from components.core.finding import Finding
from components.core.names import FOR_DNS
from components.core.waivers import Waiver
from components.residency.model import Cidr
from components.tenancy.default_deny import denied, lets_ask_for_names
from components.tenancy.isolation import SIDES, overly_permissive_policies
from policies.policy import (
    CIS,
    CRITICAL,
    HIGH,
    MEDIUM,
    NSA,
    PLATFORM,
    Dated,
    Namespaces,
    Object,
    PlatformNamespaces,
    Settings,
    Stack,
    policy,
)
from policies.workloads import WORKLOADS, images, pod_spec

ENFORCE = "pod-security.kubernetes.io/enforce"
NETWORK_POLICIES = (
    "networking.k8s.io:NetworkPolicy",
    "extensions:NetworkPolicy",
    "k8s.cni.cncf.io:MultiNetworkPolicy",
    "cilium.io:CiliumNetworkPolicy",
    "cilium.io:CiliumClusterwideNetworkPolicy",
    "cilium.io:CiliumLocalRedirectPolicy",
    "projectcalico.org:NetworkPolicy",
    "projectcalico.org:GlobalNetworkPolicy",
    "crd.projectcalico.org:NetworkPolicy",
    "crd.projectcalico.org:GlobalNetworkPolicy",
    "policy.networking.k8s.io:AdminNetworkPolicy",
    "policy.networking.k8s.io:ClusterNetworkPolicy",
)


# --- the namespace and its labels ------------------------------------------------------------------------


@policy(
    id="tenancy-label",
    title="Every tenant's namespace carries its label.",
    severity=HIGH,
    framework=PLATFORM,
    reference="docs/architecture.md",
    why="Routes attach and network policies select by this label: a namespace without it, or with another's, is "
    "isolated by no rule or by the wrong one.",
    remedy="Label the namespace with its own name.",
    kinds=("core:Namespace",),
)
def label(namespace: Object, settings: PlatformNamespaces) -> Iterator[Finding]:
    name = namespace.name
    written = labels.TENANT in namespace.labels
    if not settings.is_tenant(name) or (namespace.patch and not written):  # a patch may leave it out
        return
    value = namespace.labels.text(labels.TENANT)
    if not written or value != name:
        yield namespace.finding(
            f"has {labels.TENANT}: {value}, another's name" if written else f"has no label {labels.TENANT}",
            f"write {labels.TENANT}: {name}, or name it in platformNamespaces of tenancy-label if the platform owns it",
        )


class PodSecuritySettings(Namespaces, Dated):
    exceptions: dict[str, Waiver] = Field({})
    """By namespace: `until` (a date) and `reason` of a level other than restricted."""


@policy(
    id="tenancy-pod-security",
    title="Every tenant's namespace enforces Pod Security `restricted`.",
    severity=HIGH,
    framework=CIS,
    reference="5.2",
    why="A pod that may ask for the node's files, network or root can read every tenant's data.",
    remedy="Label the namespace pod-security.kubernetes.io/enforce: restricted, or write a dated exception.",
    kinds=("core:Namespace",),
)
def pod_security(namespace: Object, settings: PodSecuritySettings) -> Iterator[Finding]:
    name = namespace.name
    if not settings.is_tenant(name) or (namespace.patch and ENFORCE not in namespace.labels):
        return
    level = namespace.labels.text(ENFORCE)
    exception = settings.exceptions.get(name)
    if level == "restricted" or (exception and not exception.ended(settings.day())):
        return
    has = f"has {ENFORCE}: {level}" if level else f"has no label {ENFORCE}"
    ended = f"; its exception ended on {exception.until}" if exception else ""
    yield namespace.finding(
        f"{has}, so a pod in it may ask for the node's files, network or root{ended}",
        f"write {ENFORCE}: restricted",
    )


@policy(
    id="tenancy-forged-label",
    title="No namespace passes for another.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Kubernetes, kubernetes.io/metadata.name",
    why="Network policies admit namespaces by label: who can write another's name there is admitted in its place.",
    remedy="Leave kubernetes.io/metadata.name to the API server and the tenant's label to tenants.",
    kinds=("core:Namespace",),
)
def forged_label(namespace: Object, settings: Namespaces) -> Iterator[Finding]:
    name = namespace.name
    written = namespace.labels.text(labels.NAMESPACE_NAME, name)
    if written != name:
        yield namespace.finding(
            f"has {labels.NAMESPACE_NAME}: {written}, another's name",
            "leave the label to the API server",
        )
    if not settings.is_tenant(name) and labels.TENANT in namespace.labels:
        yield namespace.finding(
            f"is the platform's own and has {labels.TENANT}: {namespace.labels.text(labels.TENANT)}, so a tenant's "
            "routes may attach",
            "leave the label out",
        )


@policy(
    id="tenancy-one-bundle",
    title="Every namespace is declared once.",
    severity=HIGH,
    framework=PLATFORM,
    reference="docs/architecture.md",
    why="Two owners of a namespace undo each other, and destroying one deletes what the other made in it.",
    remedy="Leave the namespace to one component.",
)
def one_bundle(stack: Stack, _: Settings) -> Iterator[Finding]:
    clusters: dict[str, list[str]] = {}
    for namespace in stack.objects("core:Namespace"):
        clusters.setdefault(namespace.cluster, []).append(namespace.name)
    for names in clusters.values():
        for name in duplicates(names):
            yield Finding(
                "",
                f"namespace '{name}'",
                "is declared twice",
                "leave it to one component; destroying the other deletes everything in it",
            )


# --- what a tenant's namespace must have -----------------------------------------------------------------


def _lacks(
    namespace: Object, settings: Namespaces, stack: Stack, kind: str, fits: Callable[[Object], bool] = lambda _: True
) -> bool:
    """Whether it is a tenant's namespace and has no object of this kind that fits."""
    name = namespace.name
    return settings.is_tenant(name) and not any(
        fits(found) for found in stack.objects(kind) if found.namespace == name and found.cluster == namespace.cluster
    )


def _policies(namespace: Object, stack: Stack) -> Iterator[Object]:
    """Network policies of a namespace, and then those of its whole cluster."""
    kinds = (*NETWORK_POLICIES, "policy.networking.k8s.io:BaselineAdminNetworkPolicy")
    everywhere = [found for found in stack.objects(*kinds) if found.cluster == namespace.cluster]
    yield from (found for found in everywhere if "namespace" in found.metadata and found.namespace == namespace.name)
    yield from (found for found in everywhere if "namespace" not in found.metadata)


def _labels(namespace: Object) -> dict[str, str]:
    return {label: namespace.labels.text(label) for label in namespace.labels}


@policy(
    id="tenancy-default-deny",
    title="Every tenant's namespace denies all traffic that no policy allows.",
    severity=HIGH,
    framework=CIS,
    reference="5.3.2",
    why="Without a policy every pod of every tenant reaches every other.",
    remedy="Add a NetworkPolicy with podSelector: {} and policyTypes: [Ingress, Egress] and no rules.",
    kinds=("core:Namespace",),
    patches=False,
)
def default_deny(namespace: Object, settings: Namespaces, stack: Stack) -> Iterator[Finding]:
    if not settings.is_tenant(namespace.name):
        return
    open_sides = set(SIDES)
    for found in _policies(namespace, stack):
        open_sides -= denied(found, namespace.name, _labels(namespace), settings.may_hold_tenants)
        if not open_sides:
            return
    yield namespace.finding(
        f"no network policy denies the {' and '.join(side for side in SIDES if side in open_sides)} of all its pods",
        "add a NetworkPolicy with podSelector: {} and policyTypes: [Ingress, Egress] and no rules",
    )


@policy(
    id="tenancy-allow-dns",
    title="Every tenant's namespace lets its pods ask for names.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="docs/architecture.md",
    why="Pods need DNS. Where no policy allows it, the next change is often to open all of egress.",
    remedy="Add a NetworkPolicy with egress to kube-dns on port 53.",
    kinds=("core:Namespace",),
    patches=False,
)
def allow_dns(namespace: Object, settings: Namespaces, stack: Stack) -> Iterator[Finding]:
    if settings.is_tenant(namespace.name) and not any(
        lets_ask_for_names(found, namespace.name, _labels(namespace)) for found in _policies(namespace, stack)
    ):
        yield namespace.finding(
            "no NetworkPolicy lets its pods ask for names, so the next change is often to open all of egress",
            f"add one with podSelector: {{}} and egress, {FOR_DNS}",
        )


@policy(
    id="tenancy-quota",
    title="Every tenant's namespace has a quota.",
    severity=MEDIUM,
    framework=NSA,
    reference="Kubernetes Pod security, resource policies",
    why="One tenant without a quota can take the nodes of all.",
    remedy="Add a ResourceQuota.",
    kinds=("core:Namespace",),
    patches=False,
)
def quota(namespace: Object, settings: Namespaces, stack: Stack) -> Iterator[Finding]:
    if _lacks(namespace, settings, stack, "core:ResourceQuota", _counts_pods):
        yield namespace.finding(
            "has no ResourceQuota of its pods, so one tenant can take every node",
            f"add one without scopes, with one of {', '.join(_SHARED_BY_ALL)} in spec.hard",
        )


_SHARED_BY_ALL = (
    "pods",
    "count/pods",
    *(f"{what}{of}" for what in ("", "requests.", "limits.") for of in ("cpu", "memory")),
)


def _counts_pods(found: Object) -> bool:
    """Whether a quota limits what nodes share; with a scope it is for some pods only."""
    spec = found.spec
    scoped = spec.items("scopes") or spec.group("scopeSelector").items("matchExpressions")
    return not scoped and any(what in spec.group("hard") for what in _SHARED_BY_ALL)


@policy(
    id="tenancy-limits",
    title="Every tenant's namespace has default limits.",
    severity=MEDIUM,
    framework=NSA,
    reference="Kubernetes Pod security, resource policies",
    why="A container that asks for nothing gets everything, or nothing where there is a quota.",
    remedy="Add a LimitRange with defaults.",
    kinds=("core:Namespace",),
    patches=False,
)
def limits(namespace: Object, settings: Namespaces, stack: Stack) -> Iterator[Finding]:
    if _lacks(namespace, settings, stack, "core:LimitRange", _has_defaults):
        yield namespace.finding(
            "has no LimitRange with defaults for containers, so one that asks for nothing may take everything",
            "add one with type: Container and default",
        )


def _has_defaults(found: Object) -> bool:
    """Whether a LimitRange gives containers limits; a maximum is their default too."""
    return any(
        item.text("type") == "Container" and any(item.group(field).raw for field in ("default", "max"))
        for item in found.spec.groups("limits")
    )


# --- what reaches beyond a namespace ---------------------------------------------------------------------


@policy(
    id="tenancy-external-ips",
    title="No Service takes addresses by externalIPs.",
    severity=CRITICAL,
    framework="CVE-2020-8554",
    reference="Kubernetes, Service externalIPs",
    why="Every node sends traffic for an address in externalIPs to the Service's pods. The address may belong to "
    "the API server, the gateway or another tenant. The victim's network policies do not help.",
    remedy="Remove externalIPs. Write a route through the gateway, or a Service of type LoadBalancer in a pool.",
    kinds=("core:Service",),
)
def external_ips(service: Object, _: Settings) -> Iterator[Finding]:
    if addresses := service.spec.texts("externalIPs"):
        yield service.finding(
            f"has externalIPs {', '.join(addresses)}, so every node sends it traffic for addresses that nobody gave it",
            "remove spec.externalIPs, and write a route through the gateway",
        )


_CHOSEN = (
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "lbipam.cilium.io/ips",
    "io.cilium/lb-ipam-ips",
)
_SHARED = ("metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip", "lbipam.cilium.io/sharing-key")


@policy(
    id="tenancy-load-balancer-address",
    title="No tenant chooses the address of a load balancer.",
    severity=HIGH,
    framework=PLATFORM,
    reference="docs/architecture.md",
    why="A Service that chooses its address may take the gateway's, or that of another tenant: at its next start the "
    "first one that asks gets it.",
    remedy="Leave the address to the pool, or write a route through the gateway.",
    kinds=("core:Service",),
)
def load_balancer_address(service: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(service.namespace):
        return
    written = ["spec.loadBalancerIP"] if service.spec.text("loadBalancerIP") else []
    written += [name for name in (*_CHOSEN, *_SHARED) if service.annotations.text(name)]
    for field in written:
        yield service.finding(f"chooses or shares an address by {field}", "remove it: the pool gives an address")


@policy(
    id="tenancy-priority",
    title="No tenant's pod has a priority of the cluster itself.",
    severity=HIGH,
    framework=NSA,
    reference="Kubernetes Pod security, resource policies",
    why="A pod of system-node-critical or system-cluster-critical evicts CoreDNS and the gateway where a node is full.",
    remedy="Remove priorityClassName, or name a class of the platform's own.",
    kinds=WORKLOADS,
)
def priority(workload: Object, settings: Namespaces) -> Iterator[Finding]:
    name = pod_spec(workload).text("priorityClassName")
    if name.startswith("system-") and settings.may_hold_tenants(workload.namespace):
        yield workload.finding(
            f"has priorityClassName {name}, so its pods evict the cluster's own", "remove priorityClassName"
        )


# --- images and network policies -------------------------------------------------------------------------


class ImageSettings(Namespaces):
    registries: tuple[str, ...] | None = None
    """Registries whose tags are trusted; else the program's image-registry places."""


@policy(
    id="tenancy-images",
    title="Tenants' images come by digest or from an allowed registry.",
    severity=HIGH,
    framework=CIS,
    reference="5.5.1",
    why="The owner of a tag can move it to another image: what was reviewed is then not what runs.",
    remedy="Write images by digest, or take them from a declared registry.",
    kinds=WORKLOADS,
)
def tenant_images(workload: Object, settings: ImageSettings, stack: Stack) -> Iterator[Finding]:
    if not settings.may_hold_tenants(workload.namespace):
        return
    registries = settings.registries
    if registries is None:
        places = [place for component in stack.components for place in component.groups("places")]
        registries = tuple(
            host for place in places if "image-registry" in place.texts("purposes") for host in place.texts("hosts")
        )
    for image in images(workload):
        registry = image_registry(image)
        if "@sha256:" not in image and not any(_holds(allowed, registry) for allowed in registries):
            yield workload.finding(
                f"runs an image of {registry} by tag, which its owner can move to another image",
                f"write it by digest (@sha256:…), or take it from {' or '.join(sorted(registries)) or _ANY}",
            )


_ANY = "a declared registry"


def _holds(allowed: str, registry: str) -> bool:
    """`*.example.no` is every registry below it, as in a declared place."""
    return registry.endswith(allowed[1:]) if allowed.startswith("*.") else registry == allowed


class IsolationSettings(Namespaces):
    pod_networks: tuple[Cidr, ...] = ()
    """The pods' networks. Without them, every private network of /16 or wider counts as one that may hold pods."""


@policy(
    id="tenancy-isolation",
    title="No network policy opens a tenant's namespace to the others.",
    severity=HIGH,
    framework=CIS,
    reference="5.3.2",
    why="Network policies add up: one that allows everything voids the one that denies everything, and every pod of "
    "every other tenant reaches what it selects.",
    remedy="Name who may call and who is called: from and to with a podSelector, or a namespaceSelector with labels. "
    "From the gateway: its namespace, or fromEntities: [ingress] with Cilium's. For DNS: namespaceSelector "
    "kubernetes.io/metadata.name: kube-system, podSelector k8s-app: kube-dns, port 53, UDP and TCP.",
    kinds=NETWORK_POLICIES,
)
def isolation(found: Object, settings: IsolationSettings) -> Iterator[Finding]:
    return overly_permissive_policies(found, settings.may_hold_tenants, settings.pod_networks)
