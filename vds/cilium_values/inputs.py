"""Reads values of Cilium's chart from where people keep them: a values file, a HelmRelease of Flux, an Application of
Argo CD, an umbrella chart's values, a HelmChart or HelmChartConfig of k3s and RKE2, a command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from components.charts.kubernetes_yaml import documents, repeated_keys
from components.charts.reference import chart_name, packed
from components.charts.render import ChartSource, UnavailableChartError
from components.core.untrusted import LimitError, YamlError, line_of
from components.core.versions import minor, parse
from components.network.cilium.chart.command_line import HelmError, merge, merge_words
from components.network.cilium.chart.nested import flatten
from components.network.cilium.chart.trial import Trial
from components.network.cilium.releases import NEWEST
from vds.shared.errors import OperationError

LARGEST_BYTES = 5_000_000
"""Thirty times the values of the largest chart. A larger file is not a values file."""
_EXACT = re.compile(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?")
_TEMPLATED = re.compile(r"\{\{(?:(?!\{\{).)*?\}\}", re.DOTALL)
_CONTROL = re.compile(r"^[ \t]*\{\{-?\s*(if|else|end|range|with|include|define|template|toYaml)\b", re.MULTILINE)
_MARK = "placeholder-{}-of-a-template"


class Read(NamedTuple):
    """Values, and what was read."""

    values: dict[str, Any]
    version: str
    """The chart's version that stands beside them; empty if none does, or a range of versions."""
    form: str
    """What the file is."""


def read_file(name: str) -> Read:
    """Raises OperationError for a file that can't be read as values of Cilium's chart."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is the latter
        shown = name.replace("\0", "\\0")
        refuse(f"{shown}: cannot be read ({getattr(error, 'strerror', None) or error}): name a values file")
    return read_text(decoded(content, name), name)


def decoded(content: bytes, name: str) -> str:
    """Text of bytes. Raises OperationError."""
    if len(content) > LARGEST_BYTES:
        refuse(f"{name}: larger than {LARGEST_BYTES} bytes: name a values file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(f"{name}: is not UTF-8 text: name a YAML file")


def read_text(text: str, name: str) -> Read:
    """The values in a YAML text. Raises OperationError."""
    found_in = _load(text, name)
    if any(not isinstance(document, dict) for document in found_in):
        wrong = next(document for document in found_in if not isinstance(document, dict))
        refuse(f"{name}: has no keys with values ({type(wrong).__name__}): name a Helm values file")
    for document in found_in:
        flatten(document)  # before anything copies it: aliases may expand to more than memory holds
    objects = [document for document in found_in if "apiVersion" in document and "kind" in document]
    if not objects:
        if len(found_in) > 1:
            refuse(f"{name}: has {len(found_in)} YAML documents: name a file with one set of values")
        return _plain(found_in[0] if found_in else {}, "", "values file")
    found = [read for document in objects for read in _of_object(document, name)]
    if len(found) > 1:
        refuse(f"{name}: has values of Cilium's chart {len(found)} times: name a file that has them once")
    if not found:
        kinds = ", ".join(dict.fromkeys(str(document["kind"]) for document in objects))
        refuse(
            f"{name}: is a Kubernetes manifest ({kinds}) without values of Cilium's chart: name a values file, a "
            "HelmRelease, an Application, a HelmChart or a HelmChartConfig"
        )
    return found[0]


def refuse(problem: str) -> NoReturn:
    """Raises OperationError."""
    raise OperationError(problem)


def _load(text: str, name: str) -> list[Any]:
    """The documents, with what a later step puts in (`{{ x }}`) kept as text."""
    if _CONTROL.search(text):
        refuse(f"{name}: is a template ({{{{ if }}}} and the like), not values: render it, and name the result")
    marks: dict[str, str] = {}

    def mark(found: re.Match[str]) -> str:
        return marks.setdefault(found[0], _MARK.format(len(marks)))

    try:
        marked = _TEMPLATED.sub(mark, text)
        twice = repeated_keys(marked)
        loaded = documents(marked)
    except YamlError as error:
        line = line_of(error, text)
        where = f" in line {line}" if line else ""
        if isinstance(error, LimitError):
            refuse(f"{name}: {error.problem}{where}: write the values themselves")
        refuse(f"{name}: is not YAML{where} ({getattr(error, 'problem', None) or 'unreadable'}): correct it there")
    if twice:
        named = ", ".join(f"{key} (line {line})" for key, line in twice[:5])
        refuse(f"{name}: the same key is there twice, and Helm takes only the last: {named}: keep one of them")
    if not marks:
        return loaded
    for document in loaded:
        if isinstance(document, dict):
            flatten(document)
    return [_restored(document, {text: found for found, text in marks.items()}) for document in loaded]


def _restored(value: Any, marks: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_restored(key, marks): _restored(inner, marks) for key, inner in value.items()}
    if isinstance(value, list):
        return [_restored(item, marks) for item in value]
    if isinstance(value, str):
        for text, found in marks.items():
            value = value.replace(text, found)
    return value


def _of_object(document: Mapping[str, Any], name: str) -> Iterator[Read]:
    kind, spec = str(document["kind"]), _group(document.get("spec"))
    label = f"{kind} {_group(document.get('metadata')).get('name', '')}".strip()
    if kind == "HelmRelease":
        yield from _of_flux(spec, label, name)
    elif kind == "Application":
        for source in [spec.get("source"), *(spec.get("sources") or [])]:
            yield from _of_argo(_group(source), label, name)
    elif kind in ("HelmChart", "HelmChartConfig"):
        chart = str(spec.get("chart") or _group(document.get("metadata")).get("name", ""))
        if "cilium" in chart_name(chart):
            values = _values_text(spec.get("valuesContent"), name)
            words = [("--set", f"{key}={value}") for key, value in _group(spec.get("set")).items()]
            yield _plain(_with_words(values, words, name), _exact(spec.get("version")), label)


def _of_flux(spec: Mapping[str, Any], label: str, name: str) -> Iterator[Read]:
    chart = _group(_group(spec.get("chart")).get("spec"))
    values = _group(spec.get("values"))
    if chart_name(str(chart.get("chart", "cilium"))) != "cilium" or not (chart or values):
        return
    if spec.get("valuesFrom"):
        refuse(f"{name}: {label} takes values from other objects too (valuesFrom): put them together in a values file")
    yield _plain(values, _exact(chart.get("version")), label)


def _of_argo(source: Mapping[str, Any], label: str, name: str) -> Iterator[Read]:
    if chart_name(str(source.get("chart", ""))) != "cilium":
        return
    given = _group(source.get("helm"))
    if given.get("valueFiles") or given.get("fileParameters"):
        refuse(f"{name}: {label} takes values from other files too (valueFiles): put them together in a values file")
    values = _values_text(given.get("values"), name)
    merge(values, _group(given.get("valuesObject")))
    words = [
        ("--set-string" if item.get("forceString") else "--set", f"{item.get('name')}={item.get('value')}")
        for item in map(_group, given.get("parameters") or [])
    ]
    yield _plain(_with_words(values, words, name), _exact(source.get("targetRevision")), label)


def _plain(values: Mapping[str, Any], version: str, form: str) -> Read:
    """Cilium's chart has no key `cilium`: it is the name of a subchart."""
    below = values.get("cilium")
    if isinstance(below, dict):
        return Read(below, version, f"{form} of an umbrella chart: what is below the key cilium")
    return Read(dict(values), version, form)


