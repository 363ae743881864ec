"""The stack file's `gateway`: the data plane, the CRDs, listeners, and routes with canaries."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from components.core.model import Spec
from components.core.types import DnsLabel, DnsName, HostName, Port, RefusedError, Version, Weight
from components.core.waivers import Waiver

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
    """Only requests for this host. Required with `clusterIssuer`, because cert-manager makes a certificate for it."""
    certificate_secret: DnsName
    """A Secret of type kubernetes.io/tls in the gateway's namespace. It is made from the stack's secret `certificates`,
    by cert-manager (`clusterIssuer`), or by somebody else."""


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


class Route(Spec):
    """A route for one path of one host, in the tenant's namespace."""

    name: DnsLabel
    """Its name in the tenant's namespace."""
    tenant: DnsLabel
    """The tenant whose Services answer."""
    hostname: HostName
    """The host that requests are for."""
    path_prefix: Annotated[
        str,
        AfterValidator(_path),
        WithJsonSchema({"type": "string", "pattern": "^/", "maxLength": 1024, "examples": ["/api/v2"]}),
    ] = "/"
    """The beginning of the path of the requests that it takes."""
    add_headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(default_factory=dict)
    """Headers that the gateway adds to each request."""
    stable: Backend
    canary: Backend | None = None
    """The new version, with its share of the requests. Without it, all requests go to `stable`."""
    listener: DnsLabel | None = None
    """Only this listener. Default: every listener with a matching host."""


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
    cluster_issuer: DnsName | None = None
    """A cert-manager ClusterIssuer for the certificates of HTTPS listeners. Default: the stack's secret `certificates`
    has them, or their Secrets exist already."""
    listeners: tuple[Listener, ...] = Field(min_length=1, max_length=64)
    """64 is the Gateway CRD's limit."""
    canary_ceiling_percent: int = Field(default=50, ge=1, le=100)
    """The largest share of a route's requests for a canary. To promote it, deploy its version behind `stable`."""
    routes: tuple[Route, ...] = ()

    @property
    def pods_namespace(self) -> str | None:
        """Namespace of the data plane's pods. None for Cilium: its Envoy is not a pod of any namespace."""
        return None if self.controller_name == CILIUM_CONTROLLER else self.namespace
