"""Renders a chart with `helm template`: the objects that a Helm Release makes, before it is made (ADR 15).

The same inputs give the same objects, in every process: results are cached by content, and what charts make at
random is replaced by a mark (`steady.py`).
"""

import functools
import hashlib
import json
import os
import re
import shlex
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from components.charts import helm
from components.charts.kubernetes_yaml import documents
from components.charts.lock import FILE, REFRESH, ChartLock
from components.charts.reference import chart_name, reference
from components.charts.rendering_cache import RenderingCache
from components.charts.steady import counts_seconds, is_random, steady
from components.core.manifests import Manifest
from components.core.untrusted import YamlError, yaml_value

_FORMAT = 2  # of cached results: another number forgets them all
_EXACT = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?")
_ZONES = ("Pacific/Kiritimati", "Etc/GMT+12")  # 26 hours apart: never the same day
_LONGEST_WORDS = 600
_LARGEST_CHART = 100_000_000
_UNREADABLE = re.compile(
    r"missing in charts/ directory|Chart\.yaml|failed to load|unable to load|not installable|permission denied"
    r"|no such file|invalid kube version"
)
_SECRET = re.compile(r"pass(word|wd|phrase)?$|secret|token|credential|private|apikey|api[-_]key|(^|[._-])key$", re.I)

# Of an address: its user, and a query.
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"'`]+@|(?<=[\w/])\?[^\s\"'`]+=[^\s\"'`]+")
_NO_SECRET = re.compile(r"(names?|namespace|refs?)$", re.I)


class ChartError(Exception):
    """A chart could not be rendered. The text is one line and holds no value with a secret's name."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}: {remedy}")
        self.message, self.remedy = message, remedy


class RefusedValuesError(ChartError):
    """The chart refuses these values: an install would fail in the same way."""

    def __init__(self, chart: str, words: str) -> None:
        super().__init__(f"the chart {chart} refuses its values: {words}", "correct the values")
        self.words = words
        """Helm's own."""


class WrongChartError(ChartError):
    """The chart's bytes are not those that `charts.lock.yaml` names, or it names none and is enforced."""


class UnavailableChartError(ChartError):
    """The chart, or Helm, is not available here, so nothing can be decided. The remedy has the command that gets it."""


class ChartSource(NamedTuple):
    """A chart, as a Helm Release names it."""

    chart: str
    """Its name in `repository`, a whole `oci://` reference, or the path of a folder or of a packed chart."""
    version: str = ""
    """Exact. A path needs none."""
    repository: str = ""
    """Address of a chart repository, for a name alone."""

    @classmethod
    def of(cls, name: str, version: str, repository: str) -> "ChartSource":
        """Of a stack file, where `repository` is `https://…`, `oci://…` or a mirror's folder."""
        found = reference(name, version, repository)
        return cls(found.chart, version, found.repository or "")

    @property
    def label(self) -> str:
        """What messages call it: `cilium 1.20.2`."""
        name = chart_name(_CREDENTIALS.sub("", self.chart))
        return f"{name} {self.version}" if self.version else name


class Rendered(NamedTuple):
    """What a chart makes of values. The objects belong to the caller: no other rendering shares them."""

    name: str
    """The chart's own name and version, from its `Chart.yaml`."""
    version: str
    sha256: str
    """Of the packed chart; for a folder, of its files."""
    manifests: tuple[Manifest, ...]
    """In Helm's order, without notes and tests."""


def render(
    chart: ChartSource,
    values: Mapping[str, Any],
    *,
    release: str,
    namespace: str,
    kubernetes: str,
    apis: Sequence[str] = (),
    folders: Sequence[Path] = (),
    lock: ChartLock | None = None,
) -> Rendered:
    """The objects that a Helm Release of the chart makes.

    `values` are laid over the chart's own. `kubernetes` is the cluster's version (`1.36.2`) and `apis` what it serves
    beside Kubernetes' own (`gateway.networking.k8s.io/v1`). The chart's `crds/` folder does not count. A relative path
    is looked for in each of `folders`; default: the working directory. A chart that `lock` names must have its bytes;
    if it is enforced, it must name the chart.

    Raises RefusedValuesError, WrongChartError, UnavailableChartError.
    """
    found = obtain(chart, folders=folders, lock=lock)
    given = _as_json(values)
    program = helm_program()
    arguments = ["template", "--namespace", namespace, "--kube-version", kubernetes]
    arguments += [word for api in sorted(apis) for word in ("--api-versions", api)]
    arguments += ["--skip-tests", "--values", "-"]
    arguments += ["--", release, str(found.path)]  # a name such as --post-renderer=… is no option
    named = [word for word in arguments if word != str(found.path)]
    inputs = json.dumps([_FORMAT, found.sha256, helm.identity(program), named, given]).encode()
    kept = _cache().get(inputs)
    if kept is None:
        kept = _result(program, arguments, given, found, _secrets(values))
        _cache().put(inputs, kept)
    result = json.loads(kept)
    if "refused" in result:
        raise RefusedValuesError(f"{found.name} {found.version}", result["refused"])
    return Rendered(found.name, found.version, found.sha256, tuple(result["objects"]))


