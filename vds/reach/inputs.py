"""What `vds reach` asks about: manifests of files, of a stack's state, or of a cluster."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from components.charts.kubernetes_yaml import documents
from components.charts.releases import NOT_KNOWN_YET, inside
from components.core.manifests import DEFAULT_NAMESPACE, Manifest, kind_of
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.core.unknown import SIGNATURE, UNKNOWN
from components.core.untrusted import YamlError, json_value, line_of, yaml_nodes
from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError
from policies.releases import RELEASE_TYPE, versions
from vds.evidence.export import read_file
from vds.shared import pulumi
from vds.shared.errors import OperationError

_SUFFIXES = (".yaml", ".yml", ".json")
_PAGE = 500
_LISTS = (
    ("v1", "namespaces", "Namespace"),
    ("v1", "pods", "Pod"),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
)
# Without the right to read these, questions about Services and API servers are undecided.
_OF_SERVICES = (("v1", "services", "Service"), ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"))
_CILIUM = f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/{CILIUM_CONFIG}"
_OTHER_GROUPS = ("policy.networking.k8s.io", "cilium.io")
_OTHER_KINDS = (
    *("ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"),
    *("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
    *("NetworkPolicy", "GlobalNetworkPolicy", "Tier", "NetworkSet", "GlobalNetworkSet"),
)


class Given(NamedTuple):
    """Manifests, and namespaces of which something is not known, with the reason."""

    manifests: tuple[Manifest, ...] = ()
    gaps: Mapping[str, str] = {}
    cni: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    """Names and texts of the files that were read."""

    def place(self, item: Manifest) -> str:
        """`file:line` of an object; empty for one that is in no file."""
        for name, text in self.sources:
            for node in filter(None, yaml_nodes(text)):
                if line := _line(node, _identity(item)):
                    return f"{name}:{line}"
        return ""


def _identity(item: Any) -> tuple[Any, ...]:
    metadata = item.get("metadata")
    inner = metadata if isinstance(metadata, Mapping) else {}
    return item.get("kind"), inner.get("namespace"), inner.get("name")


def _line(node: Any, wanted: tuple[Any, ...]) -> int:
    """The line of the object in a document, or in the list that it is; 0 if it is not there."""
    parts = {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    items = parts.get("items")
    if isinstance(items, yaml.SequenceNode):
        return next((line for one in items.value if (line := _line(one, wanted))), 0)
    metadata = parts.get("metadata")
    inner = {key.value: value for key, value in metadata.value} if isinstance(metadata, yaml.MappingNode) else {}
    found = (parts.get("kind"), inner.get("namespace"), inner.get("name"))
    written = tuple(one.value if isinstance(one, yaml.ScalarNode) else None for one in found)
    return int(node.start_mark.line) + 1 if written == wanted else 0


def of_files(names: Sequence[str]) -> Given:
    """The objects of files, and of files in folders. `-` is standard input. Raises OperationError."""
    sources = tuple(source for name in names for source in _texts(name))
    return Given(tuple(item for source in sources for item in _objects(*source)), sources=sources)


def _texts(name: str) -> list[tuple[str, str]]:
    if name == "-":
        return [(name, sys.stdin.read())]
    folder = Path(name)
    if folder.is_dir():
        found = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
        if not found:
            raise OperationError(f"--file {name}: has no file that ends in {', '.join(_SUFFIXES)}: name another folder")
        return [(str(path), read_file(path, "--file")) for path in found]
    return [(name, read_file(folder, "--file"))]


def _objects(name: str, text: str) -> Iterator[Manifest]:
    try:
        found = documents(text)
    except YamlError as error:
        line = line_of(error, text)
        where = f"{name}:{line}" if line else name
        raise OperationError(f"{where}: is not YAML ({getattr(error, 'problem', None)}): correct it") from None
    for item in found:
        yield from _listed(name, item)


def _listed(name: str, item: Any) -> Iterator[Manifest]:
    if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
        raise OperationError(f"{name}: has a document that is no Kubernetes object: name files with manifests")
    if item["kind"].endswith("List") and isinstance(item.get("items"), list):
        for one in item["items"]:
            yield from _listed(name, one)
    else:
        yield item


def of_state(file: Path) -> Given:
    """The objects of `pulumi stack export`, and those of its Helm Releases. Raises OperationError."""
    try:
        state = json_value(read_file(file), most=pulumi.LARGEST_STATE)
        resources = [one for one in state["deployment"]["resources"] if not one.get("delete")]
        inputs = [(str(one["type"]), str(one["urn"]), one.get("inputs") or {}) for one in resources]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OperationError(f"--state {file}: is no output of pulumi stack export: name one") from None
    return of_resources((kind, urn.rpartition("::")[2], _plain(body)) for kind, urn, body in inputs)


def of_resources(resources: Iterator[tuple[str, str, Any]]) -> Given:
    """The objects of a Pulumi program: type, name and inputs of each resource, with UNKNOWN for what is not known."""
    manifests: list[Manifest] = []
    gaps: dict[str, str] = {}
    for kind, name, body in resources:
        if kind == RELEASE_TYPE:
            found = inside(name, body, versions())
            if found.problem:
                namespace = body.get("namespace") or DEFAULT_NAMESPACE
                gaps[namespace if isinstance(namespace, str) else ""] = f"the chart of {name} {found.problem}"
            manifests += [_sealed(item) for item in found.objects]
        elif kind_of(kind) and isinstance(body, dict) and "kind" in body:
            manifests.append(body)
    return Given(tuple(manifests), gaps)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return UNKNOWN if SIGNATURE in value else {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _sealed(value: Any) -> Any:
    if isinstance(value, str):
        return UNKNOWN if NOT_KNOWN_YET in value else value
    if isinstance(value, Mapping):
        return UNKNOWN if NOT_KNOWN_YET in value else {key: _sealed(inner) for key, inner in value.items()}
    return [_sealed(inner) for inner in value] if isinstance(value, list) else value


def of_cluster(kubeconfig: Path) -> Given:
    """Namespaces, pods and policies of a running cluster. Only reads. Raises OperationError."""
    cluster = Cluster(read_file(kubeconfig, "--kubeconfig"))
    try:
        return _live(cluster)
    except UnreachableError as error:
        raise OperationError(f"the cluster can't be read: {error}") from None
    except ApiError as error:
        remedy = "use a kubeconfig that may list pods, namespaces and network policies"
        raise OperationError(f"the cluster can't be read: {error}: {remedy}") from None
    finally:
        cluster.close()


def _live(api: Api) -> Given:
    manifests = [one for version, plural, kind in _LISTS for one in _list(api, version, plural, kind)]
    for version, plural, kind in _OF_SERVICES:
        with suppress(ApiError):
            manifests += _list(api, version, plural, kind)
    with suppress(ApiError):
        manifests.append({**api.request("GET", _CILIUM), "kind": "ConfigMap"})
    groups = {one["name"]: one for one in api.request("GET", "/apis").get("groups") or ()}
    calico = [name for name in ("crd.projectcalico.org", "projectcalico.org") if name in groups][:1]
    for name in (*_OTHER_GROUPS, *calico):
        for served in (groups.get(name) or {}).get("versions") or ():
            version = served["groupVersion"]
            for resource in api.request("GET", f"/apis/{version}").get("resources") or ():
                if resource["kind"] in _OTHER_KINDS and "/" not in resource["name"]:
                    manifests += _list(api, version, resource["name"], resource["kind"])
            if name != "policy.networking.k8s.io":
                break  # one version has them all
    found = {"cilium": "cilium.io" in groups, "calico": bool(calico)}
    known = [name for name, there in found.items() if there]
    return Given(tuple(_once(manifests)), cni=known[0] if len(known) == 1 else "")


def _once(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """Each object once: an API group may serve it in two versions."""
    seen = set()
    for item in manifests:
        uid = item["metadata"].get("uid") or id(item)
        if uid not in seen:
            seen.add(uid)
            yield item


def _list(api: Api, version: str, plural: str, kind: str) -> Iterator[Manifest]:
    path = f"/apis/{version}/{plural}" if "/" in version else f"/api/{version}/{plural}"
    following = ""
    while True:
        query = [("limit", str(_PAGE)), *([("continue", following)] if following else [])]
        answer = api.request("GET", path, query=query)
        yield from ({**item, "apiVersion": version, "kind": kind} for item in answer.get("items") or ())
        following = str((answer.get("metadata") or {}).get("continue") or "")
        if not following:
            return


def is_address(text: str) -> bool:
    """Whether a name on the command line is an address outside the cluster."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
