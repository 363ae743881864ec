"""Values that occur more than once. Pure."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def duplicates(values: Iterable[T]) -> list[T]:
    """The values that occur more than once, each once, in order of first repetition."""
    seen: set[T] = set()
    again: dict[T, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)
