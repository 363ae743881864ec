"""From the release that runs to the one that is written: Cilium goes one minor at a time."""

from components.base import Violation, version_tuple
from components.cni.chart_keys import minors, releases
from components.cni.model import Cilium


def upgrade_problems(cni: Cilium) -> list[Violation]:
    """A jump over a minor, with the path to take; and a first minor that came after the one that is written."""
    return [*_jump(cni), *_first(cni)]


def _jump(cni: Cilium) -> list[Violation]:
    if cni.running_version is None:
        return []
    running, wanted = _minor(cni.running_version), _minor(cni.version)
    line = [version_tuple(minor) for minor in minors()]
    if running not in line or wanted not in line or abs(line.index(wanted) - line.index(running)) <= 1:
        return []
    begin, end = line.index(running), line.index(wanted)
    between = line[begin + 1 : end] if begin < end else line[end + 1 : begin][::-1]
    path = " → ".join([cni.running_version, *(_newest(minor) for minor in between), cni.version])
    back = " back" if end < begin else ""
    return [
        Violation(
            "cni-upgrade",
            "cni.version",
            f"{cni.version}, but {cni.running_version} runs, and Cilium goes{back} one minor at a time: take the path "
            f"{path}, one update each, the first to version: {_newest(between[0])} (`python -m operations "
            "cilium-values migrate` has each step's values)",
        )
    ]


def _first(cni: Cilium) -> list[Violation]:
    if cni.upgraded_from is None:
        return []
    first = version_tuple(cni.upgraded_from)
    limit = min(_minor(version) for version in (cni.version, cni.running_version) if version)
    if first <= limit:
        return []
    return [
        Violation(
            "cni-upgrade",
            "cni.upgradedFrom",
            f"{cni.upgraded_from} is newer than {'.'.join(map(str, limit))}: write the first minor that this cluster "
            "ran, or leave it out on a new one",
        )
    ]


def _minor(version: str) -> tuple[int, ...]:
    return version_tuple(version)[:2]


def _newest(minor: tuple[int, ...]) -> str:
    return [release for release in releases() if _minor(release) == minor][-1]
