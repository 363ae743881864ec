"""Destinations in fields at any depth: of an object, of a chart's values, of any resource's inputs.

A public host name, an address and a network count wherever they stand, unless their field's name says that they are
something else: a group of the API, a name of the platform's own. A field's name says what bytes are there for.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.charts.releases import HOLDS_NO_PLACE
from components.core.endpoints import host_of, image_registry
from components.core.unknown import UNKNOWN
from components.core.untrusted import YamlError, json_value, yaml_documents
from components.residency import services
from components.residency.named import (
    ADDRESS,
    CALLED,
    NAMES,
    PRECISE,
    URLS,
    image_in,
    named_in,
    words_of,
)
from components.residency.rules import NOT_KNOWN, DataFlow


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GROUPS = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes"), "image-registry"),
    **dict.fromkeys(("spec", "template", "jobTemplate", "env"), ""),
    **{"dnsConfig": "dns", "csi": "storage", "acme": "acme", "values": "", "data": "", "binaryData": ""},
}
"""Groups of fields in which a place may stand, with what bytes are there for; empty: what the path says."""
_MAY_BE_A_GROUP = ("values", "global")
"""Right under these `database` is a chart's part with a host of its own, and elsewhere a name."""

_FOR_READERS = re.compile(
    r"descriptions?|.*Description|message|messageExpression|icon|home|[$]schema|[$]id|runbook[-_]?url",
    re.IGNORECASE,
)
"""Texts with links to documentation."""
_SAYS_NOTHING = re.compile(
    rf"{_FOR_READERS.pattern}|annotations|.*Annotations|labels|.*Labels|openAPIV3Schema|links|(?:http)?headers"
    r"|(?:cors[-_]?)?allow(?:ed)?[-_]?origins?|(?:ssh[-_]?)?known[-_]?hosts|sidecar-istio-proxy-image",
    re.IGNORECASE,
)
"""Nothing is sent to what stands in these: names of the platform's own, and a pattern of Cilium's for images."""
_DOCUMENTS = re.compile(
    r"(?:.+\.)?(?:api-approved\.kubernetes\.io|artifacthub\.io|a8r\.io|helm\.sh|kubectl\.kubernetes\.io|opencontainers\.image|pulumi\.com)"
    r"|(?:.*[-_.])?(?:descriptions?|documentation|docs?|readme|repository|source|homepage|support|maintainers?|chat|bugs"
    r"|uptime|vcs-(?:uri|url|ref)|licen[cs]es?|links?|external-link|change-cause|runbook\w*|hostname|dashboard\w*|git-\w+)"
)
"""Owners and names of annotations that are for readers."""

_ADDRESS_WORDS = _words(
    "url urls uri uris endpoint endpoints addr addrs address addresses host hosts hostname hostnames server servers "
    "broker brokers bootstrap dsn otlp upstream upstreams mirror mirrors smarthost fqdn fqdns proxy site domain portal "
    "remote monitors registry nameserver nameservers"
)
_ADDRESS_PAIRS = ("hostname", "servername", "domainname", "externalname", "connectionstring", "targetportal")
_NO_DESTINATION = _words(
    "name names group groups kind version versions class classes controller key keys path paths file files dir folder "
    "directory id ids uid label labels annotation annotations selector selectors type types resource resources rule "
    "expression expressions regex pattern patterns expr query title description summary message text help comment "
    "note notes email emails user users username tag tags digest finalizers format template schema namespace "
    "namespaces account principal role roles organization organizations cn reason operator verbs search searches "
    "filter filters audience audiences scope scopes feature features gate gates level mode timezone locale module "
    "modules package packages extension extensions reference ref field fields column columns metric metrics attribute "
    "attributes iqn zone zones provisioner driver cidrs whitelist allowlist"
)
"""Last words of fields whose values are names of something else than a host, or of who may call: there a name counts
only with a port, or as an image."""
_NO_ADDRESS = _words("version versions tag tags digest regex pattern patterns expr cidrs whitelist allowlist iqn")
"""Of them: those in which not even an address is one."""
_NEVER_CALLED = re.compile(
    r"k8sServiceHost|KUBERNETES_SERVICE_HOST|type[-_]?[uU]rl|trust[-_]?[dD]omain|clusterIPs?|externalIPs?|hostIPs?"
    r"|podI[Pp]s?|loadBalancerIPs?|.*[sS]ourceRanges?|.*[iI]pBlocks"
    r"|trusted.*|.*[wW]hite-?[lL]ist.*|.*[aA]llow(?:ed)?[-_]?[lL]ist.*|no[-_]?proxy|NO_PROXY|.*[cC]luster[-_]?[dD]omain"
    r"|dnsDomain|dnsNames|commonName|domain[-_]?[fF]ilters?|podCIDRs?|ipAddresses|.*RealIP.*|.*real[-_]ip.*"
    r"|subdomain|externalTrafficPolicy|searches|appVersion|from|fromCIDR(?:Set)?|sourceIPs?|leader[-_]?[eE]lection.*",
)
"""Fields of addresses and names that are the platform's own, or of those who call it."""
_OWN_GROUPS = _words(
    "certs ingress ingresses httproute route routes gateway gateways listeners virtualhosts tls certificate "
    "certificates expose"
)
_OWN_NAMES = _words("host hosts hostname hostnames domain domains fqdn")
"""Below a group of the first, a field of the second has names of the platform's own, and bytes come in by them."""

