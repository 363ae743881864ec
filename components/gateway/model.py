"""The way in from outside: a Gateway that the platform owns, and routes that send part of a path to a canary."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.core.model import Spec
from components.core.types import DnsLabel, DnsName, HostName, Port, Version, Weight
from components.core.waivers import Waiver

CILIUM_CONTROLLER = "io.cilium/gateway-controller"
"""The name that Cilium's operator looks for in GatewayClasses."""

# --- who installs the data plane -------------------------------------------------------------------------


class Traefik(Spec):
    """The platform's own manifests of it; pods of `namespace`, as `restricted` as Pod Security has it."""

    kind: Literal["traefik"]
    version: Version
    """Of Traefik; the image's tag is the same with a v."""
    replicas: int = Field(default=2, ge=1, le=50)
    """Spread over the nodes that take pods."""


PING_PORT = 8081
"""Where Traefik answers probes; no listener may have it."""


class Existing(Spec):
    """Somebody else runs a data plane that knows `controllerName`, and the CRDs are there."""

    kind: Literal["existing"]


# --- who brings the CRDs ---------------------------------------------------------------------------------


class ExistingCrds(Spec):
    """Somebody else puts Gateway API's CRDs into the cluster, before the CNI."""

    kind: Literal["existing"]


class CrdBundle(Spec):
    """The platform applies a release's CRDs before the CNI, whose operator looks for them once, when it starts.

    They stay in the cluster when they leave the stack file: with a CRD go all its objects.
    """

    kind: Literal["bundle"]
    path: str = Field(min_length=1)
    """The release's `standard-install.yaml`, relative to the project."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of that file, compared with what the project publishes."""


Crds = Annotated[ExistingCrds | CrdBundle, Field(discriminator="kind")]

# --- listeners -------------------------------------------------------------------------------------------


class HttpListener(Spec):
    """Plain text."""

    name: DnsLabel
    port: Port
    protocol: Literal["HTTP"]
    hostname: HostName | None = None
    """Only requests for this host; left out: all."""
    redirect: Literal["https"] | None = None
    """Send every request on to the same host by HTTPS (301), and serve none."""
    plain_text: Waiver | None = None
    """Why nobody's requests need TLS here, and until when; without it a listener that serves them is refused."""


class HttpsListener(Spec):
    """TLS ended at the gateway."""

    name: DnsLabel
    port: Port
    protocol: Literal["HTTPS"]
    hostname: HostName | None = None
    """Only requests for this host; cert-manager makes a certificate for it, so it needs one."""
    certificate_secret: DnsName
    """A Secret of type kubernetes.io/tls in the gateway's namespace: the stack's own secret `certificates` makes it,
    cert-manager writes it where it is asked to, or somebody else brings it."""


Listener = Annotated[HttpListener | HttpsListener, Field(discriminator="protocol")]

HTTPS_PORT = 443
"""Which a client takes for `https://` without a port."""


def redirect_port(listener: HttpListener, listeners: Sequence[Listener]) -> int | None:
    """Where HTTPS is served for a listener's hosts: 443 if it is, else the one port there is; None if there is none."""
    ports = {
        item.port for item in listeners if isinstance(item, HttpsListener) and shared(listener.hostname, item.hostname)
    }
    if HTTPS_PORT in ports:
        return HTTPS_PORT
    return ports.pop() if len(ports) == 1 else None


def shared(one: str | None, other: str | None) -> bool:
    """Whether two hosts (None: any) have requests in common, as Gateway API defines it."""
    if one is None or other is None or one == other:
        return True
    if one.startswith("*.") and other.startswith("*."):
        return one.endswith(other[1:]) or other.endswith(one[1:])
    return (one.startswith("*.") and other.endswith(one[1:])) or (other.startswith("*.") and one.endswith(other[1:]))


# --- routes ----------------------------------------------------------------------------------------------


def _path(value: str) -> str:
    if not value.startswith("/") or "//" in value or any(c in value for c in "?#% \t") or len(value) > 1024:
        raise ValueError("write a path from the root, without query, as in '/api/v2'")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not name or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
            raise ValueError(f"'{name}' is no header name: write one as in 'X-Region-Context'")
    return value


class Backend(Spec):
    """A Service of the tenant and its share of the traffic."""

    service: DnsLabel
    port: Port
    weight: Weight
    """Proportional to the sum of both; any sum will do."""


class Route(Spec):
    """One path of one host, in the tenant's namespace."""

    name: DnsLabel
    tenant: DnsLabel
    hostname: HostName
    path_prefix: Annotated[str, AfterValidator(_path)] = "/"
    add_headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(default_factory=dict)
    """Headers that the backend sees beside the client's own."""
    stable: Backend
    canary: Backend | None = None
    """The new version: its share is `weight` of the two weights' sum. Left out: everything goes to stable."""
    listener: DnsLabel | None = None
    """Only this listener; left out: every one whose host fits."""


class GatewaySpec(Spec):
    """The stack file's `gateway`."""

    install: Annotated[Traefik | Existing, Field(discriminator="kind")]
    crds: Crds = ExistingCrds(kind="existing")
    bundle_version: Version | None = None
    """Of the Gateway API CRDs in the cluster, as their annotation `bundle-version` says; left out: unknown, or what
    the bundle of `crds` says. Cilium's operator restarts when it changes, where `gatewayApi` is on."""
    namespace: DnsLabel = "gateway-system"
    """Where the Gateway and its data plane are; tenants' policies let this namespace in."""
    class_name: DnsLabel = "platform"
    controller_name: str = Field(default="traefik.io/gateway-controller", pattern=r"^[a-z0-9.-]+/[A-Za-z0-9/._~%-]+$")
    """The name that the data plane looks for in GatewayClasses."""
    name: DnsLabel = "public"
    cluster_issuer: DnsName | None = None
    """A cert-manager ClusterIssuer that makes HTTPS listeners' certificates; left out: the stack's own secret
    `certificates` has them, or their Secrets are there."""
    listeners: tuple[Listener, ...] = Field(min_length=1, max_length=64)
    """64 is the Gateway CRD's limit."""
    canary_ceiling_percent: int = Field(default=50, ge=1, le=100)
    """The most of a route's traffic that a canary may get; more is a promotion, and moves `stable`."""
    routes: tuple[Route, ...] = ()

    @property
    def pods_namespace(self) -> str | None:
        """Where the data plane's pods are; None for Cilium's own, whose Envoy speaks as no pod of any namespace."""
        return None if self.controller_name == CILIUM_CONTROLLER else self.namespace
