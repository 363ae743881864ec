"""From the release that runs to the one that is written: Cilium goes one minor at a time."""

from components.core.finding import Finding
from components.core.versions import version_tuple
from components.network.cilium.chart.keys import minors, releases
from components.network.model import Cilium


def upgrade_problems(cni: Cilium) -> list[Finding]:
    """A jump over a minor, with the path to take; and a first minor that came after the one that is written."""
    return [*_jump(cni), *_first(cni)]


def _jump(cni: Cilium) -> list[Finding]:
    if cni.running_version is None:
        return []
    running, wanted = _minor(cni.running_version), _minor(cni.version)
    if running[0] != wanted[0]:
        return [_refused(f"{cni.version}, but {cni.running_version} runs, and no way over a major version is known")]
    step = 1 if running < wanted else -1
    between = [(running[0], minor) for minor in range(running[1] + step, wanted[1], step)]
    if not between:
        return []
    path = " → ".join([cni.running_version, *map(_newest, between), cni.version])
    goes = "goes back" if step < 0 else "goes"
    says = f"{cni.version}, but {cni.running_version} runs, and Cilium {goes} one minor at a time: take the path {path}"
    known = [minor for minor in between if minor in _known()]
    if known != between:
        first, last = (".".join(map(str, edge)) for edge in (_known()[0], _known()[-1]))
        return [
            _refused(f"{says}, with Cilium's own tools where this platform has no charts (it has {first} to {last})")
        ]
    return [
        _refused(
            f"{says}, one update each, the first to version: {_newest(between[0])} (`vds "
            "cilium-values migrate` has each step's values)"
        )
    ]


def _refused(says: str) -> Finding:
    return Finding("cni-upgrade", "cni.version", says)


def _first(cni: Cilium) -> list[Finding]:
    if cni.upgraded_from is None:
        return []
    first = version_tuple(cni.upgraded_from)
    limit = min(_minor(version) for version in (cni.version, cni.running_version) if version)
    if first <= limit:
        return []
    return [
        Finding(
            "cni-upgrade",
            "cni.upgradedFrom",
            f"{cni.upgraded_from} is newer than {'.'.join(map(str, limit))}: write the first minor that this cluster "
            "ran, or leave it out on a new one",
        )
    ]


def _minor(version: str) -> tuple[int, ...]:
    return version_tuple(version)[:2]


def _known() -> list[tuple[int, ...]]:
    return [version_tuple(minor) for minor in minors()]


def _newest(minor: tuple[int, ...]) -> str:
    """The newest release of a minor, where its charts were read; else the minor itself."""
    line = [release for release in releases() if _minor(release) == minor]
    return line[-1] if line else ".".join(map(str, minor))
