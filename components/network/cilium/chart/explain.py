"""What each key of Cilium values really does on a release: what the chart makes with it and without it, and what the
agents then refuse.

Helm is silent about most of it: keys that a chart does not read, words whose meaning changed, pairs that
render and make every agent exit.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from components.charts.render import UnavailableChartError
from components.network.cilium.changes import as_values, config_key, effect, proxy_value, routing_values, written
from components.network.cilium.chart.nested import FlatValues, Path, dotted, keys, redact
from components.network.cilium.chart.renames import gone, other_names
from components.network.cilium.chart.trial import Made, Refusal, Result, Trial, difference
from components.network.cilium.constraints import Constraint, Verdict, broken, remedies
from components.network.cilium.data_path import DataPath, from_config, is_placeholder, text

TUNNEL, ROUTING_MODE, PROTOCOL = keys("tunnel"), keys("routingMode"), keys("tunnelProtocol")
ROUTING = (TUNNEL, ROUTING_MODE, PROTOCOL)
PROXY, MTU, UPGRADE_COMPATIBILITY = keys("kubeProxyReplacement"), keys("MTU"), keys("upgradeCompatibility")
SILENT = "does nothing, and Helm does not say so"
NO_RENDER = "Helm renders nothing"
_API_SERVER = ("k8sServiceHost", "k8sServiceHostRef", "k8s")
_AS_MEANT = (Verdict.HONOURED, Verdict.KNOWN)
SAYS_NOTHING: tuple[object, ...] = ("", None, {}, [])
_STAND_INS: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
_MOST_NAMED = 3
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet", "CronJob", "Job")
"""Named before other objects that a key changes."""


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


class Judged(NamedTuple):
    """All values on one release."""

    findings: dict[Path, Explanation]
    live: frozenset[Path]
    """Keys without which the chart makes something else."""
    made: Made
    """What the chart makes of the values, without those that it refuses."""
    path: DataPath
    """What the agents are told."""


def explain(found: FlatValues, trial: Trial) -> list[Explanation]:
    """A finding for every key, in the order of the values. Raises UnavailableChartError."""
    return list(judge(found, trial).findings.values())


def judge(found: FlatValues, trial: Trial) -> Judged:
    """The same, with what was rendered."""
    return _Judge(found, trial).result()


def ambiguous_compatibility(value: Any) -> str:
    """Why `upgradeCompatibility` can't be read as a version; empty if it can. YAML reads 1.10 as the number 1.1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    says = f"YAML reads the number {value}, and a version is text: write it in quotes"
    if float(value) >= 1.8 or float(value) < 1:
        return f"{says}, as in '{text(value)}'"
    return f"{says}, as you meant it: '{text(value)}0' or '{text(value)}'?"