_TELEMETRY = re.compile(
    r"telemetry|metric|log|trac(e|ing)|otlp|otel|loki|sentry|datadog|prometheus|remote_?write|sink|exporter|monitor"
    r"|alert|new_?relic|fluent|vector|syslog|splunk",
    re.I,
)
_BACKUP = re.compile(r"backup|velero|snapshot|barman|restic|objstore", re.I)
_PURPOSES = (
    (re.compile(r"acme", re.I), "acme"),
    (re.compile(r"\bntp|chrony|timeserver|timesyncd", re.I), "time"),
    (re.compile(r"registr|image|mirror", re.I), "image-registry"),
    (re.compile(r"corefile/forward|resolv|nameserver", re.I), "dns"),
    (_BACKUP, "backup"),
    (_TELEMETRY, "telemetry"),
)
"""What bytes are for, by the path of a field; the first that fits counts."""

_IMAGE_ENDS = _words("image images repository repo reference ref uri url")
_NO_IMAGE = _words(
    "pull policy secret secrets tag tags digest size width height version dir format type quality id enabled gc "
    "registry path name names pullpolicy pullsecret pullsecrets"
)
_COMMAND = re.compile(
    r"\b(?:curl|wget|nc|ncat|netcat|socat|ssh|scp|sftp|ftp|rsync|rclone|dig|nslookup|host|ping|telnet|psql|pg_dump\w*"
    r"|mysql\w*|redis-cli|mongo\w*|openssl|skopeo|crane|docker|podman|helm|git|smbclient|ldapsearch|swaks|sendmail"
    r"|kcat|kafkacat|chronyd|ntpdate|dial|connect|upload|push|send|forward|proxy)\b"
)
"""Commands whose words are hosts."""
_LINE = re.compile(r"[-\s\"']*([\w.@-]+)[\"']?[ \t]*(=|:(?=\s|$)|(?=\s))[ \t]*(.*)")
"""A line of a configuration file: a name, what stands between, and the rest."""
_OF_THE_API = re.compile(r"\b(?:kubectl|oc)\b")
"""Commands whose words are kinds of the API: `kubectl get certificates.cert-manager.io`."""
_FILE = re.compile(
    r".*\.(?:conf|cfg|cnf|ini|toml|ya?ml|json|properties|env|xml|txt|list|tm?pl|hcl|rules)|Corefile", re.IGNORECASE
)
"""Names of configuration files, as a ConfigMap's keys."""
_HEADING = re.compile(r"\[+([\w. -]+)\]+")
_COMMENT = ("#", "//", ";")


def field_flows(
    path: tuple[str, ...], value: Any, *, most: int = ADDRESS, own_store: bool = False
) -> Iterator[DataFlow]:
    """The data flows of a value at this path. `most`: URLS where names without a scheme are never hosts;
    `own_store`: an endpoint that stands with it is that of a store, so its buckets and regions are not Amazon's."""
    if isinstance(value, Mapping):
        yield from _of_group(path, value, most, own_store or services.has_own_store(value))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from _of_list(path, value, most, own_store)
    else:
        yield from _leaf(path, value, "", most, own_store)


