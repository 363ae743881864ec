"""An agency's apps and routes, as its stack file has them. Pure."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator

from components.core.model import Spec
from components.core.quantities import Quantity
from components.core.types import DnsLabel, Port, RefusedError
from components.gateway.model import (
    Backend,
    HeaderChanges,
    Hostnames,
    Match,
    Path,
    Redirect,
    Rewrite,
    Timeouts,
)
from components.gateway.model import Canary as GatewayCanary
from components.gateway.model import Route as GatewayRoute

GATEWAY = "gateway"
"""Name of the platform's gateway in `callers`. No app may have this name."""
CANARY = "canary"
SERVICE_PORT = 80
"""The port of an app's Service."""


def _app_name(value: str) -> str:
    if value == GATEWAY:
        raise RefusedError("is the name of the platform's gateway in callers", "rename the app")
    if value.endswith(f"-{CANARY}"):
        raise RefusedError("ends with -canary, which is the name of an app's new version", "rename the app")
    if len(value) > 56:
        raise RefusedError(f"has {len(value)} characters, at most 56, because -canary is added", "shorten it")
    return value


AppName = Annotated[DnsLabel, AfterValidator(_app_name)]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=253)]
Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^\S+$")]
Folder = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$", max_length=200)]


class SecretKey(Spec):
    """A value of a Secret in the same namespace."""

    secret: DnsLabel
    """Name of the Secret."""
    key: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._-]+$")
    """The key in it."""


class Call(Spec):
    """Another app in the same namespace that this app calls."""

    app: AppName
    """Its name."""
    port: Port
    """The port of its containers, not of its Service."""


class CanaryVersion(Spec):
    """The new version of an app. It runs beside the stable one; a Route says how many requests it gets."""

    image: Image
    """Its image."""
    replicas: int = Field(default=1, ge=1, le=50)
    """How many pods."""
    env: dict[EnvironmentName, str] = Field(default_factory=dict)
    """Environment variables in place of the app's with the same name, and more."""


class App(Spec):
    """One app: its pods, its Service, and who may call it."""

    name: AppName
    """Name of its objects."""
    namespace: DnsLabel
    """One of your namespaces, as in `butikk-prod`."""
    image: Image
    """Image of the stable version, as in `registry.example.no/butikk/api@sha256:…`."""
    port: Port = 8080
    """TCP port on which the container listens. The Service has port 80."""
    replicas: int = Field(default=2, ge=1, le=50)
    """How many pods of the stable version."""
    canary: CanaryVersion | None = None
    """A new version that runs beside the stable one."""
    command: tuple[str, ...] = ()
    """The program, in place of the image's."""
    args: tuple[str, ...] = ()
    """Its arguments, in place of the image's."""
    env: dict[EnvironmentName, str] = Field(default_factory=dict)
    """Environment variables. Not for secrets."""
    secret_env: dict[EnvironmentName, SecretKey] = Field(default_factory=dict)
    """Environment variables with values of Secrets."""
    health_path: Path | None = None
    """A path that answers with 200 when the app works. Default: the port is open."""
    cpu: Quantity = "100m"
    """Processor time that each pod gets for sure, as in `100m`: a tenth of a core."""
    cpu_limit: Quantity = "500m"
    """The most processor time of each pod."""
    memory: Quantity = "256Mi"
    """Memory of each pod. Kubernetes ends a pod that uses more."""
    disk: Quantity = "256Mi"
    """Disk of each pod for temporary files and logs. Kubernetes ends a pod that uses more."""
    writable: tuple[Folder, ...] = ("/tmp",)  # noqa: S108  # of the container
    """Folders for temporary files. All other files of the image are read-only."""
    user: int | None = Field(default=None, ge=1, le=4_294_967_294)
    """Number of the user that the container runs as. Required if the image's own user is root or has no number."""
    callers: tuple[DnsLabel, ...] = (GATEWAY,)
    """Who may call it: `gateway`, and apps in the same namespace."""
    calls: tuple[Call, ...] = ()
    """Apps in the same namespace that it calls."""
    egress: tuple[DnsLabel, ...] = ()
    """Names of registered destinations outside of the cluster that it calls."""

    @model_validator(mode="after")
    def _once(self) -> "App":
        if twice := sorted(self.env.keys() & self.secret_env.keys()):
            raise RefusedError(f"has {', '.join(twice)} in env and secretEnv", "remove one of them")
        return self


class Canary(Spec):
    """The share of a route's requests for the new version of its app."""

    percent: int = Field(ge=0, le=100)
    """Percent of the requests. The contract has a ceiling."""


class Route(Spec):
    """Requests from outside, for one app."""

    name: DnsLabel
    """Name of the HTTPRoute."""
    namespace: DnsLabel
    """One of your namespaces, as in `butikk-prod`."""
    hostnames: Hostnames
    """Host names of your domains."""
    app: AppName | None = None
    """The app that answers. Required without `redirect`."""
    canary: Canary | None = None
    """Share of the app's canary."""
    matches: tuple[Match, ...] = Field(default=(Match(),), min_length=1, max_length=64)
    """Requests that it takes: those that meet one of these. Default: all."""
    request_headers: HeaderChanges = HeaderChanges()
    """Changes to the headers of each request."""
    response_headers: HeaderChanges = HeaderChanges()
    """Changes to the headers of each answer."""
    rewrite: Rewrite | None = None
    """Changes to a request's address, on its way to the app."""
    redirect: Redirect | None = None
    """The gateway answers itself. Then there is no `app`."""
    timeouts: Timeouts | None = None
    """Time limits. Only Cilium's gateway has them for one route."""

    @model_validator(mode="after")
    def _answers(self) -> "Route":
        if self.redirect is None and self.app is None:
            raise RefusedError("has neither app nor redirect", "write app: and the name of the app that answers")
        if self.redirect is not None and (self.app or self.canary):
            raise RefusedError("has redirect and an app", "remove one: the gateway answers a redirect itself")
        try:
            self.on_gateway(self.namespace)
        except ValidationError as error:
            raise error.errors()[0].get("ctx", {}).get("error", error) from None
        return self

    def on_gateway(self, tenant: str) -> GatewayRoute:
        """The route as the platform's own renderers take it."""
        stable = canary = None
        if self.app is not None:
            share = self.canary.percent if self.canary else 0
            stable = Backend(service=self.app, port=SERVICE_PORT, weight=100 - share)
            new = GatewayCanary(service=f"{self.app}-{CANARY}", port=SERVICE_PORT, weight=share)
            canary = new if self.canary else None
        return GatewayRoute(
            name=self.name,
            tenant=tenant,
            hostnames=self.hostnames,
            matches=self.matches,
            request_headers=self.request_headers,
            response_headers=self.response_headers,
            rewrite=self.rewrite,
            redirect=self.redirect,
            timeouts=self.timeouts,
            stable=stable,
            canary=canary,
        )