class _Judge:
    def __init__(self, found: FlatValues, trial: Trial) -> None:
        self.found, self.trial = found, trial
        self.findings: dict[Path, Explanation] = {}
        self.values = dict(found)
        """What is rendered: without what the chart refuses, with what to write instead."""
        self.instead: dict[Path, Path] = {}
        """Keys that are rendered instead of others, with these."""

    def result(self) -> Judged:
        says = ambiguous_compatibility(self.found.get(UPGRADE_COMPATIBILITY))
        if says:
            value = self.values.pop(UPGRADE_COMPATIBILITY)
            sure = {UPGRADE_COMPATIBILITY: text(value)} if "?" not in says else {}
            self._says(UPGRADE_COMPATIBILITY, Verdict.FAILS, says, sure)
        made = self._settle()
        rendered = [path for path in self.found if path in self.values]
        others = [path for path in rendered if not self._is_default({path: self.values[path]})]
        without: dict[Path, Result] = dict.fromkeys(rendered, made)
        without |= zip(others, self.trial.of_each([self._without(path) for path in others]), strict=True)
        live = frozenset(path for path in rendered if _changes(without[path], made))
        for path in rendered:
            self._effect(path, without[path], made, path in live)
        told = from_config(made.config, self.trial.release)
        for row in broken(told):
            self._breach(row, told, without, made)
        return Judged({key: self.findings[key] for key in self.found}, live, made, told)

    def _says(
        self, path: Path, verdict: Verdict, says: str, instead: FlatValues | None = None, as_meant: bool | None = None
    ) -> None:
        meant = verdict in _AS_MEANT if as_meant is None else as_meant
        value = self.found[path]
        self.findings[path] = Explanation(
            dotted(path), redact(path, value), verdict, meant, says, written(instead or {})
        )

    # --- what the chart refuses ---------------------------------------------------------------------------

    def _settle(self) -> Made:
        """Take out what the chart refuses, one refusal after the other, until it makes something; then propose."""
        refused: dict[Path, str] = {}
        while isinstance(result := self.trial.of(self.values), Refusal):
            if not self.values:
                raise UnavailableChartError(
                    f"the chart of Cilium {self.trial.release} fails: {result.words}", "use another"
                )
            blamed = self._to_blame(result)
            replaced = [path for path in blamed if path in refused]
            for path in blamed:
                del self.values[path]
            refused = {**blamed, **refused}
            for path in blamed.keys() - set(replaced):
                self._stand_in(path, blamed[path])
        for path, words in refused.items():
            self._refused(path, words)
        settled = self.trial.of(self.values)
        return settled if isinstance(settled, Made) else result

    def _stand_in(self, path: Path, words: str) -> None:
        """Another value in its place: a placeholder's, or where the chart refuses others because this is missing."""
        value = self.found[path]
        other = _of_type(words) if is_placeholder(value) else None
        if other is None and isinstance(value, str) and isinstance(self.trial.of(self.values), Refusal):
            other = "x" if isinstance(self.trial.of({**self.values, path: "x"}), Made) else None
        if other is not None:
            self.values[path] = other

    def _to_blame(self, refusal: Refusal) -> dict[Path, str]:
        typed = {
            path: words
            for at, words in refusal.types.items()
            for path in self.values
            if path == at or path[: len(at)] == at or at[: len(path)] == path
        }
        if typed:
            return typed
        path = self._by_halves(refusal)
        rest = self.trial.of(self._without(path))
        if not isinstance(rest, Refusal) or rest.words != refusal.words:
            return {path: refusal.words}
        candidates = list(self.values)
        results = self.trial.of_each([self._without(path) for path in candidates])
        cures = [path for path, result in zip(candidates, results, strict=True) if not _same(result, refusal)]
        return {(cures or [path])[-1]: refusal.words}

    def _by_halves(self, refusal: Refusal) -> Path:
        """The first key with which, and with all before it, the chart says these words."""
        order = list(self.values)
        low, high = 0, len(order)
        while high - low > 1:
            middle = (low + high) // 2
            first = {path: self.values[path] for path in order[:middle]}
            low, high = (low, middle) if _same(self.trial.of(first), refusal) else (middle, high)
        return order[high - 1]

    def _refused(self, path: Path, words: str) -> None:
        value = self.found[path]
        if is_placeholder(value):
            self._says(path, Verdict.KNOWN, _PLACEHOLDER)
            return
        stand_in = {path: self.values.pop(path)} if path in self.values else {}
        instead = next(self._working(path, value, words), {})
        self._says(path, Verdict.FAILS, f"{NO_RENDER}: {self._hidden(words)}", instead)
        self.values |= instead or stand_in
        self.instead |= dict.fromkeys(instead, path)

    def _hidden(self, words: str) -> str:
        for path, value in self.found.items():
            if redact(path, value) == "(hidden)":
                words = words.replace(str(value), "(hidden)")
        return words

    # --- what to write instead ----------------------------------------------------------------------------

    def _working(self, path: Path, value: Any, words: str = "") -> Iterator[FlatValues]:
        """Proposals with which the chart makes something else than without the key."""
        rest = self._without(path)
        before = self.trial.of(rest)
        for proposal in self._proposals(path, value, words):
            after = self.trial.of({**rest, **proposal})
            if isinstance(after, Made) and (_changes(before, after) or self._is_default(proposal)):
                yield proposal
        near = self.trial.closest(path)
        if near and near not in (path, *self.values) and isinstance(self.trial.of({**rest, near: value}), Made):
            yield {near: value}

    def _is_default(self, proposal: FlatValues) -> bool:
        return all(
            path in self.trial.defaults and _equal(self.trial.defaults[path], value) for path, value in proposal.items()
        )

    def _proposals(self, path: Path, value: Any, words: str) -> Iterator[FlatValues]:
        if named := re.findall(r"\.Values\.([A-Za-z0-9.]+)=(true|false)\b", words):
            yield {path: value, **{keys(name): word == "true" for name, word in named if keys(name) != path}}
        release = self.trial.release
        if path in ROUTING:
            yield routing_values(written_routing({**self.found, path: value}), release)
        if path == PROXY:
            yield {path: proxy_value(text(value) in ("strict", "true", "probe"), release)}
        if path == UPGRADE_COMPATIBILITY:
            yield {path: value, PROXY: proxy_value(False, release)}
        yield from ({path: other} for other in _other_types(value))
        yield from other_names(path, value)
        if isinstance(value, bool) and self.trial.knows((*path, "enabled")):
            yield {(*path, "enabled"): value}

    # --- what a key does ----------------------------------------------------------------------------------

    def _without(self, path: Path) -> FlatValues:
        return {key: value for key, value in self.values.items() if key != path}

    def _effect(self, path: Path, without: Result, made: Made, live: bool) -> None:
        """What the chart makes with the key and without it."""
        value = self.found[path]
        if path in self.findings:
            return
        if is_placeholder(value) and (live or self.trial.knows(path)):
            self._says(path, Verdict.KNOWN, _PLACEHOLDER)
        elif items := self._set_list(path, value):
            says = "text in braces is a list only in --set; here it is one text, where the chart wants a list"
            self._says(path, Verdict.OTHERWISE, says, {path: items})
        elif live and (prints := _group_as_word(without, made)):
            says = f"the chart prints the whole group as one word ({prints})"
            self._says(path, Verdict.OTHERWISE, says, next(self._working(path, value), {}))
        elif live:
            self._says(path, Verdict.HONOURED, self._changed(path, without, made))
        elif value in SAYS_NOTHING and self.trial.knows(path):
            self._says(path, Verdict.KNOWN, "says nothing: the chart's defaults stay")
        elif _equal(self.trial.defaults.get(path, SAYS_NOTHING), value):
            self._says(path, Verdict.HONOURED, "is the chart's default")
        elif path in ROUTING and self.trial.knows(path):
            self._says(path, Verdict.HONOURED, "is what runs without it too")
        elif self.trial.knows(path):
            self._says(path, Verdict.KNOWN, "the chart has it, and with these values it changes nothing")
        else:
            self._ignored(path, value)

    def _set_list(self, path: Path, value: Any) -> list[str]:
        if isinstance(self.trial.defaults.get(path), list) and isinstance(value, str):
            return _braces(value)
        return []

    def _changed(self, path: Path, without: Result, made: Made) -> str:
        if isinstance(without, Refusal):
            return f"takes effect; without it {NO_RENDER}: {self._hidden(without.words)}"
        entries, objects = difference(without, made)
        named = [
            f"{key}: {redact((key,), value)}" if value is not None else f"no {key}" for key, value in entries.items()
        ]
        named += sorted(objects, key=lambda name: name.partition(" ")[0] not in _WORKLOADS)
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        says = f"takes effect: {', '.join(named[:_MOST_NAMED])}{more}"
        if path == MTU:
            return f"{says}; {mtu_effect(from_config(made.config, self.trial.release))}"
        replaces = path == PROXY and from_config(made.config, self.trial.release).replaces_proxy
        if replaces and not any(step[0] in _API_SERVER for step in self.found):
            says += "; without k8sServiceHost agents reach the API server only while kube-proxy runs"
        return says

    def _ignored(self, path: Path, value: Any) -> None:
        if path[0] == "global":
            says = "Helm's own key for subcharts: this chart reads none of it"
            self._says(path, Verdict.IGNORED, says, as_meant=True)
            return
        says = f"{SILENT}: the chart of {self.trial.release} has no such key"
        if row := gone(path):
            self._says(
                path, Verdict.IGNORED, f"{says}; {row.now}", as_meant=row.always is not None and value == row.always
            )
            return
        instead = {} if value in SAYS_NOTHING else next(self._working(path, value), {})
        same = value in SAYS_NOTHING or (path == TUNNEL and written_routing({path: value}) == self._runs())
        self._says(path, Verdict.IGNORED, says, {} if same else instead, as_meant=same)

    def _runs(self) -> str:
        result = self.trial.of(self.values)
        return routing_of(from_config(result.config if isinstance(result, Made) else {}, self.trial.release))

    # --- what the agents refuse ---------------------------------------------------------------------------

    def _breach(self, row: Constraint, path: DataPath, without: dict[Path, Result], made: Made) -> None:
        """Put a broken constraint at the key that ends it when it is taken out."""
        entry = config_key(row.field, path.encryption)
        rendered = {key: result for key, result in without.items() if isinstance(result, Made)}
        own = [key for key, result in rendered.items() if result.config.get(entry) != made.config.get(entry)]
        cures = [
            key
            for key, result in rendered.items()
            if row.id not in [other.id for other in broken(from_config(result.config, self.trial.release))]
        ]
        places = [*(key for key in cures if key in own), *cures, *own]
        place = next((key for key in places if self.findings[key].as_meant), None)
        reason, change = row.reason(path), as_values(remedies(row, path)[0], self.trial.release)
        says = f"{'it renders, and ' if row.effect is Verdict.REFUSED else ''}{effect(row, reason)}"
        if place is not None:
            self._says(place, row.effect, says, change)
        elif self.instead:  # what is proposed for another key needs this too
            origin = next(iter(self.instead.values()))
            finding = self.findings[origin]
            self.findings[origin] = finding._replace(instead=(*finding.instead, *written(change)))
        elif self.found and not cures:
            last = next(reversed(self.found))
            self._says(last, row.effect, f"{self.findings[last].says}; {says}", change)


