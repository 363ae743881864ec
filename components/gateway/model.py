"""The stack file's `gateway`: the data plane, the CRDs and listeners; and the routes that agencies attach."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.core.model import Spec
from components.core.types import DnsLabel, DnsName, HostName, Port, RefusedError, Version, Weight
from components.core.waivers import Waiver
from components.gateway.canary.model import Plan
from components.gateway.issuers import Issuer, Secrets
from components.images.model import ImageMirror

CILIUM_CONTROLLER = "io.cilium/gateway-controller"
"""The name that Cilium's operator looks for in GatewayClasses."""

# --- who installs the data plane -------------------------------------------------------------------------


class Traefik(Spec):
    """Traefik from the platform's own manifests. Its pods are in `namespace` and pass Pod Security `restricted`."""

    kind: Literal["traefik"]
    version: Version
    """Version of Traefik. The image's tag is the same with a v."""
    replicas: int = Field(default=2, ge=1, le=50)
    """Number of pods, spread over the nodes."""


PING_PORT = 8081
"""The port for Traefik's probes. No listener may use it."""
METRICS_PORT = 8082
"""Where Traefik counts requests, on its pods' own loopback address unless a Prometheus collects them. No listener may
use it."""


class Existing(Spec):
    """Somebody else runs a data plane with this `controllerName`, and has installed the CRDs."""

    kind: Literal["existing"]


# --- who brings the CRDs ---------------------------------------------------------------------------------


class ExistingCrds(Spec):
    """Somebody else installs Gateway API's CRDs, before the CNI."""

    kind: Literal["existing"]


class CrdBundle(Spec):
    """The platform applies the CRDs of a release, before the CNI, whose operator looks for them only when it starts.

    CRDs that leave the stack file stay in the cluster, because deleting a CRD deletes all its objects.
    """

    kind: Literal["bundle"]
    path: str = Field(min_length=1)
    """The release's `standard-install.yaml`, relative to the project."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Checksum of that file. Compare it with what the project publishes."""


Crds = Annotated[ExistingCrds | CrdBundle, Field(discriminator="kind")]

# --- listeners -------------------------------------------------------------------------------------------


class HttpListener(Spec):
    """HTTP without encryption."""

    name: DnsLabel
    """Its name, which a route may choose."""
    port: Port
    """The port that clients connect to."""
    protocol: Literal["HTTP"]
    hostname: HostName | None = None
    """Only requests for this host; left out: all."""
    redirect: Literal["https"] | None = None
    """Redirect every request to HTTPS at the same host (301)."""
    plain_text: Waiver | None = None
    """Waiver for requests without TLS. Without it, a listener that does not redirect is refused."""


class HttpsListener(Spec):
    """HTTPS. TLS ends at the gateway."""

    name: DnsLabel
    """Its name, which a route may choose."""
    port: Port
    """The port that clients connect to."""
    protocol: Literal["HTTPS"]
    hostname: HostName | None = None
    """Only requests for this host. Required if `gateway.issuer` makes the certificate."""
    certificate_secret: DnsName
    """A Secret of type kubernetes.io/tls in the gateway's namespace. `gateway.issuer` says who makes it."""
    tenant: DnsLabel | None = None
    """Only routes of this registered tenant. For an agency's own domain. Default: routes of all tenants."""


Listener = Annotated[HttpListener | HttpsListener, Field(discriminator="protocol")]

HTTPS_PORT = 443
"""The port of an `https://` URL without a port."""


def redirect_port(listener: HttpListener, listeners: Sequence[Listener]) -> int | None:
    """The HTTPS port for a listener's hosts: 443, or the only other one. None if there is none, or several."""
    ports = {
        item.port for item in listeners if isinstance(item, HttpsListener) and shared(listener.hostname, item.hostname)
    }
    if HTTPS_PORT in ports:
        return HTTPS_PORT
    return ports.pop() if len(ports) == 1 else None


def shared(one: str | None, other: str | None) -> bool:
    """Whether one request can match both hosts (None: any host), as Gateway API defines it."""
    if one is None or other is None or one == other:
        return True
    if one.startswith("*.") and other.startswith("*."):
        return one.endswith(other[1:]) or other.endswith(one[1:])
    return (one.startswith("*.") and other.endswith(one[1:])) or (other.startswith("*.") and one.endswith(other[1:]))


# --- routes ----------------------------------------------------------------------------------------------


def _path(value: str) -> str:
    if not value.startswith("/") or "//" in value or any(c in value for c in "?#% \t") or len(value) > 1024:
        better = f"/{value.strip().strip('/')}"
        simple = re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", better)
        raise ValueError(f"write a path from the root, without query, as in {better if simple else '/api/v2'}")
    return value


