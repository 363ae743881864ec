"""An agency's apps and routes, as its stack file has them. Pure."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator

from components.core.model import Spec
from components.core.quantities import Quantity
from components.core.types import DnsLabel, Port, RefusedError
from components.gateway.canary.model import Plan
from components.gateway.model import Backend, GrpcRequests, HttpRequests, Path
from components.gateway.model import Canary as GatewayCanary
from components.gateway.model import GrpcRoute as GatewayGrpcRoute
from components.gateway.model import Mirror as GatewayMirror
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
    """Disk of each pod for temporary files and logs. Kubernetes ends a pod that uses more. The kubelet keeps up to
    50 MiB of a container's logs (`containerLogMaxSize` times `containerLogMaxFiles`)."""
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


class Canary(Plan):
    """The requests for the new version of the route's app: a fixed share (`percent`), or steps."""

    percent: int | None = Field(default=None, ge=0, le=100)
    """Percent of the requests. The contract has a ceiling. Leave it out if there are `steps`."""

    @model_validator(mode="after")
    def _one_share(self) -> "Canary":
        if self.percent is not None and "steps" in self.model_fields_set:
            raise RefusedError(f"has steps and percent {self.percent}", "remove one: `vds canary` sets the share")
        if self.percent is None and not self.steps:
            raise RefusedError("has neither percent nor steps", "write percent, or steps: [1, 5, 25, 50, 100]")
        return self


class Mirror(Spec):
    """An app in the same namespace that gets a copy of requests. Its answers are thrown away."""

    app: AppName
    """Its name."""
    percent: int = Field(default=100, ge=1, le=100)
    """Share of the requests that are copied."""


class Route(HttpRequests):
    """Requests from outside, for one app."""

    name: DnsLabel
    """Name of the HTTPRoute."""
    namespace: DnsLabel
    """One of your namespaces, as in `butikk-prod`."""
    app: AppName | None = None
    """The app that answers. Required without `redirect`."""
    canary: Canary | None = None
    """Requests for the app's canary. Default: none."""
    mirror: Mirror | None = None
    """A second app that gets a copy of the requests. Only where Cilium is the gateway."""

    @model_validator(mode="after")
    def _answers(self) -> "Route":
        if self.redirect is None and self.app is None:
            raise RefusedError("has neither app nor redirect", "write app: and the name of the app that answers")
        if self.redirect is not None and (self.app or self.canary or self.mirror):
            raise RefusedError("has redirect and an app", "remove one: the gateway answers a redirect itself")
        try:
            self.on_gateway(self.namespace)
        except ValidationError as error:
            raise error.errors()[0].get("ctx", {}).get("error", error) from None
        return self

    def on_gateway(self, tenant: str) -> GatewayRoute:
        """The route as the platform's own renderers take it."""
        share = (self.canary.percent if self.canary else None) or 0
        stable = Backend(service=self.app, port=SERVICE_PORT, weight=100 - share) if self.app else None
        copies = self.mirror and GatewayMirror(service=self.mirror.app, port=SERVICE_PORT, percent=self.mirror.percent)
        return GatewayRoute(
            name=self.name,
            namespace=self.namespace,
            tenant=tenant,
            stable=stable,
            canary=self._new_version(self.canary) if self.canary else None,
            mirror=copies,
            **{name: getattr(self, name) for name in HttpRequests.model_fields},
        )

    def _new_version(self, canary: Canary) -> GatewayCanary:
        shares = {name: getattr(canary, name) for name in Plan.model_fields}
        if canary.percent is not None:
            shares["weight"] = canary.percent
        return GatewayCanary(service=f"{self.app}-{CANARY}", port=SERVICE_PORT, **shares)


class GrpcCanary(Spec):
    """The requests for the new version of the route's app: a fixed share. Traefik can't count which calls failed."""

    percent: int = Field(ge=0, le=100)
    """Percent of the requests. The contract has a ceiling."""


class GrpcRoute(GrpcRequests):
    """Requests of gRPC from outside, for one app. Its clients and its pods speak HTTP/2."""

    name: DnsLabel
    """Name of the GRPCRoute."""
    namespace: DnsLabel
    """One of your namespaces, as in `butikk-prod`."""
    app: AppName
    """The app that answers."""
    canary: GrpcCanary | None = None
    """Requests for the app's canary. Default: none."""

    def on_gateway(self, tenant: str) -> GatewayGrpcRoute:
        """The route as the platform's own renderers take it."""
        share = self.canary.percent if self.canary else 0
        new = Backend(service=f"{self.app}-{CANARY}", port=SERVICE_PORT, weight=share) if self.canary else None
        return GatewayGrpcRoute(
            name=self.name,
            namespace=self.namespace,
            tenant=tenant,
            stable=Backend(service=self.app, port=SERVICE_PORT, weight=100 - share),
            canary=new,
            **{name: getattr(self, name) for name in GrpcRequests.model_fields},
        )


AnyRoute = Route | GrpcRoute
