"""Requests by backend of a route, from the counters of Traefik's pods (Prometheus' text format)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from components.gateway.canary.evidence import Counts

FAILED = "failed"
"""What bad requests are called that were answered with a status of 500 and more."""
NOT_JUDGED = ("grpc", "grpc-web")
"""Protocols whose requests are not counted. Traefik 3.7.9 counts a call that ended well as UNKNOWN: it reads the status
before the trailers (pkg/middlewares/metrics, grpcStatusCode)."""
_SAMPLE = re.compile(r"^(traefik_service_\w+)\{([^}]*)\} (\S+)(?: \d+)?$")
_RULE = re.compile(r"-0(-[0-9a-f]+)?$")
"""The route's only rule, and the hash of its matches."""
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
REQUESTS = "traefik_service_requests_total"
SECONDS = "traefik_service_request_duration_seconds"


class Sample(NamedTuple):
    """One counter of Traefik."""

    name: str
    labels: Mapping[str, str]
    value: float


class Backends(NamedTuple):
    """A route's backends, as Traefik names them: it numbers them in the order of the rule."""

    namespace: str
    route: str
    gateway_namespace: str
    gateway: str
    stable: str
    canary: str

    @property
    def start(self) -> str:
        """How Traefik's names of the route's services begin.

        The name is made in Traefik's pkg/provider/kubernetes/gateway/httproute.go, as in 3.7.9. In the lab
        it is compared with a running Traefik's (tests/lab/test_canary.py).
        """
        return f"httproute-{self.namespace}-{self.route}-gw-{self.gateway_namespace}-{self.gateway}-ep-"

    def place_of(self, service: str) -> str | None:
        """`stable` or `canary` by Traefik's name of a service; None for one of another route."""
        for place, name, index in (("stable", self.stable, 0), ("canary", self.canary, 1)):
            end = f"-svc-{self.namespace}-{name}-{index}@kubernetesgateway"
            if service.startswith(self.start) and service.endswith(end) and _RULE.search(service[: -len(end)]):
                return place
        return None


class Totals(NamedTuple):
    """Counters of one backend in one pod of Traefik, since the pod's container began."""

    requests: int = 0
    failed: int = 0
    timed: int = 0
    """Requests whose duration is known."""
    within: Mapping[str, int] = {}
    """By limit in seconds, requests that took no longer."""


Pod = Mapping[str, Totals]
"""By place, `stable` and `canary`."""
Seen = Mapping[str, Pod | str]
"""What one source has counted until now: by name of what counts, its counters, or why they can't be read."""
NOTHING: Pod = {"stable": Totals(), "canary": Totals()}


def samples(text: str) -> Iterator[Sample]:
    """The counters of Traefik's services in one pod's answer (Prometheus' text format)."""
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            yield Sample(found[1], dict(_LABEL.findall(found[2])), float(found[3]))


def totals(counted: Iterable[Sample], backends: Backends) -> Pod:
    """The counters of a route's backends in one pod. A backend without a request is 0."""
    requests: dict[str, int] = defaultdict(int)
    failed: dict[str, int] = defaultdict(int)
    timed: dict[str, int] = defaultdict(int)
    within: dict[str, dict[str, int]] = {"stable": defaultdict(int), "canary": defaultdict(int)}
    for name, labels, number in counted:
        place = backends.place_of(labels.get("service", ""))
        if place is None or labels.get("protocol") in NOT_JUDGED:
            continue
        if name == REQUESTS:
            requests[place] += int(number)
            failed[place] += int(number) if labels.get("code", "").startswith("5") else 0
        elif name == f"{SECONDS}_count":
            timed[place] += int(number)
        elif name == f"{SECONDS}_bucket" and labels["le"] != "+Inf":
            within[place][labels["le"]] += int(number)
    return {
        place: Totals(requests[place], failed[place], timed[place], dict(within[place]))
        for place in ("stable", "canary")
    }


def between(before: Pod, now: Pod) -> dict[str, Counts] | None:
    """Requests of one pod between two looks, by kind of bad request; None if its counters began anew in between."""
    differences = {}
    for place in ("stable", "canary"):
        old, new = before[place], now[place]
        limits = new.within.keys() | old.within.keys()
        within = {limit: new.within.get(limit, 0) - old.within.get(limit, 0) for limit in limits}
        made = Totals(new.requests - old.requests, new.failed - old.failed, new.timed - old.timed, within)
        if min(made.requests, made.failed, made.timed, *within.values()) < 0:
            return None
        differences[place] = made
    stable, canary = differences["stable"], differences["canary"]
    found = {FAILED: Counts(canary.requests, canary.failed, stable.requests, stable.failed)}
    for limit in sorted(stable.within.keys() | canary.within.keys(), key=float):
        found[limit] = Counts(
            canary.timed,
            canary.timed - canary.within.get(limit, 0),
            stable.timed,
            stable.timed - stable.within.get(limit, 0),
        )
    return found


def as_json(pod: Pod) -> dict[str, Any]:
    """For the record in the cluster."""
    return {place: {**made._asdict(), "within": dict(made.within)} for place, made in sorted(pod.items())}


def pod_of(data: Mapping[str, Any]) -> Pod:
    """The counters in a record. Raises KeyError or TypeError if they are none."""
    return {place: Totals(**data[place]) for place in ("stable", "canary")}
