"""What the components take. Written from the models by `make schemas`; do not edit."""

from typing import NotRequired, TypedDict

import pulumi


class CanaryVersion(TypedDict):
    """The new version of an app. It runs beside the stable one; a Route says how many requests it gets."""

    image: pulumi.Input[str]
    """Its image."""
    replicas: NotRequired[pulumi.Input[int]]
    """How many pods. Default: 1."""
    env: NotRequired[pulumi.Input[dict[str, str]]]
    """Environment variables in place of the app's with the same name, and more."""


class SecretKey(TypedDict):
    """A value of a Secret in the same namespace."""

    secret: pulumi.Input[str]
    """Name of the Secret."""
    key: pulumi.Input[str]
    """The key in it."""


class Call(TypedDict):
    """Another app in the same namespace that this app calls."""

    app: pulumi.Input[str]
    """Its name."""
    port: pulumi.Input[int]
    """The port of its containers, not of its Service."""


class AppArgs(TypedDict):
    """One app: its pods, its Service, and who may call it."""

    namespace: pulumi.Input[str]
    """One of your namespaces, as in `butikk-prod`."""
    image: pulumi.Input[str]
    """Image of the stable version, as in `registry.example.no/butikk/api@sha256:…`."""
    port: NotRequired[pulumi.Input[int]]
    """TCP port on which the container listens. The Service has port 80. Default: 8080."""
    replicas: NotRequired[pulumi.Input[int]]
    """How many pods of the stable version. Default: 2."""
    canary: NotRequired[CanaryVersion]
    """A new version that runs beside the stable one."""
    command: NotRequired[pulumi.Input[list[str]]]
    """The program, in place of the image's."""
    args: NotRequired[pulumi.Input[list[str]]]
    """Its arguments, in place of the image's."""
    env: NotRequired[pulumi.Input[dict[str, str]]]
    """Environment variables. Not for secrets."""
    secret_env: NotRequired[dict[str, SecretKey]]
    """Environment variables with values of Secrets."""
    health_path: NotRequired[pulumi.Input[str]]
    """A path that answers with 200 when the app works. Default: the port is open."""
    cpu: NotRequired[pulumi.Input[str]]
    """Processor time that each pod gets for sure, as in `100m`: a tenth of a core. Default: 100m."""
    cpu_limit: NotRequired[pulumi.Input[str]]
    """The most processor time of each pod. Default: 500m."""
    memory: NotRequired[pulumi.Input[str]]
    """Memory of each pod. Kubernetes ends a pod that uses more. Default: 256Mi."""
    disk: NotRequired[pulumi.Input[str]]
    """Disk of each pod for temporary files and logs. Kubernetes ends a pod that uses more. The kubelet keeps up to 50 MiB of a container's logs (`containerLogMaxSize` times `containerLogMaxFiles`). Default: 256Mi."""  # noqa: E501
    writable: NotRequired[pulumi.Input[list[str]]]
    """Folders for temporary files. All other files of the image are read-only."""
    user: NotRequired[pulumi.Input[int]]
    """Number of the user that the container runs as. Required if the image's own user is root or has no number."""
    callers: NotRequired[pulumi.Input[list[str]]]
    """Who may call it: `gateway`, and apps in the same namespace."""
    calls: NotRequired[list[Call]]
    """Apps in the same namespace that it calls."""
    egress: NotRequired[pulumi.Input[list[str]]]
    """Names of registered destinations outside of the cluster that it calls."""


class Match(TypedDict):
    """Requests that meet all of these conditions."""

    path_prefix: NotRequired[pulumi.Input[str]]
    """The beginning of the path, in whole parts: `/api` takes /api and /api/v2, and not /apix. Default: /."""
    path: NotRequired[pulumi.Input[str]]
    """The whole path, in place of its beginning."""
    method: NotRequired[pulumi.Input[str]]
    """The method. Default: all."""
    headers: NotRequired[pulumi.Input[dict[str, str]]]
    """Headers with exactly these values."""
    query: NotRequired[pulumi.Input[dict[str, str]]]
    """Parameters of the query with exactly these values."""


class HeaderChanges(TypedDict):
    """Headers that the gateway changes. A header is named in one of the three only."""

    add: NotRequired[pulumi.Input[dict[str, str]]]
    """Added, beside a header of the same name."""
    set: NotRequired[pulumi.Input[dict[str, str]]]
    """In place of a header of the same name."""
    remove: NotRequired[pulumi.Input[list[str]]]
    """Names of headers that are removed."""


class Rewrite(TypedDict):
    """What the gateway changes in a request's address before it sends the request on."""

    hostname: NotRequired[pulumi.Input[str]]
    """The new host."""
    path: NotRequired[pulumi.Input[str]]
    """The new path."""
    path_prefix: NotRequired[pulumi.Input[str]]
    """In place of the `pathPrefix` that matched. The rest of the path stays."""


class Redirect(TypedDict):
    """The answer to a request: where the client must ask instead."""

    hostname: NotRequired[pulumi.Input[str]]
    """The new host. Default: the same."""
    path: NotRequired[pulumi.Input[str]]
    """The new path. Default: the same."""
    path_prefix: NotRequired[pulumi.Input[str]]
    """In place of the `pathPrefix` that matched. The rest of the path stays."""
    port: NotRequired[pulumi.Input[int]]
    """The new port. Default: the one of https."""
    status: NotRequired[pulumi.Input[int]]
    """303, 307 and 308 need Gateway API 1.5. Default: 302."""


class Timeouts(TypedDict):
    """Time limits of one request. A request that exceeds one is answered with 504."""

    request_seconds: pulumi.Input[int]
    """From the request's arrival until the whole answer was sent."""
    backend_seconds: NotRequired[pulumi.Input[int]]
    """For each attempt to get an answer from the Service. At most `requestSeconds`."""


