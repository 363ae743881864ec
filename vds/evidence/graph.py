"""The residency graph: tenants, the cluster they run on, and every place by country. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from vds.evidence.model import NOT_DECLARED, Evidence, Place, PlaceStatus, Tenant

MARKS: dict[PlaceStatus, str] = {
    "allowed": "✓",
    "own": "✓",
    "no data": "–",
    "excepted": "!",
    "refused": "✗",
    "undeclared": "?",
}
"""Colour alone is not visible to everyone, nor in print."""

PAINTS = {
    "well": ("#e3f4e3", "#2a7a2a"),
    "plain": ("#ffffff", "#777777"),
    "open": ("#fff2cc", "#9a6b00"),
    "wrong": ("#fbdcdc", "#a11d1d"),
}
"""Fill and stroke. Green is for what is declared and allowed, and for nothing else."""
PAINT_OF: dict[PlaceStatus, str] = {
    "allowed": "well",
    "own": "well",
    "no data": "plain",
    "excepted": "open",
    "undeclared": "open",
    "refused": "wrong",
}

_SHOWN = 40
"""Rows of one box; the record has all. A picture of 500 tenants would be no picture."""


_ENTITIES = {letter: f"#{ord(letter)};" for letter in '#&"<>`|\\{}'}


class Row(NamedTuple):
    """A line of a box."""

    text: str
    status: PlaceStatus


class Box(NamedTuple):
    """A country with its places, or the tenants."""

    key: str
    title: str
    rows: tuple[Row, ...]


class Edge(NamedTuple):
    """Bytes go from one box to another."""

    start: str
    end: str
    text: str


class Graph(NamedTuple):
    """What the picture shows, from left to right."""

    title: str
    tenants: Box
    cluster: Box
    countries: tuple[Box, ...]
    edges: tuple[Edge, ...]


def graph_of(evidence: Evidence) -> Graph:
    """The graph behind both pictures."""
    groups: dict[str, list[Place]] = {}
    for place in evidence.places:
        groups.setdefault(_group(place), []).append(place)
    controllers = {one.tenant for one in evidence.processing.controllers}
    tenants = Box("tenants", "Tenants", _shown(_tenant_row(tenant, controllers) for tenant in evidence.tenants))
    cluster = Box("cluster", f"Cluster {evidence.environment}", ())
    boxes, edges = [], [Edge("tenants", "cluster", "run on")]
    for number, group in enumerate(sorted(groups)):
        places = groups[group]
        boxes.append(Box(f"country{number}", group, _shown(_row(place) for place in sorted(places))))
        count = f"{len(places)} place{'' if len(places) == 1 else 's'}"
        edges.append(Edge("cluster", boxes[-1].key, count))
        egress = sorted({place.tenant for place in places if place.tenant})
        if egress:
            edges.append(Edge("tenants", boxes[-1].key, f"{', '.join(egress[:3])}{' …' if len(egress) > 3 else ''}"))
    return Graph(f"Residency of stack {evidence.stack}", tenants, cluster, tuple(boxes), tuple(edges))


def mermaid(graph: Graph) -> bytes:
    """Mermaid's flowchart text."""
    lines = ["flowchart LR", f"  accTitle: {_label(graph.title)}"]
    for box in (graph.tenants, graph.cluster, *graph.countries):
        if not box.rows:
            lines.append(f'  {box.key}["{_label(box.title)}"]')
            continue
        lines.append(f'  subgraph {box.key}["{_label(box.title)}"]')
        for number, row in enumerate(box.rows):
            lines.append(
                f'    {box.key}r{number}["{_label(f"{MARKS[row.status]} {row.text}")}"]:::{PAINT_OF[row.status]}'
            )
        lines.append("  end")
    lines += [f'  {edge.start} -->|"{_label(edge.text)}"| {edge.end}' for edge in graph.edges]
    lines += [f"  classDef {name} fill:{fill},stroke:{stroke},color:#000" for name, (fill, stroke) in PAINTS.items()]
    return ("\n".join(lines) + "\n").encode()


def _group(place: Place) -> str:
    if place.status == "own":
        return "On the stack's own nodes"
    return f"Country {place.country or NOT_DECLARED}"


def _tenant_row(tenant: Tenant, controllers: set[str]) -> Row:
    known = tenant.name in controllers
    text = f"{tenant.name}: {', '.join(tenant.groups) or 'no owner'}"
    return Row(
        text if known else f"{text} · controller {NOT_DECLARED}", "own" if known and tenant.groups else "undeclared"
    )


def _row(place: Place) -> Row:
    owner = f" · {place.entity or 'owner'} ({place.entity_country or NOT_DECLARED})"
    return Row(place.title + ("" if place.status == "own" else owner), place.status)


def _shown(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The worst first: if rows are left out, they are the good ones."""
    order: tuple[PlaceStatus, ...] = ("refused", "undeclared", "excepted", "allowed", "own", "no data")
    every = sorted(rows, key=lambda row: (order.index(row.status), row.text))
    if len(every) <= _SHOWN:
        return tuple(every)
    left = len(every) - _SHOWN
    worst = min((row.status for row in every[_SHOWN:]), key=order.index)
    return (*every[:_SHOWN], Row(f"… and {left} more, see record-of-processing.md", worst))


def _label(text: str) -> str:
    """Mermaid's own entities for what would end a label, and one line."""
    return "".join(_ENTITIES.get(letter, letter) for letter in " ".join(text.split()))
