"""Markdown that no value can break out of. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from vds.evidence.model import NOT_DECLARED

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def words(value: object) -> str:
    """The value as one line of text, whatever is in it; what is empty says that it was not declared."""
    line = _CONTROL.sub(" ", str(value or "")).strip()
    return _SPECIAL.sub(r"\\\g<0>", line) or NOT_DECLARED


def several(values: Iterable[object]) -> str:
    """Values with commas between."""
    return ", ".join(words(value) for value in values) or NOT_DECLARED


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def document(value: Any) -> bytes:
    """JSON that is the same for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()
