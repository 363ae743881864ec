"""Cilium's chart of one release, asked what it makes of values, by rendering it with Helm."""

import difflib
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, lru_cache
from pathlib import Path as File
from typing import NamedTuple

from components.charts import helm
from components.charts.kubernetes_yaml import documents
from components.charts.render import ChartSource, UnavailableChartError, helm_program, helms_words, obtain
from components.charts.rendering_cache import RenderingCache
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.network.cilium.chart.nested import FlatValues, Path, dotted, flatten, unflatten
from components.network.cilium.data_path import text

KUBERNETES = "1.36.0"
"""The version that charts are told of. No chart from 1.11 to 1.20 has an upper limit."""
_APIS = ("monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1/GatewayClass", "cert-manager.io/v1")
"""Served by the cluster that charts are told of: what a values file asks for is not refused for a missing CRD."""
_AT_ONCE = 3
_SCHEMA = re.compile(r"- at '((?:/[^']*)?)': (.+)")
_PEM = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]+|-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
_KEY = re.compile(r"^( *)(# ?)?([A-Za-z][A-Za-z0-9_]*):", re.MULTILINE)
_KIND, _NAME = re.compile(r"^kind: *(\S+)", re.MULTILINE), re.compile(r"^metadata:\n(?:  .*\n)*?  name: *(\S+)", re.M)


class Made(NamedTuple):
    """What a chart made of values."""

    texts: Mapping[str, str]
    """Each object by kind and name, as the chart wrote it. Certificates that the chart makes at random are left out."""
    config: Mapping[str, str]
    """The data of `cilium-config`, which every agent reads."""


class Refusal(NamedTuple):
    """The chart made nothing."""

    words: str
    """Helm's own."""
    types: Mapping[Path, str]
    """What the chart's schema says against single values."""


Result = Made | Refusal