class Obtained(NamedTuple):
    """A chart that is on this machine."""

    path: Path
    """A packed chart, or a folder."""
    name: str
    version: str
    sha256: str
    random: bool
    """Whether its templates call a function that is never the same."""
    seconds: bool
    """Whether one of them prints the time in seconds."""


def obtain(chart: ChartSource, *, folders: Sequence[Path] = (), lock: ChartLock | None = None) -> Obtained:
    """The chart's files, downloaded once by `helm pull`.

    Raises WrongChartError, UnavailableChartError.
    """
    path = _local(chart, folders) if "://" not in chart.chart and not chart.repository else _pulled(chart)
    try:
        about = path.stat()
        found = _packed(path, about.st_size, about.st_mtime_ns) if path.is_file() else _folder(path)
    except (OSError, EOFError, tarfile.TarError, YamlError, KeyError, TypeError, ValueError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise UnavailableChartError(f"{path} can't be read as a chart ({said})", "download it again") from None
    entry = lock.find(found.name, found.version) if lock and path.is_file() else None
    if lock and lock.enforced and entry is None:
        said = f"the chart {found.name} {found.version} is not in {FILE}, which is enforced"
        raise WrongChartError(said, f"run `{REFRESH}`, or write it there with the SHA-256 {found.sha256}")
    if entry and entry.sha256 != found.sha256:
        said = f"the chart {found.name} {found.version} has SHA-256 {found.sha256}, and {FILE} says {entry.sha256}"
        remedy = f"find out why, then run `{REFRESH} --replace`; remove {path} to download it again"
        raise WrongChartError(said, remedy)
    return found


def _local(chart: ChartSource, folders: Sequence[Path]) -> Path:
    places = [folder.absolute() / chart.chart for folder in folders or (Path.cwd(),)]
    for place in places:
        if place.exists():
            return place
    said = f"the chart {chart.label} is not at {' or '.join(map(str, places))}"
    raise UnavailableChartError(said, "correct the path, or name the chart's repository")


def _pulled(chart: ChartSource) -> Path:
    if not _EXACT.fullmatch(chart.version):
        said = f"the chart {chart.label} has no exact version" if chart.version else f"{chart.label} has no version"
        raise UnavailableChartError(said, "write one, as in 1.20.2: Helm would take the newest one of that day")
    key = hashlib.sha256(json.dumps([chart.repository, chart.chart, chart.version]).encode()).hexdigest()[:16]
    place = _pulled_folder() / key
    found = next(iter(sorted(place.glob("*.tgz"))), None)
    if found is None:
        _pull(chart, place)
        found = next(iter(sorted(place.glob("*.tgz"))), None)
    if found is None:
        raise UnavailableChartError(f"the chart {chart.label} is missing in {place} after helm has pulled it", "retry")
    return found


@functools.cache  # a failure is remembered: every further look would wait for the same answer
def _pull_failure(chart: ChartSource, place: Path) -> str:
    """Download the chart; what Helm says if it can't, else nothing."""
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="draft-", dir=place) as draft:
        words = ["pull", *_pull_options(chart), "--destination", draft, "--", chart.chart]
        answer = helm.run(helm.find(), words, seconds=helm.PULL_SECONDS)
        if answer.code:
            return helms_words(answer.error) or f"helm pull ended with {answer.code}"
        for file in Path(draft).glob("*.tgz"):
            file.replace(place / file.name)
    return ""


def _pull(chart: ChartSource, place: Path) -> None:
    command = shlex.join([_CREDENTIALS.sub("", word) for word in ("helm", "pull", chart.chart, *_pull_options(chart))])
    command += f" --destination {shlex.quote(str(place))}"
    try:
        failure = _pull_failure(chart, place)
    except helm.HelmMissingError as error:
        raise _no_helm(error) from None
    except (helm.HelmTimeoutError, OSError) as error:
        failure = str(error)
    if failure:
        raise UnavailableChartError(f"the chart {chart.label} is not available here: {failure}", f"run `{command}`")


def _pull_options(chart: ChartSource) -> list[str]:
    return ["--version", chart.version, *(["--repo", chart.repository] if chart.repository else [])]


def helm_program() -> Path:
    """Helm. Raises UnavailableChartError."""
    try:
        return helm.find()
    except helm.HelmMissingError as error:
        raise _no_helm(error) from None


def _no_helm(error: Exception) -> UnavailableChartError:
    remedy = "install Helm 3, or name it: `export VDS_HELM=/path/to/helm`; in a checkout, run `make tools NAME=helm`"
    return UnavailableChartError(str(error), remedy)


@functools.lru_cache(maxsize=64)
def _packed(path: Path, size: int, _changed: int) -> Obtained:
    if size > _LARGEST_CHART:
        raise ValueError
    content = path.read_bytes()
    texts: list[str] = []
    about = ""
    with tarfile.open(path) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is None:
                continue
            if entry.name.count("/") == 1 and entry.name.endswith("/Chart.yaml"):
                about = file.read().decode()
            elif _is_template(entry.name):
                texts.append(file.read().decode(errors="replace"))
    return _obtained(path, about, hashlib.sha256(content).hexdigest(), texts)


