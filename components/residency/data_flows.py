"""Data flows of a resource: where its fields, or its chart's values, send bytes.

The residency policies and the record of processing both call `data_flows`. A value that is not known yet counts where
its field's name means a destination, and where it is a whole group of fields that may hold one.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components.charts.reference import chart_name
from components.charts.releases import NOT_KNOWN_YET, Inside
from components.core.endpoints import domain_of, host_of, image_registry, url_hosts
from components.core.manifests import kind_of
from components.core.names import KUBE_SYSTEM
from components.core.unknown import UNKNOWN
from components.network.calico.values import from_their_makers as calico_images
from components.residency import services
from components.residency.egress import egress_flows, is_network_policy, named_flow
from components.residency.fields import annotation_flows, class_flows, field_flows, names_a_place
from components.residency.named import ADDRESS, URLS
from components.residency.providers import ALONE, Around, provider_flows
from components.residency.rules import NOT_KNOWN, DataFlow
from components.tenancy.registration import contract
from components.tenancy.registration.environment import ENVIRONMENT

_BY_AN_OPERATOR: dict[str, Callable[[Any], list[str]]] = {"tigera-operator": calico_images}
"""Images that no object of a chart names, because an operator of the chart makes the pods."""
_OBJECTS_ARE_RESOURCES = {"helm.sh": ("Chart",), "yaml": ("ConfigFile", "ConfigGroup"), "kustomize": ("Directory",)}
"""Components of pulumi-kubernetes, by group: their objects are resources themselves. What they fetch is not."""
_FETCHED = ("directory", "file", "files")
"""Inputs of these components: paths, globs and addresses of manifests."""
_GIT = re.compile(r"(?:git::)?(?:[a-z][a-z0-9+.-]*://|[\w.-]+@)?([\w.-]+)[:/].+", re.IGNORECASE)
"""An address as kustomize takes it: with a scheme, `git@HOST:PATH`, or `HOST/PATH`."""

_ROUTE_KINDS = ("Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute", "TLSRoute", "Ingress", "GatewayList")
"""Their host names are the platform's own: bytes come in by them."""


