"""Requests by backend, from counters as Traefik 3.7.9 writes them."""

from components.gateway.canary.evidence import Counts
from components.gateway.canary.traffic import Backends, Totals, as_json, between, pod_of, samples, totals

BACKENDS = Backends("butikk", "api", "gateway-system", "public", "api-stable", "api-canary")
_SERVICE = (
    "httproute-butikk-api-gw-gateway-system-public-ep-tcp-443-0-8dc832f7051eb3cbd138-svc-butikk-{}@kubernetesgateway"
)
STABLE, CANARY = _SERVICE.format("api-stable-0"), _SERVICE.format("api-canary-1")
_REQUESTS = 'traefik_service_requests_total{{code="{}",method="GET",protocol="http",service="{}"}} {}'
_TIMES = 'traefik_service_request_duration_seconds_{}{{code="200",method="GET",protocol="http",service="{}"{}}} {}'


def answer(*lines: str) -> str:
    return "\n".join(
        ["# HELP traefik_service_requests_total How many", "# TYPE traefik_service_requests_total counter", *lines]
    )


def test_only_this_routes_backends_are_counted():
    found = totals(
        samples(
            answer(
                _REQUESTS.format(200, STABLE, 90),
                _REQUESTS.format(503, STABLE, 2),
                _REQUESTS.format(404, CANARY, 4),
                _REQUESTS.format(502, CANARY, "1e+01"),
                _REQUESTS.format(200, STABLE.replace("butikk-api-gw", "butikk-api-beta-gw"), 1000),
                _REQUESTS.format(200, STABLE.replace("-443-0-", "-443-1-"), 1000),
                _REQUESTS.format(200, "api@internal", 1000),
                _TIMES.format("bucket", CANARY, ',le="0.1"', 3),
                _TIMES.format("bucket", CANARY, ',le="0.3"', 12),
                _TIMES.format("bucket", CANARY, ',le="+Inf"', 14),
                _TIMES.format("sum", CANARY, "", 4.2),
                _TIMES.format("count", CANARY, "", 14),
                'traefik_entrypoint_requests_total{code="200",entrypoint="tcp-443"} 4000',
                _REQUESTS.format(2, CANARY, 50).replace('protocol="http"', 'protocol="grpc"'),
            )
        ),
        BACKENDS,
    )
    assert found == {"stable": Totals(92, 2, 0, {}), "canary": Totals(14, 10, 14, {"0.1": 3, "0.3": 12})}


def test_a_window_is_the_difference_of_two_looks():
    before = {"stable": Totals(100, 1, 100, {"0.1": 90}), "canary": Totals()}
    now = {"stable": Totals(190, 2, 190, {"0.1": 170}), "canary": Totals(10, 3, 10, {"0.1": 4})}
    assert between(before, now) == {"failed": Counts(10, 3, 90, 1), "0.1": Counts(10, 6, 90, 10)}


def test_counters_that_began_anew_are_no_window():
    before = {"stable": Totals(100, 1, 100, {"0.1": 90}), "canary": Totals()}
    assert between(before, {"stable": Totals(7), "canary": Totals()}) is None


def test_the_record_has_the_counters():
    pod = {"stable": Totals(100, 1, 100, {"0.1": 90}), "canary": Totals()}
    assert pod_of(as_json(pod)) == pod
