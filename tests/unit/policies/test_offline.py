"""An exported state is judged as a preview is."""

import json
from typing import Any

import pytest

from policies.engine import POLICIES
from policies.offline import judge
from tests.support.foreign import namespace
from tests.support.policy import exported, pack_config
from tests.support.policy_cases import CASES

_OF_THE_STACK = ("residency-state", "residency-exceptions", "residency-record", "tenancy-one-bundle")
"""Policies whose broken case is about no resource."""


def of(policy: str, outcome: str) -> list[Any]:
    case = CASES[policy]
    return [said for said in judge(exported(getattr(case, outcome)), pack_config(case.config)) if said.rule == policy]


# A state has what every resource is: nothing in it is without properties.
@pytest.mark.parametrize("policy", [name for name in CASES if name != "stack-judged"])
def test_a_state_is_judged_as_a_preview_is(policy: str) -> None:
    assert judge(exported(CASES[policy].passes), pack_config(CASES[policy].config)) == []
    [broken] = of(policy, "fails")
    assert CASES[policy].message in str(broken)
    assert broken.decided
    assert broken.urn or policy in _OF_THE_STACK


@pytest.mark.parametrize("policy", [name for name, case in CASES.items() if case.unknown])
def test_what_is_encrypted_cannot_be_decided_and_says_so(policy: str) -> None:
    [unknown] = of(policy, "unknown")
    assert not unknown.decided
    assert "cannot be decided" in unknown.message


def test_the_pack_s_configuration_sets_the_level_of_each_policy() -> None:
    broken = exported(CASES["gateway-weights"].fails)
    assert POLICIES["gateway-weights"].level({}) == "mandatory"
    assert POLICIES["gateway-weights"].level({"enforcementLevel": "advisory"}) == "advisory"
    assert judge(broken, pack_config({"gateway-weights": {"enforcementLevel": "disabled"}})) == []
    with pytest.raises(ValueError, match="enforcementLevel 'loud' is none of mandatory, advisory, disabled"):
        judge(broken, pack_config({"gateway-weights": {"enforcementLevel": "loud"}}))


def test_the_same_state_gives_the_same_answer_however_it_is_wrapped() -> None:
    broken = exported([*CASES["gateway-weights"].fails, *CASES["tenancy-rights"].fails])
    once = judge(broken, pack_config({}))
    assert once == judge(json.loads(json.dumps(broken["deployment"])), pack_config({}))
    assert [said.rule for said in once] == ["gateway-weights", "tenancy-rights"]
    assert all(said.urn.startswith("urn:pulumi:") for said in once)


def test_the_platform_s_namespaces_are_listed_once() -> None:
    state, own = exported([namespace("monitoring")]), {"platformNamespaces": ["monitoring"]}
    undeclared = {finding.rule for finding in judge(state, {})}
    assert {"tenancy-default-deny", "tenancy-quota", "tenancy-limits"} <= undeclared
    for config in ({"tenancy-label": own}, {"all": own}):
        assert [finding.rule for finding in judge(state, config)] == ["residency-state", "tenancy-forged-label"]
