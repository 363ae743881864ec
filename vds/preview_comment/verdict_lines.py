"""The top of a stack's part: what a reviewer must know first. Pure."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from vds.preview_comment.budget import Block, Risk
from vds.preview_comment.difference import noise
from vds.preview_comment.report import ATTENTION, StackReport
from vds.preview_comment.residency import Delta, Fact
from vds.preview_comment.touched import JUDGES, ProgramChange
from vds.shared.markdown import code, code_block, count, escape_for_forge

_COMPARED = {
    "descriptions": "the base's description with the change's. Secrets, nodes, cluster and state were not read",
    "state": "the state with the description. Secrets, nodes and cluster were not read",
    "objects": "the objects of the base's files with those of the change's. No cluster was asked",
}
_NAMES_SHOWN = 5
_FACTS_SHOWN = 8
"""Of residency, in the table; the part below it has all."""
_LONGEST_MESSAGE = 2_000
"""Characters of what one policy, node or error says; the full report has the rest."""


def verdict_blocks(report: StackReport) -> Iterator[Block]:
    """The heading, the table of verdicts, and every violation and failure."""
    heading = f"## {_mark(report)} {code(report.stack)}: {escape_for_forge(_headline(report))}\n\n{_table(report)}"
    yield Block(heading, Risk.HEADING, "stack")
    if report.program:
        yield Block(_program(report.program), Risk.HEADING)
    if report.unknown_base:
        why = escape_for_forge(report.unknown_base)
        yield Block(f"⚠️ **Everything is shown as new**, because the base has no preview: {why}", Risk.VERDICT)
    facts = _facts(report.residency, sys.maxsize)
    if len(facts) > _FACTS_SHOWN or facts != _facts(report.residency):
        yield Block("### Residency", Risk.HEADING)
        yield from (Block(f"- {fact}", Risk.VERDICT, "residency line") for fact in facts)
    yield from _listed("What is allowed now", report.allowed, "right")
    yield from _listed("Who reaches whom", report.reach, "pair of pods")
    yield from _violations(report)
    yield from _listed(f"What is wrong with the {_what(report)}", report.problems, f"{_what(report)} problem")
    for error in report.preview.errors:
        text = f"**The engine stopped:**\n\n{code_block(_cut(error).splitlines()[:40], 'text')}"
        whole = f"**The engine stopped:**\n\n{code_block(error.splitlines(), 'text')}"
        yield Block(text, Risk.VERDICT, "engine error", whole=whole)
    if report.preflight:
        found = report.preflight
        yield from _listed("Nodes that are not fit", found.fails, "preflight failure")
        yield from _listed("Advice on nodes", found.advice, "preflight remark", risk=Risk.UPDATE)


def _mark(report: StackReport) -> str:
    if report.stopped:
        return "❌"
    preview, not_proved = report.preview, report.unavailable or report.program or report.unknown_base
    risky = preview.of("replace", "delete") or report.residency.risky or report.reach or preview.violations
    wider = any(not one.startswith("➖") for one in report.allowed) or any(
        one.startswith(ATTENTION) for one in report.quota
    )
    return "⚠️" if risky or wider or not_proved else "✅"


def _what(report: StackReport) -> str:
    return "file" if report.compared == "objects" else "stack file"


def _program(change: ProgramChange) -> str:
    judges = [file for file in change.files if file.startswith(JUDGES)]
    what = "The program and what judges it change" if judges else "The program or how it runs changes"
    same = change.base_digest == change.digest
    digest = (
        ""
        if not change.digest
        else f" Digest of what judges: {code(change.base_digest[:16])}"
        + (", unchanged." if same else f" in the base, {code(change.digest[:16])} in the change.")
    )
    return f"⚠️ **{what}:** {_names(change.files)}. Read the code: what a program says of itself is no proof.{digest}"


def _headline(report: StackReport) -> str:
    if report.unavailable:
        what = _what(report)
        wrong = f"{count(len(report.problems), 'problem')} in the {what}"
        return f"no preview; {wrong if report.problems else f'the {what} is sound'}"
    preview = report.preview
    parts = [count(len(report.problems), "problem")] if report.problems else []
    if preview.mandatory:
        parts.append(count(len(preview.mandatory), "policy violation"))
    failures = report.preflight.fails if report.preflight else ()
    if failures:
        parts.append(f"{count(len(failures), 'failure')} of the preflight")
    if report.preflight and report.preflight.unusable:
        parts.append("facts that can't be judged by")
    if not preview.complete:
        parts.append("the preview did not come to its end")
    tally = [
        (preview.of("replace"), "replaced"),
        (preview.of("delete"), "deleted"),
        (tuple(change for change in preview.of("update") if not noise(change)), "updated"),
        (preview.of("create"), "created"),
    ]
    parts += [f"{len(changes)} {what}" for changes, what in tally if changes]
    if not any(changes for changes, _ in tally) and preview.complete:
        parts.append("no change")
    return ", ".join(parts)


def _table(report: StackReport) -> str:
    rows = [
        ("Policies", _policies(report)),
        *(
            [("Quota", "; ".join(map(escape_for_forge, report.quota)) or "❔ not known")]
            if report.compared == "objects"
            else [("Residency", _residency(report)), ("Preflight", _preflight(report))]
        ),
        ("Because of", _files(report)),
        ("Compared", _COMPARED[report.compared]),
    ]
    return "\n".join(["| | |", "|:--|:--|", *(f"| **{name}** | {text} |" for name, text in rows)])


def _policies(report: StackReport) -> str:
    preview = report.preview
    packs = ", ".join(f"{code(name)} {escape_for_forge(version)}" for name, version in preview.packs)
    if report.unavailable:
        same = f"the {_what(report)} was checked with the same predicates"
        return f"❔ not asked: {escape_for_forge(report.unavailable)}; {same}"
    if not preview.packs:
        return "❔ no policy pack answered"
    advice = len(preview.violations) - len(preview.mandatory)
    also = f", {count(advice, 'advice', 'pieces of advice')}" if advice else ""
    if preview.mandatory:
        return f"❌ {count(len(preview.mandatory), 'violation')}{also} ({packs})"
    kept = (
        f"{len(preview.passed)} kept" if preview.passed else "none broken" if preview.complete else "none broken so far"
    )
    return f"✅ {kept}{also} ({packs})"


def _residency(report: StackReport) -> str:
    delta = report.residency
    groups = _facts(delta)
    if groups:
        more = f"; and {len(groups) - _FACTS_SHOWN} more, below" if len(groups) > _FACTS_SHOWN else ""
        return f"{'⚠️' if delta.risky else '✅'} {'; '.join(groups[:_FACTS_SHOWN])}{more}"
    if not delta.after:
        return "❔ nothing in it says where it is"
    return f"✅ unchanged: {_machines(delta.after)}"


def _facts(delta: Delta, shown: int = _NAMES_SHOWN) -> list[str]:
    """What comes and what goes, one text for each subject. `shown`: values and names of one list."""
    found = []
    for sign, facts in (("➕", delta.added), ("➖", delta.removed)):
        for (subject, name), group in groupby(facts, key=lambda fact: (fact.subject, fact.name)):
            parts = []
            for relation, same in groupby(group, key=lambda fact: fact.relation):
                members = list(same)
                values = _names(tuple(member.value for member in members), shown)
                names = sorted({name for member in members for name in member.names})
                by = f" ({_names(tuple(names), shown)})" if names else ""
                parts.append(f"{escape_for_forge(relation)} {values}{by}".strip())
            what = f"{subject} {code(name)}: " if name else f"{subject} "
            found.append(f"{sign} {what}{', '.join(parts)}")
    return found


def _machines(facts: Sequence[Fact]) -> str:
    countries, owners = (
        ", ".join(code(fact.value) for fact in facts if fact.subject == what) for what in ("machines", "owner")
    )
    return f"machines in {countries or 'no country named'}; owners {owners or 'not named'}"


def _names(names: tuple[str, ...], most: int = _NAMES_SHOWN) -> str:
    shown = ", ".join(code(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _preflight(report: StackReport) -> str:
    found = report.preflight
    if found is None:
        return "❔ no facts file: `vds doctor --facts FILE` makes one"
    if found.unusable:
        return f"❌ {escape_for_forge(found.unusable)}"
    mark = "❌" if found.fails else "✅"
    parts = [f"{found.good} good"]
    parts += [count(len(found.fails), "failure")] if found.fails else []
    parts += [f"{len(found.advice)} advised"] if found.advice else []
    parts += [f"{found.unknown} not known"] if found.unknown else []
    parts += [f"nothing of {_names(found.missing)}"] if found.missing else []
    return f"{mark} {', '.join(parts)}; facts are {_age(found.age_hours)} old"


def _age(hours: float) -> str:
    if hours < 1:
        return count(max(1, round(hours * 60)), "minute")
    return count(round(hours), "hour") if hours < 48 else count(round(hours / 24), "day")


def _files(report: StackReport) -> str:
    return _names(report.touched_by)


def _violations(report: StackReport) -> Iterator[Block]:
    if report.preview.violations:
        yield Block("### Policy violations", Risk.HEADING)
    for verdict in sorted(report.preview.violations, key=lambda found: not found.mandatory):
        level = "mandatory" if verdict.mandatory else "advisory"
        at = f" {code(verdict.urn.rpartition('::')[2])}" if verdict.urn else ""
        start = f"- **{escape_for_forge(verdict.policy)}** ({level}){at}: "
        text, whole = f"{start}{escape_for_forge(_cut(verdict.message))}", f"{start}{escape_for_forge(verdict.message)}"
        what = "policy violation" if verdict.mandatory else "advisory remark"
        yield Block(text, Risk.VERDICT if verdict.mandatory else Risk.UPDATE, what, whole=whole)


def _listed(title: str, items: tuple[str, ...], what: str, *, risk: Risk = Risk.VERDICT) -> Iterator[Block]:
    if items:
        yield Block(f"### {title}", risk)
    for item in items:
        yield Block(f"- {escape_for_forge(_cut(item))}", risk, what, whole=f"- {escape_for_forge(item)}")


def _cut(text: str) -> str:
    """The text, or the start of one that would leave no room for others."""
    more = len(text) - _LONGEST_MESSAGE
    return f"{text[:_LONGEST_MESSAGE]}… ({more:,} more characters)" if more > 0 else text
