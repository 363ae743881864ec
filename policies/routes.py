"""Objects that take requests from outside, and the host names that they take."""

import re
from collections.abc import Callable, Iterator, Mapping

from components.core.manifests import Fields, ManifestView

_API = "gateway.networking.k8s.io"
ROUTES = (f"{_API}:HTTPRoute", f"{_API}:GRPCRoute")
NAMED_ROUTES = (*ROUTES, f"{_API}:TLSRoute")
GATEWAY = f"{_API}:Gateway"
LISTENERS = (GATEWAY, f"{_API}:ListenerSet", "gateway.networking.x-k8s.io:XListenerSet")
ANY_HOST = ""
"""A host name that stands for all of them."""


def parents(route: ManifestView) -> list[tuple[str, str, str, str]]:
    """Kind, namespace, name and listener of what a route attaches to."""
    return [
        (
            parent.text("kind", "Gateway"),
            parent.text("namespace", route.namespace),
            parent.text("name"),
            parent.text("sectionName"),
        )
        for parent in route.spec.groups("parentRefs")
    ]


def redirects(route: ManifestView) -> bool:
    """Whether a route only sends requests on to HTTPS."""
    rules = route.spec.groups("rules")
    return bool(rules) and all(
        not rule.items("backendRefs")
        and any(
            item.group("requestRedirect").text("scheme") == "https"
            for item in rule.groups("filters")
            if item.text("type") == "RequestRedirect"
        )
        for rule in rules
    )


def hosts(route: ManifestView) -> list[str]:
    """Of a route of Gateway API; a list without any means all of its listeners' host names."""
    return route.spec.texts("hostnames")


def _of_listeners(found: ManifestView) -> Iterator[str]:
    """Of listeners for routes of their own namespace; others serve what routes claim."""
    for listener in found.spec.groups("listeners"):
        own = listener.group("allowedRoutes").group("namespaces").text("from", "Same") == "Same"
        if own and (host := listener.text("hostname")):
            yield host


def _of_ingress(found: ManifestView) -> Iterator[str]:
    yield from (rule.text("host", ANY_HOST) for rule in found.spec.groups("rules"))
    yield from (host for tls in found.spec.groups("tls") for host in tls.texts("hosts"))
    if found.spec.group("defaultBackend").raw:
        yield ANY_HOST


_HOST = re.compile(r"\b(?:Host|HostSNI)\(([^)]*)\)")
_NAME = re.compile(r"[`\"']([^`\"']*)[`\"']")


def _of_traefik(found: ManifestView) -> Iterator[str]:
    """Of Traefik's rules; one without Host, or with HostRegexp, is for all of them."""
    for route in found.spec.groups("routes"):
        match = route.text("match")
        names = [name for said in _HOST.findall(match) for name in _NAME.findall(said)]
        yield from ["" if name == "*" else name for name in names] if names else [ANY_HOST]


def _of_certificate(found: ManifestView) -> Iterator[str]:
    yield from found.spec.texts("dnsNames")
    if name := found.spec.text("commonName"):
        yield name


def _of_istio(found: ManifestView) -> Iterator[str]:
    """Hosts of an Istio Gateway may have the namespace before a slash; `*` is all of them."""
    servers = found.spec.groups("servers") if found.kind == "Gateway" else [found.spec]
    for host in (host for server in servers for host in server.texts("hosts")):
        yield ANY_HOST if host.rpartition("/")[2] == "*" else host.rpartition("/")[2]


def _of_service(found: ManifestView) -> Iterator[str]:
    written = found.annotations.text("external-dns.alpha.kubernetes.io/hostname")
    yield from (host.strip() for host in written.split(",") if host.strip())


def _field(*path: str) -> Callable[[ManifestView], Iterator[str]]:
    def read(found: ManifestView) -> Iterator[str]:
        group: Fields = found
        for key in path[:-1]:
            group = group.group(key)
        if host := group.text(path[-1]):
            yield host

    return read


def claims(found: ManifestView, kind: str) -> Iterator[str]:
    """The host names that an object of a kind in `CLAIMS` takes requests for, or has a certificate for. Names of
    Services and of one machine alone are nobody's."""
    for host in CLAIMS[kind](found):
        if not host or ("." in host and not host.endswith((".svc", ".local"))):
            yield host


CLAIMS: Mapping[str, Callable[[ManifestView], Iterator[str]]] = {
    **dict.fromkeys(NAMED_ROUTES, lambda found: iter(hosts(found))),
    **dict.fromkeys(LISTENERS, _of_listeners),
    **dict.fromkeys(
        [
            f"{group}:{kind}"
            for group in ("traefik.io", "traefik.containo.us")
            for kind in ("IngressRoute", "IngressRouteTCP")
        ],
        _of_traefik,
    ),
    "networking.k8s.io:Ingress": _of_ingress,
    "extensions:Ingress": _of_ingress,
    "cert-manager.io:Certificate": _of_certificate,
    "networking.istio.io:VirtualService": _of_istio,
    "networking.istio.io:Gateway": _of_istio,
    "projectcontour.io:HTTPProxy": _field("spec", "virtualhost", "fqdn"),
    "route.openshift.io:Route": _field("spec", "host"),
    "serving.knative.dev:DomainMapping": _field("metadata", "name"),
    "externaldns.k8s.io:DNSEndpoint": lambda found: (one.text("dnsName") for one in found.spec.groups("endpoints")),
    "core:Service": _of_service,
}
"""By kind, how its host names are read."""
NO_ROUTES = (*LISTENERS, "cert-manager.io:Certificate", "networking.istio.io:Gateway")
"""Kinds by which the platform serves its tenants' host names without taking them."""