def _values_text(text: Any, name: str) -> dict[str, Any]:
    loaded = _load(str(text or ""), name)
    values = loaded[0] if loaded else {}
    if not isinstance(values, dict):
        refuse(f"{name}: the values in it are no keys with values: correct them")
    flatten(values)
    return values


def _with_words(values: dict[str, Any], words: list[tuple[str, str]], name: str) -> dict[str, Any]:
    try:
        return merge_words(values, words)
    except HelmError as error:
        refuse(f"{name}: {error}")


def _group(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _exact(version: Any) -> str:
    text = str(version or "")
    return text if _EXACT.fullmatch(text) else ""


REPOSITORY = "https://helm.cilium.io/"
"""The project's own repository."""


def chart_of(version: str, option: str, places: Sequence[str]) -> Trial:
    """The chart of a version; of a minor alone, of its newest release.

    `places` are folders of packed charts, packed charts, unpacked charts, and repositories: the first that has the
    version counts. Raises OperationError.
    """
    first, *_, last = NEWEST
    if not version:
        refuse(f"{option} is missing: write the chart's version, {first} to {last}, as in {option} {NEWEST[last]}")
    try:
        parts, line = len(parse(version).release), minor(version)
    except ValueError:
        parts, line = 0, ""
    if line not in NEWEST or parts not in (2, 3):
        refuse(f"{option} {version}: is no version of Cilium from {first} to {last}: write one, as in 1.16.1")
    missing = []
    for place in places or (REPOSITORY,):
        source = _source(place, version.removeprefix("v"), whole=parts == 3)
        try:
            trial = Trial(source) if source else None
        except UnavailableChartError as error:
            missing.append(error.message)
            continue
        if trial and _is(trial.release, version):
            return trial
        missing.append(f"{place} has no chart of Cilium {version}")
    raise OperationError(
        f"{option} {version}: {'; '.join(missing)}. Only its chart shows what values do: run `helm pull cilium --repo "
        f"{REPOSITORY} --version {NEWEST[line] if parts == 2 else version}`, and name the folder with --chart"
    )


def _source(place: str, version: str, *, whole: bool) -> ChartSource | None:
    if "://" in place:
        return ChartSource.of("cilium", version if whole else NEWEST[minor(version)], place)
    path = Path(place).absolute()
    if not path.is_dir() or (path / "Chart.yaml").exists():
        return ChartSource(str(path))
    if whole:
        file = path / packed("cilium", version)
        return ChartSource(str(file)) if file.exists() else None
    found = [file for file in path.glob("cilium-*.tgz") if _is(file.name[len("cilium-") : -len(".tgz")], version)]
    newest = max(found, key=lambda file: parse(file.name[len("cilium-") : -len(".tgz")]), default=None)
    return ChartSource(str(newest)) if newest else None


def _is(release: str, version: str) -> bool:
    """Whether a release is the version, or one of the minor that the version is."""
    try:
        found, wanted = parse(release).release, parse(version).release
    except ValueError:
        return False
    return found[: len(wanted)] == wanted
