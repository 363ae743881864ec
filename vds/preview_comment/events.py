"""A preview, read from the events that the engine writes (`--event-log`; seen with 3.259).

One JSON object a line. Everything that a reader may see is masked here, once: nothing behind this module has
ever held a secret.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from components.core.untrusted import json_value
from vds.preview_comment.masking import SECRET, masked, masked_message, with_unknowns
from vds.preview_comment.single_values import same, single_values, within

Op = Literal["same", "create", "update", "replace", "delete"]

_OPS: dict[str, Op] = {
    "same": "same",
    "create": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "delete": "delete",
    "import": "create",
    "import-replacement": "replace",
    "read-replacement": "replace",
    "discard-replaced": "replace",
    "remove-pending-replace": "replace",
}
"""The engine's word → what becomes of the resource. Its three steps of a replacement are one; reads change nothing."""


class EventsError(ValueError):
    """What was read is not the engine's event log; the text says where."""


@dataclass(frozen=True)
class Change:
    """One resource, as it is and as it will be."""

    urn: str
    kind: str
    """Pulumi's type token."""
    op: Op
    custom: bool = True
    """Something outside changes with it; a component is only a name for its children."""
    parent: str = ""
    provider: str = ""
    """URN of its provider; empty for components and providers."""
    protect: bool = False
    old_id: str = ""
    old: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, Any] = field(default_factory=dict)
    """Inputs, masked; empty where there is no such side."""
    keys: tuple[str, ...] = ()
    """Properties that force the replacement."""
    secrets: tuple[str, ...] = ()
    """Paths that differ and whose values are hidden."""

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Verdict:
    """One violated policy."""

    policy: str
    mandatory: bool
    message: str
    urn: str = ""


@dataclass(frozen=True)
class Preview:
    """What the engine would do."""

    changes: tuple[Change, ...] = ()
    """Every resource once, also those that stay; by URN, as the engine's steps come in another order each time."""
    violations: tuple[Verdict, ...] = ()
    packs: tuple[tuple[str, str], ...] = ()
    """Policy packs that judged, with their versions."""
    passed: frozenset[str] = frozenset()
    """Policies that judged something and found nothing."""
    errors: tuple[str, ...] = ()
    complete: bool = False
    """The engine finished: no other resource changes."""

    def of(self, *ops: Op) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.op in ops)

    @property
    def mandatory(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.violations if verdict.mandatory)


def read(lines: Iterable[str]) -> Preview:
    """The preview in an event log. Raises EventsError for a line that is no event."""
    changes: dict[str, Change] = {}
    violations: dict[Verdict, None] = {}
    packs: dict[str, str] = {}
    passed: set[str] = set()
    errors: dict[str, None] = {}
    result = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = json_value(line)
            if body := event.get("resourcePreEvent"):
                _take(changes, body["metadata"])
            elif body := event.get("policyEvent"):
                violations[_verdict(body)] = None
            elif body := event.get("summaryEvent"):
                result = body.get("result", "succeeded")
                spelt = body.get("PolicyPacks") or body.get("policyPacks") or {}  # the former by engine 3.259
                packs |= {name.split("|")[0]: str(version) for name, version in spelt.items()}
            elif body := event.get("diagnosticEvent"):
                if body.get("severity") == "error":
                    errors[_diagnostic(body)] = None
            else:
                for kind in ("policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent"):
                    passed |= set((event.get(kind) or {}).get("passed") or ())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EventsError(f"line {number} is no event of the engine ({type(error).__name__})") from None
    found = tuple(violations)
    # "preview failed" is how the engine says that a policy was violated: the violation itself says more.
    messages = tuple(error for error in errors if not (found and error == "preview failed"))
    stopped = result is None or (result == "failed" and bool(messages))
    broken = {verdict.policy for verdict in found}
    return Preview(
        tuple(changes[urn] for urn in sorted(changes)),
        found,
        tuple(sorted(packs.items())),
        frozenset(passed - broken),
        messages,
        not stopped,
    )


