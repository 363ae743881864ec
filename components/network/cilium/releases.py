"""Cilium's minor versions from 1.11 on, with the newest release of each."""

from components.core.versions import minor, parse
from components.network.compatibility.matrix import Part
from components.network.compatibility.releases import table

SUPPORTED = "1.18"
"""The oldest minor of a stack file: Cilium maintains three. `vds cilium-values` reads values of older ones too."""
_ENDED = ("1.11.20", "1.12.19", "1.13.18", "1.14.19", "1.15.19", "1.16.19", "1.17.18")
"""The last release of each minor that the table of releases may not have any more."""
NEWEST = {minor(version): version for version in _ENDED} | {
    name: line.newest for name, line in table().parts[Part.CILIUM].lines.items()
}
"""The newest known release by minor, oldest first."""


def minors_between(first: str, last: str) -> list[str]:
    """Minors after `first` and before `last`, in the direction of the way."""
    low, high = sorted((parse(minor(first)), parse(minor(last))))
    found = [name for name in NEWEST if low < parse(name) < high]
    return found if parse(first) < parse(last) else found[::-1]
