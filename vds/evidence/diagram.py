"""The residency graph as SVG, laid out here: three columns, from tenants by the cluster to countries (ADR 10). Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from vds.evidence.graph import MARKS, PAINT_OF, PAINTS, Box, Graph

_ROW, _HEAD, _GAP, _MARGIN = 20, 28, 24, 16
_COLUMN_GAP = 140
_LETTER = 7.2
"""Pixels of a letter of 12 px in a monospaced font: its advance is 0.6 em in all that browsers choose."""
_LONGEST = 90
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Placed(NamedTuple):
    box: Box
    x: int
    y: int
    width: int
    height: int


def svg(graph: Graph) -> bytes:
    """A picture that needs no script, no font and no service."""
    columns = ((graph.tenants,), (graph.cluster,), graph.countries)
    placed: dict[str, _Placed] = {}
    x, bottom = _MARGIN, 0
    heights = [sum(_height(box) + _GAP for box in column) - _GAP for column in columns]
    for column, height in zip(columns, heights, strict=True):
        width = max((_width(box) for box in column), default=0)
        y = _MARGIN + _HEAD + (max(heights) - height) // 2
        for box in column:
            placed[box.key] = _Placed(box, x, y, width, _height(box))
            y += _height(box) + _GAP
            bottom = max(bottom, y)
        x += width + _COLUMN_GAP
    width, height = x - _COLUMN_GAP + _MARGIN, bottom - _GAP + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" font-family="monospace" font-size="12">',
        f"<title>{_text(graph.title)}</title>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{_MARGIN}" y="{_MARGIN + 12}" font-weight="bold">{_text(graph.title)}</text>',
        *_edges(graph, placed),
        *(line for item in placed.values() for line in _drawn(item)),
        "</svg>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _drawn(item: _Placed) -> Iterator[str]:
    box, x, y, width, height = item
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="#f6f6f6" stroke="#555"/>'
    yield f'<text x="{x + 10}" y="{y + 18}" font-weight="bold">{_text(box.title)}</text>'
    for number, row in enumerate(box.rows):
        top = y + _HEAD + number * _ROW
        fill, stroke = PAINTS[PAINT_OF[row.status]]
        yield f'<rect x="{x + 6}" y="{top}" width="{width - 12}" height="{_ROW - 2}" fill="{fill}" stroke="{stroke}"/>'
        yield f'<text x="{x + 12}" y="{top + 13}">{_text(f"{MARKS[row.status]} {row.text}")}</text>'


def _edges(graph: Graph, placed: dict[str, _Placed]) -> Iterator[str]:
    """Straight lines; what a tenant reaches past the cluster's own is dashed and leaves lower."""
    for edge in graph.edges:
        start, end = placed[edge.start], placed[edge.end]
        past = edge.start == "tenants" and edge.end != "cluster"
        x1, y1 = start.x + start.width, start.y + (start.height if past else start.height // 2)
        x2, y2 = end.x, end.y + (end.height - 6 if past else end.height // 2)
        dashes = ' stroke-dasharray="4 3"' if past else ""
        yield f'<path d="M{x1} {y1}L{x2} {y2}" fill="none" stroke="#555"{dashes} marker-end="url(#arrow)"/>'
        x, y = x2 - 8, y2 + (14 if past else -6)
        halo = 'fill="#333" stroke="#fff" stroke-width="3" paint-order="stroke"'  # read where a line passes below
        yield f'<text x="{x}" y="{y}" text-anchor="end" {halo}>{_text(edge.text)}</text>'


def _width(box: Box) -> int:
    longest = max([len(box.title), *(len(row.text) + 2 for row in box.rows)])
    return 24 + int(min(longest, _LONGEST) * _LETTER + 1)


def _height(box: Box) -> int:
    return _HEAD + len(box.rows) * _ROW + (6 if box.rows else 0)


def _text(text: str) -> str:
    line = _NO_XML.sub(" ", " ".join(text.split()))
    return escape(line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…")
