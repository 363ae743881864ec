"""The objects inside a Helm Release of any Pulumi program, read from the Release's inputs."""

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from components.charts import helm
from components.charts.kubernetes_yaml import documents
from components.charts.lock import FILE, ChartLock, read_lock
from components.charts.reference import chart_name
from components.charts.render import (
    ChartError,
    ChartSource,
    RefusedValuesError,
    UnavailableChartError,
    render,
)
from components.charts.values import merged
from components.core.manifests import DEFAULT_NAMESPACE, Manifest
from components.core.unknown import UNKNOWN

APIS = (
    "cert-manager.io/v1",
    "gateway.networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1/GatewayClass",
    "monitoring.coreos.com/v1",
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/ServiceMonitor",
)
"""APIs that charts ask for before they make an object. All are taken as served, so that such an object is seen too."""
NOT_KNOWN_YET = "vds-not-known-yet"
"""Text in an object where a value is that is not known yet."""
HOLDS_NO_PLACE = re.compile(
    r"pass(word|phrase)?|.*Pass(word|phrase)|token|.*Token|key|.*Key|secret|.*Secret|mtu|enabled|replicas|replicaCount"
    r"|tag|digest|version|.*Port|.*Seconds|.*Percent|caBundle|certificate"
    r"|(?!.*(host|server|domain|dns|fqdn|image|repo|repository|registry|endpoint|bucket|storageaccount)[_-]?name)"
    r".*name(override)?"
    r"|.*ids?|create|nodeSelector|tolerations|affinity|resources"
    r"|user|.*_user|database|existing.*|storageClass|size|count|memory|cpu|checksum/.*",
    re.IGNORECASE,
)
"""Names of numbers, switches, keys and names that are no address: in values and configuration anything else may be a
group, or a text with a destination in it. A chart is rendered with something in place of such a value."""
_SWITCH = re.compile(r".*enabled|.*\.create", re.IGNORECASE)
_NUMBER = re.compile(r"replicas|replicaCount|.*Port|.*Seconds|.*Percent|count", re.IGNORECASE)
_GROUP = re.compile(r"annotations|.*Annotations|labels|.*Labels|nodeSelector")
_CLUSTER_SCOPED = re.compile(
    r"Namespace|Node|PersistentVolume|.*ClusterRole(Binding)?|CustomResourceDefinition|.*Class|PriorityLevelConfiguration"
    r"|FlowSchema|CSI(Driver|Node)|APIService|.*WebhookConfiguration|.*AdmissionPolic(y|yBinding)|ClusterIssuer"
    r"|Cilium(Clusterwide|LoadBalancerIPPool|L2|BGP|Node|Identity|CIDRGroup|EgressGateway).*|Global.*|IPPool|FelixConfiguration"
    r"|Installation|BGP(Configuration|Peer|Filter)"
)


MOST_SWITCHES = 3
"""Unknown switches of a Release that are tried on and off together: each more doubles the renderings."""


class Inside(NamedTuple):
    """What is inside a Release, or why that can't be told."""

    objects: tuple[Manifest, ...] = ()
    """With the Release's namespace where an object names none, and NOT_KNOWN_YET where a value is not known yet."""
    problem: str = ""
    """Empty where the chart was rendered."""
    remedy: str = ""
    decided: bool = True
    """False: nothing is wrong as far as is known, and nothing was judged."""


def inside(name: str, release: Mapping[str, Any], kubernetes: Sequence[str]) -> Inside:
    """The objects of a Release with these inputs, which are plain and have UNKNOWN for what is not known yet.

    `name` is Pulumi's. `kubernetes` are versions of clusters, the preferred one first: a chart that does not support it
    is rendered for the next one.
    """
    try:
        return _inside(name, release, kubernetes)
    except RecursionError:
        return Inside(problem="has values that are too many levels deep", remedy="write fewer levels")


