"""A route whose canary has steps is read from the HTTPRoute alone."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.labels import CANARY, CANARY_PLAN, CANARY_STEPS
from components.gateway.canary.model import Plan
from components.gateway.canary.route import RouteError, canary_route
from tests.support.rollouts import manifest

PLAN = {
    "steps": [2, 20, 50],
    "hold": "9s",
    "interval": "3s",
    "gates": [{"kind": "success", "marginPercent": 25}],
    "abort": {"falseAlarmPercent": 1, "inconclusiveAfter": "8m"},
}


def written(**canary: Any) -> dict[str, Any]:
    return manifest(**canary)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    made = copy.deepcopy(written(**PLAN))
    change(made)
    return made


@pytest.mark.parametrize("plan", [{"steps": [1, 5, 25, 50, 100]}, PLAN])
def test_what_the_renderer_writes_is_read_as_it_was(plan: dict[str, Any]) -> None:
    found = canary_route(written(hold="10m", interval="10s", **plan) if "hold" not in plan else written(**plan))
    assert found.plan == Plan.model_validate(plan)
    ports = {"api-stable": 8080, "api-canary": 8080}
    assert found[:7] == ("butikk", "api", "api-stable", "api-canary", ports, "gateway-system", "public")


def annotate(name: str, text: str) -> Callable[[dict[str, Any]], object]:
    return lambda made: made["metadata"]["annotations"].update({name: text})


BROKEN: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda made: made["metadata"]["annotations"].pop(CANARY_STEPS), "its canary has no steps"),
    (lambda made: made["metadata"]["annotations"].pop(CANARY_PLAN), "can't be read"),
    (lambda made: made["metadata"].pop("annotations"), "its canary has no steps"),
    (annotate(CANARY, "other"), "has the backends api-stable, api-canary, and not a stable version with the canary"),
    (annotate(CANARY_STEPS, "5,1"), "do not increase"),
    (annotate(CANARY_STEPS, "1,999"), "less than or equal to 100"),
    (annotate(CANARY_STEPS, "1,٥"), "can't be read"),
    (annotate(CANARY_STEPS, "1,5\n"), "can't be read"),
    (annotate(CANARY_STEPS, ",".join(["1"] * 1000)), "can't be read"),
    (annotate(CANARY_PLAN, "[]"), "can't be read"),
    (annotate(CANARY_PLAN, "{" * 1000), "can't be read"),
    (annotate(CANARY_PLAN, json.dumps({"hold": "9s", "x": 1})), "can't be read"),
    (annotate(CANARY_PLAN, json.dumps({"steps": [1, 2]}) + " " * 2000), "can't be read"),
    (annotate(CANARY_PLAN, json.dumps({"hold": "9s", "interval": "1h"})), "interval 1h is longer than hold 9s"),
    (lambda made: made["spec"].update(parentRefs=[]), "has not exactly one Gateway"),
    (lambda made: made["spec"]["parentRefs"].append({"name": "other"}), "has not exactly one Gateway"),
    (lambda made: made["spec"]["parentRefs"][0].update(kind="Service"), "has not exactly one Gateway"),
    (lambda made: made["spec"]["rules"].append({}), "has the backends none"),
    (lambda made: made["spec"]["rules"][0]["backendRefs"].reverse(), "has the backends api-canary, api-stable"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_what_is_no_such_route_is_not_guessed_at(change: Callable[[dict[str, Any]], object], said: str) -> None:
    with pytest.raises(RouteError) as raised:
        canary_route(changed(change))
    assert said in str(raised.value)
    assert str(raised.value).startswith("route 'api' in butikk: ")


@given(st.text(max_size=200), st.text(max_size=400))
def test_any_text_in_the_annotations_is_a_plan_or_an_error(steps: str, plan: str) -> None:
    item = changed(annotate(CANARY_STEPS, steps))
    annotate(CANARY_PLAN, plan)(item)
    with suppress(RouteError):
        assert canary_route(item).plan.steps


@given(
    st.lists(st.integers(1, 100), min_size=2, max_size=20, unique=True).map(sorted),
    st.sampled_from(["1m", "10m", "1h"]),
    st.floats(0.1, 50),
)
def test_every_plan_is_read_as_it_was_written(steps: list[int], hold: str, margin: float) -> None:
    data = {"steps": steps, "hold": hold, "gates": [{"kind": "latency", "marginPercent": margin}]}
    assert canary_route(written(**data)).plan == Plan.model_validate({**data, "interval": "10s"})
