"""What each key of Cilium values really does on a release, and what to write there for what was meant.

Helm is silent about most of it: keys that a chart does not read, words whose meaning changed, pairs that
render and make every agent exit.
"""

from typing import Any, NamedTuple

from components.core.versions import between
from components.network.cilium.chart import settings
from components.network.cilium.chart.checks import conflicts, mtu_effect
from components.network.cilium.chart.history import Removed, Renamed, Verdict, fate, removal_of, rename_of, renamed_from
from components.network.cilium.chart.keys import Path, closest, has, known_in, type_problem
from components.network.cilium.chart.nested import Leaves, dotted, keys, redact
from components.network.cilium.chart.routing import (
    NO_RENDER,
    SILENT,
    does,
    judge_proxy,
    judge_routing,
    proxy_instead,
    routing_instead,
)
from components.network.cilium.chart.settings import text
from components.network.cilium.data_path import from_values

IPAM_MODE = keys("ipam.mode")
_API_SERVER = ("k8sServiceHost", "k8sServiceHostRef", "k8s")
_AS_MEANT = (Verdict.HONOURED, Verdict.KNOWN)
_READ_BACK = (
    settings.LB_MODE,
    settings.MASQUERADE,
    settings.AUTO_ROUTES,
    settings.GATEWAY,
)  # found again in what the charts rendered


class Explanation(NamedTuple):
    """One key and what became of it."""

    key: str
    """As `--set` has it."""
    value: str
    """As a message may show it: short, no secret."""
    verdict: Verdict
    as_meant: bool
    """False if what runs is not what was written down."""
    says: str
    """What happens, and why."""
    instead: tuple[tuple[str, Any], ...] = ()
    """What to write on this release for what was probably meant: keys with values."""


class _Written(NamedTuple):
    path: Path
    value: Any

    def found(
        self, verdict: Verdict, says: str, instead: dict[Path, Any] | None = None, as_meant: bool | None = None
    ) -> Explanation:
        meant = verdict in _AS_MEANT if as_meant is None else as_meant
        values = tuple((dotted(path), value) for path, value in (instead or {}).items())
        return Explanation(dotted(self.path), redact(self.path, self.value), verdict, meant, says, values)


def explain(found: Leaves, release: str) -> list[Explanation]:
    """A finding for every key, in the order of the values. `release` is one of `keys.releases()`."""
    findings = {path: _judge(_Written(path, value), found, release) for path, value in found.items()}
    for path, verdict, says, instead in conflicts(found, release):
        if path in findings and findings[path].as_meant:
            findings[path] = findings[path]._replace(verdict=verdict, as_meant=False, says=says, instead=instead)
    return list(findings.values())


def _judge(written: _Written, found: Leaves, release: str) -> Explanation:
    path, value = written
    if path in (settings.TUNNEL, settings.ROUTING_MODE, settings.PROTOCOL):
        verdict, says = judge_routing(path, value, found, release)
        instead = routing_instead(found, release) if verdict is not Verdict.HONOURED else {}
        harmless = verdict is Verdict.HONOURED or (verdict is Verdict.IGNORED and not instead)
        return written.found(verdict, says, instead, as_meant=harmless)
    if path == settings.KPR:
        verdict, says = judge_proxy(value, release)
        alone = verdict is Verdict.HONOURED and text(value) in ("strict", "true")
        if alone and not any(step[0] in _API_SERVER for step in found):
            says += "; without k8sServiceHost agents reach the API server only while kube-proxy runs"
        return written.found(verdict, says, {} if verdict is Verdict.HONOURED else proxy_instead(value, release))
    if renamed := rename_of(path):
        if renamed.convert == "list" and found.get(IPAM_MODE, "cluster-pool") not in ("cluster-pool", ""):
            return written.found(Verdict.IGNORED, f"does nothing: ipam.mode is {found[IPAM_MODE]}", as_meant=True)
        return _renamed(written, renamed, release)
    if newer := renamed_from(path):
        return _new_name(written, newer, found, release)
    if gone := removal_of(path, release):
        return _removed(written, gone, release)
    return _by_the_chart(written, found, release)


