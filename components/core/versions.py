"""Versions of charts, programs and kernels: parsed and compared by `packaging`. Pure."""

import re
from functools import lru_cache

from packaging.specifiers import SpecifierSet
from packaging.version import Version


@lru_cache(maxsize=10_000)
def parse(text: str) -> Version:
    """`v1.18.2` as a version. What follows `-` or `+` is left out: a build or a candidate is judged as its release.

    Raises ValueError for a text that is no version.
    """
    return Version(re.split(r"[-+]", text, maxsplit=1)[0])


@lru_cache(maxsize=100_000)
def matches(version: str, specifiers: str) -> bool:
    """Whether a version is in a set of specifiers, as in `matches("1.14.3", ">=1.14,<1.16")`."""
    return parse(version) in SpecifierSet(specifiers, prereleases=True)


def between(version: str, first: str, last: str) -> bool:
    """Whether a version is from `first` to `last`, both included; an empty bound is open.

    Bounds and version count as precisely as they are written: `1.19` as the last holds 1.19.6, and a version `1.19`
    is not known to be older than 1.19.3.
    """
    here = parse(version).release
    above = not first or here >= parse(first).release[: len(here)]
    return above and (not last or here[: len(parse(last).release)] <= parse(last).release)


def minor(version: str) -> str:
    """`1.14.4` → `1.14`."""
    return f"{parse(version).major}.{parse(version).minor}"
