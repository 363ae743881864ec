"""An API server in memory with one route and its canary's record, and a gateway that counts what a test sends."""

import copy
from collections.abc import Callable
from typing import Any

from components.core.manifests import Manifest
from components.gateway.canary import weights
from components.gateway.canary.model import Source
from components.gateway.canary.route import canary_route
from components.gateway.canary.traffic import Seen, Totals
from components.gateway.model import Route
from components.gateway.routes import http_route
from components.kubernetes_api import ApiError
from vds.canary.running import Canaried

LIMITS = ("0.1", "0.3", "1.2")
Share = Callable[[int], float]
"""From the canary's percentage to its part of the requests that are bad."""


def route(**canary: Any) -> Route:
    """A route whose canary has steps."""
    plan = {"service": "api-canary", "port": 8080, "steps": [5, 25, 100], "hold": "1m", "interval": "10s", **canary}
    return Route.model_validate(
        {
            "name": "api",
            "namespace": "butikk",
            "tenant": "butikk",
            "hostnames": ["butikk.example.no"],
            "addHeaders": {"X-Region-Context": "no-osl-1"},
            "stable": {"service": "api-stable", "port": 8080, "weight": 100},
            "canary": plan,
        }
    )


def manifest(**canary: Any) -> Manifest:
    """The same as an HTTPRoute on the gateway."""
    return http_route(route(**canary), [{"name": "public", "namespace": "gateway-system"}])


class MemoryApi:
    """Leases and routes by path, each with a resourceVersion that a write must name."""

    host = "https://memory"

    def __init__(self, made: Manifest) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.writes = 0
        self.before: Callable[[int], None] = lambda _: None
        """Called with the number of each write before it is done."""
        owned = {"f:metadata": {"f:annotations": {}, "f:labels": {}}, "f:spec": {"f:rules": {}, "f:hostnames": {}}}
        made["metadata"]["managedFields"] = [{"manager": "pulumi-1", "operation": "Apply", "fieldsV1": owned}]
        self._put(f"/apis/{made['apiVersion']}/namespaces/butikk/httproutes/{made['metadata']['name']}", made)

    def request(self, method: str, path: str, body: Any = None, *, query: Any = (), content_type: str = "") -> Any:  # noqa: ARG002  all requests are JSON
        """One request, as an API server answers it."""
        if method == "GET":
            if path not in self.objects:
                raise ApiError(404, f"{path} not found")
            return copy.deepcopy(self.objects[path])
        self.writes += 1
        self.before(self.writes)
        if method == "DELETE":
            return self.objects.pop(path)
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise ApiError(409, "already exists")
        elif body["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
            raise ApiError(409, "the object has been modified")
        if method == "PATCH":
            assert dict(query)["fieldManager"] == "pulumi-1", "the route has one owner"
            old = self.objects[path]
            body = {**old, **body, "spec": {**old["spec"], **body["spec"]}, "metadata": {**old["metadata"]}}
        return self._put(path, copy.deepcopy(body))

    def _put(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = item
        return item


class Rollout:
    """A canary, its cluster, a clock, and traffic of so many requests a second."""

    def __init__(self, *, rate: int = 200, failing: Share = lambda _: 0.0, slow: Share = lambda _: 0.0, **canary: Any):
        self.api = MemoryApi(manifest(**canary))
        self.clock, self.counted_at, self.rate = 1000.0, 1000.0, rate
        self.failing, self.slow = failing, slow
        self.seen = {"stable": [0.0, 0.0, 0.0], "canary": [0.0, 0.0, 0.0]}
        self.said: list[str] = []

    @property
    def canaried(self) -> Canaried:
        """What the command works on."""
        return Canaried(self.api, canary_route(weights.read(self.api, "butikk", "api")))  # type: ignore[arg-type]

    def now(self) -> float:
        """The time."""
        return self.clock

    def sleep(self, pause: float) -> None:
        """Let time pass; the gateway counts the requests in it."""
        percent = self.percent
        for place, part in (("stable", 100 - percent), ("canary", percent)):
            many = self.rate * pause * part / 100
            bad = self.failing(percent) if place == "canary" else 0.0
            late = self.slow(percent) if place == "canary" else 0.0
            self.seen[place] = [
                old + new for old, new in zip(self.seen[place], (many, many * bad, many * late), strict=True)
            ]
        self.clock += pause

    @property
    def percent(self) -> int:
        """The canary's share in the route."""
        [route] = [item for path, item in self.api.objects.items() if "/httproutes/" in path]
        stable, canary = (one["weight"] for one in route["spec"]["rules"][0]["backendRefs"])
        return int(canary * 100 / (stable + canary))

    def counters(self, _after: float = 0.0) -> dict[Source, Seen]:
        """As the gateway's one pod shows them; each source of the plan has the same requests."""
        pod = {}
        for place, (requests, failed, late) in self.seen.items():
            many = int(requests)
            within = {"0.1": many - int(late), "0.3": many - int(late), "1.2": many}
            pod[place] = Totals(many, int(failed), many, within)
        return {source: {"uid-1": pod} for source in self.canaried.plan.sources}

    def report(self, _: Any, text: str) -> None:
        """What is shown."""
        if text:
            self.said.append(text)
