"""What changes in a stack: losses by cause, then updates by what they change, creates by what they belong to. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vds.preview_comment.budget import Block, Risk
from vds.preview_comment.cause import Cause, causes
from vds.preview_comment.difference import LONGEST, changed_paths, diff_lines, noise
from vds.preview_comment.events import Change
from vds.preview_comment.report import StackReport
from vds.shared.markdown import code, code_block, count, escape_for_forge, folded, tag_text

_STACK = "pulumi:pulumi:Stack"
_PATHS_SHOWN = 3
_ROWS_FROM, _ROWS_A_FOLD, _LONGEST_ROW = 4, 100, 160
"""As many different changes of the same properties are rows; rows in a part that opens; characters of a row."""
_EXAMPLE_RESOURCES = 20
"""Resources of a new component whose inputs are shown; the full report has the rest."""

_CONSEQUENCES = {
    "kubernetes:core/v1:Namespace": "everything in the namespace goes with it",
    "kubernetes:core/v1:PersistentVolumeClaim": "its data may go with it",
    "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition": "every object of that kind goes with it",
    "kubernetes:metallb.io/v1beta1:IPAddressPool": "services lose the addresses they have from it",
    "command:remote:Command": "its delete script runs on the machine",
}
"""What the loss of one means beyond itself."""


def change_blocks(report: StackReport, longest: int = LONGEST) -> Iterator[Block]:
    """Everything below the verdict. `longest`: characters of one value."""
    changes = [change for change in report.preview.changes if change.kind != _STACK]
    yield from _losses(causes(changes, report.dependencies), report.preview.of("replace", "delete"), longest)
    hidden: Counter[str] = Counter()
    shown = []
    for change in changes:
        if change.op in ("create", "update"):
            reason = noise(change)
            hidden[reason] += bool(reason)
            shown += [] if reason else [change]
    by_urn = {change.urn: change for change in report.preview.changes}
    yield from _updates([change for change in shown if change.op == "update"], longest)
    yield from _creates([change for change in shown if change.op == "create"], by_urn, longest)
    if report.spec_change:
        yield from _spec(report.spec_change, longest)
    parts = ", ".join(f"{number} × {reason}" for reason, number in sorted(hidden.items()) if reason)
    if parts:
        yield Block(f"<sub>Not shown, because nothing that runs changes with it: {parts}.</sub>", Risk.NOISE)


def _losses(found: Sequence[Cause], lost: Sequence[Change], longest: int) -> Iterator[Block]:
    if not found:
        return
    groups: dict[tuple[str, ...], list[Cause]] = {}
    for cause in found:
        shape = (cause.root.op, cause.root.kind, cause.because, _kinds(cause.followers))
        groups.setdefault(shape, []).append(cause)
    yield Block(f"### Replaced or deleted: {len(lost)}, from {count(len(groups), 'cause')}")
    for same in groups.values():
        first, followers = same[0], [change for cause in same for change in cause.followers]
        verb = {"replace": "replaced", "delete": "deleted"}[first.root.op]
        names = ", ".join(code(cause.root.name) for cause in same[:3])
        names += f" and {len(same) - 3} more" if len(same) > 3 else ""
        kind, because = escape_for_forge(_label(first.root.kind)), escape_for_forge(first.because)
        text = f"- **{verb}:** {kind} {names}, because {because}."
        if followers:
            who = "it" if len(same) == 1 else "them"
            text += f" With {who} {count(len(followers), 'other')}: {escape_for_forge(_kinds(followers))}."
        everything = [*(cause.root for cause in same), *followers]
        text += "".join(f" ⚠️ {effect}." for effect in _effects(everything))
        yield Block(text, Risk.LOSS, "replaced or deleted resource", units=len(everything))
        lines = diff_lines(first.root, longest) if first.root.op == "replace" else ()
        if followers or lines or len(same) > 3:
            names = _name_list(everything) + (f"\n\n{code_block(lines)}" if lines else "")
            title = "it, and what differs" if len(everything) == 1 else f"the {len(everything)} of them"
            body = folded(title, names)
            yield Block(body, Risk.LOSS_DETAIL, "lost resource name", units=len(everything))


def _effects(changes: Iterable[Change]) -> list[str]:
    lost = list(changes)
    parts = [effect for kind, effect in _CONSEQUENCES.items() if any(change.kind == kind for change in lost)]
    protected = [change for change in lost if change.protect]
    return parts + ([f"{count(len(protected), 'is', 'are')} protected: the engine will refuse"] if protected else [])


def _updates(changes: Sequence[Change], longest: int) -> Iterator[Block]:
    if not changes:
        return
    yield Block(f"### Updated: {len(changes)}", Risk.LOSS)
    places: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], list[Change]]] = {}
    for change in changes:
        alike = places.setdefault((change.kind, changed_paths(change)), {})
        alike.setdefault(diff_lines(change), []).append(change)

    def weight(place: tuple[tuple[str, tuple[str, ...]], Mapping[tuple[str, ...], list[Change]]]) -> tuple[bool, int]:
        members = [change for same in place[1].values() for change in same]
        return not members[0].custom, -len(members)

    # What many share first: it is most of the change in few lines. Components name what their children do.
    for (kind, paths), alike in sorted(places.items(), key=weight):
        where = ", ".join(paths[:_PATHS_SHOWN]) + (f" and {len(paths) - 3} more" if len(paths) > _PATHS_SHOWN else "")
        rows = [(change.name, _row(lines, paths)) for lines, same in alike.items() for change in same]
        if len(alike) >= _ROWS_FROM and all(row for _, row in rows):
            yield from _rows(kind, where, rows)
        else:
            yield from (_alike(kind, where, same, longest) for same in alike.values())


def _alike(kind: str, where: str, same: Sequence[Change], longest: int) -> Block:
    """Updates that are the same diff."""
    name = same[0].name if len(same) == 1 else f"{len(same)} alike"
    summary = f"<b>{tag_text(_label(kind))}</b> {tag_text(name)}: {tag_text(where)}"
    names = "" if len(same) == 1 else f"{_name_list(same)}\n\n"
    short = f"- {escape_for_forge(_label(kind))} {code(name)}: {code(where)}"
    return Block(
        folded(summary, f"{names}{code_block(diff_lines(same[0], longest))}"),
        Risk.UPDATE,
        "update",
        short=short,
        units=len(same),
    )


def _rows(kind: str, where: str, rows: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """Updates of the same properties to values of their own: a line each."""
    for start in range(0, len(rows), _ROWS_A_FOLD):
        part = sorted(rows)[start : start + _ROWS_A_FOLD]
        summary = f"<b>{tag_text(_label(kind))}</b> {len(part)} of {len(rows)}: {tag_text(where)}"
        text = folded(summary, code_block((f"{name}: {row}" for name, row in part), "text"))
        short = f"- {escape_for_forge(_label(kind))} {len(part)} of {len(rows)}: {code(where)}"
        yield Block(text, Risk.UPDATE, "update", short=short, units=len(part))


def _row(lines: Sequence[str], paths: Sequence[str]) -> str:
    """A diff of a few short values on one line; empty for any other diff."""
    if any(line.startswith("@@") for line in lines):
        return ""
    if len(paths) == 1 and len(lines) == 2:
        row = " → ".join(line[2:].removeprefix(f"{paths[0]}: ") for line in lines)
    else:
        row = "  ".join(lines)
    return row if len(row) <= _LONGEST_ROW else ""


def _creates(changes: Sequence[Change], by_urn: Mapping[str, Change], longest: int) -> Iterator[Block]:
    if not changes:
        return
    owners: dict[str, list[Change]] = {}
    for change in changes:
        owners.setdefault(_owner(change, by_urn), []).append(change)
    shapes: dict[tuple[str, str], list[str]] = {}
    for owner, made in owners.items():
        kind = by_urn[owner].kind if owner in by_urn and by_urn[owner].op == "create" else f"in {owner}"
        shapes.setdefault((kind, _kinds([change for change in made if change.urn != owner])), []).append(owner)
    yield Block(f"### Created: {len(changes)}", Risk.UPDATE)
    for (kind, inside), same in shapes.items():
        made = [change for owner in same for change in owners[owner]]
        new = not kind.startswith("in ")
        name = same[0].rpartition("::")[2]
        title = f"{len(same)} × {_label(kind)}" if new and len(same) > 1 else f"{_label(kind)} {name}"
        title = title if new else f"in {name}"
        each = " each" if len(same) > 1 else ""
        summary = f"<b>{tag_text(title)}</b>" + (f": {tag_text(inside)}{each}" if inside else "")
        example = [change for change in owners[same[0]] if change.custom or len(made) == 1][:_EXAMPLE_RESOURCES]
        names = f"{_name_list([by_urn[owner] for owner in same])}\n\n" if len(same) > 1 else ""
        shown = "\n\n".join(f"{code(change.name)}\n\n{code_block(diff_lines(change, longest))}" for change in example)
        yield Block(
            folded(summary, f"{names}{shown}"),
            Risk.CREATE,
            "create",
            short=f"- {escape_for_forge(title)}{': ' + escape_for_forge(inside) + each if inside else ''}",
            units=len(made),
        )


def _spec(change: Change, longest: int) -> Iterator[Block]:
    if lines := diff_lines(change, longest):
        text = folded(f"<b>The stack file</b>: {count(len(changed_paths(change)), 'value')} differ", code_block(lines))
        yield Block(text, Risk.UPDATE, "stack file diff")


def _owner(change: Change, by_urn: Mapping[str, Change]) -> str:
    """The component directly under the stack that a resource belongs to; a resource without one is its own."""
    urn, seen = change.urn, set[str]()
    while urn not in seen:
        seen.add(urn)
        parent = by_urn[urn].parent if urn in by_urn else ""
        if not parent or f"::{_STACK}::" in parent:
            return urn
        urn = parent
    return change.urn


def _kinds(changes: Iterable[Change]) -> str:
    counted = Counter(_label(change.kind) for change in changes)
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counted.items(), key=lambda one: (-one[1], one[0])))


def _label(kind: str) -> str:
    """`kubernetes:core/v1:Namespace` → `Namespace`; a provider is called one."""
    provider, _, rest = kind.partition(":")
    if kind.startswith("pulumi:providers:"):
        return f"{rest.rpartition(':')[2]} provider"
    return rest.rpartition(":")[2] or provider


def _name_list(changes: Sequence[Change]) -> str:
    return ", ".join(code(change.name) for change in changes)
