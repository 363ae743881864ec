"""Answers of Prometheus 2.42 to the query for a route's requests."""

import json
from typing import Any

from components.gateway.canary.traffic import Backends

BACKENDS = Backends("butikk", "api", "gateway-system", "public", "api-stable", "api-canary")
_START = "httproute-butikk-api-gw-gateway-system-public-ep-tcp-443-0-8dc832f7051eb3cbd138-svc-butikk-"
STABLE, CANARY = (f"{_START}{end}@kubernetesgateway" for end in ("api-stable-0", "api-canary-1"))
NOW = 1795728707.281


def series(value: Any, pod: str = "10.1.0.7:8082", **labels: str) -> dict[str, Any]:
    """One sample; without a name it is the moment when the pod was collected."""
    target = {"instance": pod, "job": "traefik", "namespace": "gateway-system"}
    return {"metric": target | labels, "value": [NOW, str(value)]}


def counter(name: str, value: Any, service: str, **labels: str) -> dict[str, Any]:
    """A counter of Traefik."""
    names = {"__name__": f"traefik_service_{name}", "protocol": "http", "method": "GET", "code": "200"}
    return series(value, **names | {"service": service} | labels)


def answer(*result: dict[str, Any], **more: Any) -> str:
    """The whole answer."""
    data = {"resultType": "vector", "result": list(result)}
    return json.dumps({"status": "success", "data": data, **more})


COUNTED = (
    series(NOW - 2),
    counter("requests_total", 90, STABLE),
    counter("requests_total", 9, STABLE, code="503"),
    counter("requests_total", 11, CANARY),
    counter("requests_total", 5, CANARY, protocol="grpc", code="2"),
    counter("request_duration_seconds_bucket", 40, STABLE, le="0.1"),
    counter("request_duration_seconds_bucket", 99, STABLE, le="+Inf"),
    counter("request_duration_seconds_count", 99, STABLE),
)
"""A pod with 99 requests of the stable version, of which 9 failed, and 11 of the canary."""
