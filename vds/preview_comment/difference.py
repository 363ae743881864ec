"""What differs between a resource's inputs before and after, as lines of a diff. Pure; its input is masked already."""

import difflib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from vds.preview_comment.events import Change
from vds.preview_comment.masking import SECRET
from vds.preview_comment.single_values import same, single_values, within

_CONTEXT_LINES = 2
LONGEST = 300
"""Characters of one value on one line of a comment; of a longer value only the parts that differ are shown."""
_CONTEXT = 40
"""Characters on each side of a difference."""
_MOST_COMPARED = 1_000_000
"""Comparisons of a word with the same word of the other side: half a second."""
_WORDS = re.compile(r"\w+|\W")

_ORDER = "the order of a list"
"""Instead of a path, if named items only change their order."""

NOISE: dict[str, re.Pattern[str]] = {
    "an SDK's version": re.compile(r"^(version|__internal\b.*)$"),
    "Helm's own labels": re.compile(r"\.(labels|annotations)\[?\"?\.?helm\.sh/chart\b"),
    "Pulumi's own annotations": re.compile(r"\.annotations\[\"pulumi\.com/(?!patchForce|deletionPropagationPolicy)"),
    "who manages a field": re.compile(r"\bmetadata\.managedFields\b"),
}
"""What changes without effect on anything that runs → the paths of it. Of `version` only a provider's is noise."""


def changed_paths(change: Change) -> tuple[str, ...]:
    """Paths whose values differ, and those of hidden values that do."""
    old, new = dict(single_values(change.old)), dict(single_values(change.new))
    there = [path for path in sorted({*old, *new}) if path and not same(old.get(path, ...), new.get(path, ...))]
    if change.op == "create":
        return tuple(there)
    if [path for path in old if path in new] != [path for path in new if path in old]:
        there.append(_ORDER)
    return (
        *there,
        *(path for path in change.secrets if not any(within(other, path) or within(path, other) for other in there)),
    )


def noise(change: Change) -> str:
    """Why this update or creation has no effect; empty if it has one."""
    paths = changed_paths(change)
    if change.op == "update":
        if not paths:
            return "no input that differs"
        reasons = [_noise_of(path, change.kind) for path in paths]
        return reasons[0] if all(reasons) else ""
    if change.op == "create" and change.kind.startswith("pulumi:"):
        return "Pulumi's own bookkeeping"
    return ""


def _noise_of(path: str, kind: str) -> str:
    for reason, pattern in NOISE.items():
        if pattern.search(path) and (not pattern.match("version") or kind.startswith("pulumi:providers:")):
            return reason
    return ""


def diff_lines(change: Change, longest: int = sys.maxsize) -> tuple[str, ...]:
    """A unified diff without headers: `-` as it is, `+` as it will be. `longest`: characters of one value."""
    old, new = dict(single_values(change.old)), dict(single_values(change.new))
    # A value that is hidden on one side is hidden on the other: it may have been plain before it was marked.
    hidden = [path for path, value in (*old.items(), *new.items()) if value == SECRET and change.op != "create"]
    lines: list[str] = []
    for path in changed_paths(change):
        before, after = old.get(path), new.get(path)
        if path == _ORDER:
            lines.append(f"! {path} changes")
        elif same(before, after):
            lines.append(f"! {path}: changes, and is hidden")
        elif concealing := next((secret for secret in hidden if within(path, secret)), None):
            lines.append(f"! {concealing}: changes, and is hidden")
        elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
            lines += _text_lines(path, before, after, longest)
            lines += [f"! {path}: hidden lines change"] if path in change.secrets else []
        elif path in old and path in new:
            was, becomes = _around(_shown(before), _shown(after), longest)
            lines += [f"- {path}: {was}", f"+ {path}: {becomes}"]
        else:
            sign, value = ("-", before) if path in old else ("+", after)
            lines.append(f"{sign} {path}: {_short(_shown(value), longest)}")
    return tuple(dict.fromkeys(lines)) if hidden else tuple(lines)


def _text_lines(path: str, before: str, after: str, longest: int) -> Iterator[str]:
    yield f"@@ {path} @@"
    found = difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=_CONTEXT_LINES)
    for is_change, run in groupby(list(found)[2:], key=lambda line: line[:1] in ("-", "+")):
        lines = list(run)
        was = [line[1:] for line in lines if is_change and line[0] == "-"]
        becomes = [line[1:] for line in lines if is_change and line[0] == "+"]
        pairs = [_around(*pair, longest) for pair in zip(was, becomes, strict=False)]
        yield from (f"-{line}" for line, _ in pairs)
        yield from (f"-{_short(line, longest)}" for line in was[len(pairs) :])
        yield from (f"+{line}" for _, line in pairs)
        yield from (f"+{_short(line, longest)}" for line in becomes[len(pairs) :])
        yield from (_short(line, longest) for line in lines if not is_change)


def _short(text: str, longest: int) -> str:
    return _cut(text, longest - longest // 3, longest // 3) if len(text) > longest else text


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)


def _around(before: str, after: str, longest: int) -> tuple[str, str]:
    """Two texts that differ, each with all that differs; of what both have, the middle is left out if they are long."""
    if max(len(before), len(after)) <= longest:
        return before, after
    start = _same_start(before, after)
    end = _same_start(before[start:][::-1], after[start:][::-1])
    olds, news = (_WORDS.findall(text[start : len(text) - end]) for text in (before, after))
    codes: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(olds), 0, len(news))]
    if _comparisons(olds, news) <= _MOST_COMPARED:
        codes = difflib.SequenceMatcher(None, olds, news).get_opcodes()
    sides = [[_cut(before[:start], 0, _CONTEXT)], [_cut(before[:start], 0, _CONTEXT)]]
    for what, i1, i2, j1, j2 in codes:
        head, tail = (_CONTEXT, _CONTEXT) if what == "equal" else (longest, longest // 2)
        sides[0].append(_cut("".join(olds[i1:i2]), head, tail))
        sides[1].append(_cut("".join(news[j1:j2]), head, tail))
    # A line with very many differences: its first and its last ones.
    last = _cut(before[len(before) - end :], _CONTEXT, 0)
    old, new = (_cut("".join([*side, last]), 6 * longest, 3 * longest) for side in sides)
    return old, new


def _comparisons(olds: list[str], news: list[str]) -> int:
    """What SequenceMatcher does in one pass. Of a long text it leaves out words that are more than 1 in 100."""
    often = len(news) // 100 + 1 if len(news) >= 200 else len(news)
    counted = Counter(news)
    return sum(counted[word] for word in olds if counted[word] <= often)


def _same_start(one: str, other: str) -> int:
    """How many characters at the start of both are the same."""
    # By halves: comparing slices is a hundred times faster than comparing characters.
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _cut(text: str, head: int, tail: int) -> str:
    """The first and the last characters of a longer text, with the number of those between them."""
    more = len(text) - head - tail
    return text if more <= 0 else f"{text[:head]}… ({more} characters more) …{text[len(text) - tail :]}"
