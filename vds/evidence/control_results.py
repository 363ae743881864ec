"""The result of every control, and the page of them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from components.kubeadm.security.benchmark import POINTS, order
from vds.evidence.controls import BY_MACHINE, CONTROLS, DECLARED, FRAMEWORKS, NOT_HERE, Control, Declaration
from vds.evidence.model import KINDS, SECURITY_SETTING, Evidence
from vds.evidence.tables import bullets, words
from vds.shared.markdown import table

Outcome = Literal["policies hold", "declared", "not declared", "violated", "undecided", "not judged", "–"]
_OPEN: tuple[Outcome, ...] = ("violated", "undecided", "not judged", "not declared")

_DECLARATIONS: Mapping[Declaration, str] = {
    "operator": "who operates the platform (processing.operator)",
    "role": "the operator's role (processing.role)",
    "controllers": "a controller for each tenant (processing.controllers)",
    "owners": "country and owner of each place (residency.places)",
    "backups": "a place for backups (residency.places)",
    "sinks": "a place for logs and metrics (residency.places)",
}


class Judged(NamedTuple):
    """A control with its result."""

    control: Control
    outcome: Outcome
    because: str
    """The policies that are violated or undecided, or what is not declared; empty if nothing is wrong."""


def judged(evidence: Evidence) -> Iterator[Judged]:
    """Every control, in the order of the frameworks."""
    for control in CONTROLS:
        yield Judged(control, *_outcome(control, evidence))
    yield from _cis(evidence)


def _cis(evidence: Evidence) -> Iterator[Judged]:
    """The lab's points. A stack file that makes the cluster declares them: this cluster is not asked."""
    off = ", ".join(one.item for one in evidence.exempt if one.item.startswith(SECURITY_SETTING))
    for point in sorted(POINTS, key=order):
        if not point.check:
            continue
        if not evidence.makes_cluster:
            yield Judged(
                Control("cis", point.number, point.title, NOT_HERE, open="the cluster is made by others"), "–", ""
            )
            continue
        control = Control(
            "cis",
            point.number,
            point.title,
            DECLARED,
            open="this cluster was not asked; the lab reads it of its own cluster",
        )
        if off and point.by == "the platform":
            yield Judged(control, "undecided", f"an exception switches off: {off}")
        else:
            yield Judged(control, "declared", "")


def _outcome(control: Control, evidence: Evidence) -> tuple[Outcome, str]:
    results = [policy for policy in evidence.policies if policy.name in control.policies]
    outcomes: Mapping[str, Outcome] = {"violated": "violated", "undecided": "undecided", "disabled": "not judged"}
    for outcome, word in outcomes.items():
        if names := [policy.name for policy in results if policy.outcome == outcome]:
            return word, ", ".join(names)
    if missing := [_DECLARATIONS[name] for name in control.declared if not _is_declared(name, evidence)]:
        return "not declared", ", ".join(missing)
    if control.proof == NOT_HERE:
        return "–", ""
    return ("policies hold" if control.proof == BY_MACHINE else "declared"), ""


def not_declared(evidence: Evidence) -> list[str]:
    """What controls need and the stack file does not declare, and kinds of places."""
    kinds = [f"a place for: {KINDS[kind]}" for kind in evidence.kinds_not_declared]
    of_kinds = ("backups", "sinks")
    missing = [name for name in _DECLARATIONS if name not in of_kinds and not _is_declared(name, evidence)]
    return [*(_DECLARATIONS[name] for name in missing), *kinds]


def _is_declared(name: Declaration, evidence: Evidence) -> bool:
    processing = evidence.processing
    return {
        "operator": processing.operator is not None,
        "role": processing.role is not None,
        "controllers": {one.name for one in evidence.tenants} <= {one.tenant for one in processing.controllers},
        "owners": all(place.status != "undeclared" for place in evidence.places),
        "backups": "backup" not in evidence.kinds_not_declared,
        "sinks": "telemetry" not in evidence.kinds_not_declared,
    }[name]


def controls_markdown(evidence: Evidence) -> bytes:
    """Every control with its result, what is open first in each framework."""
    every = list(judged(evidence))
    parts = [
        f"# Controls: stack {words(evidence.stack)}\n",
        "Numbers are those of the frameworks, and the words are ours. *Proved by machine*: policies judged the state "
        "of the stack. *Declared*: the stack file says so; policies check that nothing else is used, and not that it "
        "is true. *Not provable here*: neither the state nor the stack file shows it.\n",
        "## What is not declared, undecided or violated\n",
        bullets(
            f"{FRAMEWORKS[one.control.framework]}, {one.control.number}: {one.outcome}: {one.because}"
            for one in every
            if one.outcome in _OPEN
        ),
    ]
    for framework, title in FRAMEWORKS.items():
        rows = [
            (
                words(one.control.number),
                words(one.control.title),
                one.control.proof,
                f"**{one.outcome}**" if one.outcome in _OPEN else one.outcome,
                words(", ".join(one.control.policies)) if one.control.policies else "–",
                words(one.control.open),
            )
            for one in every
            if one.control.framework == framework
        ]
        parts += [f"## {title}\n", table(("number", "about", "proof", "result", "policies", "not shown here"), rows)]
    return "\n".join(parts).encode()
