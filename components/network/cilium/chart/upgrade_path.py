"""How a cluster gets from one Cilium release to another: one minor after the other, with the values of each."""

from typing import NamedTuple

from components.core.versions import minor, parse
from components.network.cilium.chart import settings
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import minors, releases
from components.network.cilium.chart.migrate import Change, Migration, migrate
from components.network.cilium.chart.nested import Leaves
from components.network.cilium.chart.settings import text
from components.network.cilium.data_path import from_values

BEFORE = {
    "1.15": ("CiliumLoadBalancerIPPool objects: spec.cidrs becomes spec.blocks",),
    "1.16": (
        "Envoy becomes a DaemonSet of its own on new clusters; upgradeCompatibility keeps it in the agent",
        "CiliumBGPPeeringPolicy is deprecated: write CiliumBGPClusterConfig, PeerConfig and Advertisement",
    ),
    "1.17": ("a cluster's name has at most 32 characters, lower case, digits and '-'",),
    "1.18": (
        "every node needs Linux 5.10 or newer",
        "agents no longer refresh neighbours unless l2NeighDiscovery.enabled is true",
    ),
    "1.19": ("CiliumBGPPeeringPolicy is gone: the v2 objects must be there first",),
    "1.20": ("Gateway API CRDs must be 1.6.1 or newer; 1.19 works with 1.4.1 only: both change together",),
}
"""What to do or to know before a minor, beside its values: the part of Cilium's upgrade notes on networks."""


class Step(NamedTuple):
    """One release on the way."""

    release: str
    upgrade_compatibility: str
    """The first minor that the cluster ran: keeps defaults that a running data path depends on."""
    before: tuple[str, ...]
    migration: Migration
    """The values for this step, from the ones that the way began with."""


def upgrade_path(found: Leaves, old: str, new: str, *, meant: bool = False) -> list[Step]:
    """Every release on the way from `old` to `new`, `new` last; of minors between, the newest release known.

    Going down has the same steps in the other order. Within one minor there is one step.
    """
    line = [minor(release) for release in (old, new)]
    first_minor, last_minor = sorted(line, key=parse)
    between = [m for m in minors() if parse(first_minor) < parse(m) < parse(last_minor)]
    if parse(new) < parse(old):
        between.reverse()
    way = [*(_newest(m) for m in between), new]
    first = text(found.get(settings.UPGRADE_COMPATIBILITY)) or (line[0] if parse(line[1]) > parse(line[0]) else "")
    steps: list[Step] = []
    up = parse(new) > parse(old)
    before, values = old, found
    for release in way:
        migration = migrate(found, old, release, meant=meant)
        if first:
            migration = _compatible(migration, first, settings.default_proxy(found, old), release)
        notes = BEFORE.get(minor(release), ()) if up and minor(release) != line[0] else ()
        back = () if up or steps or len(way) == 1 else ("Cilium supports going back to the minor before, not further",)
        pods = _mtu(values, before, migration.values, release)
        steps.append(Step(release, first, (*back, *notes, *pods), migration))
        before, values = release, migration.values
    return steps


def _compatible(migration: Migration, first: str, ran: str, release: str) -> Migration:
    """With `upgradeCompatibility`, and with the word whose default it would turn into one that Helm fails on."""
    values: Leaves = {**migration.values, settings.UPGRADE_COMPATIBILITY: first}
    default = settings.default_proxy(values, release)
    if text(values.get(settings.KPR)) or settings.proxy_verdict(default, release) is Verdict.HONOURED:
        return migration._replace(values=values)
    word = settings.proxy_value(False, release)
    why = f"the default was {ran}, and upgradeCompatibility {first} would make it {default}, which {release} refuses"
    lost = ran == "probe"
    change = Change("lost" if lost else "set", (), (("kubeProxyReplacement", f'"{word}"'),), why, lost)
    return migration._replace(values={**values, settings.KPR: word}, changes=(*migration.changes, change))


def _newest(line: str) -> str:
    return [release for release in releases() if minor(release) == line][-1]


def _mtu(values: Leaves, old: str, later: Leaves, new: str) -> tuple[str, ...]:
    paths = from_values(values, old), from_values(later, new)
    before, after = (sum(path.overheads.values()) for path in paths)
    if before == after:
        return ()
    measured = (
        "" if all(path.overhead_is_measured for path in paths) else " (not measured on both: prove it with DF pings)"
    )
    return (f"pods get the links' MTU − {after}, on {old} − {before}{measured}; they keep theirs until they restart",)
