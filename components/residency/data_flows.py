"""Where a Kubernetes object or a chart's values send bytes: found by what fields are called, wherever they stand.

A value that is not known yet counts where a field of its name says where bytes go, and where it is a whole group of
fields in which such a one may stand.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.endpoints import host_of, image_registry, outside_of, url_hosts
from components.core.network_policies import grammar_of
from components.residency.egress import NOT_KNOWN, UNKNOWN, in_force, listed_uses, named_use, policy_uses
from components.residency.rules import Use

__all__ = ["NOT_KNOWN", "UNKNOWN", "object_uses", "values_uses"]

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
_FORWARD = re.compile(r"^\s*forward\s+\S+\s+([^{\n]+)", re.MULTILINE)
_TIME = re.compile(r"^\s*(?:server|pool|peer)\s+(\S+)", re.MULTILINE)
_GROUPS = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes"), "image-registry"),
    **dict.fromkeys(
        ("spec", "specs", "template", "jobTemplate", "env", "egress", "to", "toFQDNs", "ipBlock", "destination"), ""
    ),
    **{"dnsConfig": "dns", "csi": "storage", "acme": "acme", "values": "", "data": "", "binaryData": ""},
}
"""Groups of fields in which a place may stand, with what bytes are there for; empty: what the path says."""
_ONLY_OUTWARD = ("to", "toFQDNs", "ipBlock", "destination")
"""Of them: those that name who is called, where they stand under `egress`."""
_HOLDS_NO_PLACE = re.compile(
    r"pass(word|phrase)?|.*Pass(word|phrase)|token|.*Token|key|.*Key|secret|.*Secret|mtu|enabled|replicas|replicaCount"
    r"|tag|digest|version|.*Port|.*Seconds|.*Percent|caBundle|certificate"
    r"|(?!.*(host|server|domain|dns|fqdn|image|repo|repository|registry|endpoint|bucket|storageaccount)[_-]?name)"
    r".*name(override)?"
    r"|user|.*_user|database|existing.*|storageClass|size|count|memory|cpu|checksum/.*",
    re.IGNORECASE,
)
"""Names of what is a number, a switch, a key or a name that nobody is reached by: in values and configuration anything
else may be a group, or a text with a place in it."""
_MAY_BE_A_GROUP = ("values", "global")
"""Right under these `database` is a chart's part with a host of its own, and elsewhere a name."""
_ENVIRONMENT = re.compile(r"env|.*Env|.*[eE]nvVars?")
_SAYS_NOTHING = re.compile(r"annotations|.*Annotations|labels|.*Labels|description")
"""Links to documentation stand in these, and nothing is sent to them."""
_ROUTE_KINDS = ("Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute", "TLSRoute", "Ingress", "GatewayList")
"""Their host names are the platform's own: bytes come in by them."""


POOL_KINDS = ("IPAddressPool", "CiliumLoadBalancerIPPool")
"""Kinds whose addresses are given to services."""
_NOT_WANTED = ("metadata", "status", "apiVersion", "kind")


def object_uses(kind: str, item: str, manifest: Mapping[str, Any]) -> Iterator[Use]:
    """Every use that a Kubernetes object makes of a place; `item` says which object, as messages do."""
    if kind in _ROUTE_KINDS:
        return
    body = {key: value for key, value in manifest.items() if key not in _NOT_WANTED and not key.startswith("__")}
    if kind == "Secret":
        body = {key: _unsealed(value) for key, value in body.items() if value is not UNKNOWN}
    if grammar := grammar_of(kind, manifest.get("apiVersion")):
        body = in_force(grammar, body)
        yield from policy_uses(grammar, item, body)
    yield from _special(kind, item, body)
    yield from _tree(item, (), body)


def _unsealed(data: Any) -> Any:
    """A Secret's data without what nobody knows: it is encrypted more often than not. What is called an
    address stays."""
    if not isinstance(data, Mapping):
        return data
    return {key: value for key, value in data.items() if value is not UNKNOWN or _NAMES_A_PLACE.fullmatch(str(key))}