class Trial:
    """The chart of one release.

    Raises UnavailableChartError where it can't be had, or is not Cilium's.
    """

    def __init__(self, source: ChartSource, folders: Sequence[File] = ()) -> None:
        self._chart = obtain(source, folders=folders)
        if self._chart.name != "cilium":
            raise UnavailableChartError(f"{source.label} is the chart {self._chart.name}", "name Cilium's chart")
        self.release = self._chart.version.removeprefix("v")
        self._helm = helm_program()
        self._known: dict[str, Result] = {}

    def of(self, values: FlatValues) -> Result:
        """What the chart makes of these values."""
        return self.of_each([values])[0]

    def of_each(self, many: Sequence[FlatValues]) -> list[Result]:
        """The same for several, a few at a time."""
        given = [json.dumps(unflatten(values), default=str) for values in many]
        new = [text for text in dict.fromkeys(given) if text not in self._known]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._known.update(zip(new, pool.map(self._render, new), strict=True))
        return [self._known[text] for text in given]

    def _render(self, given: str) -> Result:
        arguments = ["template", "cilium", str(self._chart.path), "--namespace", KUBE_SYSTEM, "--values", "-"]
        arguments += ["--kube-version", KUBERNETES, *(word for api in _APIS for word in ("--api-versions", api))]
        inputs = json.dumps([self._chart.sha256, helm.identity(self._helm), arguments, given]).encode()
        kept = _cache().get(inputs)
        if kept is None:
            try:
                answer = helm.run(self._helm, arguments, given=given)
            except helm.HelmTimeoutError as error:
                said = f"the chart of Cilium {self.release}: {error}"
                raise UnavailableChartError(said, "render it by hand") from None
            kept = json.dumps([answer.code, answer.error if answer.code else answer.output.decode()]).encode()
            _cache().put(inputs, kept)
        code, output = json.loads(kept)
        return _refusal(output) if code else _made(output, given)

    @cached_property
    def _values_file(self) -> str:
        if self._chart.path.is_dir():
            return (self._chart.path / "values.yaml").read_text(encoding="utf-8")
        with tarfile.open(self._chart.path) as archive:
            file = archive.extractfile("cilium/values.yaml")
            return file.read().decode() if file else ""

    @cached_property
    def defaults(self) -> FlatValues:
        """The chart's own values."""
        return _flattened(self._values_file)

    @cached_property
    def _groups(self) -> frozenset[Path]:
        return frozenset(path[:length] for path in self.defaults for length in range(len(path)))

    @cached_property
    def _optional(self) -> frozenset[Path]:
        """Keys that stand in `values.yaml` as comments: they have no default."""
        found: set[Path] = set()
        above: list[tuple[int, str]] = []
        for indent, comment, name in _KEY.findall(self._values_file):
            above = [place for place in above if place[0] < len(indent)]
            if comment:
                found.add((*(key for _, key in above), name))
            else:
                above.append((len(indent), name))
        return frozenset(found)

    def knows(self, path: Path) -> bool:
        """Whether the chart's `values.yaml` has the key, or a place above it that takes any key."""
        if path in self.defaults or path in self._groups:
            return True
        if any(self.defaults.get(path[:length], "") in ({}, [], None) for length in range(1, len(path))):
            return True
        return any(path[:length] in self._optional for length in range(1, len(path) + 1))

    def unread(self, values: FlatValues) -> list[tuple[Path, Path | None]]:
        """Keys that the chart does not have and that change nothing it makes, each with the key that is near to it."""
        unknown = [path for path, value in values.items() if value is not None and not self.knows(path)]
        unknown = [path for path in unknown if path[0] != "global"]
        made = self.of(values) if unknown else None
        if not isinstance(made, Made):
            return []
        without = [{key: value for key, value in values.items() if key != path} for path in unknown]
        pairs = zip(unknown, self.of_each(without), strict=True)
        return [
            (path, self.closest(path))
            for path, result in pairs
            if isinstance(result, Made) and difference(result, made) == ({}, [])
        ]

    def closest(self, path: Path) -> Path | None:
        """The key that is most alike, if one is: what a misspelt key was meant to be."""
        names = {dotted(known): known for known in (*self.defaults, *self._groups) if known}
        lower = {name.lower(): known for name, known in names.items()}
        text = dotted(path)
        if text.lower() in lower:
            return lower[text.lower()]
        found = difflib.get_close_matches(text, list(names), n=1, cutoff=0.84)
        return names[found[0]] if found else None


def difference(before: Made, after: Made) -> tuple[dict[str, str | None], list[str]]:
    """Entries of `cilium-config` that are different after (None: gone), and the other objects that are."""
    entries = {
        key: after.config.get(key)
        for key in (*after.config, *before.config)
        if after.config.get(key) != before.config.get(key)
    }
    own = f"ConfigMap {CILIUM_CONFIG}"
    names = dict.fromkeys((*after.texts, *before.texts))
    return entries, [name for name in names if name != own and after.texts.get(name) != before.texts.get(name)]


@lru_cache(maxsize=8)
def _flattened(values_file: str) -> FlatValues:
    """Of several Releases of one chart its values are read once."""
    [values] = documents(values_file) or [{}]
    return flatten(values)


@cache
def _cache() -> RenderingCache:
    return RenderingCache(helm.cache_folder() / "rendered-cilium")


def _refusal(error: str) -> Refusal:
    found = {tuple(where.strip("/").split("/")): says for where, says in _SCHEMA.findall(error) if where}
    return Refusal(helms_words(error), found)


def _made(output: str, given: str) -> Made:
    texts: dict[str, str] = {}
    for body in re.split(r"^---\n# Source: .+\n", output, flags=re.MULTILINE)[1:]:
        kind, name = _KIND.search(body), _NAME.search(body)
        label = f"{kind[1] if kind else 'object'} {name[1] if name else ''}".strip().replace('"', "")
        while label in texts:
            label += "'"
        texts[label] = _PEM.sub(lambda found: found[0] if found[0] in given else "(random)", body)
    config = texts.get(f"ConfigMap {CILIUM_CONFIG}")
    data = documents(config)[0].get("data") if config else None
    return Made(texts, {str(key): text(value) for key, value in (data or {}).items()})