class Gate(TypedDict):
    """A comparison of the canary's requests with those of `stable`."""

    kind: pulumi.Input[str]
    """success: its requests fail no more often. A request has failed with a status of 500 and more, a probe with every status but 200. latency: its answers take no longer: at each of Traefik's limits, not more of them are slower."""  # noqa: E501
    source: NotRequired[pulumi.Input[str]]
    """Which requests. gateway: those of users, as the pods of the platform's Traefik count them. prometheus: the same, as a Prometheus has collected them; `vds canary start --prometheus` names it. probe: those of `probe`. Default: gateway."""  # noqa: E501
    margin_percent: NotRequired[pulumi.Input[float]]
    """The canary passes if its share of failed or slower requests is proven to be less than this above that of `stable`, in percentage points. A smaller margin needs more requests. Default: 1 for success, 10 for latency."""  # noqa: E501


class Probe(TypedDict):
    """Requests by HTTP that `vds canary start` sends to pods of both versions, beside those of users."""

    path: pulumi.Input[str]
    """What is asked for. Only 200 is a good answer."""
    requests: NotRequired[pulumi.Input[int]]
    """How many each version gets at each look. One that takes longer than its part of the interval has failed. Default: 5."""  # noqa: E501


class Abort(TypedDict):
    """When a canary is rolled back."""

    false_alarm_percent: NotRequired[pulumi.Input[float]]
    """The probability that a version which is not worse is ever rolled back, and in each step that a version which is worse than `stable` by a gate's margin passes. A smaller one needs more requests."""  # noqa: E501
    inconclusive_after: NotRequired[pulumi.Input[str]]
    """A step that is not decided after this time is rolled back. No traffic decides nothing. Default: 2h."""


class Canary(TypedDict):
    """The requests for the new version of the route's app: a fixed share (`percent`), or steps."""

    steps: NotRequired[pulumi.Input[list[int]]]
    """Shares of the requests in percent, from the first to the last, as in [1, 5, 25, 50, 100]. `vds canary start` goes from one to the next when all gates have passed. Until then, and after a rollback, the canary gets nothing."""  # noqa: E501
    hold: NotRequired[pulumi.Input[str]]
    """How long each step lasts at least. Default: 10m."""
    interval: NotRequired[pulumi.Input[str]]
    """Time between two looks at the gateway's counters. A bad version is rolled back at the next look. Default: 10s."""
    gates: NotRequired[list[Gate]]
    """What is compared with `stable` in every step."""
    probe: NotRequired[Probe]
    """Required by gates with `source: probe`."""
    abort: NotRequired[Abort]
    """When the canary is rolled back."""
    percent: NotRequired[pulumi.Input[int]]
    """Percent of the requests. The contract has a ceiling. Leave it out if there are `steps`."""


class Mirror(TypedDict):
    """An app in the same namespace that gets a copy of requests. Its answers are thrown away."""

    app: pulumi.Input[str]
    """Its name."""
    percent: NotRequired[pulumi.Input[int]]
    """Share of the requests that are copied. Default: 100."""


class RouteArgs(TypedDict):
    """Requests from outside, for one app."""

    hostnames: pulumi.Input[list[str]]
    """The hosts that requests are for."""
    add_headers: NotRequired[pulumi.Input[dict[str, str]]]
    """Headers that the gateway adds to each request."""
    listener: NotRequired[pulumi.Input[str]]
    """Only this listener. Default: every listener with a matching host."""
    matches: NotRequired[list[Match]]
    """Requests that it takes: those that meet one of these. Default: all."""
    request_headers: NotRequired[HeaderChanges]
    """More changes to the headers of each request."""
    response_headers: NotRequired[HeaderChanges]
    """Changes to the headers of each answer."""
    rewrite: NotRequired[Rewrite]
    """Changes to a request's address, on its way to the Service."""
    redirect: NotRequired[Redirect]
    """The gateway answers itself, and no Service does."""
    timeouts: NotRequired[Timeouts]
    """Time limits. Only Cilium has them for one route; for Traefik, the stack file's `gateway.limits` are for all."""
    namespace: pulumi.Input[str]
    """One of your namespaces, as in `butikk-prod`."""
    app: NotRequired[pulumi.Input[str]]
    """The app that answers. Required without `redirect`."""
    canary: NotRequired[Canary]
    """Requests for the app's canary. Default: none."""
    mirror: NotRequired[Mirror]
    """A second app that gets a copy of the requests. Only where Cilium is the gateway."""


class GrpcCanary(TypedDict):
    """The requests for the new version of the route's app: a fixed share. Traefik can't count which calls failed."""

    percent: pulumi.Input[int]
    """Percent of the requests. The contract has a ceiling."""


class GrpcRouteArgs(TypedDict):
    """Requests of gRPC from outside, for one app. Its clients and its pods speak HTTP/2."""

    hostnames: pulumi.Input[list[str]]
    """The hosts that requests are for."""
    add_headers: NotRequired[pulumi.Input[dict[str, str]]]
    """Headers that the gateway adds to each request."""
    listener: NotRequired[pulumi.Input[str]]
    """Only this listener. Default: every listener with a matching host."""
    methods: NotRequired[pulumi.Input[list[str]]]
    """Requests that it takes, as in `butikk.v1.Orders` or `butikk.v1.Orders/List`. Default: all."""
    namespace: pulumi.Input[str]
    """One of your namespaces, as in `butikk-prod`."""
    app: pulumi.Input[str]
    """The app that answers."""
    canary: NotRequired[GrpcCanary]
    """Requests for the app's canary. Default: none."""
