"""From the release that runs to the one that is written: Cilium goes one minor at a time."""

from collections.abc import Iterator

from components.core.finding import Finding
from components.core.versions import minor, parse
from components.network.cilium.model import Cilium
from components.network.cilium.releases import NEWEST


def upgrade_problems(cni: Cilium) -> list[Finding]:
    """A jump over a minor, with the path to take; and a first minor that came after the one that is written."""
    return [*_jump(cni), *_first(cni)]


def _jump(cni: Cilium) -> list[Finding]:
    if cni.running_version is None:
        return []
    running, wanted = parse(cni.running_version), parse(cni.version)
    if running.major != wanted.major:
        says = f"{cni.version}, but {cni.running_version} runs, and no way over a major version is known"
        return [_refused(says, f"write {cni.running_version}, or another {running.major}.x")]
    step = 1 if running < wanted else -1
    between = [f"{running.major}.{number}" for number in range(running.minor + step, wanted.minor, step)]
    if not between:
        return []
    path = " → ".join([cni.running_version, *(NEWEST.get(name, name) for name in between), cni.version])
    goes = "goes back" if step < 0 else "goes"
    says = f"{cni.version}, but {cni.running_version} runs, and Cilium {goes} one minor at a time"
    return [
        _refused(
            says,
            f"take the path {path}, one update each; use Cilium's own tools for versions that a stack "
            "file does not take (`vds cilium-values migrate --to` writes the values of each step)",
        )
    ]


def _refused(says: str, remedy: str) -> Finding:
    return Finding("cni-upgrade", "cni.version", says, remedy)


def _first(cni: Cilium) -> Iterator[Finding]:
    if cni.upgraded_from is None:
        return
    limit = min((minor(version) for version in (cni.version, cni.running_version) if version), key=parse)
    if parse(cni.upgraded_from) <= parse(limit):
        return
    yield Finding(
        "cni-upgrade",
        "cni.upgradedFrom",
        f"{cni.upgraded_from} is newer than {limit}",
        "write the first minor that this cluster ran, or leave it out on a new one",
    )
