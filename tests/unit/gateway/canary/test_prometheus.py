"""A route's requests from a Prometheus: its answers have the form that Prometheus 2.42 gave to this query."""

import json
import re

import pytest

from components.gateway.canary import prometheus
from components.gateway.canary.traffic import Totals
from tests.support.prometheus_answers import BACKENDS, CANARY, COUNTED, NOW, STABLE, answer, counter, series


def test_the_query_takes_counters_of_this_route_in_the_gateways_pods_only() -> None:
    query = prometheus.query(BACKENDS)
    assert query.count('namespace="gateway-system"') == 3
    [service, exported] = [re.compile(json.loads(f'"{one}"')) for one in re.findall(r'service=~"(.*?)"', query)]
    assert service == exported
    assert service.fullmatch(STABLE)
    assert not service.fullmatch(STABLE.replace("-api-gw", "-other-gw"))


def test_requests_are_counted_by_pod_and_backend() -> None:
    stable = Totals(99, 9, 99, {"0.1": 40})
    assert prometheus.seen(answer(*COUNTED), BACKENDS, NOW - 10) == {
        "10.1.0.7:8082": {"stable": stable, "canary": Totals(11)}
    }


def test_the_label_of_traefik_may_have_another_name() -> None:
    one = series(7, __name__="traefik_service_requests_total", service="traefik", exported_service=CANARY, code="200")
    [pod] = prometheus.seen(answer(series(NOW), one), BACKENDS, 0.0).values()
    assert pod == {"stable": Totals(), "canary": Totals(7)}


def test_a_pod_without_a_request_has_counted_nothing() -> None:
    assert prometheus.seen(answer(series(NOW)), BACKENDS, 0.0) == {
        "10.1.0.7:8082": {"stable": Totals(), "canary": Totals()}
    }


def test_what_was_collected_before_the_step_is_not_of_the_step() -> None:
    assert prometheus.seen(answer(*COUNTED), BACKENDS, NOW) == {
        "10.1.0.7:8082": "pod 10.1.0.7:8082: not collected since the last step"
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "none of Prometheus' HTTP API"),
        (json.dumps({"status": "error", "errorType": "timeout", "error": "x"}), "none of Prometheus' HTTP API"),
        (json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}), "none of Prometheus'"),
        (answer(), "it collects traefik_config_reloads_total from no pod in namespace gateway-system"),
        (answer(*COUNTED[1:]), "it collects traefik_config_reloads_total from no pod"),
        (answer(*COUNTED, warnings=["one of two stores did not answer"]), "one of two stores did not answer"),
        (answer(*COUNTED, series(NOW, job="other")), "collects 10.1.0.7:8082 more than once"),
        (answer(*COUNTED, counter("requests_total", "NaN", CANARY, code="201")), "a counter is no number"),
        (answer(*COUNTED, counter("requests_total", "many", CANARY, code="201")), "a counter is no number"),
    ],
)
def test_an_answer_that_is_not_whole_counts_nothing(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prometheus.seen(text, BACKENDS, 0.0)
