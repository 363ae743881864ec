"""Versions, compared as numbers. Pure."""

import re


def version_tuple(version: str) -> tuple[int, ...]:
    """`1.18.2` → `(1, 18, 2)`, to compare versions as numbers; anything after `-` or `+` is left off."""
    return tuple(int(part) for part in re.split(r"[-+]", version)[0].removeprefix("v").split("."))
