"""Values and lists in Markdown, and JSON documents. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from vds.evidence.model import NOT_DECLARED
from vds.shared.markdown import escape


def words(value: object) -> str:
    """The value as one line of text; an empty value is shown as not declared."""
    return escape(str(value or "")) or NOT_DECLARED


def several(values: Iterable[object]) -> str:
    """Values with commas between."""
    return ", ".join(words(value) for value in values) or NOT_DECLARED


def bullets(lines: Iterable[object]) -> str:
    """A list of lines of text; `Nothing.` without any."""
    return "".join(f"- {words(line)}\n" for line in lines) or "Nothing.\n"


def document(value: Any) -> bytes:
    """JSON that is the same for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()
