"""Judges a state with the policy pack. The only module here that uses `policies`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import policies
from components.core.finding import Finding
from components.core.names import token
from components.core.untrusted import yaml_value
from policies.context import SEEN_BACKEND, TODAY
from policies.engine import POLICIES, PolicyError
from policies.machines import KUBERNETES, REMOTE
from policies.offline import LEVELS, judge
from policies.policy import Policy
from vds.evidence.model import PolicyResult
from vds.evidence.state import State, is_secret
from vds.shared.errors import OperationError

Entry = Mapping[str, Any]


def pack_version() -> str:
    """The version that `PulumiPolicy.yaml` gives the pack."""
    text = (Path(policies.__file__).parent / "PulumiPolicy.yaml").read_text(encoding="utf-8")
    return str(yaml_value(text)["version"])


def results(state: State, config: Mapping[str, Any], *, today: str, backend: str) -> list[PolicyResult]:
    """The result of every policy of the pack.

    `config` has the form of `--policy-pack-config`. Exceptions are compared with `today`, for example 2026-11-21.
    `backend` is where the state is; empty if unknown.

    Raises OperationError if `config` is not valid.
    """
    settings = {name: {TODAY: today, SEEN_BACKEND: backend, **settings} for name, settings in _settings(config).items()}
    entries = [_with_public(entry, state) for entry in parents_first(state.deployment["resources"])]
    try:
        found = judge({**state.deployment, "resources": entries}, settings)
    except PolicyError as error:
        raise OperationError(str(error)) from None
    return [
        _result(policy, settings[policy.id], [finding for finding in found if finding.rule == policy.id])
        for policy in POLICIES.values()
    ]


def together(parts: Sequence[Sequence[PolicyResult]]) -> list[PolicyResult]:
    """The results of several states as one: what is found in one of them is found."""
    found = [sorted({finding for one in same for finding in one.findings}) for same in zip(*parts, strict=True)]
    return [replace(one, findings=tuple(findings)) for one, findings in zip(parts[0], found, strict=True)]


def parents_first(entries: list[Entry]) -> list[Entry]:
    """The resources by URN, each after its parent and its dependencies.

    The engine writes a state in the order in which its work ended, and the pack needs parents before children.
    """
    same: dict[str, list[Entry]] = {}
    for entry in entries:
        same.setdefault(entry["urn"], []).append(entry)  # a replaced resource that is still to be deleted has a twin
    sorter = TopologicalSorter(
        {
            urn: {need for twin in twins for need in (twin.get("parent"), *(twin.get("dependencies") or ()))}
            & (same.keys() - {urn})
            for urn, twins in same.items()
        }
    )
    with suppress(CycleError):  # the engine writes no cycle; resources in one come last
        sorter.prepare()
    ordered: list[str] = []
    while ready := sorted(sorter.get_ready()):
        ordered += ready
        sorter.done(*ready)
    left = sorted(same.keys() - set(ordered))
    return [entry for urn in (*ordered, *left) for entry in same[urn]]


def _with_public(entry: Entry, state: State) -> Entry:
    """The entry with the host and host key that its node component declares, where SSH's own settings are encrypted,
    and with the public part of an encrypted kubeconfig, which the record of nodes or the registered tenant declares.

    pulumi-command keeps a whole connection secret for the key in it. Undecrypted, no policy could say where a
    machine is; the program gives both from one value, and the preview's judgement has seen the real one.
    """
    field, public = "", None
    if entry["type"].startswith(REMOTE):
        parents = [one for one in state.resources if one.urn == entry.get("parent") and not one.leaving]
        known = parents[0].inputs if parents else {}
        if isinstance(address := known.get("address"), str):
            field, public = (
                "connection",
                {"host": address, "hostKey": known.get("hostKey") or entry["inputs"]["connection"]},
            )
    elif entry["type"] == KUBERNETES:
        shown = (token("Record"), token("RegisteredTenant"))
        records = [one for one in state.resources if one.type in shown and not one.leaving]
        field, public = "kubeconfig", next((one.inputs.get("kubeconfig") for one in records), None)
    if public is None:
        return entry
    changed = {
        part: {**entry[part], field: public}
        for part in ("inputs", "outputs")
        if is_secret((entry.get(part) or {}).get(field))
    }
    return {**entry, **changed}


def _settings(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """A pack's configuration with levels written out: `"advisory"` alone is short for a group, `all` for everyone."""
    problems = list(_config_problems(config))
    if problems:
        raise OperationError("--policy-pack-config: " + "\n  ".join(problems))
    written = {name: {"enforcementLevel": value} if isinstance(value, str) else value for name, value in config.items()}
    everyone = written.pop("all", {})
    return {name: {**everyone, **written.get(name, {})} for name in POLICIES}


def _config_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name, value in config.items():
        if name not in ("all", *POLICIES):
            yield f"{name}: the pack has no such policy: write one of {', '.join(sorted(POLICIES))}"
        level = value.get("enforcementLevel") if isinstance(value, dict) else value
        if not isinstance(value, dict | str) or (level is not None and level not in LEVELS):
            yield f"{name}: is no level and no group of settings: write a level, one of {', '.join(LEVELS)}"


def _result(policy: Policy, settings: Mapping[str, Any], found: list[Finding]) -> PolicyResult:
    level, severity = policy.level(settings), policy.severity.name.lower()
    return PolicyResult(policy.id, policy.title, level, severity, policy.ground, tuple(sorted(found)))
