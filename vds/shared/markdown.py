"""Markdown of other people's text: a name or a value can't open a tag, a link or a mention. Pure."""

import html
import re
from collections.abc import Iterable, Sequence

_BLANK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
"""Controls but tab and line feed, what turns the direction of a text, what Unicode calls ignorable, blanks that are no
spaces, halves of pairs, and private characters (Default_Ignorable_Code_Point of Unicode 16)."""
_SPECIAL = re.compile(r"[\\`*_\[\]|~#]")
_REFERENCE = re.compile(r"@|://|\bwww\.|[#!%&~](?=\d)|\bGH-(?=\d)", re.I)
"""What a forge makes a mention, a link or a reference of, in a text."""
_APART = "\N{ZERO WIDTH SPACE}"
"""Dependabot and Renovate write it after an @ for the same reason: a forge looks for mentions after it has decoded
entities."""
_LONGEST_NAME = 200


def visible(text: str) -> str:
    """The text with a word in place of each character that shows nothing, or that changes how others are shown."""
    return _INVISIBLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return visible(_BLANK.sub(" ", text).strip())


def escape(text: str) -> str:
    """Running text on one line."""
    return _escaped(one_line(text))


def escape_for_forge(text: str) -> str:
    """The same for a comment on a forge: it notifies nobody and links to nothing, not even `#12`."""
    return _escaped(_inert(one_line(text))).replace("\\#", "&#35;").replace("\\`", "&#96;")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", html.escape(text, quote=False))


def _inert(text: str) -> str:
    return _REFERENCE.sub(lambda found: f"{found[0][0]}{_APART}{found[0][1:]}", text)


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


def code_block(lines: Iterable[str], language: str = "diff") -> str:
    """A block of code that nothing in it can end."""
    text = "\n".join(map(visible, lines))
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def folded(summary: str, body: str) -> str:
    """A part that opens when it is clicked. `summary` is HTML, `body` Markdown."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def tag_text(text: str) -> str:
    """Text inside an HTML tag, where Markdown is not read."""
    cut = one_line(text)
    cut = cut if len(cut) <= _LONGEST_NAME else f"{cut[:_LONGEST_NAME]}…"
    return html.escape(_inert(cut), quote=False).replace("`", "&#96;")


def count(number: int, one: str, many: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
