"""Policies of tenants: their namespaces, rights, images and network policies."""

import re
from collections.abc import Callable, Iterator

from pulumi_policy.proxy import UnknownValueError
from pydantic import Field

from components.core import labels
from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.names import FOR_DNS
from components.core.waivers import Waiver
from components.reach.default_deny import denied, lets_ask_for_names
from components.reach.isolation import SIDES, overly_permissive_policies
from components.residency.model import Cidr
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
from policies.releases import versions
from policies.routes import GATEWAY
from policies.unknowns import undecided

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
    registered = namespace.labels.text(labels.REGISTERED) == "true" and name.startswith(f"{value}-")
    if not written or (value != name and not registered):
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
    level, version = namespace.labels.text(ENFORCE), namespace.labels.text(f"{ENFORCE}-version", "latest")
    exception = settings.exceptions.get(name)
    if level == "restricted" and not _is_recent(version):
        yield namespace.finding(
            f"has {ENFORCE}-version: {version}, which checks less than versions that are maintained",
            f"write {ENFORCE}-version: latest",
        )
    if level == "restricted" or (exception and not exception.ended(settings.day())):
        return
    has = f"has {ENFORCE}: {level}" if level else f"has no label {ENFORCE}"
    ended = f"; its exception ended on {exception.until}" if exception else ""
    yield namespace.finding(
        f"{has}, so a pod in it may ask for the node's files, network or root{ended}",
        f"write {ENFORCE}: restricted",
    )


def _is_recent(version: str) -> bool:
    """Whether it is `latest`, or a minor of Kubernetes that the table of releases has as maintained."""
    oldest = min(int(line.split(".")[1]) for line in versions())
    said = re.fullmatch(r"v1\.(\d{1,4})", version)
    return version == "latest" or (said is not None and int(said[1]) >= oldest)


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
        try:
            name = namespace.name
        except UnknownValueError as unknown:
            message, remedy = undecided(unknown)
            yield namespace.finding(message, remedy, subject=f"Namespace {namespace.resource.name}")._replace(
                decided=False
            )
            continue
        clusters.setdefault(namespace.cluster, []).append(name)
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
    kinds=("core:Service", GATEWAY),
)
def load_balancer_address(service: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(service.namespace):
        return
    annotations = (service.annotations, service.spec.group("infrastructure").group("annotations"))
    written = [field for field in ("loadBalancerIP", "addresses") if service.spec.raw.get(field)]
    for field in (
        *(f"spec.{field}" for field in written),
        *(name for group in annotations for name in (*_CHOSEN, *_SHARED) if group.text(name)),
    ):
        yield service.finding(f"chooses or shares an address by {field}", "remove it: the pool gives an address")


@policy(
    id="tenancy-external-name",
    title="No Service of a tenant is a name for another namespace's.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Kubernetes, Service of type ExternalName",
    why="Who sends requests to such a Service sends them to the other namespace: a gateway does so with its own "
    "rights, past the other namespace's network policies and without a ReferenceGrant.",
    remedy="Name the other Service where it is called, and let its owner allow the call.",
    kinds=("core:Service",),
)
def external_name(service: Object, settings: Namespaces) -> Iterator[Finding]:
    name = service.spec.text("externalName").rstrip(".")
    inside = _INSIDE.fullmatch(name)
    if not inside or inside[1] in (service.namespace, *settings.platform_namespaces):
        return
    if settings.may_hold_tenants(service.namespace):
        yield service.finding(
            f"has externalName {name}, a Service of the namespace {inside[1]}",
            "remove it, and name that Service where it is called",
        )


_INSIDE = re.compile(r"[^.]+\.([^.]+)\.svc(?:\.[^.]+)*")


@policy(
    id="tenancy-token",
    title="No Secret is a token of a service account that never ends.",
    severity=HIGH,
    framework=CIS,
    reference="5.1.6",
    why="Kubernetes fills a Secret of this type with a token of any service account of the namespace, an operator's "
    "too. It is valid until the Secret is deleted.",
    remedy="Remove it, and ask for a token with an end: kubectl create token, or a projected volume.",
    kinds=("core:Secret",),
)
def token(secret: Object, settings: Namespaces) -> Iterator[Finding]:
    if secret.text("type") == "kubernetes.io/service-account-token" and settings.may_hold_tenants(secret.namespace):
        yield secret.finding(
            "has type kubernetes.io/service-account-token, a token that never ends",
            "remove it, and use a projected volume with a token",
        )


@policy(
    id="tenancy-disruption",
    title="No tenant stops the nodes from being drained.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="Kubernetes, PodDisruptionBudget",
    why="A PodDisruptionBudget that lets no pod go makes every drain wait: nodes then get no new kernel.",
    remedy="Write maxUnavailable: 1.",
    kinds=("policy:PodDisruptionBudget",),
)
def disruption(budget: Object, settings: Namespaces) -> Iterator[Finding]:
    if not settings.may_hold_tenants(budget.namespace):
        return
    for field, none in (("maxUnavailable", ("0", "0%")), ("minAvailable", ("100%",))):
        if budget.spec.text(field) in none:
            yield budget.finding(
                f"has {field} {budget.spec.text(field)}, so no drain of a node ends", "write maxUnavailable: 1"
            )


# --- network policies -------------------------------------------------------------------------------------


class IsolationSettings(Namespaces):
    pod_networks: tuple[Cidr, ...] = ()
    """The pods' networks. Without them, every private network of /16 or wider counts as one that may hold pods."""
    tenants: dict[str, tuple[str, ...]] = Field({})
    """Namespaces of registered tenants, by the tenant's name: those of one tenant may let each other in."""

    def is_another(self, namespace: str) -> Callable[[str], bool]:
        """Whether a name, of a namespace or in a label, is another tenant's than that of a namespace."""
        own = {name for tenant, names in self.tenants.items() if namespace in names for name in (tenant, *names)} - {
            namespace
        }
        return lambda name: self.may_hold_tenants(name) and name not in own


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
    return overly_permissive_policies(found, settings.is_another(found.namespace), settings.pod_networks)
