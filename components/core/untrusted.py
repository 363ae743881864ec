"""Reads what others wrote, within limits: YAML and JSON of files, charts, nodes, servers and forges. Pure.

No other module parses YAML or JSON (tests/unit/test_bans.py). PyYAML's C reader ends the whole process at 100,000
brackets within each other, nine lines of aliases can stand for 400 million values, and `json.loads` raises
RecursionError.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import from_json

MOST_CHARACTERS = 10_000_000
"""Of a text: five times the largest file of CRDs that a project publishes."""
_DEEPEST = 100
"""Lists and groups within each other. The deepest schema of a published CRD has 40."""
_MOST_BY_ALIAS = 100_000
"""Values that aliases stand for. Go's yaml.v3 refuses 'excessive aliasing' too."""
_LONGEST_NUMBER = 100
_NUMBER = re.compile(r"[-+]?(0[xX][0-9a-fA-F_]+|0[oObB][0-7_]+|[0-9.][0-9_.:eE+-]*)")

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Controls, what ends a line or turns its direction, and halves of a pair. Not what Python calls unprintable: that
depends on its Unicode tables."""

YamlError = yaml.YAMLError
"""What is wrong with a YAML text; `problem` and `problem_mark` say it where they are there."""


class LimitError(yaml.MarkedYAMLError):
    """A YAML text that is over a limit; `problem` is a sentence without its end."""


SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a megabyte: seconds without libyaml


def yaml_value(text: str, *, most: int = MOST_CHARACTERS) -> Any:
    """The value of a text with one document; None where it is empty. Raises YamlError."""
    found = yaml_documents(text, most=most)
    if len(found) > 1:
        raise yaml.MarkedYAMLError(problem="it has several documents")
    return found[0] if found else None


def yaml_documents(text: str, *, loader: Any = SafeLoader, most: int = MOST_CHARACTERS) -> list[Any]:
    """The value of every document. Raises YamlError, and nothing else."""
    try:
        _check(text, loader, most)
        return list(yaml.load_all(text, Loader=loader))
    except yaml.YAMLError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # PyYAML lets errors of Python through, for example for the date 2026-13-45.
        raise yaml.MarkedYAMLError(problem="a value is not what it looks like") from None


def yaml_nodes(text: str, *, loader: Any = SafeLoader, most: int = MOST_CHARACTERS) -> Iterator[Any]:
    """The root node of every document, with places in the text. Raises YamlError, and nothing else."""
    try:
        _check(text, loader, most)
        yield from yaml.compose_all(text, Loader=loader)
    except ValueError:
        raise yaml.MarkedYAMLError(problem="a value is not what it looks like") from None


def line_of(error: YamlError, text: str) -> int | None:
    """The line of the text, from 1, that an error is about; None where it names none."""
    mark = getattr(error, "problem_mark", None)
    return min(mark.line + 1, max(len(text.splitlines()), 1)) if mark else None


def json_value(text: str | bytes, *, most: int = MOST_CHARACTERS) -> Any:
    """The value of a JSON text. Raises ValueError, and nothing else; its text repeats nothing of the input."""
    if len(text) > most:
        raise ValueError(f"it is longer than {most} characters")
    return from_json(text, allow_inf_nan=False)


def printable_json(text: str | bytes, *, most: int = MOST_CHARACTERS) -> Any:
    """The same, with texts and keys whose lines are printable."""
    return _without_escapes(json_value(text, most=most))


def _without_escapes(value: Any) -> Any:
    if isinstance(value, str):
        return without_escapes(value)
    if isinstance(value, dict):
        return {without_escapes(key): _without_escapes(inner) for key, inner in value.items()}
    return [_without_escapes(item) for item in value] if isinstance(value, list) else value


def printable(text: str) -> str:
    """The text without line breaks, control characters and escape sequences, for a terminal, a log or a table."""
    return _UNFIT.sub(lambda found: " " if found[0].isspace() else "\N{REPLACEMENT CHARACTER}", text)


def without_escapes(text: str) -> str:
    """The text with its lines and tabs, and no other character that a terminal takes for a command."""
    return _UNFIT.sub(lambda found: found[0] if found[0] in "\n\t" else printable(found[0]), text)


Line = Annotated[str, Field(max_length=2000), AfterValidator(printable)]
"""A text that is shown on one line."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


class Untrusted(BaseModel):
    """What somebody else said, in one fixed form: no type is converted, and no value is repeated in an error."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


def _check(text: str, loader: Any, most: int) -> None:
    """Raises YamlError for a text whose values would be too many, too deep or too long."""
    if len(text) > most:
        raise LimitError(problem=f"it is longer than {most} characters")
    sizes: dict[str | None, int | None] = {}  # by anchor; None: begun and not yet ended
    opened: list[tuple[str | None, int]] = []  # anchor, and the count of values before it
    count = by_alias = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.DocumentStartEvent):
            sizes.clear()
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor, 0)  # of an anchor that does not exist: the loader says so
            if size is None:
                raise _limit(event, "an alias holds itself")
            count += size
            by_alias += size
            if by_alias > _MOST_BY_ALIAS:
                raise _limit(event, f"aliases stand for more than {_MOST_BY_ALIAS} values")
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count))
            count += 1
            if len(opened) > _DEEPEST:
                raise _limit(event, f"more than {_DEEPEST} lists and groups are within each other")
            if event.anchor:
                sizes[event.anchor] = None
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
            long = len(event.value) > _LONGEST_NUMBER and (event.tag or event.implicit[0])
            if long and _NUMBER.fullmatch(event.value):  # reading it takes time with the square of its length
                raise _limit(event, f"a number has more than {_LONGEST_NUMBER} digits")


def _limit(event: Any, problem: str) -> LimitError:
    return LimitError(problem=problem, problem_mark=event.start_mark)
