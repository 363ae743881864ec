"""Policies of the gateway: TLS, routes, canaries and everything else that the internet reaches."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field, ValidationError

from components.charts.reference import chart_name
from components.core import labels
from components.core.finding import Finding
from components.core.manifests import Fields, ManifestView
from components.core.untrusted import json_value
from components.core.waivers import Waiver
from components.gateway.rules import (
    canary_problems,
    plain_text_problem,
    steps_problems,
    weight_problems,
)
from components.reach.isolation import selects_everything
from policies.policy import GDPR, HIGH, MEDIUM, NSA, PLATFORM, Dated, Namespaces, Object, Settings, Stack, policy
from policies.routes import LISTENERS, ROUTES, parents, redirects

_API = "gateway.networking.k8s.io"
_NO_PLAIN_TEXT = ("HTTPS", "TLS", "UDP")
"""Protocols of listeners that take no requests in plain text; what UDP carries, HTTPS cannot."""
NGINX_CONTROLLER = "k8s.io/ingress-nginx"


@policy(
    id="gateway-weights",
    title="Some backend of every route gets traffic.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Gateway API, HTTPBackendRef.weight",
    why="The CRD accepts weights that are all zero, and then answers every request with 500.",
    remedy="Give the stable backend a weight.",
    kinds=ROUTES,
)
def weights(route: Object, _: Settings) -> Iterator[Finding]:
    for rule in route.spec.groups("rules"):
        # A backendRef without a weight has 1, as the CRD says.
        yield from weight_problems(route.label, [ref.number("weight", 1) for ref in rule.groups("backendRefs")])


@policy(
    id="gateway-no-node-port",
    title="No Service opens a port on the nodes, not even a Service of type LoadBalancer.",
    severity=HIGH,
    framework=NSA,
    reference="Network separation and hardening",
    why="A node port is open on every public address of every node, past the gateway, its TLS and its policies. "
    "Kubernetes allocates one for each port of a Service of type LoadBalancer too.",
    remedy="Write type: ClusterIP and a route through the gateway. For a Service of type LoadBalancer, write "
    "allocateLoadBalancerNodePorts: false.",
    kinds=("core:Service",),
)
def no_node_port(service: Object, _: Settings) -> Iterator[Finding]:
    kind = service.spec.text("type")
    if kind == "LoadBalancer" and service.spec.text("allocateLoadBalancerNodePorts") != "false":
        yield service.finding(
            "type LoadBalancer opens each of its ports on every node as well, past the load balancer",
            "write allocateLoadBalancerNodePorts: false",
        )
    if kind != "NodePort":
        return
    numbers = [port.number("nodePort") for port in service.spec.groups("ports")]
    ports = ", ".join(str(number) if number else "a random port" for number in numbers)
    yield service.finding(
        f"type NodePort opens {ports or 'a port'} on every node to the internet",
        "write type: ClusterIP and a route through the gateway",
    )


# --- TLS -------------------------------------------------------------------------------------------------


@policy(
    id="gateway-tls",
    title="Every listener takes TLS only, or sends all requests on to one that does.",
    severity=HIGH,
    framework=GDPR,
    reference="art. 32(1)(a)",
    why="What is sent in plain text can be read by every network between.",
    remedy="Write protocol: HTTPS with a certificate. Where that is not possible yet, write plainText with until and "
    "reason at the listener: the exception is an annotation of the Gateway that everybody can read, and it ends.",
    kinds=LISTENERS,
)
def tls(gateway: Object, settings: Dated, stack: Stack) -> Iterator[Finding]:
    exceptions = _exceptions(gateway.annotations.raw.get(labels.PLAIN_TEXT))
    routes = list(stack.objects(*ROUTES))
    for listener in gateway.spec.groups("listeners"):
        if "protocol" not in listener or listener.text("protocol") in _NO_PLAIN_TEXT:
            continue  # without one it is a patch of a listener that is managed elsewhere: the CRD demands it
        if only_redirects(gateway, listener, routes):
            continue
        name = listener.text("name")
        subject = f"{gateway.label}, {name}"
        protocol = "TLS" if listener.text("protocol") == "TCP" else "HTTPS"
        remedy = (
            f"write protocol: {protocol}, or the annotation {labels.PLAIN_TEXT} with "
            f'{{"{name}": {{"until", "reason"}}}}: a day'
        )
        problem = plain_text_problem(subject, remedy)
        exception = exceptions.get(name)
        if exception is None:
            yield problem
        elif exception.ended(settings.day()):
            yield problem._replace(message=f"{problem.message}: its exception ended on {exception.until}")


def _exceptions(annotation: Any) -> dict[str, Waiver]:
    """By listener; what cannot be read excuses nothing."""
    try:
        written = json_value(str(annotation or "{}"))
    except ValueError:
        return {}
    found = {}
    for name, exception in written.items() if isinstance(written, dict) else ():
        try:
            found[name] = Waiver.model_validate(exception)
        except ValidationError:
            continue
    return found


def only_redirects(gateway: ManifestView, listener: Fields, routes: Sequence[ManifestView]) -> bool:
    """Whether a listener takes routes of its Gateway's own namespace alone, and each of them redirects to HTTPS."""
    if listener.group("allowedRoutes").group("namespaces").text("from", "Same") != "Same":
        return False
    name, section = gateway.metadata.text("name"), listener.text("name")
    attached = [
        route
        for route in routes
        if route.namespace == gateway.namespace
        and any(
            parent[:3] == (gateway.kind, gateway.namespace, name) and parent[3] in ("", section)
            for parent in parents(route)
        )
    ]
    return bool(attached) and all(redirects(route) for route in attached)