_LONGEST_HEADER = 4096
"""HTTPHeaderValue of Gateway API's CRDs: 1 to 4096 characters."""


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not name or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
            raise RefusedError(f"{name[:63]!r} is no header name", "write one as in 'X-Region-Context'")
        if not 0 < len(value[name]) <= _LONGEST_HEADER or not value[name].isprintable():
            raise RefusedError(
                f"the value of {name[:63]} needs 1 to {_LONGEST_HEADER} characters on one line", "correct it"
            )
    return value


class Backend(Spec):
    """A Service of the tenant and its share of the traffic."""

    service: DnsLabel
    """The Service's name."""
    port: Port
    """The Service's port."""
    weight: Weight
    """Share of the requests: this weight divided by the sum of both weights."""


Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Path = Annotated[
    str,
    AfterValidator(_path),
    WithJsonSchema({"type": "string", "pattern": "^/", "maxLength": 1024, "examples": ["/api/v2"]}),
]
Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
Hostnames = Annotated[tuple[HostName, ...], Field(min_length=1, max_length=16)]
"""16 is the limit of the CRDs."""


class Match(Spec):
    """Requests that meet all of these conditions."""

    path_prefix: Path = "/"
    """The beginning of the path, in whole parts: `/api` takes /api and /api/v2, and not /apix."""
    path: Path | None = None
    """The whole path, in place of its beginning."""
    method: Method | None = None
    """The method. Default: all."""
    headers: Annotated[Headers, Field(max_length=16)] = Field(default_factory=dict)
    """Headers with exactly these values."""
    query: Annotated[Headers, Field(max_length=16)] = Field(default_factory=dict)
    """Parameters of the query with exactly these values."""

    @model_validator(mode="after")
    def _one_path(self) -> "Match":
        if self.path is not None and self.path_prefix != "/":
            raise RefusedError("has path and pathPrefix", "remove one of them")
        return self


class Rewrite(Spec):
    """What the gateway changes in a request's address before it sends the request on."""

    hostname: DnsName | None = None
    """The new host."""
    path: Path | None = None
    """The new path."""
    path_prefix: Path | None = None
    """In place of the `pathPrefix` that matched. The rest of the path stays."""

    @model_validator(mode="after")
    def _something(self) -> "Rewrite":
        if self.path is not None and self.path_prefix is not None:
            raise RefusedError("has path and pathPrefix", "remove one of them")
        if self.hostname is None and self.path is None and self.path_prefix is None:
            raise RefusedError("changes nothing", "write hostname, path or pathPrefix")
        return self


class Redirect(Spec):
    """The answer to a request: where the client must ask instead."""

    hostname: DnsName | None = None
    """The new host. Default: the same."""
    path: Path | None = None
    """The new path. Default: the same."""
    path_prefix: Path | None = None
    """In place of the `pathPrefix` that matched. The rest of the path stays."""
    port: Port | None = None
    """The new port. Default: the one of https."""
    status: Literal[301, 302, 303, 307, 308] = 302
    """303, 307 and 308 need Gateway API 1.5."""

    @model_validator(mode="after")
    def _elsewhere(self) -> "Redirect":
        if self.path is not None and self.path_prefix is not None:
            raise RefusedError("has path and pathPrefix", "remove one of them")
        if (self.hostname, self.path, self.path_prefix, self.port) == (None,) * 4:
            raise RefusedError("redirects to itself", "write hostname, path, pathPrefix or port")
        return self


class Timeouts(Spec):
    """Time limits of one request. A request that exceeds one is answered with 504."""

    request_seconds: int = Field(ge=1, le=3600)
    """From the request's arrival until the whole answer was sent."""
    backend_seconds: int | None = Field(default=None, ge=1, le=3600)
    """For each attempt to get an answer from the Service. At most `requestSeconds`."""


class Mirror(Spec):
    """A Service of the tenant that gets a copy of requests. Its answers are thrown away."""

    service: DnsLabel
    """The Service's name."""
    port: Port
    """The Service's port."""
    percent: int = Field(default=100, ge=1, le=100)
    """Share of the requests that are copied."""


