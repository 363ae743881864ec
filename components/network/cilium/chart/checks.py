"""Helm values that go wrong together: the constraints of the data path, and what the chart itself refuses."""

from collections.abc import Callable, Iterator
from typing import Any

from components.core.versions import matches, minor
from components.network.cilium.changes import as_values, effect, values_key, written
from components.network.cilium.chart import settings
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import Path
from components.network.cilium.chart.nested import Leaves, keys
from components.network.cilium.chart.settings import on, text
from components.network.cilium.constraints import broken
from components.network.cilium.data_path import DataPath, from_values
from components.network.mtu import VXLAN_OVERHEAD

CLUSTER_NAME = keys("cluster.name")
LINK_MTUS = (1500, 9000, 9001)
"""What links usually carry (Ethernet, jumbo frames, AWS): a smaller MTU that misses one by the overhead was meant
for pods."""

Conflict = tuple[Path, Verdict, str, tuple[tuple[str, Any], ...]]

_CHART_FAILS: dict[str, Callable[[Leaves, str], bool]] = {
    "native-routing-needs-cidr": lambda found, release: (
        on(found.get(settings.MASQUERADE)) and matches(release, ">=1.18")
    ),
    # The template takes the text "false" for true.
    "gateway-needs-l7-proxy": lambda found, release: (
        found.get(settings.L7_PROXY) is False and matches(release, ">=1.13.7")
    ),
    "gateway-needs-replacement": lambda _, release: matches(release, "<1.14"),
}
"""Where a chart stops before any agent reads what it would have rendered, by constraint."""


def conflicts(found: Leaves, release: str) -> Iterator[Conflict]:
    """What is wrong with a key because of the others: path, verdict, why, and what to write instead."""
    path = from_values(found, release)
    for row in broken(path):
        reason, instead = row.reason(path), written(as_values(row.remedies(path)[0], release))
        where = values_key(row.field, found)
        if row.id in _CHART_FAILS and _CHART_FAILS[row.id](found, release):
            yield where, Verdict.FAILS, f"Helm renders nothing: {reason}", instead
        else:
            renders = "it renders, and " if row.effect is Verdict.REFUSED else ""
            yield where, row.effect, f"{renders}{effect(row, reason)}", instead
    yield from _mtu(path)
    yield from _names(found, release)
    yield from _compatibility(found, release)


def mtu_effect(path: DataPath) -> str:
    """What pods get of a written MTU, with the arithmetic; empty where the agents look for it themselves."""
    if not path.mtu:
        return ""
    overhead = sum(path.overheads.values())
    sure = "" if path.overhead_is_measured else " (not measured on this release: prove it with DF pings)"
    return f"the links' MTU: pods get {path.mtu} − {overhead} = {path.mtu - overhead} over {path.name}{sure}"


def _mtu(path: DataPath) -> Iterator[Conflict]:
    mtu, overhead = path.mtu, sum(path.overheads.values())
    link = next((link for link in LINK_MTUS if overhead and mtu in (link - overhead, link - VXLAN_OVERHEAD)), None)
    if mtu and link and matches(path.release, ">=1.13"):
        says = (
            f"takes effect as {mtu_effect(path)}; right only where links carry no more than {mtu}. "
            f"Over links of {link} pods get {link - overhead} if you write {link}, or leave it out"
        )
        yield settings.MTU, Verdict.OTHERWISE, says, written({settings.MTU: link})


def _names(found: Leaves, release: str) -> Iterator[Conflict]:
    name = text(found.get(CLUSTER_NAME))
    bad = len(name) > 32 or name != name.lower() or name.strip("-_.") != name
    spared = minor(release) == "1.16" and text(found.get(settings.UPGRADE_COMPATIBILITY))
    if CLUSTER_NAME in found and "$" not in name and bad and matches(release, ">=1.16") and not spared:
        says = "Helm renders nothing: a cluster's name has at most 32 characters, lower case, digits and '-'"
        yield CLUSTER_NAME, Verdict.FAILS, says, ()


def _compatibility(found: Leaves, release: str) -> Iterator[Conflict]:
    default = settings.default_proxy(found, release)
    asked = settings.UPGRADE_COMPATIBILITY in found and text(found.get(settings.KPR)) == ""
    if asked and settings.proxy_verdict(default, release) is Verdict.FAILS:
        says = f"Helm renders nothing: it makes {default} the default of kubeProxyReplacement, which {release} refuses"
        yield (
            settings.UPGRADE_COMPATIBILITY,
            Verdict.FAILS,
            says,
            written({settings.KPR: settings.proxy_value(False, release)}),
        )
