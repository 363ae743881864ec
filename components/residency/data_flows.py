"""Data flows of a resource: where its fields, or its chart's values, send bytes.

The residency policies and the record of processing both call `data_flows`. A field is found by its name, at any depth.
A value that is not known yet counts where its field's name means a destination, and where it is a whole group of
fields that may hold one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components.charts.reference import chart_name
from components.charts.releases import HOLDS_NO_PLACE, NOT_KNOWN_YET, Inside
from components.core.endpoints import host_of, image_registry, outside_of, url_hosts
from components.core.manifests import kind_of
from components.core.unknown import UNKNOWN
from components.network.calico.values import from_their_makers as calico_images
from components.residency.egress import egress_flows, is_network_policy, named_flow
from components.residency.rules import NOT_KNOWN, DataFlow

_BY_AN_OPERATOR: dict[str, Callable[[Any], list[str]]] = {"tigera-operator": calico_images}
"""Images that no object of a chart names, because an operator of the chart makes the pods."""
_OBJECTS_ARE_RESOURCES = {"helm.sh": ("Chart",), "yaml": ("ConfigFile", "ConfigGroup"), "kustomize": ("Directory",)}
"""Components of pulumi-kubernetes, by group: their objects are resources themselves."""

_IMAGE = re.compile(r"image|.*[a-z](Image|-image|_image)")
_REGISTRY = re.compile(r"registry|imageRegistry|.*Registry|hub")
_ADDRESS = re.compile(
    r"url|uri|.*(Url|URL|Uri|URI)|endpoint|.*Endpoint|addr|address|host|server|brokers?|bootstrapServers|otlp|dsn"
)
_NAMES_A_PLACE = re.compile(
    rf"({_IMAGE.pattern})|({_REGISTRY.pattern})|({_ADDRESS.pattern})|repository|repo|provisioner"
)
_TELEMETRY = re.compile(
    r"telemetry|metric|log|trac(e|ing)|otlp|loki|sentry|datadog|prometheus|remote_?write|sink|exporter|monitor", re.I
)
_BACKUP = re.compile(r"backup|velero|snapshot", re.I)
_FORWARD = re.compile(r"^[ \t]*forward[ \t]+\S+[ \t]+([^{\n]+)", re.MULTILINE)
_TIME = re.compile(r"^[ \t]*(?:server|pool|peer)[ \t]+(\S+)", re.MULTILINE)
_GROUPS = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes"), "image-registry"),
    **dict.fromkeys(("spec", "template", "jobTemplate", "env"), ""),
    **{"dnsConfig": "dns", "csi": "storage", "acme": "acme", "values": "", "data": "", "binaryData": ""},
}
"""Groups of fields in which a place may stand, with what bytes are there for; empty: what the path says."""
_MAY_BE_A_GROUP = ("values", "global")
"""Right under these `database` is a chart's part with a host of its own, and elsewhere a name."""
_ENVIRONMENT = re.compile(r"env|.*Env|.*[eE]nvVars?")
_SAYS_NOTHING = re.compile(r"annotations|.*Annotations|labels|.*Labels|description|sidecar-istio-proxy-image")
"""Links to documentation stand in these, and nothing is sent to them; the last is a pattern of Cilium's for images."""
_ROUTE_KINDS = ("Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute", "TLSRoute", "Ingress", "GatewayList")
"""Their host names are the platform's own: bytes come in by them."""


POOL_KINDS = ("IPAddressPool", "CiliumLoadBalancerIPPool")
"""Kinds whose addresses are given to services."""
_NOT_WANTED = ("metadata", "status", "apiVersion", "kind")


