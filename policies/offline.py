"""The same judgement on what is: an exported state, judged again without an engine.

`pulumi stack export` gives the deployment. What is encrypted in it is as unknown as a value at preview: a rule
that asks for it says that it cannot be decided.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pulumi_policy import PolicyCustomTimeouts, PolicyProviderResource, PolicyResource, PolicyResourceOptions
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.about import ABOUT
from policies.engine import Config, PolicyFinding
from policies.pack import RULES

LEVELS = ("mandatory", "advisory", "disabled")

_SIGNATURE = "4dabf18193072939515e22adb298388d"  # pulumi/sdk/go/common/resource/sig: marks values that are no JSON
_NEVER = PolicyCustomTimeouts(0, 0, 0)


class Judged(NamedTuple):
    """One thing that a policy says of a state."""

    policy: str
    level: str
    """`mandatory` or `advisory`."""
    severity: str
    """`low`, `medium`, `high` or `critical`."""
    urn: str
    """Empty where it is the stack's own."""
    item: str
    """Empty where it is the resource of `urn`."""
    message: str
    decided: bool
    """False: a value that the rule needs is encrypted or missing, so nobody can say."""


def judge(deployment: Mapping[str, Any], config: Mapping[str, Mapping[str, Any]]) -> list[Judged]:
    """Everything that the pack has against an exported deployment, sorted: same state, same answer.

    `config` is the pack's, by name of policy, with `enforcementLevel` among a policy's settings where its default
    is not wanted; `all` holds settings of every policy, `today` (an ISO date) for one, without which no exception
    can be judged: nothing here reads a clock. Raises KeyError for a deployment without resources' URNs and types.
    """
    body = deployment.get("deployment", deployment)
    states = [state for state in body.get("resources") or () if not state.get("delete")]
    inputs, outputs = _resources(states, "inputs"), _resources(states, "outputs")
    found = []
    for rule in RULES:
        name = rule.policy.name
        settings = {**config.get("all", {}), **config.get(name, {})}
        level = _level(name, settings)
        if level == "disabled":
            continue
        findings: list[PolicyFinding] = []
        if rule.each is not None:
            findings += [finding for resource in inputs for finding in rule.each(resource, settings)]
        if rule.whole is not None:
            findings += rule.whole(outputs, settings)
        severity = ABOUT[name].severity.name.lower()
        found += [Judged(name, level, severity, f.urn or "", f.item, f.message, f.decided) for f in findings]
    return sorted(set(found))


def _level(policy: str, settings: Config) -> str:
    level = settings.get("enforcementLevel", "mandatory" if ABOUT[policy].mandatory else "advisory")
    if level not in LEVELS:
        raise ValueError(f"policy {policy}: enforcementLevel '{level}' is none of {', '.join(LEVELS)}: write one")
    return str(level)


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
        if _SIGNATURE in value:
            return UNKNOWN_STRING_VALUE
        return dict(_items(value))
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _items(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        yield str(key), _plain(inner)
