"""Answers → text, Markdown's Mermaid, JSON and one page of HTML. Pure."""

import html
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

from components.reach.model import HIGHEST_PORT, PROTOCOLS, Answer, Span, Verdict
from components.reach.questions import Cell, Difference

SIGNS = {Answer.YES: "yes", Answer.NO: "no", Answer.UNDECIDED: "undecided"}
_ALL = "all ports"
_MOST_SPANS = 4
"""Of a cell in a table; `--json` and the page have all."""


def ports(spans: Sequence[Span], most: int = HIGHEST_PORT) -> str:
    """Ports in words: `8080/TCP, 53/TCP+UDP`."""
    if tuple(spans) == (Span(PROTOCOLS, 1, HIGHEST_PORT),):
        return _ALL
    shown = [_whole(span) for span in spans[:most]]
    return ", ".join([*shown, f"{len(spans) - most} more"] if len(spans) > most else shown)


def _whole(span: Span) -> str:
    return f"all {'+'.join(span.protocols)}" if (span.first, span.last) == (1, HIGHEST_PORT) else str(span)


def sentence(source: str, target: str, port: str, verdict: Verdict) -> list[str]:
    """The answer to one question, and a line for each reason."""
    first = f"{source} {verdict.answer.value} {target} at {port}"
    if verdict.answer is Answer.UNDECIDED:
        first = f"{source} → {target} at {port}: undecided"
    return [first, *(f"  {reason.direction}: {reason.text}" for reason in verdict.reasons)]


def cell_text(cell: Cell) -> str:
    """A cell of a table."""
    said = []
    if found := cell.spans(Answer.YES):
        said.append(ports(found, _MOST_SPANS))
    if found := cell.spans(Answer.UNDECIDED):
        said.append(f"? {ports(found, _MOST_SPANS)}")
    return "; ".join(said) or "–"


def mermaid(cells: Sequence[Cell]) -> str:
    """A flowchart: an arrow from each workload to those that it reaches, dotted where that is undecided."""
    names = list(dict.fromkeys(name for cell in cells for name in (cell.source, cell.target)))
    places = {name: f"w{index}" for index, name in enumerate(names)}
    lines = ["flowchart LR"]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition("/")[0], []).append(name)
    for index, (namespace, members) in enumerate(groups.items()):
        own = [f'  {places[name]}["{_label(name.rpartition("/")[2])}"]' for name in members]
        lines += [f'  subgraph n{index}["{_label(namespace or "outside")}"]', *(f"  {one}" for one in own), "  end"]
    for cell in cells:
        if cell.source == cell.target:
            continue
        for answer, arrow in ((Answer.YES, "-->"), (Answer.UNDECIDED, "-.->")):
            if found := cell.spans(answer):
                text = _label(ports(found, _MOST_SPANS))
                lines.append(f'  {places[cell.source]} {arrow}|"{text}"| {places[cell.target]}')
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    """Text for a label of Mermaid, which takes HTML's entities."""
    return html.escape(text).replace("#", "&num;").replace("`", "&#96;")


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """A verdict for a program."""
    return {
        "answer": SIGNS[verdict.answer],
        "reasons": [
            {
                "direction": reason.direction,
                "action": reason.action,
                "policy": reason.policy,
                "rule": reason.where,
                "text": reason.text,
            }
            for reason in verdict.reasons
        ],
    }


def _spans(spans: Sequence[Span]) -> list[dict[str, Any]]:
    return [{"protocols": list(one.protocols), "first": one.first, "last": one.last} for one in spans]


def cell_document(cell: Cell) -> dict[str, Any]:
    """A cell for a program."""
    parts = [{"ports": _spans(part.spans), **verdict_document(part.verdict)} for part in cell.parts]
    return {"source": cell.source, "target": cell.target, "answers": parts}


def difference_document(one: Difference) -> dict[str, Any]:
    """A difference for a program."""
    return {
        "source": one.source,
        "target": one.target,
        "ports": _spans(one.spans),
        "before": SIGNS[one.before],
        "after": verdict_document(one.after),
    }


def difference_text(one: Difference) -> str:
    """`this change lets butikk/frontend reach bank/db at 5432/TCP`."""
    at = ports(one.spans, _MOST_SPANS)
    if one.after.answer is Answer.YES:
        return f"this change lets {one.source} reach {one.target} at {at}"
    if one.after.answer is Answer.NO:
        return f"this change stops {one.source} from reaching {one.target} at {at}"
    return f"this change leaves undecided whether {one.source} reaches {one.target} at {at}"


def page(cells: Sequence[Cell], title: str) -> str:
    """One HTML page that needs no other file: a table, and the rules of the pair that one chooses."""
    names = list(dict.fromkeys(cell.source for cell in cells))
    data = {
        "names": names,
        "targets": list(dict.fromkeys(cell.target for cell in cells)),
        "cells": list(_page_cells(cells)),
    }
    # `<` could end the script: JSON has an escape for it.
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    form = (files("components.reach") / "page.html").read_text(encoding="utf-8")
    return form.replace("{{title}}", html.escape(title)).replace("{{data}}", written)


def _page_cells(cells: Sequence[Cell]) -> Iterator[list[Any]]:
    for cell in cells:
        parts = [
            [ports(part.spans), SIGNS[part.verdict.answer], [[one.direction, one.text] for one in part.verdict.reasons]]
            for part in cell.parts
        ]
        yield [cell.source, cell.target, cell_text(cell), parts]
