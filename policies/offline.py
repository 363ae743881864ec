"""The same judgement on what is: an exported state, judged again without an engine.

`pulumi stack export` gives the deployment. What is encrypted in it is as unknown as a value at preview: a rule
that asks for it says that it cannot be decided.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi_policy import PolicyCustomTimeouts, PolicyProviderResource, PolicyResource, PolicyResourceOptions
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from components.core.finding import Finding
from components.core.unknown import SIGNATURE
from policies.engine import POLICIES, judge_resource, judge_stack, shared

LEVELS = ("mandatory", "advisory", "disabled")

_NEVER = PolicyCustomTimeouts(0, 0, 0)


def judge(deployment: Mapping[str, Any], config: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """All findings of the pack in an exported deployment, sorted: same state, same answer. A finding's `rule` is the
    policy's id.

    `config` is the pack's, by policy, with `enforcementLevel` among a policy's settings where its default is not
    wanted; `all` holds settings of every policy, `today` (an ISO date) for one, without which no exception can be
    judged: nothing here reads a clock. Raises KeyError for a deployment without resources' URNs and types.
    """
    body = deployment.get("deployment", deployment)
    states = [state for state in body.get("resources") or () if not state.get("delete")]
    inputs, outputs = _resources(states, "inputs"), _resources(states, "outputs")
    found: set[Finding] = set()
    for policy in POLICIES.values():
        settings = {**shared(config), **config.get("all", {}), **config.get(policy.id, {})}
        level = policy.level(settings)
        if level not in LEVELS:
            choices = ", ".join(LEVELS)
            raise ValueError(f"policy {policy.id}: enforcementLevel '{level}' is none of {choices}: write one")
        if level == "disabled":
            continue
        if policy.of_stack:
            found.update(judge_stack(policy, outputs, settings))
        else:
            found.update(finding for resource in inputs for finding in judge_resource(policy, resource, settings))
    return sorted(found)


def _resources(states: Iterable[Mapping[str, Any]], field: str) -> list[PolicyResource]:
    """The resources as the engine would show them, children after their parents as a state has them."""
    made: dict[str, PolicyResource] = {}
    for state in states:
        urn, kind = str(state["urn"]), str(state["type"])
        # A component's inputs are known to an export too; its outputs are what it registered.
        props = unknown_checking_proxy(_plain(state.get(field) or {}))
        made[urn] = PolicyResource(
            kind,
            props,
            urn,
            urn.rpartition("::")[2],
            PolicyResourceOptions(bool(state.get("protect")), [], False, [], _NEVER, [], state.get("parent")),
            _provider(state),
            made.get(str(state.get("parent") or "")),
            [made[other] for other in state.get("dependencies") or () if other in made],
            {},
        )
    return list(made.values())


def _provider(state: Mapping[str, Any]) -> PolicyProviderResource | None:
    reference = state.get("provider")
    if not reference:
        return None
    urn = str(reference).rpartition("::")[0]
    kind = urn.split("::")[2].rpartition("$")[2] if urn.count("::") >= 3 else ""
    return PolicyProviderResource(kind, {}, urn, urn.rpartition("::")[2])


def _plain(value: Any) -> Any:
    """The value, with an unknown where it is encrypted or an asset."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return UNKNOWN_STRING_VALUE
        return dict(_items(value))
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _items(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        yield str(key), _plain(inner)