def _inside(name: str, release: Mapping[str, Any], kubernetes: Sequence[str]) -> Inside:
    chart, version = release.get("chart"), release.get("version")
    options = release.get("repositoryOpts")
    repository = options.get("repo") if isinstance(options, Mapping) else options
    namespace = release.get("namespace")
    for field, value in (("chart", chart), ("version", version), ("repositoryOpts.repo", repository)):
        if value is UNKNOWN:
            return _not_known(field)
    if namespace is UNKNOWN:
        return _not_known("namespace")
    if not isinstance(chart, str) or not chart:
        return Inside(problem="names no chart", remedy="write chart")
    own, files = release.get("name"), release.get("valueYamlFiles")
    texts = {"chart": chart, "version": version, "repositoryOpts.repo": repository, "namespace": namespace, "name": own}
    for field, value in texts.items():
        if not isinstance(value, str | None):
            if field == "name" and value is UNKNOWN:
                continue  # the program's own name stands for it
            return Inside(problem=f"{field} is not text", remedy=f"write {field} as text")
        if value and not value.isprintable():
            return Inside(problem=f"{field} has a character that is not printed", remedy="remove it")
    if files is not UNKNOWN and not isinstance(files, list | tuple | None):
        return Inside(problem="valueYamlFiles is not a list", remedy="write a list of files")
    if release.get("postrender"):
        said = "postrender changes what the chart makes, and it is not run here"
        return Inside(problem=said, remedy="remove it, and write values", decided=False)
    switches = tuple(_switches(release.get("values"), "values"))
    if len(switches) > MOST_SWITCHES:
        return _not_known(switches[0])
    every = [
        frozenset(off) for count in range(len(switches) + 1) for off in itertools.combinations(switches, count)
    ]  # all on, then each off alone, then several
    if not isinstance(release.get("values"), Mapping | None) and release.get("values") is not UNKNOWN:
        return Inside(problem="values is not a group of values", remedy="write keys with values")
    try:
        tried = [_values(release, off) for off in every]
    except _UnknownValueError as error:
        return _not_known(str(error))
    except (OSError, ValueError) as error:
        said = f"valueYamlFiles can't be read ({getattr(error, 'strerror', None) or type(error).__name__})"
        return Inside(problem=said, remedy="correct the path", decided=False)
    found = [
        _rendered(
            json.dumps(
                [
                    ChartSource(chart, str(version or ""), str(repository or "")),
                    values,
                    own if isinstance(own, str) and own else name,
                    str(namespace or DEFAULT_NAMESPACE),
                    list(kubernetes),
                ],
                sort_keys=True,
                default=str,
            )
        )
        for values in tried
    ]
    decides = next((off for off, one in zip(every, found, strict=True) if one != found[0]), None)
    return _not_known(min(decides)) if decides else found[0]


class _UnknownValueError(Exception):
    """A value by which a chart may decide something is not known. The text is its path."""


def _not_known(field: str) -> Inside:
    remedy = "write it as a plain value, not as another resource's output"
    return Inside(problem=f"{field} is not known yet", remedy=remedy, decided=False)


def _switches(value: Any, path: str) -> Iterator[str]:
    """Paths of switches that are not known yet."""
    inner: Iterator[tuple[Any, Any]] = iter(())
    if value is UNKNOWN and _SWITCH.fullmatch(path):
        yield path
    elif isinstance(value, Mapping):
        inner = iter(value.items())
    elif isinstance(value, list | tuple):
        inner = iter(enumerate(value))
    for key, below in inner:
        yield from _switches(below, f"{path}.{key}")


def _values(release: Mapping[str, Any], off: frozenset[str]) -> Mapping[str, Any]:
    """The values as Helm gets them: those of the files, under those that are written. `off`: unknown switches that are
    taken as off; the others are taken as on."""
    found: dict[str, Any] = {}
    files = release.get("valueYamlFiles") or ()
    if files is UNKNOWN:
        raise _UnknownValueError("valueYamlFiles")
    for index, file in enumerate(files):
        found = merged(_of_file(file, f"valueYamlFiles.{index}"), found)
    written = release.get("values")
    if written is UNKNOWN:
        raise _UnknownValueError("values")
    known = _stood_for(written or {}, "values", off)
    if not isinstance(known, Mapping):
        raise ValueError
    return merged(known, found)