_PLACEHOLDER = "a placeholder: the chart gets what is put there later, which is not seen here"


def mtu_effect(path: DataPath) -> str:
    """What pods get of a written MTU, with the arithmetic and the question that only the author can answer."""
    if path.mtu <= 0:
        return "the agents find the links' MTU themselves"
    overhead = sum(path.overheads.values())
    sure = "" if path.overhead_is_measured else " (not measured on this release: prove it with DF pings)"
    gets = f"it is the links' MTU: pods get {path.mtu} − {overhead} = {path.mtu - overhead} over {path.name}{sure}"
    return gets if path.mtu in (1500, 9000, 9001) else f"{gets}. Do the links between the nodes carry {path.mtu}?"


def written_routing(found: FlatValues) -> str:
    """`native`, `vxlan` or `geneve` as the author wrote it, with or without effect; empty: nothing written."""
    mode, tunnel = text(found.get(ROUTING_MODE)), text(found.get(TUNNEL))
    if mode:
        return "native" if mode == "native" else text(found.get(PROTOCOL)) or "vxlan"
    return "native" if tunnel == "disabled" else tunnel or text(found.get(PROTOCOL))


def routing_of(path: DataPath) -> str:
    """The same, as it runs."""
    return "native" if path.native else path.protocol


def _changes(before: Result, after: Result) -> bool:
    if isinstance(before, Made) and isinstance(after, Made):
        return difference(before, after) != ({}, [])
    return type(before) is not type(after)


