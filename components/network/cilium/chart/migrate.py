"""Values of one Cilium release in the words of another, with what changed, and what cannot come along.

What ran stays what runs. A key that did nothing is left out and said, because in the new words it would
begin to do something on a running cluster. Values that never ran (Helm fails, or every agent exits) have
nothing to keep: of those, and with `meant=True`, what was meant is carried.
"""

from typing import Any, Literal, NamedTuple

from components.core.versions import between, matches
from components.network.cilium.chart import settings
from components.network.cilium.chart.explain import coerced, explain
from components.network.cilium.chart.history import Renamed, Verdict, fate, removal_of, rename_of, renamed_from
from components.network.cilium.chart.keys import Path, has, type_problem
from components.network.cilium.chart.nested import Leaves, dotted, redact
from components.network.cilium.chart.routing import judge_routing
from components.network.cilium.chart.settings import text
from components.network.cilium.data_path import from_values

Kind = Literal["rewritten", "set", "left out", "lost"]


_SAYS_NOTHING: tuple[object, ...] = ("", None, {}, [])


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
    """The new values as leaves, and every change."""

    values: Leaves
    changes: tuple[Change, ...]
    never_ran: bool
    """The old values make Helm fail or every agent exit."""


def migrate(found: Leaves, old: str, new: str, *, meant: bool = False) -> Migration:
    """Carry values from release `old` to release `new`, both of `keys.releases()`, in either direction."""
    carrier = _Carrier(found, old, new, meant)
    carrier.routing()
    carrier.proxy()
    for path in found:
        carrier.rest(path)
    return Migration(carrier.values, tuple(carrier.changes), carrier.never_ran)