def annotation_flows(path: tuple[str, ...], metadata: Any) -> Iterator[DataFlow]:
    """What the annotations of an object make its controllers call: logins, images of sidecars, tunnels."""
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    for key, value in annotations.items() if isinstance(annotations, Mapping) else ():
        owner, _, name = str(key).rpartition("/")
        if _DOCUMENTS.fullmatch(owner) or _DOCUMENTS.fullmatch(name):
            continue
        here = (*path, "annotations", str(key))
        if owner in services.OF_ANNOTATION:
            yield DataFlow(services.OF_ANNOTATION[owner], "egress", _field(here))
        most = ADDRESS if _is_address(name) or _is_image(name) else URLS
        if value is not UNKNOWN:
            yield from _leaf(here, value, name, most, own_store=False)
        if isinstance(value, str) and most == URLS:
            yield from (_flow(service, here) for service in services.of_text(value))


def class_flows(path: tuple[str, ...], spec: Mapping[str, Any]) -> Iterator[DataFlow]:
    """The provider that a route's, a Gateway's or an Ingress' class chooses."""
    for key, value in spec.items():
        if isinstance(value, str):
            chosen = services.of_field(path, str(key), value, own_store=False)
            yield from (_flow(service, (*path, str(key))) for service in chosen)


def names_a_place(key: str) -> bool:
    """Whether a field of this name has a destination as its value."""
    return _is_address(key) or _is_registry(key) or _is_image(key) or key in ("repository", "repo", "provisioner")


def _of_group(path: tuple[str, ...], value: Mapping[str, Any], most: int, own_store: bool) -> Iterator[DataFlow]:
    yield from _image_of_parts(path, value)
    chosen = [
        *services.of_group(path, value, own_store=own_store),
        *services.of_variables([key for key in value if isinstance(key, str) and key.isupper()]),
    ]
    for key, service in chosen:
        yield _flow(service, (*path, key))
    driver = value.get("driver")
    if path[-1:] == ("csi",) and "volumes" in path and isinstance(driver, str) and driver not in services.ON_NODES:
        yield DataFlow(driver.lower(), "storage", _field((*path, "driver")))
    name = value.get("name")
    if isinstance(name, str) and "value" in value and not isinstance(value["value"], Mapping):
        yield from _leaf((*path, "value"), value["value"], name, most, own_store)
        value = {key: inner for key, inner in value.items() if key != "value"}
    for key, inner in value.items():
        step = str(key)
        if "://" in step or " " in step or path[-1:] == ("auths",):
            yield from _leaf(path, step, "url" if path[-1:] == ("auths",) else "", most, own_store)
        if step == "metadata":
            yield from annotation_flows((*path, step), inner)
        if not _says_nothing(step) or (_FOR_READERS.fullmatch(step) and not isinstance(inner, str)):
            yield from field_flows((*path, step), inner, most=most, own_store=own_store)


def _of_list(path: tuple[str, ...], value: Sequence[Any], most: int, own_store: bool) -> Iterator[DataFlow]:
    named = [item for item in value if isinstance(item, Mapping) and isinstance(item.get("name"), str)]
    if named and _key(path).lower().startswith(("env", "extraenv")):
        own_store = own_store or services.has_own_store({item["name"]: item.get("value") for item in named})
        for name, service in services.of_variables([item["name"] for item in named]):
            yield _flow(service, (*path, name))
    flag = ""
    for index, inner in enumerate(value):
        here = (*path, str(index))
        if not isinstance(inner, str):
            yield from field_flows(here, inner, most=most, own_store=own_store)
        elif inner.startswith("-") and "\n" not in inner:  # --flag=value, or --flag and then its value
            name, equals, text = inner.partition("=")
            flag = "" if equals else name.lstrip("-")
            yield from _leaf(here, text if equals else "", name.lstrip("-"), most, own_store)
        else:
            yield from _leaf(here, inner, flag, most, own_store)
            flag = ""


