"""A picture of a dashboard's data, as SVG: one small graph for each panel."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import NamedTuple

_COLUMNS, _WIDTH, _HEIGHT, _EDGE = 3, 300, 120, 12
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")


class Graph(NamedTuple):
    """One panel with what Prometheus answered."""

    title: str
    unit: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    """The name of each line, and its points: seconds and value."""


def svg(graphs: Sequence[Graph]) -> str:
    """The picture. Every graph begins at 0, and all have the same time."""
    moments = [at for graph in graphs for _, points in graph.lines for at, _ in points]
    first, last = min(moments, default=0.0), max(moments, default=1.0)
    rows = -(-len(graphs) // _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _EDGE) + _EDGE, rows * (_HEIGHT + 46) + _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, graph in enumerate(graphs):
        left = _EDGE + number % _COLUMNS * (_WIDTH + _EDGE)
        top = _EDGE + number // _COLUMNS * (_HEIGHT + 46)
        parts += _drawn(graph, left, top + 20, first, last)
    return "\n".join([*parts, "</svg>\n"])


def _drawn(graph: Graph, left: float, top: float, first: float, last: float) -> list[str]:
    most = max((value for _, points in graph.lines for _, value in points if isfinite(value)), default=0) or 1
    parts = [
        f'<text x="{left}" y="{top - 6}" font-size="12" fill="#222">{escape(graph.title)}</text>',
        f'<rect x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>',
        f'<text x="{left + 3}" y="{top + 12}" font-size="10" fill="#666">{most:.3g} {escape(graph.unit)}</text>',
    ]
    for index, (name, points) in enumerate(graph.lines[: len(_COLOURS)]):
        colour = _COLOURS[index]
        path = " ".join(
            f"{left + (at - first) / ((last - first) or 1) * _WIDTH:.1f},{top + _HEIGHT - value / most * _HEIGHT:.1f}"
            for at, value in points
            if isfinite(value)
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x, y = left + index % 3 * (_WIDTH / 3), top + _HEIGHT + 11 + index // 3 * 10
        parts.append(f'<text x="{x:.0f}" y="{y:.0f}" font-size="9" fill="{colour}">{escape(name[:22])}</text>')
    return parts