POOL_KINDS = ("IPAddressPool", "CiliumLoadBalancerIPPool")
"""Kinds whose addresses are given to services."""
_PURPOSES = {"HelmRepository": "chart-repository", "OCIRepository": "chart-repository", "HelmChart": "chart-repository"}
"""By kind, what bytes are for where no field says it."""
_STORES = ("BackupStorageLocation", "VolumeSnapshotLocation")
"""Velero's kinds, whose field `provider` has the name of a plugin."""
_DEFINITIONS = (
    *("CustomResourceDefinition", "APIService", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"),
    *("ValidatingAdmissionPolicy", "MutatingAdmissionPolicy", "ClusterPolicy", "ConstraintTemplate", "CSIDriver"),
    *("IngressClass", "PriorityClass", "RuntimeClass", "DNSEndpoint", "VirtualService", "PrometheusRule"),
    *("IngressRoute", "IngressRouteTCP", "Route"),
)
"""Kinds with groups of the API, expressions and names of the platform's own; only URLs are destinations there."""
_NOT_WANTED = ("metadata", "status", "apiVersion", "kind")


def data_flows(
    resource_type: str,
    name: str,
    inputs: Mapping[str, Any],
    inside: Callable[[], Inside],
    around: Around = ALONE,
) -> Iterator[DataFlow]:
    """Every data flow of a resource, once. A component has none of its own: it is not to be asked about.

    `name`: Pulumi's. `inputs`: plain, with UNKNOWN for values that are not known yet. `inside` gives what
    is inside a Helm Release.
    """
    kind = kind_of(resource_type)
    if kind is None:
        subject = f"{resource_type.rpartition(':')[2]} {name}"
        yield from dict.fromkeys(
            flow._replace(subject=subject) for flow in provider_flows(resource_type, inputs, around)
        )
        return
    groups = around.groups
    subject = f"{kind.name} {_object_name(inputs, name)}"
    if kind.group == "helm.sh":
        subject = f"{kind.name} {name}"
        found = list(_chart_flows(inputs))
        if kind.name == "Release":
            decided = all(flow.endpoint != NOT_KNOWN for flow in found)
            found += _release_flows(inputs, inside(), groups, decided=decided)
    elif kind.name in _OBJECTS_ARE_RESOURCES.get(kind.group, ()):
        found = list(_fetched_flows(name, inputs))
    else:
        found = list(_object_flows(kind.name, inputs, groups))
    yield from dict.fromkeys(flow._replace(subject=subject) for flow in found)


def _object_name(inputs: Mapping[str, Any], name: str) -> str:
    metadata = inputs.get("metadata")
    written = metadata if isinstance(metadata, Mapping) else {}
    namespace, own = written.get("namespace"), written.get("name")
    own = own if isinstance(own, str) and own else name
    return f"{namespace}/{own}" if isinstance(namespace, str) else own


def _fetched_flows(name: str, inputs: Mapping[str, Any]) -> Iterator[DataFlow]:
    """Where manifests are fetched from. Most releases of these components show no inputs; their name is often the
    address then."""
    given = {field: inputs[field] for field in _FETCHED if field in inputs} or {"name": name}
    for field, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            if item is UNKNOWN:
                yield DataFlow(NOT_KNOWN, "chart-repository", field)
            elif isinstance(item, str):
                address = _GIT.fullmatch(item.strip())
                hosts = url_hosts(item) or ([address[1]] if address else [])
                yield from (DataFlow(host, "chart-repository", field) for one in hosts if (host := host_of(one)))


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
    written = list(field_flows(("values",), release.get("values")))
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
    yield from annotation_flows(("metadata",), manifest.get("metadata"))
    for service in services.of_api(manifest.get("apiVersion")):
        yield DataFlow(service.endpoint, "egress", "apiVersion")
    if kind in _ROUTE_KINDS:
        spec = manifest.get("spec")
        yield from class_flows(("spec",), spec if isinstance(spec, Mapping) else {})
        yield from _redirects(spec if isinstance(spec, Mapping) else {})
        return
    if _is_published(kind, manifest):
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
        yield from _of_secret(body)
        return
    if isinstance(packed := body.get("binaryData"), Mapping):
        body["binaryData"] = {key: _decoded(value) for key, value in packed.items()}
    yield from _special(kind, body)
    if kind in _STORES and isinstance(body.get("spec"), Mapping):
        body["spec"] = {key: value for key, value in body["spec"].items() if key != "provider"}
    for flow in field_flows((), body, most=URLS if kind in (*POOL_KINDS, *_DEFINITIONS) else ADDRESS):
        guessed = flow.purpose in ("egress", "unclassified")
        yield flow._replace(purpose=_PURPOSES.get(kind, flow.purpose)) if guessed else flow


def _is_published(kind: str, manifest: Mapping[str, Any]) -> bool:
    """Whether an object only says what is judged elsewhere: a contract repeats what network policies allow, and the
    published facts of an environment repeat its own addresses and its record. No pod reads either as a setting."""
    if kind == contract.KIND:
        return str(manifest.get("apiVersion")).startswith(f"{contract.GROUP}/")
    metadata = manifest.get("metadata")
    written = metadata if isinstance(metadata, Mapping) else {}
    place = (written.get("namespace"), written.get("name"))
    return kind == "ConfigMap" and place == (KUBE_SYSTEM, ENVIRONMENT)


def _redirects(spec: Mapping[str, Any]) -> Iterator[DataFlow]:
    """Hosts to which a route sends its users' requests, but for those of the domains that it is for."""
    own = {domain_of(str(host)) for host in _list(spec.get("hostnames"))}
    for number, rule in enumerate(_list(spec.get("rules"))):
        filters = _list(rule.get("filters")) if isinstance(rule, Mapping) else []
        for index, item in enumerate(filters):
            to = item.get("requestRedirect") if isinstance(item, Mapping) else None
            host = to.get("hostname") if isinstance(to, Mapping) else None
            field = f"spec.rules.{number}.filters.{index}.requestRedirect.hostname"
            if host is UNKNOWN:
                yield DataFlow(NOT_KNOWN, "egress", field)
            elif isinstance(host, str) and host and domain_of(host) not in own:
                yield DataFlow(host.lower(), "egress", field)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_secret(body: Mapping[str, Any]) -> Iterator[DataFlow]:
    """A Secret's hosts, which are shown by their hash alone."""
    data, texts = (_unsealed(body.get(field)) for field in ("data", "stringData"))
    if isinstance(data, Mapping):
        data = {key: _decoded(value) for key, value in data.items()}
    for field, value in (("data", data), ("stringData", texts)):
        for flow in field_flows((field,), value) if value is not UNKNOWN else ():
            yield flow._replace(secret=True)


def _unsealed(data: Any) -> Any:
    """A Secret's data as text, without unknown values, because a Secret is usually encrypted. A field that is called
    an address stays."""
    if not isinstance(data, Mapping):
        return data
    return {key: value for key, value in data.items() if value is not UNKNOWN or names_a_place(str(key))}


def _decoded(value: Any) -> Any:
    """The text of a value in base64; what is no text, such as a key store, names no host."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""


def _special(kind: str, body: Mapping[str, Any]) -> Iterator[DataFlow]:
    """Data flows that depend on the kind of the object."""
    spec = body.get("spec")
    if kind == "StorageClass":
        yield from _driver("provisioner", body.get("provisioner"), "storage")
    elif kind == "VolumeSnapshotClass":
        yield from _driver("driver", body.get("driver"), "backup")
    elif kind in _STORES and isinstance(spec, Mapping):
        yield from _driver("spec.provider", spec.get("provider"), "backup")
    elif kind == "PersistentVolume" and isinstance(spec, Mapping) and isinstance(spec.get("csi"), Mapping):
        yield from _driver("spec.csi.driver", spec["csi"].get("driver"), "storage")
    elif kind == "Service" and isinstance(spec, Mapping) and "externalName" in spec:
        yield from named_flow("spec.externalName", spec["externalName"], "egress")
    elif kind in POOL_KINDS and isinstance(spec, Mapping):
        yield from _pool(spec)


def _driver(field: str, value: Any, purpose: str) -> Iterator[DataFlow]:
    if value is UNKNOWN:
        yield DataFlow(NOT_KNOWN, purpose, field)
    elif value and value not in services.ON_NODES:
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
