"""Cuts a comment to the allowed length: the least risky parts first, with a count of what was cut. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from vds.shared.markdown import count

LIMIT = 65_536
"""Characters that GitHub takes in a comment's body; GitLab takes 1,000,000, Forgejo more than this."""


class Risk(IntEnum):
    """What a reviewer misses if it is left out; the smallest goes first."""

    NOISE = 0
    CREATE = 1
    UPDATE = 2
    LOSS_DETAIL = 3
    """Names of what goes with a cause."""
    LOSS = 4
    """What is replaced or deleted, and why."""
    VERDICT = 5
    HEADING = 6
    """The stacks and the verdict on each: the parts below need it."""


@dataclass(frozen=True)
class Block:
    """A part of a comment."""

    text: str
    risk: Risk = Risk.VERDICT
    what: str = ""
    """The noun, in the singular, for the count of what was cut; empty: it is not counted."""
    short: str = ""
    """A shorter text, if there is no room."""
    units: int = 1
    """How many of `what` are in it."""
    whole: str = ""
    """All of it, for the full report, where `text` is cut."""


def size(text: str) -> int:
    """Length as the strictest forge counts: UTF-16 code units, never fewer than characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fit(blocks: Sequence[Block], *, limit: int = LIMIT, closing: str = "") -> str:
    """The blocks as one text of at most `limit`, with a last line about what was cut."""
    texts: list[str] = [block.text for block in blocks]
    room = limit - _reserve(blocks, closing)
    sizes = [size(text) + 2 for text in texts]
    total, left_out = sum(sizes), Counter[str]()
    order = sorted(range(len(blocks)), key=lambda index: (blocks[index].risk, -index))
    for stage in ("short", "nothing"):
        for index in order:
            if total <= room:
                break
            block = blocks[index]
            instead = block.short if stage == "short" else ""
            if size(instead) + 2 >= sizes[index] or (stage == "short" and not instead and block.risk > Risk.NOISE):
                continue
            if texts[index] == block.text and block.what:
                left_out[block.what] += block.units
            total += (size(instead) + 2 if instead else 0) - sizes[index]
            texts[index], sizes[index] = instead, size(instead) + 2 if instead else 0
    note = _note(left_out)
    return "\n\n".join(text for text in (*texts, note, closing) if text) + "\n"


def _note(left_out: Counter[str]) -> str:
    if not left_out:
        return ""
    parts = ", ".join(count(number, what) for what, number in sorted(left_out.items()))
    return f"✂️ Left out for length, the least risky first: {parts}. All of it is in the full report."


def _reserve(blocks: Sequence[Block], closing: str) -> int:
    """Room for the note at its longest, and for the end."""
    most = Counter[str]()
    for block in blocks:
        if block.what:
            most[block.what] += block.units
    return size(_note(most)) + size(closing) + 6
