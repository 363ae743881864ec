"""Suggestions for a misspelt name."""

import difflib
from collections.abc import Iterable


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """`did you mean …?`, or the first names that exist."""
    existing = sorted(names)
    close = difflib.get_close_matches(wanted, existing, n=3, cutoff=0.5)
    close = close or [name for name in existing if name.startswith(wanted) or wanted.startswith(name)][:3]
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are {', '.join(existing[:5])}{' and others' if len(existing) > 5 else ''}"