class _Carrier:
    def __init__(self, found: Leaves, old: str, new: str, meant: bool) -> None:
        self.found, self.old, self.new = found, old, new
        stops = (Verdict.FAILS, Verdict.REFUSED)
        self.never_ran = any(finding.verdict in stops for finding in explain(found, old))
        self.meant = meant or self.never_ran
        self.values: Leaves = {}
        self.changes: list[Change] = []
        self.done: set[Path] = set()

    def routing(self) -> None:
        """`tunnel`, `routingMode` and `tunnelProtocol` are one setting."""
        written = {
            path: self.found[path]
            for path in (settings.TUNNEL, settings.ROUTING_MODE, settings.PROTOCOL)
            if text(self.found.get(path))
        }
        self.done |= {settings.TUNNEL, settings.ROUTING_MODE, settings.PROTOCOL}
        if not written:
            return
        here = from_values(self.found, self.old)
        meant = settings.written_routing(self.found)
        runs = "native" if here.native else here.protocol
        meaning = meant if self.meant else runs
        values = self._kept(written, meaning) or settings.routing_values(meaning, self.new)
        geneve = (
            {settings.PROTOCOL: "geneve"}
            if here.protocol == "geneve" or text(self.found.get(settings.DISPATCH)) == "geneve"
            else {}
        )
        if meaning == "native" and geneve and matches(self.new, ">=1.14.3"):
            values = {**values, **geneve}  # since 1.15 dispatch geneve wants it, native too
        self.values |= values
        if meant != runs:
            why = f"what was written ({meant}) did nothing on {self.old}, where {runs} ran"
            why += (
                "; now it takes effect"
                if self.meant
                else f"; that stays. To change it later: {_words(settings.routing_values(meant, self.new))}"
            )
            self._change("rewritten" if self.meant else "left out", written, values, why, True)
        elif values != written:
            self._change("rewritten", written, values, f"{runs} in the words of {self.new}", False)

    def _kept(self, written: Leaves, meaning: str) -> Leaves:
        """The words as they stand, if the new release honours them and takes the same from them."""
        there = from_values(written, self.new)
        honoured = all(
            judge_routing(path, value, written, self.new)[0] is Verdict.HONOURED for path, value in written.items()
        )
        return written if honoured and ("native" if there.native else there.protocol) == meaning else {}

    def proxy(self) -> None:
        """`kubeProxyReplacement`: a word, a truth, and a truth in quotes."""
        self.done.add(settings.KPR)
        value = self.found.get(settings.KPR)
        if text(value) == "":
            return
        word = text(value)
        if settings.proxy_verdict(value, self.new) is Verdict.HONOURED:
            self.values[settings.KPR] = value
            return
        values = {settings.KPR: settings.proxy_value(word in ("strict", "true"), self.new)}
        self.values |= values
        if word in ("partial", "probe"):
            why = (
                f"{self.new} has no {word}: this says that kube-proxy carries Services; to replace it whole write true"
            )
            self._change("lost", {settings.KPR: value}, values, why, True)
        else:
            ran = settings.proxy_verdict(value, self.old) is Verdict.HONOURED
            why = f"the word of {self.new}" + ("" if ran else f"; {self.old} did not take the old one")
            self._change("rewritten", {settings.KPR: value}, values, why, not ran)

    def rest(self, path: Path) -> None:
        """Every other key by itself."""
        if path in self.done:
            return
        value, row = self.found[path], rename_of(path) or renamed_from(path)
        if row and not (isinstance(value, dict) and not value):
            self._renamed(path, row)
        elif has(path, self.old) is None:
            self._without_effect(path)
        elif gone := removal_of(path, self.new):
            same = value == gone.default if gone.default is not None else not value  # off, as it is from then on
            kind: Kind = "left out" if same else "lost"
            self._change(kind, {path: value}, {}, f"{gone.until} was the last with it; {gone.now}", not same)
        elif has(path, self.new) is None:
            empty = value in _SAYS_NOTHING
            why = f"the chart of {self.new} does not read it"
            self._change("left out" if empty else "lost", {path: value}, {}, why, not empty)
        else:
            self._place(path, path, self.found[path])

    def _place(self, path: Path, target: Path, value: Any) -> Any:
        """Write a value below its name there, in a type that the schema takes; None if there is none."""
        key = has(target, self.new)
        problem = type_problem(value, key) if key else ""
        if problem and isinstance(value, bool) and has((*target, "enabled"), self.new):
            target = (*target, "enabled")
            self._change("rewritten", {path: value}, {target: value}, f"{problem} on {self.new}", self.never_ran)
            problem = ""
        fitting = coerced(value, key.types) if key and problem else value
        if problem and fitting is None:
            self._change("lost", {path: self.found[path]}, {}, f"{problem} on {self.new}", True)
        elif problem and path == target:
            self._change("rewritten", {path: value}, {path: fitting}, f"{problem} on {self.new}", False)
        if not problem or fitting is not None:
            self.values[target] = fitting
        return fitting

    def _renamed(self, path: Path, row: Renamed) -> None:
        value, old_name = self.found[path], path == row.old
        honoured = fate(row, self.old) is Verdict.HONOURED if old_name else between(self.old, row.new_since, "")
        ran = honoured and has(path, self.old) is not None
        target = self._name_there(path, row)
        if (wins := self._winner(row)) not in (path, None):
            self._change("left out", {path: value}, {}, f"{dotted(wins)} is written too, and wins", False)
            return
        if not ran and (not self.meant or value in _SAYS_NOTHING):
            self._change("left out", {path: value}, {}, self._did_nothing({target: value}), value not in _SAYS_NOTHING)
            return
        if has(target, self.new) is None:
            self._change("lost", {path: value}, {}, f"the chart of {self.new} has nothing like it", ran)
            return
        if target == path == row.old:
            self.values[path] = value
            return
        if target == path:
            self._place(path, path, value)
            return
        carried = _converted(value, row, to_new=target == row.new)
        if isinstance(carried, list) and target == row.old:
            self._change("lost", {path: value}, {}, f"{dotted(target)} of {self.new} takes one value only", True)
            return
        if (carried := self._place(path, target, carried)) is None:
            return
        why = f"{dotted(path)} is called {dotted(target)} on {self.new}"
        self._change(
            "rewritten",
            {path: value},
            {target: carried},
            why + ("" if ran else f"; it did nothing on {self.old}"),
            not ran,
        )

    def _winner(self, row: Renamed) -> Path | None:
        """Which name counts on the old release where both are written."""
        if row.old not in self.found or row.new not in self.found or isinstance(self.found[row.old], dict):
            return None
        old_counts = fate(row, self.old) is Verdict.HONOURED
        new_counts = between(self.old, row.new_since, "") and bool(self.found[row.new]) and row.old != settings.OLD_CIDR
        return row.old if old_counts and not new_counts else row.new

    def _name_there(self, path: Path, row: Renamed) -> Path:
        if path == row.old:
            return row.old if fate(row, self.new) is Verdict.HONOURED else row.new
        return row.new if between(self.new, row.new_since, "") else row.old

    def _without_effect(self, path: Path) -> None:
        value = self.found[path]
        there = has(path, self.new)
        if there and self.meant and not type_problem(value, there):
            self.values[path] = value
            self._change(
                "set", {path: value}, {path: value}, f"it did nothing on {self.old} and takes effect now", True
            )
        elif there:
            self._change("left out", {path: value}, {}, self._did_nothing({path: value}), value not in _SAYS_NOTHING)
        else:
            self._change(
                "left out", {path: value}, {}, f"it did nothing on {self.old} and would not on {self.new}", False
            )

    def _did_nothing(self, values: Leaves) -> str:
        return f"it did nothing on {self.old}; on {self.new} it would. To have it: {_words(values)}"

    def _change(self, kind: Kind, before: Leaves, after: Leaves, why: str, behaviour: bool) -> None:
        self.changes.append(Change(kind, _pairs(before), _pairs(after), why, behaviour))


def _converted(value: Any, row: Renamed, *, to_new: bool) -> Any:
    if row.convert == "list":
        if to_new:
            return value if isinstance(value, list) else [value]
        return value[0] if isinstance(value, list) and len(value) == 1 else value
    return value


def _pairs(found: Leaves) -> tuple[tuple[str, str], ...]:
    return tuple((dotted(path), redact(path, value)) for path, value in found.items())


def _words(found: Leaves) -> str:
    return ", ".join(f"{key}: {value}" for key, value in _pairs(found))
