"""Markdown of other people's text: a name or a value can't open a tag, a link or a mention. Pure."""

import html
import re
from collections.abc import Iterable, Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
_SPECIAL = re.compile(r"[\\`*_\[\]|~#]")
_LONGEST_NAME = 200


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return _CONTROL.sub(" ", text).strip()


def escape(text: str) -> str:
    """Running text on one line."""
    return _SPECIAL.sub(r"\\\g<0>", html.escape(one_line(text), quote=False))


def escape_for_forge(text: str) -> str:
    """The same for a comment on a forge: it notifies nobody and links to nothing, not even `#12`."""
    escaped = escape(text).replace("\\#", "&#35;").replace("\\`", "&#96;")
    return escaped.replace("@", "&#64;").replace("://", ":&#47;&#47;")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    """Inline code on one line; nothing is interpreted in it."""
    text = one_line(text) or " "
    text = text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"
    ticks = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    # A bar would end a table's cell, even in code.
    return f"{ticks}{pad}{text}{pad}{ticks}".replace("|", "¦")


def fence(lines: Iterable[str], language: str = "diff") -> str:
    """A block of code that nothing in it can end."""
    text = "\n".join(line.replace("\r", " ") for line in lines)
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def folded(summary: str, body: str) -> str:
    """A part that opens when it is clicked. `summary` is HTML, `body` Markdown."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def tag_text(text: str) -> str:
    """Text inside an HTML tag, where Markdown is not read."""
    cut = one_line(text)
    cut = cut if len(cut) <= _LONGEST_NAME else f"{cut[:_LONGEST_NAME]}…"
    return html.escape(cut, quote=False).replace("@", "&#64;").replace("`", "&#96;")


def count(number: int, one: str, many: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