def _leaf(path: tuple[str, ...], value: Any, called: str, most: int, own_store: bool) -> Iterator[DataFlow]:
    """`called`: the name beside a value, as a variable, a flag or a setting has it."""
    key = called or _key(path)
    if value is UNKNOWN:
        if names_a_place(key):
            yield DataFlow(NOT_KNOWN, "image-registry" if _is_image(key) else _purpose(path, key), _field(path))
        elif _may_hold_a_place(key, path):
            yield DataFlow(NOT_KNOWN, _GROUPS.get(key) or _purpose(path, key), _field(path))
        return
    if not isinstance(value, str) or not value or value.startswith("-----BEGIN"):
        return
    if "\n" in value or (value[0] in "{[" and value[-1] in "}]") or _FILE.fullmatch(key):
        yield from _configuration(path, value, most, own_store)
    else:
        yield from _line(path, value, key, most, own_store)


def _line(path: tuple[str, ...], value: str, key: str, most: int, own_store: bool) -> Iterator[DataFlow]:
    """A text of one line."""
    if _is_image(key) and "://" not in value and (registry := _registry_of(key, value)):
        yield DataFlow(registry, "image-registry", _field(path))
        return
    if words_of(key)[-1:] in (("tag",), ("tags",)) and host_of(value.partition("/")[0]) and "/" in value:
        yield DataFlow(image_registry(value), "image-registry", _field(path))  # what a build pushes, with its registry
        return
    if _is_registry(key) and "://" not in value and " " not in value:
        yield DataFlow(image_registry(f"{value}/x"), "image-registry", _field(path))
        return
    if most > URLS:
        yield from (_flow(service, path, key) for service in services.of_field(path, key, value, own_store=own_store))
    if "." not in value and ":" not in value:
        return  # no host, no address and no URL
    if most > URLS:
        yield from (_flow(service, path, key) for service in services.of_text(value, own_store=own_store))
    for named in named_in(value, min(most, _level(path, key, value))):
        purpose = "image-registry" if named.image else _purpose(path, key, sure="://" in value)
        yield DataFlow(named.endpoint, purpose, _field(path))


def _flow(service: services.Service, path: tuple[str, ...], key: str = "") -> DataFlow:
    return DataFlow(service.endpoint, service.purpose or _purpose(path, key), _field(path))


def _level(path: Sequence[str], key: str, value: str) -> int:
    """What counts as a host in the value of a field."""
    if _NEVER_CALLED.fullmatch(key) or any(_NEVER_CALLED.fullmatch(step) for step in path[-2:]):
        return URLS
    words = words_of(key)
    if words and words[-1] in _OWN_NAMES and not _OWN_GROUPS.isdisjoint(step.lower() for step in path[:-1]):
        return URLS
    if _is_address(key):
        return ADDRESS
    if words and words[-1] in _NO_DESTINATION:
        return URLS if words[-1] in _NO_ADDRESS else PRECISE
    if _COMMAND.search(value):
        return CALLED
    return PRECISE if _OF_THE_API.search(value) else NAMES


def _configuration(path: tuple[str, ...], text: str, most: int, own_store: bool) -> Iterator[DataFlow]:
    """A configuration file or a script: as YAML or JSON if it is a group or a list, else line by line."""
    parsed = _parsed(text)
    if parsed:
        for document in parsed:
            yield from (
                flow._replace(field=_field(path))
                for flow in field_flows(path, document, most=most, own_store=own_store)
            )
        return
    own_store = own_store or bool(re.search(r"endpoint", text, re.IGNORECASE))
    section: tuple[str, ...] = ()
    for line in text.splitlines():
        written = _without_comment(line)
        if not written:
            continue
        if heading := _HEADING.fullmatch(written):
            section = (heading[1],)
            continue
        key, between, rest = parts.groups() if (parts := _LINE.match(written)) else ("", "", written)
        if not between and not _is_address(key) and key.lower() not in ("forward", "pool", "peer", "name"):
            chosen = services.of_field((*path, *section), key, rest, own_store=own_store)
            yield from (_flow(service, path, key) for service in chosen)
            key, rest = "", written
        called = (*path, *section, key) if key else (*path, *section)
        rest = rest.strip("\"',; ")
        if not rest:
            continue
        yield from (flow._replace(field=_field(path)) for flow in _line(called, rest, key, most, own_store))


