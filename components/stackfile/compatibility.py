"""The versions of a stack file, checked with the table of `components.network.compatibility.search`."""

from collections.abc import Callable, Mapping, Sequence

from components.core.finding import Finding
from components.network.compatibility.matrix import Combination, Feature, Part
from components.network.compatibility.search import Conflict, Way, conflicts, nearest, untested
from components.network.model import AnyCni

FIELDS = {
    Part.KUBERNETES: "cluster.kubernetesVersion",
    Part.CILIUM: "cni.version",
    Part.CALICO: "cni.version",
    Part.GATEWAY_API: "gateway.bundleVersion",
    Part.METALLB: "metallb.install.version",
    Part.TRAEFIK: "gateway.install.version",
    Part.CERT_MANAGER: "gateway.issuer.version",
}
"""Where an author writes a part's version."""


def together(cni: AnyCni, versions: Mapping[Part, str | None]) -> Combination:
    """The combination of a CNI with what else a stack file has; None is unknown."""
    base = cni.combination()
    known = {part: version for part, version in versions.items() if version}
    return Combination({**base.versions, **known}, base.features | {Feature.METALLB_POOLS})


def compatibility_problems(
    found: Combination, *, by_bundle: bool = False, accepts: Callable[[Way], bool] = lambda _: True
) -> list[Finding]:
    """A violation for every need that is not met, each with the nearest combinations that work.

    `by_bundle`: Gateway API's version is that of the file in `gateway.crds`, and is written nowhere.
    `accepts`: whether a change of versions breaks no other rule.
    """
    wrong = conflicts(found)
    ways = nearest(found, accepts) if wrong else []
    return [_problem(conflict, ways, by_bundle=by_bundle) for conflict in wrong]


def untested_advice(found: Combination) -> list[Finding]:
    """A CNI on a Kubernetes that its makers do not list."""
    said, remedy = untested(found)
    return [Finding("advice", FIELDS[Part.KUBERNETES], said, remedy, advice=True)] if said else []


def _write(part: Part, version: str, *, by_bundle: bool) -> str:
    if by_bundle and part is Part.GATEWAY_API:
        return f"gateway.crds: path and sha256 of Gateway API {version}'s standard-install.yaml"
    return f"{FIELDS[part]}: {version}"


def _problem(conflict: Conflict, ways: Sequence[Way], *, by_bundle: bool) -> Finding:
    requirement = conflict.requirement
    limits = ((requirement.at_least, "or newer"), (requirement.at_most, "at most"))
    bounds = " and ".join(f"{bound} {says}" for bound, says in limits if bound)
    remedies = [
        " and ".join(_write(part, version, by_bundle=by_bundle) for part, version in way.items()) for way in ways
    ]
    if requirement.instead:
        remedies.append(requirement.instead)
    return Finding(
        "compatibility",
        "gateway.crds" if by_bundle and requirement.other is Part.GATEWAY_API else FIELDS[requirement.other],
        f"{conflict.found} does not work with {conflict.subject}, which needs {bounds}: {requirement.why} "
        f"({requirement.source})",
        f"write {', or '.join(remedies)}" if remedies else "do without one of the two",
    )