def _take(changes: dict[str, Change], metadata: Mapping[str, Any]) -> None:
    """Add a step; of a replacement the step that knows both sides stays."""
    op = _OPS.get(metadata["op"])
    if op is None:
        return
    urn, kind = metadata["urn"], metadata["type"]
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    before = changes.get(urn)
    if before and (op in ("same", "delete") or metadata["op"] in ("replace", "delete-replaced")):
        if op == "delete" and before.op == "create":  # deleted first, made again under the same name
            op = "replace"
        elif before.op != "same":
            return
    if before and before.op == "delete" and op == "create":
        op, old = "replace", {"inputs": before.old, "id": before.old_id}
    if before and before.op == "replace" and not old:  # a resource that is deleted first has no other step
        old = {"inputs": before.old, "id": before.old_id}
    some = new or old
    sides = [side.get("inputs") or {} for side in (old, new)]
    shown = [masked(sides[0], kind=kind)]
    shown.append(shown[0] if sides[0] == sides[1] else masked(sides[1], kind=kind))
    secrets = {*_hidden(metadata, shown[1]), *(_concealed(*sides, *shown) if old and new else ())}
    changes[urn] = Change(
        urn,
        kind,
        op,
        custom=bool((new or old).get("custom", before.custom if before else False)),
        parent=some.get("parent", ""),
        provider=(some.get("provider") or "").rpartition("::")[0],
        protect=bool((old or new).get("protect", False)),
        old_id=str(old.get("id") or ""),
        old=shown[0],
        new=shown[1],
        keys=tuple(metadata.get("keys") or ()),
        secrets=tuple(sorted(secrets)),
    )


def _hidden(metadata: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths that the engine says differ, at or below a value that is masked: the diff of values won't show them."""
    paths = [*(metadata.get("detailedDiff") or {}), *(metadata.get("diffs") or ())]
    tops = {path: path.replace("[", ".").split(".")[0] for path in paths}
    named = [path for path, top in tops.items() if "[secret]" in json.dumps(new.get(top, ""))]
    return tuple(path for path in named if not any(other.startswith(f"{path}.") for other in named))


def _concealed(old: Any, new: Any, shown_old: Any, shown_new: Any) -> Iterator[str]:
    """Paths of values that differ where what is shown of them does not, or not in each line."""
    was, becomes = dict(single_values(old)), dict(single_values(new))
    for side in (was, becomes):
        side.update({path: with_unknowns(value) for path, value in side.items() if isinstance(value, str)})
    seen = dict(single_values(shown_old)), dict(single_values(shown_new))
    covers = [path for side in seen for path, value in side.items() if value == SECRET]
    for path in sorted({*was, *becomes}):
        values = was.get(path, ...), becomes.get(path, ...)
        if same(*values):
            continue
        cover = next((one for one in covers if within(path, one)), path)
        both = seen[0].get(cover, ...), seen[1].get(cover, ...)
        if same(*both) or len({_covered(*pair) for pair in zip(values, both, strict=True)}) > 1:
            yield cover


def _covered(value: Any, shown: Any) -> tuple[str, ...]:
    """The lines of a text that are hidden in what is shown of it."""
    if not isinstance(value, str) or not isinstance(shown, str) or "\n" not in value:
        return ()
    return tuple(
        line for line, seen in zip(value.split("\n"), shown.split("\n"), strict=False) if seen == SECRET != line
    )


def _verdict(event: Mapping[str, Any]) -> Verdict:
    # The engine puts the policy's description before what it found, on a line of its own.
    message = masked_message(str(event["message"]).strip())
    description, _, found = message.partition("\n")
    return Verdict(
        str(event["policyName"]),
        event["enforcementLevel"] == "mandatory",
        found.strip() or description,
        event.get("resourceUrn", ""),
    )


def _diagnostic(event: Mapping[str, Any]) -> str:
    return masked_message(str(event["message"]).strip())
