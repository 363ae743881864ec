"""Values of one Cilium release in the words of another, with what changed, and what cannot come along.

What ran stays what runs: both releases' charts are rendered, and the data paths in their `cilium-config` are compared.
A key that did nothing is left out and said, because in the new words it would begin to do something on a running
cluster. Values that never ran (Helm fails, or every agent exits) have nothing to keep: of those, and with `meant=True`,
what was meant is carried.
"""

import re
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from components.core.versions import minor, parse
from components.network.cilium.changes import as_values, is_setting, proxy_value, routing_values
from components.network.cilium.chart.explain import (
    PROTOCOL,
    PROXY,
    ROUTING,
    SAYS_NOTHING,
    UPGRADE_COMPATIBILITY,
    Explanation,
    Judged,
    ambiguous_compatibility,
    judge,
    routing_of,
    written_routing,
)
from components.network.cilium.chart.nested import FlatValues, Path, dotted, keys, redact
from components.network.cilium.chart.renames import gone, other_names
from components.network.cilium.chart.trial import Made, Trial
from components.network.cilium.constraints import Verdict, proxy_words
from components.network.cilium.data_path import DataPath, from_config, is_placeholder, text

Kind = Literal["rewritten", "set", "left out", "lost"]
_STOPS = (Verdict.FAILS, Verdict.REFUSED)
_ROUNDS = 4


_PROXY_WORDS = ("true", "false", "strict", "partial", "probe", "disabled")
"""Of every release."""


class Change(NamedTuple):
    """One difference between the old values and the new, and why."""

    kind: Kind
    """`rewritten`: other words, same effect. `set`: written out, because the default is another. `left out`: it
    did nothing, or nothing else than is done anyway. `lost`: it did something that the new release cannot."""
    before: tuple[tuple[str, str], ...]
    """Keys and values as they were, fit to be shown."""
    after: tuple[tuple[str, str], ...]
    why: str
    changes_behaviour: bool


class Migration(NamedTuple):
    """The new values by their paths, and every change."""

    values: FlatValues
    changes: tuple[Change, ...]
    never_ran: bool
    """The old values make Helm fail or every agent exit."""
    left: tuple[Explanation, ...]
    """What is wrong with the new values on the new release."""
    paths: tuple[DataPath, DataPath]
    """What the agents of both releases are told."""

    @property
    def same(self) -> bool:
        """Whether the new values do what the old ones did: proved by rendering both."""
        return not self.left and not any(change.changes_behaviour for change in self.changes)


def migrate(found: FlatValues, old: Trial, new: Trial, *, meant: bool = False) -> Migration:
    """Carry values from one release to another, in either direction.

    Raises ValueError where they have a value that may mean two things, and UnavailableChartError.
    """
    if problem := ambiguous_compatibility(found.get(UPGRADE_COMPATIBILITY)):
        raise ValueError(f"upgradeCompatibility: {problem}")
    return _Carrier(found, old, new, meant).result()


def first_minor(found: FlatValues, old: str, new: str) -> str:
    """`upgradeCompatibility` for a way up: the first minor that the cluster ran. Empty where none is needed."""
    return text(found.get(UPGRADE_COMPATIBILITY)) or (minor(old) if parse(minor(new)) > parse(minor(old)) else "")