def _of_file(file: Any, field: str) -> Mapping[str, Any]:
    text, path = getattr(file, "text", None), getattr(file, "path", None)
    if not isinstance(text, str) and isinstance(path, str):
        text = next((place for place in _folders(path) if place.is_file()), Path(path)).read_text(encoding="utf-8")
    if not isinstance(text, str):
        raise _UnknownValueError(field)
    try:
        [values] = documents(text) or [{}]
    except Exception:
        raise ValueError from None
    if not isinstance(values, Mapping):
        raise ValueError
    return values


def _folders(path: str) -> list[Path]:
    return [folder / path for folder in helm.project_folders()]


def _stood_for(value: Any, path: str, off: frozenset[str], name: str = "") -> Any:
    """The values with something in place of what is unknown. Raises _UnknownValueError where a chart may decide by it,
    or where it may be a group. `name` is that of an environment variable."""
    if value is UNKNOWN:
        key = name or path.rpartition(".")[2]
        if not (HOLDS_NO_PLACE.fullmatch(key) or _GROUP.fullmatch(key) or name):
            raise _UnknownValueError(path)
        if _SWITCH.fullmatch(path):
            return path not in off
        if key.lower() == "mtu":
            return 0  # to be detected: the policy on it says that the number is not known
        return (
            {NOT_KNOWN_YET: NOT_KNOWN_YET} if _GROUP.fullmatch(key) else 1 if _NUMBER.fullmatch(key) else NOT_KNOWN_YET
        )
    if isinstance(value, Mapping):
        called = str(value.get("name")) if "value" in value and isinstance(value.get("name"), str) else ""
        return {
            str(key): _stood_for(inner, f"{path}.{key}", off, called if key == "value" else "")
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_stood_for(inner, f"{path}.{index}", off) for index, inner in enumerate(value)]
    return value


@functools.lru_cache(maxsize=256)
def _rendered(wanted: str) -> Inside:
    """Rendered once for all policies, which only read the objects."""
    source, values, release, namespace, kubernetes = json.loads(wanted)
    chart = ChartSource(*source)
    folders = helm.project_folders()
    try:
        lock = read_lock_of(folders)
        found = None
        for version in kubernetes:
            try:
                found = render(
                    chart,
                    values,
                    release=release,
                    namespace=namespace,
                    kubernetes=version,
                    apis=APIS,
                    folders=folders,
                    lock=lock,
                )
                break
            except RefusedValuesError as refused:
                if "incompatible with Kubernetes" not in refused.words or version == kubernetes[-1]:
                    raise
    except ChartError as error:
        guessed = isinstance(error, RefusedValuesError) and NOT_KNOWN_YET in wanted
        decided = not isinstance(error, UnavailableChartError) and not guessed
        return Inside(problem=error.message, remedy=error.remedy, decided=decided)
    if found is None:
        return Inside(problem=f"no version of Kubernetes is known to render {chart_name(chart.chart)} for")
    return Inside(tuple(_placed(item, namespace) for item in found.manifests))


def read_lock_of(folders: Sequence[Path]) -> ChartLock:
    """`charts.lock.yaml` of the first folder that has one; an empty lock if none has. Raises UnavailableChartError."""
    for folder in folders:
        try:
            lock, problems = read_lock((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            raise UnavailableChartError(f"{folder / FILE} can't be read", "correct it") from None
        if problems:
            raise UnavailableChartError(str(problems[0]), "correct it")
        return lock
    return ChartLock()


def _placed(item: Manifest, namespace: str) -> Manifest:
    metadata = item.get("metadata")
    belongs = not _CLUSTER_SCOPED.fullmatch(str(item.get("kind")))
    if belongs and isinstance(metadata, dict) and not metadata.get("namespace"):
        return {**item, "metadata": {**metadata, "namespace": namespace}}
    return item
