"""Requests by backend of a route, as a Prometheus has collected them from Traefik's pods. Pure.

One instant query gives the newest sample of every counter. What is counted stays by pod, so that a counter that began
anew is seen, and nothing is extrapolated. The answer's form is that of Prometheus' HTTP API v1 (GET /api/v1/query).
"""

import re
from collections import defaultdict
from math import isfinite, nan
from typing import Literal

from pydantic import ValidationError

from components.core.untrusted import Line, Number, Untrusted, printable
from components.gateway.canary.traffic import REQUESTS, SECONDS, Backends, Sample, Seen, totals

ALWAYS = "traefik_config_reloads_total"
"""A counter that each pod of Traefik has before its first request: which pods are collected, and when they were."""
_NAMES = f"{REQUESTS}|{SECONDS}_(bucket|count)"
_LABELS = ("service", "exported_service")
"""What Prometheus calls Traefik's label `service`: the second one where its targets have a label of this name."""


class _Series(Untrusted):
    metric: dict[str, str]
    value: tuple[Number, str]
    """When the query was evaluated, and the sample."""


class _Data(Untrusted):
    resultType: Literal["vector"]  # noqa: N815  Prometheus' name
    result: list[_Series]


class _Answer(Untrusted):
    status: Literal["success"]
    data: _Data
    warnings: tuple[Line, ...] = ()


def query(backends: Backends) -> str:
    """PromQL for the newest counters of a route.

    Only targets in the gateway's namespace count: Prometheus writes the label `namespace` of a target itself, so that
    no tenant's pod can show counters of Traefik.
    """
    of_gateway = f'namespace="{backends.gateway_namespace}"'
    start = re.escape(backends.start).replace("\\", "\\\\")
    counters = (f'{{__name__=~"{_NAMES}",{of_gateway},{label}=~"{start}.+"}}' for label in _LABELS)
    return " or ".join([f"timestamp({ALWAYS}{{{of_gateway}}})", *counters])


def seen(text: str, backends: Backends, after: float) -> Seen:
    """By pod, its counters. `after`: seconds since 1970; an older sample says why it is not taken.

    Raises ValueError if this is no whole answer; the text says why.
    """
    answer = _read(text)
    if answer.warnings:
        raise ValueError(f"its answer is not whole: {answer.warnings[0]}")
    collected: dict[str, list[float]] = defaultdict(list)
    counted: dict[str, list[Sample]] = defaultdict(list)
    for series in answer.data.result:
        labels, number = series.metric, _number(series.value[1])
        pod = labels.get("instance", "")
        if "__name__" not in labels:  # timestamp() has none
            collected[pod].append(number)
        else:
            service = labels.get("exported_service", labels.get("service", ""))
            counted[pod].append(Sample(labels["__name__"], {**labels, "service": service}, number))
    if not collected:
        raise ValueError(f"it collects {ALWAYS} from no pod in namespace {backends.gateway_namespace}")
    if twice := [pod for pod, times in collected.items() if len(times) > 1]:
        raise ValueError(f"it collects {printable(twice[0])} more than once, and each request would count twice")
    early = {pod for pod, [when] in collected.items() if when < after}
    said = "not collected since the last step"
    return {
        pod: f"pod {printable(pod)}: {said}" if pod in early else totals(counted[pod], backends) for pod in collected
    }


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise ValueError("a counter is no number")
    return number


def _read(text: str) -> _Answer:
    try:
        return _Answer.model_validate_json(text)
    except ValidationError:
        raise ValueError("its answer is none of Prometheus' HTTP API") from None