def _without_comment(line: str) -> str:
    written = line.strip()
    if written.startswith(_COMMENT):
        return ""
    before, mark, _ = written.partition(" #")
    quoted = before.count('"') % 2 or before.count("'") % 2
    return written if not mark or quoted else before.rstrip()


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[Any, ...]:
    """The groups and lists of a text; empty where it is none."""
    try:
        found = [json_value(text)] if text.lstrip().startswith(("{", "[")) else yaml_documents(text)
    except YamlError:
        return ()
    except ValueError:  # YAML may begin like JSON
        try:
            found = yaml_documents(text)
        except YamlError:
            return ()
    documents = [document for document in found if document is not None]
    return tuple(documents) if all(isinstance(one, Mapping | list) for one in documents) else ()


def _image_of_parts(path: tuple[str, ...], value: Mapping[str, Any]) -> Iterator[DataFlow]:
    """`{registry, repository, tag}`, as charts spell an image; a registry by itself is found as a leaf."""
    reference = value.get("reference")
    if path[-1:] == ("image",) and (reference is UNKNOWN or isinstance(reference, str)):  # a volume's image
        registry = image_registry(reference) if isinstance(reference, str) else NOT_KNOWN
        yield DataFlow(registry, "image-registry", _field((*path, "reference")))
    repository = value.get("repository")
    if isinstance(repository, str) and repository and not value.get("registry") and "://" not in repository:
        yield DataFlow(image_registry(repository), "image-registry", _field((*path, "repository")))


def _registry_of(key: str, value: str) -> str | None:
    """The registry of an image; None where the value can't be one."""
    words = words_of(key)
    sure = words[-1] in ("image", "images") or words[-2:] == ("image", "name") or "repo" in words[-1]
    if not (sure or re.search(r"[/:@]", value)):
        return None
    broken = "." in value.partition("/")[0] and "/" in value and " " not in value
    return image_in(value) or (image_registry(value) if broken else None)


@functools.lru_cache(maxsize=10_000)
def _is_image(key: str) -> bool:
    words = words_of(key)
    if not words or not {"image", "images"} & set(words):
        return False
    return words[-1] in _IMAGE_ENDS or words[-2:] == ("image", "name") or not _NO_IMAGE & set(words)


@functools.lru_cache(maxsize=10_000)
def _is_registry(key: str) -> bool:
    words = words_of(key)
    return key == "hub" or (words[-1:] == ("registry",) or (len(words) > 1 and words[-2:] == ("registry", "host")))


@functools.lru_cache(maxsize=10_000)
def _is_address(key: str) -> bool:
    words = words_of(key)
    if not words or _NEVER_CALLED.fullmatch(key):
        return False
    last = words[-1]
    return (
        last in _ADDRESS_WORDS
        or last.endswith(("host", "url", "uri", "hosts", "urls"))
        or "".join(words[-2:]) in _ADDRESS_PAIRS
        or last in _ADDRESS_PAIRS
    )


@functools.lru_cache(maxsize=10_000)
def _says_nothing(key: str) -> bool:
    return _SAYS_NOTHING.fullmatch(key) is not None


def _may_hold_a_place(key: str, path: Sequence[str]) -> bool:
    """Whether what is not known may be a group, or a whole configuration file, that names a place."""
    if path[0] in ("values", "data", "binaryData"):
        group = key.lower() == "database" and path[-2:-1] and path[-2] in _MAY_BE_A_GROUP
        return bool(group) or key == path[0] or not HOLDS_NO_PLACE.fullmatch(key)
    return key in _GROUPS


def _purpose(path: Sequence[str], key: str = "", *, sure: bool = True) -> str:
    """What bytes are there for. `sure`: the value is a URL, so that something is called there."""
    words = "/".join((*path, key))
    for pattern, purpose in _PURPOSES:
        if pattern.search(words):
            return purpose
    return "egress" if sure or _is_address(key or _key(path)) else "unclassified"


def _key(path: Sequence[str]) -> str:
    """The name of a field; for an item of a list, the list's name."""
    return next((step for step in reversed(path) if not step.isdigit()), "")


def _field(path: Sequence[str]) -> str:
    return ".".join(path)
