"""Whatever stands in a field, the pack answers: a policy that crashes would let everything else through."""

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from policies.engine import ENGINE_POLICIES
from policies.offline import judge
from tests.support.examples import examples
from tests.support.foreign import Props, cilium_config, gateway, release, route, service
from tests.support.policy import UNKNOWN, Resource, exported, pack_config, violations
from tests.support.policy_cases import CASES

DEEP = "[" * 100_000
ODD: list[Any] = [
    *(
        math.inf,
        -math.inf,
        math.nan,
        1e308,
        -1,
        0.5,
        True,
        None,
        "",
        " ",
        "*",
        "://",
        "https://[",
        "https://\u00f8",
        "/",
    ),
    *(DEEP, "9" * 5000, "\x00", "\U0001f600.example.no", "0.0.0.0/0", "::/0", "NaN", UNKNOWN),
    *([], {}, [None], [[]], [{}], {"": None}, {"name": None}, [math.inf], {"metadata": []}, [UNKNOWN], {"a": UNKNOWN}),
]
SUBJECTS = [resource for case in CASES.values() for resource in (*case.passes, *case.fails)]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every value in a tree."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from paths(item, (*path, key))


def with_value(resource: Resource, path: tuple[Any, ...], value: Any) -> Resource:
    props = copy.deepcopy(dict(resource.props))
    at: Any = props
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return resource._replace(props=props)


@st.composite
def odd_resources(draw: st.DrawFn) -> Resource:
    resource = draw(st.sampled_from(SUBJECTS))
    if draw(st.booleans()) and resource.type.startswith("kubernetes:") and "helm.sh" not in resource.type:
        resource = resource._replace(type=f"{resource.type}Patch")
    for _ in range(draw(st.integers(1, 3))):
        there = list(paths(dict(resource.props)))
        if there:
            resource = with_value(resource, draw(st.sampled_from(there)), draw(st.sampled_from(ODD)))
    return resource


def odd_gateway(annotation: str) -> Resource:
    annotations: Mapping[str, Any] = {"annotations": {"vds-platform.no/plain-text": annotation}}
    made = gateway("HTTP")
    return made._replace(props={**made.props, "metadata": {"name": "public", **annotations}})


@examples(40)
@given(st.lists(odd_resources(), min_size=1, max_size=3))
@example([route(math.inf)])
@example([route(-math.inf, 1)])
@example([service(type="NodePort", ports=[{"nodePort": math.inf}])])
@example([release("cilium", {"MTU": math.inf})])
@example([release("tigera-operator", {"installation": {"calicoNetwork": {"mtu": math.inf}}})])
@example([cilium_config(mtu=DEEP)])
@example([odd_gateway(DEEP)])
@example([odd_gateway('["http"]')])
def test_no_odd_value_crashes_a_policy(resources: list[Resource]) -> None:
    named = [resource._replace(name=f"{resource.name}-{index}") for index, resource in enumerate(resources)]
    config: dict[str, Props] = pack_config({})
    assert isinstance(judge(exported(named), config), list)
    if not any(endless(resource.props) for resource in named):  # the engine's protocol has no such number
        assert isinstance(violations(ENGINE_POLICIES, named, config), list)


def endless(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(endless, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and not math.isfinite(value)


def test_a_number_without_end_is_refused_and_the_rest_is_judged() -> None:
    state = exported([route(math.inf), route(0, 0, name="s")._replace(name="s")])
    said = [str(found) for found in judge(state, pack_config({})) if found.rule == "gateway-weights"]
    assert any("backendRefs.0.weight is not a whole number: correct the field" in message for message in said)
    assert any("all weights are zero" in message for message in said)


def test_an_excuse_that_cannot_be_read_excuses_nothing() -> None:
    for annotation in (DEEP, '["http"]', "{", '{"http": 7}', '{"http": {"until": "2027-01-01"}}'):
        [violation] = violations(ENGINE_POLICIES, [odd_gateway(annotation)])
        assert violation.policy == "gateway-tls"
        assert "http: takes plain text from outside" in violation.message