class _Carrier:
    def __init__(self, found: FlatValues, old: Trial, new: Trial, meant: bool) -> None:
        self.found, self.old, self.new = found, old, new
        self.before = judge(found, old)
        self.never_ran = any(finding.verdict in _STOPS for finding in self.before.findings.values())
        self.carries_all = meant or self.never_ran
        self.values: FlatValues = {}
        self.origin: dict[Path, Path] = {}
        """Each new key, with the old one that it is from."""
        self.changes: list[Change] = []

    def result(self) -> Migration:
        for path in self.found:
            if path not in (PROXY, *ROUTING):
                self._place(path)
        self._proxy()
        self._routing()
        if first := first_minor(self.found, self.old.release, self.new.release):
            self.values[UPGRADE_COMPATIBILITY] = first
        order = list(self.found)
        place = {key: order.index(origin) for key, origin in self.origin.items()}
        self.values = dict(sorted(self.values.items(), key=lambda item: place.get(item[0], len(order))))
        after = self._settled()
        if not self.carries_all:
            after = self._compared(after)
        left = tuple(finding for finding in after.findings.values() if not finding.as_meant)
        return Migration(self.values, tuple(self.changes), self.never_ran, left, (self.before.path, after.path))

    # --- before the new chart is asked --------------------------------------------------------------------

    def _place(self, path: Path) -> None:
        """Write a key under the name that the new chart has for it, or leave it out."""
        value, finding = self.found[path], self.before.findings[path]
        if finding.verdict is Verdict.IGNORED and not self.carries_all and not is_placeholder(value):
            comes_alive = value not in SAYS_NOTHING and self.new.knows(path)
            why = f"it did nothing on {self.old.release}"
            why += f"; on {self.new.release} it would. To have it: {_words({path: value})}" if comes_alive else ""
            self._change("left out", {path: value}, {}, why, comes_alive)
            return
        names = [{path: value}, *other_names(path, value)]
        chosen = next((name for name in names if all(map(self.new.knows, name))), {path: value})
        rivals = [key for key in self._rivals(path, chosen) if self._alive(key) or not self._alive(path)]
        if rivals:
            why = f"{dotted(rivals[0])} is written too, and is the one that is used"
            self._change("left out", {path: value}, {}, why, self._alive(path))
            return
        if chosen != {path: value}:
            did = "" if self._alive(path) else f"; it did nothing on {self.old.release}"
            why = f"the name on {self.new.release}{did}"
            self._change("rewritten", {path: value}, chosen, why, bool(did))
        self._put(chosen, path)

    def _rivals(self, path: Path, chosen: FlatValues) -> list[Path]:
        """Other keys that are written and mean the same setting."""
        others = {key for name in other_names(path, self.found[path]) for key in name} | set(chosen)
        return [key for key in self.found if key in others and key != path]

    def _alive(self, path: Path) -> bool:
        return path in self.before.live

    def _proxy(self) -> None:
        """`kubeProxyReplacement`: a word, a truth, and a truth in quotes."""
        value = self.found.get(PROXY)
        if PROXY not in self.found:
            return
        word, words = text(value), proxy_words(self.new.release)
        # What no release knows stays as it is: the agent refuses it, and false would be a choice that nobody made.
        if word in ("", *words) or word not in _PROXY_WORDS or is_placeholder(value):
            self._put({PROXY: value}, PROXY)
            return
        wanted = {PROXY: proxy_value(word in ("strict", "true"), self.new.release)}
        self._put(wanted, PROXY)
        why = f"the value on {self.new.release}"
        if word in ("partial", "probe"):
            why = f"{self.new.release} has no {word}: with false, kube-proxy carries what is not switched on one by one"
        self._change("rewritten", {PROXY: value}, wanted, why, self.never_ran or word == "probe")

    def _routing(self) -> None:
        """`tunnel`, `routingMode` and `tunnelProtocol` are one setting."""
        given = {path: self.found[path] for path in ROUTING if text(self.found.get(path))}
        if not given:
            return
        if any(map(is_placeholder, given.values())):
            for path in given:
                self._place(path)
            return
        meant, runs = written_routing(self.found), routing_of(self.before.path)
        meaning = meant if self.carries_all else runs
        wanted = given if self._keeps(given, meaning) else routing_values(meaning, self.new.release)
        if meaning == "native" and text(self.found.get(keys("loadBalancer.dsrDispatch"))) == "geneve":
            wanted = {**wanted, PROTOCOL: "geneve"} if self.new.knows(PROTOCOL) else wanted  # since 1.15 it is needed
        for path, value in wanted.items():
            self._put({path: value}, path if path in given else next(iter(given)))
        if meant != runs and not self.carries_all:
            later = _words(routing_values(meant, self.new.release))
            why = f"what was written ({meant}) did nothing on {self.old.release}, where {runs} ran; that stays. "
            self._change("left out", given, wanted, f"{why}To change it later: {later}", True)
        elif meant != runs:
            why = f"what was written ({meant}) did nothing on {self.old.release}, where {runs} ran; now it takes effect"
            self._change("rewritten", given, wanted, why, True)
        elif wanted != given:
            self._change("rewritten", given, wanted, f"{meaning} in the keys of {self.new.release}", False)

    def _keeps(self, given: FlatValues, meaning: str) -> bool:
        made = self.new.of({**given, keys("ipv4NativeRoutingCIDR"): "10.0.0.0/8"})
        path = from_config(made.config if isinstance(made, Made) else {}, self.new.release)
        return isinstance(made, Made) and all(map(self.new.knows, given)) and routing_of(path) == meaning

    # --- what the new chart says --------------------------------------------------------------------------

    def _settled(self) -> Judged:
        """Repair what the new chart refuses or ignores, until nothing is left that can be repaired."""
        for _ in range(_ROUNDS):
            after = judge(self.values, self.new)
            repaired = [path for path in list(self.values) if self._repair(path, after)]
            if not repaired:
                return after
        return judge(self.values, self.new)

    def _repair(self, path: Path, after: Judged) -> bool:
        """Change one key by what became of it; whether that was done."""
        value, origin, finding = self.values[path], self.origin.get(path, path), after.findings[path]
        old = self.before.findings.get(origin)
        ran = self._alive(origin)
        if finding.verdict in (Verdict.FAILS, Verdict.OTHERWISE) and finding.instead:
            instead = {_path(key): other for key, other in finding.instead}
            rest = {key: other for key, other in self.values.items() if key != path or key in instead}
            self.values = {**rest, **instead}
            self.origin |= dict.fromkeys(instead, origin)
            stays = instead.get(path) == value
            new = {key: other for key, other in instead.items() if key != path or not stays}
            did = bool(old and not old.as_meant)
            self._change("set" if stays else "rewritten", {} if stays else {path: value}, new, finding.says, did)
            return True
        if finding.verdict is Verdict.FAILS and not finding.instead and (row := gone(path)):
            self._lose(path, f"{finding.says}; {row.now}", row.always is None or row.always != value)
            return True
        if finding.verdict is Verdict.IGNORED and not finding.says.startswith("Helm's own"):
            row = gone(path)
            same = row.always == value if row and row.always is not None else not value
            why = f"the chart of {self.new.release} does not read it" + (f"; {row.now}" if row else "")
            self._lose(path, why, not same and (ran or self.carries_all))
            return True
        if path in after.live and old and origin == path and not ran and not self.carries_all and _did_nothing(old):
            why = f"it changed nothing on {self.old.release}; on {self.new.release} it would"
            why += f". To have it: {_words({path: value})}"
            self._lose(path, why, True, "left out")
            return True
        return False

    def _lose(self, path: Path, why: str, behaviour: bool, kind: Kind | None = None) -> None:
        before = {path: self.values.pop(path)}
        self._change(kind or ("lost" if behaviour else "left out"), before, {}, why, behaviour)

    # --- the proof ----------------------------------------------------------------------------------------

    def _compared(self, after: Judged) -> Judged:
        """Write out what is another default on the new release; what still differs is lost."""
        differing = _differences(self.before.path, after.path)
        for field, (was, _) in differing.items():
            if not is_setting(field):
                continue
            change = {field: self.before.path.protocol if (field, was) == ("routing", "tunnel") else was}
            wanted = {**self.values, **as_values(change, self.new.release)}
            made = self.new.of(wanted)
            if isinstance(made, Made) and field not in _differences(
                self.before.path, from_config(made.config, self.new.release)
            ):
                new = {key: value for key, value in wanted.items() if self.values.get(key) != value}
                self.values = wanted
                self._change("set", {}, new, f"{self.new.release} has another default", False)
        after = judge(self.values, self.new)
        for field, (was, now) in _differences(self.before.path, after.path).items():
            why = f"{field.replace('_', ' ')} was {_shown(was)} on {self.old.release}, "
            why += f"and is {_shown(now)} on {self.new.release}"
            self._change("lost", (), (), why, True)
        for path in self._silenced(after):
            why = f"it took effect on {self.old.release}, and changes nothing on {self.new.release}"
            self._change("lost", {path: self.values[path]}, {}, why, True)
        return after

    def _silenced(self, after: Judged) -> list[Path]:
        known = Verdict.KNOWN
        return [
            path
            for path, finding in after.findings.items()
            if self._alive(self.origin.get(path, path))
            and finding.verdict is known
            and path not in after.live
            and path not in (PROXY, *ROUTING)
            and self.values[path] not in SAYS_NOTHING
            and not is_placeholder(self.values[path])
        ]

    def _put(self, values: FlatValues, origin: Path) -> None:
        self.values |= values
        self.origin |= dict.fromkeys(values, origin)

    def _change(
        self, kind: Kind, before: FlatValues | tuple[()], after: FlatValues | tuple[()], why: str, behaviour: bool
    ) -> None:
        self.changes.append(Change(kind, _pairs(before or {}), _pairs(after or {}), why, behaviour))