def data_flows(
    resource_type: str,
    name: str,
    inputs: Mapping[str, Any],
    inside: Callable[[], Inside],
    groups: Sequence[Mapping[str, Any]] = (),
) -> Iterator[DataFlow]:
    """Every data flow of a resource, once; none of what is no Kubernetes object.

    `name`: Pulumi's. `inputs`: plain, with UNKNOWN for values that are not known yet. `inside` gives what
    is inside a Helm Release. `groups`: objects of `egress.GROUP_KINDS` of the same program.
    """
    kind = kind_of(resource_type)
    if kind is None:
        return
    subject = f"{kind.name} {_object_name(inputs, name)}"
    if kind.group == "helm.sh":
        subject = f"{kind.name} {name}"
        found = list(_chart_flows(inputs))
        if kind.name == "Release":
            decided = all(flow.endpoint != NOT_KNOWN for flow in found)
            found += _release_flows(inputs, inside(), groups, decided=decided)
    elif kind.name in _OBJECTS_ARE_RESOURCES.get(kind.group, ()):
        return
    else:
        found = list(_object_flows(kind.name, inputs, groups))
    yield from dict.fromkeys(flow._replace(subject=subject) for flow in found)


def _object_name(inputs: Mapping[str, Any], name: str) -> str:
    metadata = inputs.get("metadata")
    written = metadata if isinstance(metadata, Mapping) else {}
    namespace, own = written.get("namespace"), written.get("name")
    own = own if isinstance(own, str) and own else name
    return f"{namespace}/{own}" if isinstance(namespace, str) else own


def _chart_flows(release: Mapping[str, Any]) -> Iterator[DataFlow]:
    options = release.get("repositoryOpts") or release.get("fetchOpts") or {}
    repository = options.get("repo") if isinstance(options, Mapping) else None
    for field, value in (
        ("chart", release.get("chart")),
        ("repositoryOpts", options),
        ("repositoryOpts.repo", repository),
    ):
        if value is UNKNOWN:
            yield DataFlow(NOT_KNOWN, "chart-repository", field)
        for host in url_hosts(value) if isinstance(value, str) else ():
            yield DataFlow(host, "chart-repository", field)


def _release_flows(
    release: Mapping[str, Any], inside: Inside, groups: Sequence[Mapping[str, Any]], *, decided: bool
) -> Iterator[DataFlow]:
    """What the values name, and what only the objects name that the chart makes of them.

    `decided`: nothing else of the Release is undecided already.
    """
    written = list(_tree(("values",), release.get("values")))
    yield from written
    if inside.problem and decided and all(flow.endpoint != NOT_KNOWN for flow in written):
        yield DataFlow(NOT_KNOWN, "image-registry", "chart", remedy=inside.remedy, unknown=inside.problem)
    chart = release.get("chart")
    images = _BY_AN_OPERATOR.get(chart_name(chart)) if isinstance(chart, str) else None
    for image in images(release.get("values")) if images else ():
        yield DataFlow(image_registry(image), "image-registry", "images that the chart's operator runs")
    named = {(flow.endpoint, flow.purpose) for flow in written}
    for item in inside.objects:
        kind = str(item.get("kind"))
        where = f"{kind} {_object_name(item, '?')}"
        for flow in _object_flows(kind, item, groups):
            if (flow.endpoint, flow.purpose) not in named:
                named.add((flow.endpoint, flow.purpose))
                endpoint = NOT_KNOWN if NOT_KNOWN_YET in flow.endpoint else flow.endpoint
                yield flow._replace(field=f"{where}: {flow.field}", endpoint=endpoint)