def _folder(path: Path) -> Obtained:
    digest, texts = hashlib.sha256(), []
    for above, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            file = Path(above, name)
            content = file.read_bytes()
            inside = str(file.relative_to(path))
            digest.update(f"{inside}\0{len(content)}\0".encode() + content)
            if _is_template(inside):
                texts.append(content.decode(errors="replace"))
    return _obtained(path, (path / "Chart.yaml").read_text(), digest.hexdigest(), texts)


def _is_template(name: str) -> bool:
    return "templates/" in name or name.endswith(("values.yaml", ".tgz"))


def _obtained(path: Path, about: str, sha256: str, texts: Sequence[str]) -> Obtained:
    body = yaml_value(about)
    random, seconds = any(map(is_random, texts)), any(map(counts_seconds, texts))
    return Obtained(path, str(body["name"]), str(body["version"]), sha256, random, seconds)


def _result(program: Path, arguments: Sequence[str], given: str, chart: Obtained, secrets: Sequence[str]) -> bytes:
    """What is cached: the objects, or what Helm says against the values. Raises UnavailableChartError."""
    again = chart.random or is_random(given)
    seconds = chart.seconds or counts_seconds(given)

    def answer(zone: str) -> helm.Answer:
        later = 1.1 if seconds and zone == _ZONES[1] else 0
        return helm.run(program, arguments, given=given, zone=zone, later=later)

    try:
        with ThreadPoolExecutor(2) as both:
            answers = list(both.map(answer, _ZONES if again else _ZONES[:1]))
    except helm.HelmMissingError as error:
        raise _no_helm(error) from None
    except helm.HelmTimeoutError as error:
        raise UnavailableChartError(
            f"{chart.name} {chart.version}: {error}", "render it by hand and find out why"
        ) from None
    failed = next((one for one in answers if one.code), None)
    if failed:
        words = helms_words(failed.error, secrets)
        if failed.code < 0 or not words or _UNREADABLE.search(words):
            said = (
                f"helm can't render the chart {chart.name} {chart.version}: {words or f'it ended with {failed.code}'}"
            )
            raise UnavailableChartError(said, f"run `helm lint {shlex.quote(str(chart.path))}`")
        return json.dumps({"refused": words}).encode()
    try:
        shown = [_objects(one.output.decode()) for one in answers]
    except (YamlError, UnicodeDecodeError):
        return json.dumps({"refused": "it makes something that is not YAML"}).encode()
    if len(shown) == 2 and len(shown[0]) != len(shown[1]):
        remedy = "render it by hand; a chart must make the same objects each time"
        raise UnavailableChartError(f"the chart {chart.name} {chart.version} makes objects at random", remedy)
    objects = steady(*shown) if len(shown) == 2 else shown[0]
    return json.dumps({"objects": objects}).encode()


def _objects(output: str) -> list[Manifest]:
    """The objects in Helm's order."""
    # Helm writes this head before each object.
    texts = re.split(r"^---\n# Source: .+\n", output, flags=re.MULTILINE)[1:]
    return [body for text in texts for body in _items(documents(text))]


def _items(bodies: Sequence[Any]) -> Iterator[Manifest]:
    for body in bodies:
        if not isinstance(body, dict):
            raise YamlError
        if str(body.get("kind", "")).endswith("List") and isinstance(body.get("items"), list):
            yield from _items(body["items"])
        else:
            yield body


def helms_words(error: str, secrets: Sequence[str] = ()) -> str:
    """What Helm wrote, on one line."""
    lines = [line.strip() for line in error.splitlines()]
    said = [line for line in lines if line and not re.search(r"Use --debug flag|\bwarning\b", line, re.I)]
    text = " ".join(said).removeprefix("Error: ")
    for secret in secrets:
        text = text.replace(secret, "(not shown)")
    text = _CREDENTIALS.sub("", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]}…"


def _secrets(values: Any, named: bool = False) -> list[str]:
    """Texts of values that have a secret's name or a private key's form, longest first."""
    found: set[str] = set()
    if isinstance(values, Mapping):
        for key, value in values.items():
            secret = _SECRET.search(str(key)) is not None and not _NO_SECRET.search(str(key))
            found.update(_secrets(value, named or secret))
    elif isinstance(values, list | tuple):
        for value in values:
            found.update(_secrets(value, named))
    elif isinstance(values, str) and len(values) >= 4 and (named or "PRIVATE KEY" in values):
        found.update((values, values.strip(), *(line for line in values.splitlines() if len(line) > 20)))
    return sorted(found, key=lambda text: (-len(text), text))


_ODD = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def _as_json(values: Mapping[str, Any]) -> str:
    """JSON that is also YAML 1.1, where more characters end a line; numbers without a fraction are whole."""
    text = json.dumps(_whole(values), ensure_ascii=False, sort_keys=True)
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _whole(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@functools.cache
def _cache() -> RenderingCache:
    return RenderingCache(helm.cache_folder() / "rendered")


def _pulled_folder() -> Path:
    return helm.cache_folder() / "pulled-charts"
