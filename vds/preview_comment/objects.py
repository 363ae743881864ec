"""Objects that a description makes, before and after a change, judged without an engine and without a cluster. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from components.core.labels import TENANT
from components.core.manifests import Manifest
from components.core.names import PROJECT
from components.reach.evaluate import Reach
from components.reach.model import Answer
from components.reach.questions import crossings, tenant_of
from components.reach.render import sentence
from policies.offline import judge
from vds.preview_comment.events import Change, Op, Preview, Verdict
from vds.preview_comment.masking import masked
from vds.preview_comment.reach import of_changes, state_of

_CROSSINGS_SHOWN = 5
_NOT_OF_OBJECTS = "residency"
"""Policies of a whole program: a registration is held against the record of its environment by a rule of its own."""
_ISOLATION = "tenancy-isolation"
_NAMESPACE = "kubernetes:core/v1:Namespace"
_PROVIDER = f"urn:pulumi:preview::{PROJECT}::pulumi:providers:kubernetes::cluster::preview"


def compared(
    before: Sequence[Manifest],
    after: Sequence[Manifest],
    others: Sequence[Manifest],
    settings: Mapping[str, Mapping[str, Any]],
) -> tuple[Preview, tuple[str, ...]]:
    """What changes in the cluster, with the verdict of the policy pack; and who reaches whom now and did not before.

    `others`: objects beside them that stay. `settings`: of the policy pack.
    """
    changes = _changes(before, after)
    own = {change.urn for change in changes}
    around = [Change(urn, _kind(urn), "same", old=one, new=one) for one in others if (urn := _urn(one)) not in own]
    everything = (*changes, *around)
    spaces = [change.new for change in around if change.kind == _NAMESPACE]
    violations = (*_judged([*after, *spaces], settings, own), *_crossings(everything))
    packs = ((PROJECT, version(PROJECT)),)
    return Preview(changes, violations, packs, complete=True), of_changes(everything)


def _changes(before: Sequence[Manifest], after: Sequence[Manifest]) -> tuple[Change, ...]:
    old, new = ({_urn(item): item for item in items} for items in (before, after))
    return tuple(_change(urn, old.get(urn), new.get(urn)) for urn in sorted({*old, *new}))


def _change(urn: str, old: Manifest | None, new: Manifest | None) -> Change:
    kind = _kind(urn)
    op: Op = "create" if old is None else "delete" if new is None else "same" if old == new else "update"
    sides = [masked(side, kind=kind) if side else {} for side in (old, new)]
    return Change(urn, kind, op, old=sides[0], new=sides[1])


def _urn(item: Mapping[str, Any]) -> str:
    api, metadata = item["apiVersion"], item["metadata"]
    kind = f"kubernetes:{api if '/' in api else f'core/{api}'}:{item['kind']}"
    name = "/".join(str(part) for part in (metadata.get("namespace"), metadata["name"]) if part)
    return f"urn:pulumi:preview::{PROJECT}::{kind}::{name}"


def _kind(urn: str) -> str:
    return urn.split("::")[2]


def _judged(
    objects: Sequence[Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]], own: set[str]
) -> Iterator[Verdict]:
    resources = [
        {"urn": (urn := _urn(item)), "type": _kind(urn), "provider": _PROVIDER, "inputs": item, "outputs": item}
        for item in objects
    ]
    for found in judge({"resources": resources}, settings):
        if not found.rule.startswith(_NOT_OF_OBJECTS) and (not found.urn or found.urn in own):
            yield Verdict(found.rule, not found.advice, str(found), found.urn)


def _crossings(changes: Sequence[Change]) -> Iterator[Verdict]:
    """A violation for each pair of pods of two tenants of which one reaches the other after the change."""
    state = state_of(changes, "new")
    tenants = {name for name, labels in state.namespaces.items() if TENANT in labels}
    seen: set[tuple[str, str]] = set()
    for one in crossings(Reach(state), tenant_of(state), lambda endpoint: endpoint.namespace in tenants):
        if (one.source, one.target) in seen:
            continue
        seen.add((one.source, one.target))
        said = "; ".join(line.strip() for line in sentence(one.source, one.target, str(one.span), one.verdict))
        yield Verdict(_ISOLATION, one.verdict.answer is Answer.YES, f"no tenant may reach another: {said}")
        if len(seen) == _CROSSINGS_SHOWN:
            return