# --- canaries --------------------------------------------------------------------------------------------


class CanarySettings(Settings):
    ceiling_percent: int | None = Field(default=None, ge=1, le=100)
    """The most a canary may get; else `canaryCeilingPercent` of the contract, else 50."""


@policy(
    id="gateway-canary",
    title="A canary gets at most the ceiling of a route's traffic.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="canaryCeilingPercent of the registration",
    why="A canary is a trial on some users; one with most of the traffic is a release without one.",
    remedy="Lower the canary's weight, or make it the stable backend.",
    kinds=ROUTES,
)
def canary(route: Object, settings: CanarySettings, stack: Stack) -> Iterator[Finding]:
    """A request that asks for the canary by a header or a parameter may always get it: no ceiling for such a rule."""
    ceiling = settings.ceiling_percent or min(stack.declared("canaryCeilingPercent"), default=50)
    named = route.annotations.text(labels.CANARY)
    steps = [int(one) for one in route.annotations.text(labels.CANARY_STEPS).split(",") if one.isdecimal()]
    for rule in route.spec.groups("rules"):
        matches = rule.groups("matches")
        if matches and all(match.items("headers") or match.items("queryParams") for match in matches):
            continue
        yield from steps_problems(route.label, steps, ceiling)
        shares = [(ref.text("name"), ref.number("weight", 1)) for ref in rule.groups("backendRefs")]
        on_trial = _on_trial([name for name, _ in shares], named)
        trial = sum(weight for (_, weight), is_trial in zip(shares, on_trial, strict=True) if is_trial)
        total = sum(weight for _, weight in shares)
        if trial * 100 in [step * total for step in steps]:
            continue  # `vds canary` has set it, and the steps are judged above
        yield from canary_problems(route.label, trial, total, ceiling)


def _on_trial(names: Sequence[str], named: str) -> list[bool]:
    """Which backends of a rule are canaries: those that the annotation names, or that are called canary."""
    if len(names) == 1:  # alone it is a trial only where it is said to be
        return [names[0] == named]
    trial = [name == named or "canary" in name for name in names]
    if not all(trial):
        return trial
    said = [name == named for name in names]  # a service may be called after the bird; then the first is stable
    return said if any(said) and not all(said) else [index > 0 for index in range(len(names))]


# --- grants, ingress-nginx -------------------------------------------------------------------------------