_COMPARED_APART = ("release", "proxy", "pod_cidr")


def _differences(old: DataPath, new: DataPath) -> dict[str, tuple[Any, Any]]:
    """Settings of the data path that differ, old and new: what has no effect beside the others does not count."""
    was, now = (_effective(path) for path in (old, new))
    return {field: (value, now[field]) for field, value in was.items() if value != now[field]}


def _effective(path: DataPath) -> dict[str, Any]:
    found = {field: value for field, value in asdict(path).items() if field not in _COMPARED_APART}
    if path.native:
        found["protocol"] = ""  # of DSR in Geneve, which `dispatch` says
    if path.lb_mode == "snat" or not path.node_ports:
        found["dispatch"] = ""
    if not path.node_ports:
        found["lb_mode"] = found["acceleration"] = ""
    return found


def _did_nothing(finding: Explanation) -> bool:
    return finding.verdict is Verdict.KNOWN and not finding.says.startswith("says nothing")


def _shown(value: Any) -> str:
    return {True: "on", False: "off", "": "not set"}.get(value, str(value))


def _path(key: str) -> Path:
    return tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", key))


def _pairs(found: FlatValues) -> tuple[tuple[str, str], ...]:
    return tuple((dotted(path), redact(path, value)) for path, value in found.items())


def _words(found: FlatValues) -> str:
    return ", ".join(f"{key}: {value}" for key, value in _pairs(found))