def values_uses(item: str, values: Any) -> Iterator[Use]:
    """Every use that a chart's values make of a place."""
    yield from _tree(item, ("values",), values)


def _tree(item: str, path: tuple[str, ...], value: Any) -> Iterator[Use]:
    if isinstance(value, Mapping):
        yield from _image_of_parts(item, path, value)
        name = value.get("name")
        if isinstance(name, str) and "value" in value and _ENVIRONMENT.fullmatch(_key(path)):
            yield from _leaf(item, (*path, "value"), value["value"], called=name)
            value = {key: inner for key, inner in value.items() if key != "value"}
        for key, inner in value.items():
            if not _SAYS_NOTHING.fullmatch(str(key)):
                yield from _tree(item, (*path, str(key)), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, inner in enumerate(value):
            yield from _tree(item, (*path, str(index)), inner)
    else:
        yield from _leaf(item, path, value)


def _image_of_parts(item: str, path: tuple[str, ...], value: Mapping[str, Any]) -> Iterator[Use]:
    """`{registry, repository, tag}`, as charts spell an image; a registry by itself is found as a leaf."""
    reference = value.get("reference")
    if path[-1:] == ("image",) and (reference is UNKNOWN or isinstance(reference, str)):  # a volume's image
        registry = image_registry(reference) if isinstance(reference, str) else NOT_KNOWN
        yield Use(registry, "image-registry", _where(item, (*path, "reference")))
    repository = value.get("repository")
    if isinstance(repository, str) and repository and not value.get("registry") and "://" not in repository:
        yield Use(image_registry(repository), "image-registry", _where(item, (*path, "repository")))


def _key(path: Sequence[str]) -> str:
    """What a field is called, or the list that it stands in."""
    return next((step for step in reversed(path) if not step.isdigit()), "")


def _leaf(item: str, path: tuple[str, ...], value: Any, *, called: str = "") -> Iterator[Use]:
    """`called`: the name beside a value, as a container's environment has it."""
    key = called or _key(path)
    where = _where(item, path)
    if value is UNKNOWN:
        last_word = called.rpartition("_")[2].lower()  # DB_HOST, OTEL_EXPORTER_OTLP_ENDPOINT
        if _NAMES_A_PLACE.fullmatch(key) or _NAMES_A_PLACE.fullmatch(last_word):
            yield Use(NOT_KNOWN, "image-registry" if _IMAGE.fullmatch(key) else _purpose(path), where)
        elif _may_hold_a_place(key, path):
            yield Use(NOT_KNOWN, _GROUPS.get(key) or _purpose(path), where)
        return
    if not isinstance(value, str) or not value:
        return
    if hosts := url_hosts(value):
        yield from (Use(host, _purpose(path), where) for host in hosts)
    elif _IMAGE.fullmatch(key) and "://" not in value and " " not in value:
        yield Use(image_registry(value), "image-registry", where)
    elif _REGISTRY.fullmatch(key) and "://" not in value:
        yield Use(image_registry(f"{value}/x"), "image-registry", where)
    elif _ADDRESS.fullmatch(key) and (host := host_of(value)):
        yield Use(host, _purpose(path), where)


def _may_hold_a_place(key: str, path: Sequence[str]) -> bool:
    """Whether what is not known may be a group, or a whole configuration file, that names a place."""
    if path[0] in ("values", "data", "binaryData"):
        group = key.lower() == "database" and path[-2:-1] and path[-2] in _MAY_BE_A_GROUP
        return bool(group) or key == path[0] or not _HOLDS_NO_PLACE.fullmatch(key)
    return key in _GROUPS and (key not in _ONLY_OUTWARD or "egress" in path)


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


def _special(kind: str, item: str, body: Mapping[str, Any]) -> Iterator[Use]:
    """What only the kind of an object tells."""
    spec = body.get("spec")
    if kind == "StorageClass":
        yield from _driver(item, "provisioner", body.get("provisioner"), "storage")
    elif kind == "VolumeSnapshotClass":
        yield from _driver(item, "driver", body.get("driver"), "backup")
    elif kind == "BackupStorageLocation" and isinstance(spec, Mapping):
        yield from _driver(item, "spec.provider", spec.get("provider"), "backup")
    elif kind == "PersistentVolume" and isinstance(spec, Mapping) and isinstance(spec.get("csi"), Mapping):
        yield from _driver(item, "spec.csi.driver", spec["csi"].get("driver"), "storage")
    elif kind == "ConfigMap":
        yield from _configuration(item, body.get("data"))
    elif kind == "Service" and isinstance(spec, Mapping) and "externalName" in spec:
        yield from named_use(f"{item}: spec.externalName", spec["externalName"], "egress")
    elif kind in POOL_KINDS and isinstance(spec, Mapping):
        yield from _pool(item, spec)
    yield from _keyed(item, (), body)


def _keyed(item: str, path: tuple[str, ...], value: Any) -> Iterator[Use]:
    """Fields whose name alone says what they are, at any depth: resolvers and what may be called from inside."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            here = (*path, str(key))
            if key == "nameservers":
                yield from listed_uses(_where(item, here), inner, "dns")
            elif key in ("toCIDR", "toCIDRSet"):
                yield from listed_uses(_where(item, here), inner, "egress")
            elif key == "toFQDNs" and isinstance(inner, Sequence):
                for index, name in enumerate(inner):
                    for field in ("matchName", "matchPattern"):
                        if isinstance(name, Mapping) and field in name:
                            yield from named_use(_where(item, (*here, str(index), field)), name[field], "egress")
            elif key == "ipBlock" and "egress" in path and isinstance(inner, Mapping):
                yield from listed_uses(_where(item, (*here, "cidr")), [inner.get("cidr")], "egress")
            else:
                yield from _keyed(item, here, inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, inner in enumerate(value):
            yield from _keyed(item, (*path, str(index)), inner)


def _driver(item: str, field: str, value: Any, purpose: str) -> Iterator[Use]:
    if value is UNKNOWN:
        yield Use(NOT_KNOWN, purpose, f"{item}: {field}")
    elif value and value != "kubernetes.io/no-provisioner":  # local volumes: the nodes themselves
        yield Use(str(value).lower(), purpose, f"{item}: {field}")


def _pool(item: str, spec: Mapping[str, Any]) -> Iterator[Use]:
    """Pools' addresses are judged by their first: a range is one provider's assignment."""
    listed = spec.get("addresses") or spec.get("blocks") or spec.get("cidrs") or ()
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        listed = [listed]
    listed = [block.get("cidr", block.get("start")) if isinstance(block, Mapping) else block for block in listed]
    for index, block in enumerate(listed):
        where = f"{item}: spec.addresses.{index}"
        if block is UNKNOWN:
            yield Use(NOT_KNOWN, "addresses", where)
        elif block and (first := outside_of(str(block).partition("-")[0])):
            yield Use(first, "addresses", where)


def _configuration(item: str, data: Any) -> Iterator[Use]:
    """Resolvers in CoreDNS' Corefile, time servers in chrony's and ntpd's configuration."""
    for key, text in data.items() if isinstance(data, Mapping) else ():
        if not isinstance(text, str):
            continue
        for match in _FORWARD.finditer(text) if "corefile" in str(key).lower() or ".:53" in text else ():
            for name in match[1].split():
                if host := host_of(re.sub(r"^(dns|tls)://", "", name)):
                    yield Use(host, "dns", f"{item}: data.{key}")
        for match in _TIME.finditer(text) if re.search(r"chrony|ntp", str(key), re.I) else ():
            if host := host_of(match[1]):
                yield Use(host, "time", f"{item}: data.{key}")


def _where(item: str, path: Sequence[str]) -> str:
    return f"{item}: {'.'.join(path)}"
