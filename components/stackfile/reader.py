"""A stack file's text as Pulumi's engine reads it, with the line of every key and value. Pure.

The engine's reader is Go's yaml.v3: what is in here about scalars, merge keys and duplicate keys was compared with what
`pulumi config --json` (3.274) answers. ruamel.yaml splits the text into events; it resolves nothing.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isinf
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from components.core.finding import Finding
from components.core.names import PROJECT
from components.stackfile.syntax_errors import syntax_error

RULE = "stack-file-yaml"
MERGE = "<<"
_DEEPEST = 100
"""A stack file has 8 levels."""
_MOST_BY_ALIAS = 100_000
"""The engine refuses 'excessive aliasing' too; 9 lines of aliases can stand for 400 million values."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file and where it is."""

    value: Any
    """As the engine has it."""
    line: int
    """From 1."""
    text: str | None = None
    """A scalar as it is written, without quotes."""
    children: "Mapping[Any, Node]" = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)
    """The line of each key of a mapping."""
    size: int = 1
    """How many values it is, itself and all within, each alias written out."""
    file: str = ""
    """Where it was read."""


class ReadError(Exception):
    """The text is no YAML that the engine takes; `findings` has why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = tuple(findings)


def read(text: str, *, file: str) -> Node:
    """The first document of a text. Raises ReadError; duplicate keys are all said at once."""
    builder = _Builder(file)
    try:
        root = builder.document(text)
    except MarkedYAMLError as error:
        found = syntax_error(error, text)
        raise ReadError([*builder.found, found._replace(rule=RULE, file=file)]) from None
    except ReaderError as error:
        code = error.character if isinstance(error.character, int) else ord(error.character)
        line = text[: max(text.find(chr(code)), 0)].count("\n") + 1
        said = f"has the character U+{code:04X}, which YAML does not take"
        raise ReadError([Finding(RULE, f"line {line}", said, "remove it", file=file, lines=(line,))]) from None
    except YAMLError:
        said = "can't be read as YAML"
        found = Finding(RULE, "the file", said, "write it as in Pulumi.oslo.yaml", file=file, lines=(1,))
        raise ReadError([*builder.found, found]) from None
    if builder.found:
        raise ReadError(builder.found)
    return root


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Finding] = []
        self.anchors: dict[str, Node | None] = {}  # None: begun and not yet ended
        self.depth = 0
        self.by_alias = 0

    def document(self, text: str) -> Node:
        events = iter(YAML(typ="rt", pure=True).parse(text.removeprefix("\ufeff")))
        root = None
        for event in events:
            if isinstance(event, StreamEndEvent):
                break
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    line = event.start_mark.line + 1
                    self._add(line, "a second document begins here, and the engine reads the first only", "remove it")
                    break
                root = self._node(next(events), events, "")
        return root or Node(None, 1, file=self.file)

    def _add(self, line: int, message: str, remedy: str) -> None:
        self.found.append(Finding(RULE, f"line {line}", message, remedy, file=self.file, lines=(line,)))

    def _node(self, event: Any, events: Iterator[Event], path: str) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            return self._alias(event.anchor, line)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            node = Node(_scalar(event), line, event.value, file=self.file)
            tag = str(event.tag or "").rpartition(":")[2]
            if not _TAGGED.get(tag, _any)(node.value) or (tag == "int" and "." in event.value):
                self._add(line, f"the tag !!{tag} stands before something else", "take the tag out")
        else:
            self.depth += 1
            if self.depth > _DEEPEST:
                self._stop(line, f"more than {_DEEPEST} lists and groups are within each other", "close them")
            inner = self._sequence if isinstance(event, SequenceStartEvent) else self._mapping
            node = inner(events, line, path)
            self.depth -= 1
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, name: str, line: int) -> Node:
        node = self.anchors.get(name)
        if node is None:
            wrong = "is the value that it stands in" if name in self.anchors else "has no anchor before it"
            self._add(line, f"'*{name}' {wrong}", f"write '&{name}' at the value that is meant, above this line")
            return Node(None, line, file=self.file)
        self.by_alias += node.size
        if self.by_alias > _MOST_BY_ALIAS:
            self._stop(line, f"aliases stand for more than {_MOST_BY_ALIAS} values", "write the values themselves")
        return node

    def _stop(self, line: int, message: str, remedy: str) -> NoReturn:
        self._add(line, message, remedy)
        raise ReadError(self.found)

    def _sequence(self, events: Iterator[Event], line: int, path: str) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(event, events, f"{path}[{len(items) + 1}]"))
        size = 1 + sum(item.size for item in items)
        values = [item.value for item in items]
        return Node(values, line, children=dict(enumerate(items)), size=size, file=self.file)

    def _mapping(self, events: Iterator[Event], line: int, path: str) -> Node:
        own: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        while not isinstance(event := next(events), MappingEndEvent):
            begins = event.start_mark.line + 1
            key_node = self._node(event, events, path)
            inner = f"{path}.{key_node.text}" if path else str(key_node.text)
            node = self._node(next(events), events, inner)
            if key_node.text is None:
                self._add(begins, "a key is a list or a group of settings", "write text as a key")
                continue
            key = key_node.text
            if key in lines:
                self._twice(inner, lines[key], begins, own.get(key), node)
                continue
            lines[key] = begins
            if key == MERGE:
                merged += self._merged(node, begins)
            else:
                own[key] = node
                name = _go_text(key_node.value)
                if name != key:
                    own[name], lines[name] = own.pop(key), begins
        for base in merged:
            for inner, child in base.children.items():
                own.setdefault(inner, child)
                lines.setdefault(inner, base.keys.get(inner, base.line))
        size = 1 + sum(node.size for node in own.values())
        values = {key: node.value for key, node in own.items()}
        return Node(values, line, children=own, keys=lines, size=size, file=self.file)

    def _merged(self, node: Node, line: int) -> list[Node]:
        bases = list(node.children.values()) if isinstance(node.value, list) else [node]
        if all(isinstance(base.value, dict) for base in bases):
            return bases
        self._add(
            line, "'<<' merges something that is no group of settings", "write an alias of a group, as in <<: *base"
        )
        return []

    def _twice(self, path: str, first: int, second: int, one: Node | None, other: Node) -> None:
        """Values are repeated only where no secret looks like them."""
        shown = [node.text for node in (one, other) if node and node.text and _HARMLESS.fullmatch(node.text)]
        values = " and ".join(shown) if len(shown) == 2 and path.startswith(_SPEC) else ""
        said = f"the key is there twice ({values})" if values else "the key is there twice"
        subject = path.removeprefix(_SPEC).removeprefix("config.")
        lines = (first, second)
        self.found.append(Finding(RULE, subject, said, "keep one", value=values, file=self.file, lines=lines))


_SPEC = f"config.{PROJECT}:spec."
_HARMLESS = re.compile(r"true|false|[0-9]{1,5}|[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?")
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_INT = 70  # characters of 64 bits in base 2, sign and prefix
_INT = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]+|0|[1-9][0-9]*)")
_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(Z|[-+]\d\d:\d\d)?)?"
)


def _scalar(event: ScalarEvent) -> Any:
    text, tag = event.value, str(event.tag or "")
    if tag in ("!", "") and event.style in ("'", '"', "|", ">"):
        return text
    if tag.endswith(":binary"):
        try:
            return base64.b64decode(text).decode()
        except (binascii.Error, ValueError):
            return text
    if tag and not tag.startswith("tag:yaml.org,2002:"):
        return text  # a tag of somebody's own: the engine takes the text
    return text if tag.endswith(":str") else _plain(text)


def _any(_: Any) -> bool:
    return True


_TAGGED: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
"""By tag of YAML, whether a value is one of it: the engine refuses another."""


def _plain(text: str) -> Any:
    """A scalar without quotes, as yaml.v3's resolve() and the engine's JSON have it."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _NOT_FINITE.fullmatch(text):
        return text  # the engine itself refuses it
    if text[0] not in "0123456789+-.":
        return text
    if stamp := _timestamp(text):
        return stamp
    digits = text.replace("_", "") if text[0] != "." else text
    if match := _INT.fullmatch(digits):
        number = _integer(match[2]) * (-1 if match[1] == "-" else 1) if len(digits) <= _LONGEST_INT else None
        if number is not None and -(2**63) <= number < 2**64:
            return number
    if _FLOAT.fullmatch(digits):
        real = float(digits)
        if isinf(real):
            return text  # as the engine does
        return int(real) if real.is_integer() and abs(real) < 1e21 else real  # as JSON says it
    return text


def _integer(digits: str) -> int:
    bases = {"0x": 16, "0b": 2, "0o": 8}
    if base := bases.get(digits[:2].lower()):
        return int(digits[2:], base)
    return int(digits, 8) if digits.startswith("0") else int(digits)


def _timestamp(text: str) -> str:
    """How Go prints the moment that the engine takes an unquoted date for; empty for what is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return ""
    try:
        moment = datetime(*(int(part or 0) for part in match.groups()[:6]))  # type: ignore[arg-type]
    except ValueError:
        return ""
    offset = (match[7] or "Z").replace(":", "")
    return f"{moment:%Y-%m-%d %H:%M:%S} {'+0000 UTC' if offset == 'Z' else f'{offset} {offset}'}"


def _go_text(value: Any) -> str:
    """A key as Go prints it."""
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