class HeaderChanges(Spec):
    """Headers that the gateway changes. A header is named in one of the three only."""

    add: Headers = Field(default_factory=dict)
    """Added, beside a header of the same name."""
    set: Headers = Field(default_factory=dict)
    """In place of a header of the same name."""
    remove: tuple[str, ...] = ()
    """Names of headers that are removed."""

    @model_validator(mode="after")
    def _once(self) -> "HeaderChanges":
        _headers(dict.fromkeys(self.remove, "x"))
        names = [name.lower() for name in (*self.add, *self.set, *self.remove)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise RefusedError(f"names {', '.join(twice)} more than once", "name each header once")
        return self


class Canary(Plan, Backend):
    """The new version, with a fixed share of the requests (`weight`), or with steps."""

    weight: Weight = 0
    """Share of the requests: this weight divided by the sum of both weights. Leave it out if there are `steps`."""

    @model_validator(mode="after")
    def _one_share(self) -> "Canary":
        if not self.steps and "weight" not in self.model_fields_set:
            raise RefusedError("has neither weight nor steps", "write weight, or steps: [1, 5, 25, 50, 100]")
        if self.steps and self.weight:
            raise RefusedError(f"has steps and weight {self.weight}", "remove weight: `vds canary` sets it")
        return self


class Attached(Spec):
    """What every route has: hosts, and how it attaches to the gateway."""

    hostnames: Hostnames
    """The hosts that requests are for."""
    add_headers: Headers = Field(default_factory=dict)
    """Headers that the gateway adds to each request."""
    listener: DnsLabel | None = None
    """Only this listener. Default: every listener with a matching host."""


class HttpRequests(Attached):
    """Which HTTP requests a route takes, and what the gateway does with them. An agency's routes have the same."""

    matches: tuple[Match, ...] = Field(default=(Match(),), min_length=1, max_length=64)
    """Requests that it takes: those that meet one of these. Default: all."""
    request_headers: HeaderChanges = HeaderChanges()
    """More changes to the headers of each request."""
    response_headers: HeaderChanges = HeaderChanges()
    """Changes to the headers of each answer."""
    rewrite: Rewrite | None = None
    """Changes to a request's address, on its way to the Service."""
    redirect: Redirect | None = None
    """The gateway answers itself, and no Service does."""
    timeouts: Timeouts | None = None
    """Time limits. Only Cilium has them for one route; for Traefik, the stack file's `gateway.limits` are for all."""


def _method(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*(/[A-Za-z_][A-Za-z0-9_]*)?", value):
        raise RefusedError(f"{value[:100]!r} is no gRPC method", "write it as in butikk.v1.Orders/List")
    return value


class GrpcRequests(Attached):
    """Which gRPC requests a route takes. An agency's routes have the same."""

    methods: tuple[Annotated[str, AfterValidator(_method)], ...] = ()
    """Requests that it takes, as in `butikk.v1.Orders` or `butikk.v1.Orders/List`. Default: all."""


class _Named(Attached):
    name: DnsLabel
    """Its name in the namespace."""
    namespace: DnsLabel
    """The namespace of its Services."""
    tenant: DnsLabel
    """The tenant whose namespace it is."""


class Route(HttpRequests, _Named):
    """A route for HTTP requests."""

    canary: Canary | None = None
    """The new version. Without it, all requests go to `stable`."""
    mirror: Mirror | None = None
    """A second Service that gets a copy of the requests. Only Cilium does this."""
    stable: Backend | None = None
    """The Service that answers. Required without `redirect`."""

    @model_validator(mode="after")
    def _whole(self) -> "Route":
        if self.redirect is None and self.stable is None:
            raise RefusedError("has neither stable nor redirect", "write stable: { service, port, weight: 100 }")
        besides = [name for name in ("stable", "canary", "rewrite", "mirror") if getattr(self, name) is not None]
        if self.redirect is not None and besides:
            raise RefusedError(f"has redirect and {', '.join(besides)}", "remove one: a redirect has no backend")
        limits = self.timeouts
        if limits and limits.backend_seconds and limits.backend_seconds > limits.request_seconds:
            raise RefusedError("timeouts.backendSeconds is more than requestSeconds", "write at most requestSeconds")
        by_prefix = [one for one in (self.rewrite, self.redirect) if one and one.path_prefix is not None]
        if by_prefix and any(match.path is not None for match in self.matches):
            raise RefusedError("replaces a pathPrefix, and a match has path", "write pathPrefix in every match")
        if by_prefix and len(self.matches) > 1:
            raise RefusedError("replaces a pathPrefix, and has several matches", "write one route for each match")
        changed = {name.lower() for name in self.add_headers}
        changes = self.request_headers
        if twice := changed & {name.lower() for name in (*changes.add, *changes.set, *changes.remove)}:
            raise RefusedError(f"has {', '.join(sorted(twice))} in addHeaders and requestHeaders", "name it once")
        return self


class GrpcRoute(GrpcRequests, _Named):
    """A route for gRPC requests. Its clients and Services speak HTTP/2."""

    stable: Backend
    """The Service that answers."""
    canary: Backend | None = None
    """The new version, with its share of the requests. Without it, all requests go to `stable`."""


class Limits(Spec):
    """Limits of the data plane, for all routes. Only for Traefik: Cilium has no such settings for a gateway."""

    body_mebibytes: int | None = Field(default=None, ge=1, le=4096)
    """The largest body of a request, in units of 1,048,576 bytes. A larger one is answered with 413. To count it,
    Traefik holds each request and each answer back until it is whole, on disk from 1 MiB on: answers are not streamed,
    and GrpcRoutes of agencies are refused.
    Default: no limit, and nothing is held back."""
    connect_seconds: int | None = Field(default=None, ge=1, le=3600)
    """Time to open a connection to a pod. Default: Traefik's 30."""
    connect_attempts: int | None = Field(default=None, ge=2, le=10)
    """How many pods a request is offered to, one after the other, if they accept no connection within `connectSeconds`.
    A request of which a pod may have got a part is not sent again. Until Kubernetes takes a lost node for lost, which
    lasts 50 seconds, its pods still get requests. Default: 1."""
    send_seconds: int | None = Field(default=None, ge=1, le=86400)
    """Time for a client to send a whole request, with its body. Default: Traefik's 60."""
    read_seconds: int | None = Field(default=None, ge=1, le=86400)
    """Time for a Service to begin its answer, after it has the whole request. Default: no limit."""


class GatewayContext(NamedTuple):
    """Facts from other parts of the stack file that the gateway needs."""

    api_ports: tuple[int, ...] = (6443,)
    """TCP ports of the API server, as pods reach it."""
    by_cilium: bool = False
    """Whether the gateway's controller is the operator of the Cilium that this stack installs."""
    on_cilium: bool = False
    """Whether this stack installs Cilium as its network, whose policies can name the API server."""
    addresses_by_cilium: bool = False
    """Whether Cilium, and not MetalLB, gives Services their addresses."""
    listener_sets: bool = False
    """Whether the controller and the CRDs have ListenerSets."""
    node_selector: Mapping[str, str] = MappingProxyType({})
    """Labels of the nodes for the data plane's pods. Empty: all nodes."""
    images: ImageMirror | None = None
    """The mirror for images, if there is one."""
    load_balancer_class: str | None = None
    """Class of the Services that get addresses; None for those without a class."""
    monitored: bool = False
    """Whether this stack's Prometheus collects the data plane's metrics."""

    @property
    def service_class(self) -> dict[str, str]:
        """What a Service of type LoadBalancer has for its class."""
        return {"loadBalancerClass": self.load_balancer_class} if self.load_balancer_class else {}

    def address_annotation(self, address: IPv4Address | None) -> dict[str, str]:
        """What a Service of type LoadBalancer says to get this address."""
        key = "lbipam.cilium.io/ips" if self.addresses_by_cilium else "metallb.io/loadBalancerIPs"
        return {} if address is None else {key: str(address)}


class GatewaySpec(Spec):
    """The stack file's `gateway`."""

    install: Annotated[Traefik | Existing, Field(discriminator="kind")]
    crds: Crds = ExistingCrds(kind="existing")
    bundle_version: Version | None = None
    """Version of the Gateway API CRDs in the cluster (their annotation `bundle-version`). Default: the version of the
    bundle in `crds`, otherwise unknown. With `gatewayApi: true`, Cilium's operator restarts when it changes."""
    namespace: DnsLabel = "gateway-system"
    """Namespace of the Gateway and its data plane. Tenants' network policies allow traffic from it."""
    class_name: DnsLabel = "platform"
    """Name of the GatewayClass."""
    controller_name: str = Field(default="traefik.io/gateway-controller", pattern=r"^[a-z0-9.-]+/[A-Za-z0-9/._~%-]+$")
    """The `controllerName` of the GatewayClass, which the data plane looks for."""
    name: DnsLabel = "public"
    """Name of the Gateway."""
    address: IPv4Address | None = None
    """A fixed address from `metallb.pools`. Default: the first free one, which stays while the gateway exists."""
    connect: bool = True
    """An update ends when every port of the gateway's address answers the machine that runs Pulumi. Write `false` if
    that machine can't reach the address: then nothing tests whether it answers."""
    issuer: Issuer = Secrets(kind="secrets")
    """Who makes the certificates of HTTPS listeners."""
    limits: Limits = Limits()
    """Limits for all routes."""
    listeners: tuple[Listener, ...] = Field(min_length=1, max_length=64)
    """64 is the Gateway CRD's limit."""
    canary_ceiling_percent: int = Field(default=50, ge=1, le=100)
    """The largest share of a route's requests for a canary that a registration may allow."""

    @property
    def pods_namespace(self) -> str | None:
        """Namespace of the data plane's pods. None for Cilium: its Envoy is not a pod of any namespace."""
        return None if self.controller_name == CILIUM_CONTROLLER else self.namespace

    @property
    def https(self) -> tuple[HttpsListener, ...]:
        """The listeners that need a certificate."""
        return tuple(item for item in self.listeners if isinstance(item, HttpsListener))
