"""Where in its file a finding is: the lines of the fields that it names. Pure."""

import re
from collections.abc import Iterator, Sequence

from components.core.finding import Finding
from components.stackfile.reader import Node

_STEP = re.compile(r"([^.\[\]]+)|\[([^\[\]]*)\]")
_NAMED = re.compile(r"\b(node|pool|peer|listener|residency place|residency exception|exception) '?([\w*.-]+)'?")
_LISTS = {
    "node": "nodes",
    "pool": "metallb.pools",
    "peer": "metallb.peers",
    "listener": "gateway.listeners",
    "residency place": "residency.places",
    "residency exception": "residency.exceptions",
    "exception": "residency.exceptions",
}
"""What findings call an item of a list, and the list."""


class Place:
    """A value of the file, and the line on which its key, or it as an item of a list, begins."""

    def __init__(self, node: Node, line: int) -> None:
        self.node, self.line = node, line


def located(finding: Finding, spec: Node, file: str) -> Finding:
    """The finding with file and lines, and with the value where the file has one and the finding not.

    `file` is the stack file's name. Of places in two files the lines of the first one's are named.
    """
    if finding.lines:
        return finding
    fields = finding.fields or _fields(finding.subject)
    places = [place for field in fields for place in _places(spec, field)]
    inner = [place for place in places if place.node is not spec]
    file = inner[0].node.file or file if inner else file
    lines = tuple(dict.fromkeys(place.line for place in inner if (place.node.file or file) == file))
    text = (places[0].node.text if len(places) == 1 else None) or ""
    # A subject that is a path may name a secret; what the message repeats is none.
    shown = _may_be_shown(text) and (finding.fields or text in finding.message)
    value = finding.value or (text if shown else "")
    return finding._replace(file=file, lines=lines, value=value) if lines else finding


def text_at(spec: Node, path: Sequence[int | str]) -> str | None:
    """A scalar as it is written; None for what is none."""
    node: Node | None = spec
    for step in path:
        node = node.children.get(step) if node else None
    return node.text if node else None


def place_at(spec: Node, line: int, path: Sequence[int | str]) -> tuple[str, int]:
    """File and line of the value at a path, or of the last one on the way that there is; `line` is the spec's."""
    node = spec
    for step in path:
        if step not in node.children:
            break
        inner = node.children[step]
        line, node = node.keys.get(step, inner.line) if isinstance(step, str) else inner.line, inner
    return node.file, line


def _may_be_shown(text: str) -> bool:
    return len(text) <= 40 and text.isprintable() and "PRIVATE" not in text


def _fields(subject: str) -> list[str]:
    """A subject is a path, or names items: `node osl-1 and node osl-2`."""
    named = [f"{_LISTS[kind]}[{name}]" for kind, name in _NAMED.findall(subject)]
    return named or [subject]


def _places(spec: Node, field: str) -> list[Place]:
    """Every value at a path; where the path goes further than the file, the last one that there is."""
    found = [Place(spec, spec.line)]
    for key, item in _STEP.findall(field):
        inner = [place for one in found for place in (_items(one, item) if not key else _key(one, key))]
        if not inner:
            break
        found = inner
    return found


def _key(place: Place, key: str) -> Iterator[Place]:
    if key in place.node.children:
        node = place.node.children[key]
        yield Place(node, place.node.keys.get(key, node.line))


def _items(place: Place, item: str) -> Iterator[Place]:
    for index, node in place.node.children.items():
        name = node.children.get("name")
        if isinstance(index, int) and ((name and name.text == item) or str(index + 1) == item):
            yield Place(node, node.line)