@policy(
    id="gateway-reference-grant",
    title="A ReferenceGrant lets one kind of one namespace use one object.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Gateway API, ReferenceGrant",
    why="Only a grant limits what routes of other namespaces may use, certificates among them; a wide one does not.",
    remedy="Write one grant for each namespace and kind, and name what may be used. Give no tenant a certificate of "
    "the platform's.",
    kinds=(f"{_API}:ReferenceGrant",),
)
def reference_grant(grant: Object, settings: Namespaces) -> Iterator[Finding]:
    for side in ("from", "to"):
        count = len(grant.spec.items(side))
        if side in grant.spec and count != 1:
            yield grant.finding(f"spec.{side} has {count} entries", "write one grant for each namespace and kind")
    for target in grant.spec.groups("to"):
        kind = target.text("kind")
        if not target.text("name"):
            yield grant.finding(f"lets another namespace use every {kind} of this one", f"write the name of the {kind}")
        elif kind == "Secret" and not settings.may_hold_tenants(grant.namespace):
            for user in grant.spec.groups("from"):
                if settings.may_hold_tenants(user.text("namespace")):
                    yield grant.finding(
                        f"gives the platform's Secret {target.text('name')} to {user.text('namespace')}, a tenant, "
                        "which may then serve every name of that certificate",
                        "remove it, and give the tenant a certificate of its own",
                    )


@policy(
    id="gateway-attachment",
    title="A listener takes routes of chosen namespaces, and certificates that no tenant can change.",
    severity=HIGH,
    framework=PLATFORM,
    reference="Gateway API, AllowedRoutes and SecretObjectReference",
    why="With from: All, a route of any namespace attaches and may take requests of others. A certificate in a "
    "tenant's namespace is one that the tenant can replace for everybody.",
    remedy="Write from: Same, or from: Selector with the label of tenants' namespaces. Keep certificates in the "
    "Gateway's own namespace.",
    kinds=LISTENERS,
)
def attachment(gateway: Object, settings: Namespaces) -> Iterator[Finding]:
    chosen = "write from: Same, or from: Selector with a label"
    if _from_everywhere(gateway.spec.group("allowedListeners")):
        yield gateway.finding("takes listeners from every namespace", chosen)
    for listener in gateway.spec.groups("listeners"):
        subject = f"{gateway.label}, {listener.text('name')}"
        if _from_everywhere(listener.group("allowedRoutes")):
            yield gateway.finding("takes routes from every namespace", chosen, subject=subject)
        for reference in listener.group("tls").groups("certificateRefs"):
            owner = reference.text("namespace", gateway.namespace)
            if owner != gateway.namespace and settings.may_hold_tenants(owner):
                yield gateway.finding(
                    f"serves the certificate {owner}/{reference.text('name', '?')}, which a tenant can change",
                    f"keep it in {gateway.namespace}",
                    subject=subject,
                )


def _from_everywhere(allowed: Fields) -> bool:
    namespaces = allowed.group("namespaces")
    said, selector = namespaces.text("from"), namespaces.group("selector")
    return said == "All" or (said == "Selector" and selects_everything(selector))


@policy(
    id="gateway-no-ingress-nginx",
    title="Nothing needs ingress-nginx, which is retired.",
    severity=MEDIUM,
    framework=PLATFORM,
    reference="Kubernetes project, retirement of ingress-nginx, March 2026",
    why="The controller gets no security fixes any more, and it is open to the internet.",
    remedy="Write HTTPRoutes; ingress2gateway translates most annotations.",
    kinds=("helm.sh:Release", "networking.k8s.io:Ingress", "networking.k8s.io:IngressClass"),
    mandatory=False,
)
def no_ingress_nginx(found: Object, _: Settings, __: Stack) -> Iterator[Finding]:
    if found.kind == "Release":
        chart = chart_name(found.text("chart"))
        uses, subject = chart == "ingress-nginx", f"Release of chart {chart}"
    elif found.kind == "IngressClass":
        uses = found.spec.text("controller") == NGINX_CONTROLLER
        subject = f"IngressClass {found.metadata.text('name', '?')}"
    else:
        uses = found.spec.text("ingressClassName") == "nginx" or any(
            str(key).startswith("nginx.ingress.kubernetes.io/") for key in found.annotations
        )
        subject = found.label
    if uses:
        yield found.finding(
            "needs ingress-nginx, which was retired in March 2026 and gets no security fixes",
            "write an HTTPRoute; ingress2gateway translates most of it",
            subject=subject,
        )