def _object_flows(kind: str, manifest: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> Iterator[DataFlow]:
    if kind in _ROUTE_KINDS:
        return
    if is_network_policy(kind):
        yield from egress_flows(kind, manifest, groups)
        return
    if kind.endswith("List") and isinstance(manifest.get("items"), list):
        for index, item in enumerate(manifest["items"]):
            if isinstance(item, Mapping):
                inner = _object_flows(str(item.get("kind") or kind.removesuffix("List")), item, groups)
                yield from (flow._replace(field=f"items.{index}.{flow.field}") for flow in inner)
        return
    body = {key: value for key, value in manifest.items() if key not in _NOT_WANTED and not key.startswith("__")}
    if kind == "Secret":
        body = {key: _unsealed(value) for key, value in body.items() if value is not UNKNOWN}
    yield from _special(kind, body)
    yield from _tree((), body)


def _unsealed(data: Any) -> Any:
    """A Secret's data without unknown values, because a Secret is usually encrypted. A field that is called an
    address stays."""
    if not isinstance(data, Mapping):
        return data
    return {key: value for key, value in data.items() if value is not UNKNOWN or _NAMES_A_PLACE.fullmatch(str(key))}


def _tree(path: tuple[str, ...], value: Any) -> Iterator[DataFlow]:
    if isinstance(value, Mapping):
        yield from _image_of_parts(path, value)
        name = value.get("name")
        if isinstance(name, str) and "value" in value and _ENVIRONMENT.fullmatch(_key(path)):
            yield from _leaf((*path, "value"), value["value"], called=name)
            value = {key: inner for key, inner in value.items() if key != "value"}
        for key, inner in value.items():
            if not _SAYS_NOTHING.fullmatch(str(key)):
                yield from _tree((*path, str(key)), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, inner in enumerate(value):
            yield from _tree((*path, str(index)), inner)
    else:
        yield from _leaf(path, value)


def _image_of_parts(path: tuple[str, ...], value: Mapping[str, Any]) -> Iterator[DataFlow]:
    """`{registry, repository, tag}`, as charts spell an image; a registry by itself is found as a leaf."""
    reference = value.get("reference")
    if path[-1:] == ("image",) and (reference is UNKNOWN or isinstance(reference, str)):  # a volume's image
        registry = image_registry(reference) if isinstance(reference, str) else NOT_KNOWN
        yield DataFlow(registry, "image-registry", _field((*path, "reference")))
    repository = value.get("repository")
    if isinstance(repository, str) and repository and not value.get("registry") and "://" not in repository:
        yield DataFlow(image_registry(repository), "image-registry", _field((*path, "repository")))


def _key(path: Sequence[str]) -> str:
    """The name of a field; for an item of a list, the list's name."""
    return next((step for step in reversed(path) if not step.isdigit()), "")


def _leaf(path: tuple[str, ...], value: Any, *, called: str = "") -> Iterator[DataFlow]:
    """`called`: the name beside a value, as a container's environment has it."""
    key = called or _key(path)
    field = _field(path)
    if value is UNKNOWN:
        last_word = called.rpartition("_")[2].lower()  # DB_HOST, OTEL_EXPORTER_OTLP_ENDPOINT
        if _NAMES_A_PLACE.fullmatch(key) or _NAMES_A_PLACE.fullmatch(last_word):
            yield DataFlow(NOT_KNOWN, "image-registry" if _IMAGE.fullmatch(key) else _purpose(path), field)
        elif _may_hold_a_place(key, path):
            yield DataFlow(NOT_KNOWN, _GROUPS.get(key) or _purpose(path), field)
        return
    if not isinstance(value, str) or not value:
        return
    if hosts := url_hosts(value):
        yield from (DataFlow(host, _purpose(path), field) for host in hosts)
    elif _IMAGE.fullmatch(key) and "://" not in value and " " not in value:
        yield DataFlow(image_registry(value), "image-registry", field)
    elif _REGISTRY.fullmatch(key) and "://" not in value:
        yield DataFlow(image_registry(f"{value}/x"), "image-registry", field)
    elif _ADDRESS.fullmatch(key) and (host := host_of(value)):
        yield DataFlow(host, _purpose(path), field)


def _may_hold_a_place(key: str, path: Sequence[str]) -> bool:
    """Whether what is not known may be a group, or a whole configuration file, that names a place."""
    if path[0] in ("values", "data", "binaryData"):
        group = key.lower() == "database" and path[-2:-1] and path[-2] in _MAY_BE_A_GROUP
        return bool(group) or key == path[0] or not HOLDS_NO_PLACE.fullmatch(key)
    return key in _GROUPS


def _purpose(path: Sequence[str]) -> str:
    words = "/".join(path)
    if re.search(r"acme", words, re.I):
        return "acme"
    if re.search(r"ntp|chrony|timeserver", words, re.I):
        return "time"
    if re.search(r"registr|image|mirror", words, re.I):
        return "image-registry"
    if _BACKUP.search(words):
        return "backup"
    return "telemetry" if _TELEMETRY.search(words) else "egress"


def _special(kind: str, body: Mapping[str, Any]) -> Iterator[DataFlow]:
    """Data flows that depend on the kind of the object."""
    spec = body.get("spec")
    if kind == "StorageClass":
        yield from _driver("provisioner", body.get("provisioner"), "storage")
    elif kind == "VolumeSnapshotClass":
        yield from _driver("driver", body.get("driver"), "backup")
    elif kind == "BackupStorageLocation" and isinstance(spec, Mapping):
        yield from _driver("spec.provider", spec.get("provider"), "backup")
    elif kind == "PersistentVolume" and isinstance(spec, Mapping) and isinstance(spec.get("csi"), Mapping):
        yield from _driver("spec.csi.driver", spec["csi"].get("driver"), "storage")
    elif kind == "ConfigMap":
        yield from _configuration(body.get("data"))
    elif kind == "Service" and isinstance(spec, Mapping) and "externalName" in spec:
        yield from named_flow("spec.externalName", spec["externalName"], "egress")
    elif kind in POOL_KINDS and isinstance(spec, Mapping):
        yield from _pool(spec)
    yield from _keyed((), body)


def _keyed(path: tuple[str, ...], value: Any) -> Iterator[DataFlow]:
    """Resolvers, at any depth: their field says what they are."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            here = (*path, str(key))
            if key == "nameservers":
                yield from listed_flows(_field(here), inner, "dns")
            else:
                yield from _keyed(here, inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, inner in enumerate(value):
            yield from _keyed((*path, str(index)), inner)


def _driver(field: str, value: Any, purpose: str) -> Iterator[DataFlow]:
    if value is UNKNOWN:
        yield DataFlow(NOT_KNOWN, purpose, field)
    elif value and value != "kubernetes.io/no-provisioner":  # local volumes: the nodes themselves
        yield DataFlow(str(value).lower(), purpose, field)


def _pool(spec: Mapping[str, Any]) -> Iterator[DataFlow]:
    """A pool's blocks, each by its first address: a range is one provider's assignment."""
    for group in ("addresses", "blocks", "cidrs"):  # of MetalLB; of Cilium; of Cilium until 1.14
        listed = spec.get(group) or ()
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            listed = [listed]
        for index, block in enumerate(listed):
            if isinstance(block, Mapping):
                ends = [block.get("cidr") or block.get("start"), None if block.get("cidr") else block.get("stop")]
                block = UNKNOWN if UNKNOWN in ends else "-".join(str(end) for end in ends if end)
            field = f"spec.{group}.{index}"
            if block is UNKNOWN:
                yield DataFlow(NOT_KNOWN, "addresses", field)
            elif first := str(block or "").partition("-")[0].strip().lower():
                yield DataFlow(first, "addresses", field, written=str(block))


def _configuration(data: Any) -> Iterator[DataFlow]:
    """Resolvers in CoreDNS' Corefile, time servers in chrony's and ntpd's configuration."""
    for key, text in data.items() if isinstance(data, Mapping) else ():
        if not isinstance(text, str):
            continue
        for match in _FORWARD.finditer(text) if "corefile" in str(key).lower() or ".:53" in text else ():
            for name in match[1].split():
                if host := host_of(re.sub(r"^(dns|tls)://", "", name)):
                    yield DataFlow(host, "dns", f"data.{key}")
        for match in _TIME.finditer(text) if re.search(r"chrony|ntp", str(key), re.I) else ():
            if host := host_of(match[1]):
                yield DataFlow(host, "time", f"data.{key}")


def _field(path: Sequence[str]) -> str:
    return ".".join(path)


def listed_flows(field: str, values: Any, purpose: str) -> Iterator[DataFlow]:
    """Addresses in one field."""
    for value in values if isinstance(values, Sequence) and not isinstance(values, str) else [values]:
        if value is UNKNOWN:
            yield DataFlow(NOT_KNOWN, purpose, field)
        elif isinstance(value, str) and (public := outside_of(value)):
            yield DataFlow(public, purpose, field)
