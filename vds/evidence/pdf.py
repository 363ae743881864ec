"""The record of processing as a PDF, from its Markdown. The same Markdown gives the same bytes on every machine.

Typst has fonts of its own, so none of the machine is used, and the document has no date (ADR 26).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typst
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_TEMPLATE = Path(__file__).with_name("record.typ")
_FONT = "DejaVu Sans Mono"

Spans = list[dict[str, Any]]


def pdf(markdown: bytes, picture: bytes) -> bytes:
    """The page, and the picture (SVG) on a page of its own."""
    root = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(markdown.decode()))
    blocks = [_block(node) for node in root.children]
    inputs = {
        "title": "".join(span["text"] for span in blocks[0]["spans"]),
        "blocks": json.dumps(blocks),
        "picture": picture.decode().replace('font-family="monospace"', f'font-family="{_FONT}"'),
    }
    return bytes(
        typst.compile(_TEMPLATE.read_bytes(), format="pdf", sys_inputs=inputs, font_paths=[], ignore_system_fonts=True)
    )


def _block(node: SyntaxTreeNode) -> dict[str, Any]:
    """A heading, a list, a table or a paragraph: the record has no others."""
    if node.type == "bullet_list":
        return {"kind": "list", "items": [_spans(item.children[0]) for item in node.children]}
    if node.type == "table":
        head, *rows = ([_spans(cell) for cell in row.children] for part in node.children for row in part.children)
        return {"kind": "table", "head": head, "rows": rows}
    level = int(node.tag[1:]) if node.type == "heading" else 0
    return {"kind": node.type, "level": level, "spans": _spans(node)}


def _spans(node: SyntaxTreeNode) -> Spans:
    return [
        {"text": leaf.content or " ", "strong": strong, "code": leaf.type == "code_inline"}
        for leaf, strong in _leaves(node, strong=False)
    ]


def _leaves(node: SyntaxTreeNode, *, strong: bool) -> Iterator[tuple[SyntaxTreeNode, bool]]:
    for child in node.children:
        if child.type in ("text", "code_inline", "softbreak"):
            yield child, strong
        else:
            yield from _leaves(child, strong=strong or child.type == "strong")