def _renamed(written: _Written, row: Renamed, release: str) -> Explanation:
    verdict, value = fate(row, release), written.value
    if verdict is Verdict.HONOURED:
        if has(row.old, release) is None:  # a release from before the key
            return _unknown(written, release)
        if row.note and value is True:
            return written.found(Verdict.OTHERWISE, f"takes effect; {row.note}", {row.old: False})
        until = f" up to {row.old_until}; after that the key is {dotted(row.new)}" if row.old_until else ""
        return written.found(verdict, f"takes effect{until}")
    if verdict is Verdict.FAILS and not value and row.new[:-1] != row.old:
        verdict = Verdict.IGNORED  # the chart asks whether it is set, and only then complains
    if isinstance(value, dict) or value is None:
        return written.found(Verdict.KNOWN, "says nothing: the chart's defaults stay")
    wanted = [value] if row.convert == "list" else value
    says = f"{does(verdict)}: the key is {dotted(row.new)} since {row.new_since}"
    return written.found(verdict, says, {row.new: wanted})


def _new_name(written: _Written, row: Renamed, found: Leaves, release: str) -> Explanation:
    path, value = written
    if between(release, row.new_since, ""):
        judged = _by_the_chart(written, found, release)
        return judged._replace(verdict=Verdict.HONOURED, says="takes effect") if judged.as_meant else judged
    if has(path, release):
        if row.old[:1] == ("encryption",):  # keyFile and mountPath, up to 1.15
            return written.found(
                Verdict.KNOWN, "takes effect only where encryption.ipsec has both keyFile and mountPath"
            )
        return _by_the_chart(written, found, release)
    wanted = value[0] if row.convert == "list" and isinstance(value, list) and value else value
    came = f"{dotted(path)} came with {row.new_since}"
    if path[:-1] == row.old:  # the chart prints the whole group where it expects one word
        return written.found(
            Verdict.OTHERWISE, f"the chart prints the whole group as one word: {came}", {row.old: wanted}
        )
    return written.found(Verdict.IGNORED, f"{SILENT}: {came}", {row.old: wanted})


def _removed(written: _Written, row: Removed, release: str) -> Explanation:
    verdict = fate(row, release)
    if verdict is Verdict.FAILS and row.only_set and not written.value:
        verdict = Verdict.IGNORED  # the chart asks whether it is set, and only then complains
    harmless = verdict is Verdict.IGNORED and row.default is not None and written.value == row.default
    return written.found(verdict, f"{does(verdict)}: {row.until} was the last with it; {row.now}", as_meant=harmless)


def _by_the_chart(written: _Written, found: Leaves, release: str) -> Explanation:
    path, value = written
    key = has(path, release)
    if key is None:
        return _unknown(written, release)
    if path == settings.UPGRADE_COMPATIBILITY and isinstance(value, int | float):
        return written.found(Verdict.FAILS, f"{NO_RENDER}: a version is text, in quotes", {path: text(value)})
    if problem := type_problem(value, key):
        instead: dict[Path, Any] = {}
        if isinstance(value, bool) and has((*path, "enabled"), release):
            instead = {(*path, "enabled"): value}
        elif (fitting := coerced(value, key.types)) is not None:
            instead = {path: fitting}
        return written.found(Verdict.FAILS, f"{NO_RENDER}: {problem}", instead)
    if isinstance(value, str) and value.startswith("$"):
        return written.found(Verdict.KNOWN, "a shell variable: the chart gets what it holds, which is not seen here")
    if path == settings.MTU:
        effect = mtu_effect(from_values(found, release))
        return written.found(Verdict.HONOURED, f"takes effect{': ' if effect else ''}{effect}")
    return written.found(
        *((Verdict.HONOURED, "takes effect") if path in _READ_BACK else (Verdict.KNOWN, "the chart reads it"))
    )


def coerced(value: Any, types: str) -> Any:
    """The value in a type that a schema takes; None if it has none."""
    word = text(value)
    if "i" in types and word.isdecimal() and len(word) < 20:
        return int(word)
    if "b" in types and word in ("true", "false"):
        return word == "true"
    if "s" in types and isinstance(value, bool | int | float):
        return word
    if "a" in types and isinstance(value, str) and value:
        return value.split()
    return None


def _unknown(written: _Written, release: str) -> Explanation:
    path, value = written
    if path[0] == "global":
        return written.found(
            Verdict.IGNORED, "Helm's own key for subcharts: this chart reads none of it", as_meant=True
        )
    if spans := known_in(path):
        known = ", ".join(f"{first} to {last}" if first != last else first for first, last in spans)
        return written.found(Verdict.IGNORED, f"{SILENT}: the charts that read it are {known}")
    near = closest(path, release)
    says = f"{SILENT}: no chart from 1.11 to 1.20 has this key"
    return written.found(
        Verdict.IGNORED, says + (f"; {dotted(near)} is near" if near else ""), {near: value} if near else {}
    )