def _group_as_word(without: Result, made: Made) -> str:
    """An entry of `cilium-config` that is a group where a word was expected: `map[enabled:true]`."""
    entries = difference(without, made)[0] if isinstance(without, Made) else {}
    return next((f"{key}: {value}" for key, value in entries.items() if value and value.startswith("map[")), "")


def _same(result: Result, refusal: Refusal) -> bool:
    return isinstance(result, Refusal) and result.words == refusal.words


def _equal(default: Any, value: Any) -> bool:
    return type(default) is type(value) and bool(default == value)


def _of_type(words: str) -> Any:
    """A value of the type that a schema wants."""
    return next((value for name, value in _STAND_INS.items() if re.search(rf"want[^;]*\b{name}\b", words)), None)


def _braces(value: str) -> list[str]:
    found = re.fullmatch(r"\s*\{(.*)\}\s*", value, re.DOTALL)
    return [item.strip() for item in found[1].split(",") if item.strip()] if found else []


def _other_types(value: Any) -> Iterator[Any]:
    """The same in other types, for a schema to choose from."""
    word = text(value)
    if isinstance(value, str):
        if items := _braces(value):
            yield items
            return
        if re.fullmatch("[0-9]{1,18}", word):
            yield int(word)
        if word in ("true", "false"):
            yield word == "true"
        if value:
            yield value.split()
    elif isinstance(value, bool | int | float):
        yield word
