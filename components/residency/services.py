"""Services on the internet that are named by a word, a scheme, a region or an account, and not by a host."""

import base64
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from components.core.endpoints import backend_host, host_of, inside, url_hosts
from components.core.unknown import UNKNOWN
from components.core.untrusted import yaml_value
from components.residency.named import ADDRESS, named_in, words_of


class Service(NamedTuple):
    """Where bytes go, and what for; an empty purpose: what the field's path says."""

    endpoint: str
    purpose: str = ""


_AWS = "amazonaws.com"


def _by_word(hosts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {word: host for host, words in hosts.items() for word in words}


_TABLE = yaml_value((Path(__file__).parent / "services.yaml").read_text(encoding="utf-8"))
SCHEMES = _by_word(_TABLE["schemes"])
ON_NODES = frozenset(_TABLE["nodes"])
_OF_API_GROUP = _by_word(_TABLE["api_groups"])
OF_ANNOTATION = _by_word(_TABLE["annotations"])
_OF_KEY = {
    word: Service(host, purpose)
    for purpose, hosts in _TABLE["groups"].items()
    for word, host in _by_word(hosts).items()
}
_SOLVERS = _by_word(_TABLE["solvers"])
_WORDS = _by_word(_TABLE["words"])
_OF_VARIABLE = _by_word(_TABLE["variables"])
_SCHEMED = re.compile(rf"(?<![\w+.-])({'|'.join(SCHEMES)})://[^\s\"'`]+", re.IGNORECASE)
_RESTIC = re.compile(r"(gs|b2|azure):[\w.-]+:")
"""A repository of restic's: https://restic.readthedocs.io, "Preparing a new repository"."""
_CLOUD_ID = re.compile(r"[\w.-]*:([A-Za-z0-9+/]{16,}={0,2})")
"""Elastic's cloud.id: a name, and host$elasticsearch$kibana in base64 (Elastic's documentation, "Cloud ID")."""
_NOTIFIES = re.compile(r"service\.(\w+?)(?:v2)?(?:\.[\w-]+)?")
"""A key of Argo CD's notifications: the service by its word (Argo CD's documentation, "Notification services")."""
_ARN = re.compile(r"\barn:aws[\w-]*:([a-z0-9-]+):([a-z0-9-]*):")

_CHOOSES = re.compile(
    r"(?:.*[-_.])?(?:cloud|dns|store|storage|email|mail|auth|auth_?n|secrets?)?[-_]?(?:provider|backend|vendor|driver)s?"
    r"|type|@type|exporters?|(?:object|shared)[-_]?store|(?:ingress|loadBalancer|gateway)Class(?:Name)?|flavou?r",
    re.IGNORECASE,
)
"""Fields whose value chooses a provider."""
_HOLDS_CHOICES = ("provider", "exporters", "output", "outputs", "sinks", "receivers")
"""Groups in which a provider's word is the name of a group or of a setting `name`."""
_VARIABLE = re.compile(
    rf"({'|'.join(sorted(_OF_VARIABLE, key=len, reverse=True))})_(?:\w+_)?"
    r"(?:KEY|TOKEN|SID|ACCOUNT|AUTHKEY|DSN|ID|SECRET)"
)
"""Variables with the key of a service: its client calls the service if no other address is written."""
_REGIONS = (
    ("aws", re.compile(r"(?:us|eu|ap|ca|sa|me|af|il|mx|cn)(?:-gov|-iso\w?)?-[a-z]{4,9}-\d[a-z]?")),
    ("gcp", re.compile(r"(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-[a-z]{4,12}\d(?:-[a-z])?")),
    (
        "azure",
        re.compile(
            r"(?:east|west|northcentral|southcentral|central|westcentral)us[23]?|canada(?:central|east)|brazilsouth"
            r"|(?:north|west)europe|uk(?:south|west)|france(?:central|south)|germany(?:westcentral|north)"
            r"|norway(?:east|west)|swedencentral|denmarkeast|switzerland(?:north|west)|italynorth|polandcentral"
            r"|spaincentral|austriaeast|belgiumcentral|uaenorth|qatarcentral|israelcentral|southafricanorth"
            r"|(?:south)?eastasia|japan(?:east|west)|korea(?:central|south)|australia(?:east|southeast|central)"
            r"|(?:central|south|west)india|mexicocentral|chilecentral|newzealandnorth|malaysiawest|indonesiacentral"
        ),
    ),
)
"""Regions by their provider: the names are so regular that a new one fits too; Azure's are those of 2026-11."""
_ROLES = {
    "bucket": re.compile(r"bucket|bucket[-_]?names?", re.IGNORECASE),
    "account": re.compile(r"storage[-_]?account(?:[-_]?name)?", re.IGNORECASE),
    "endpoint": re.compile(
        r"endpoint|endpoint[-_]?url|(?:s3|aws|minio|store|storage|object|bucket)[-_]?\w*?(?:endpoint|url|host)[-_]?\w*"
        r"|(?:aws|s3)[-_]endpoint[-_]url(?:[-_]s3)?",
        re.IGNORECASE,
    ),
}


def of_api(api: Any) -> Iterator[Service]:
    """The provider at which objects of this apiVersion are made."""
    group = str(api).partition("/")[0]
    for end, host in _OF_API_GROUP.items():
        if group == end or group.endswith(f".{end}"):
            yield Service(host)


@functools.lru_cache(maxsize=10_000)
def plain_word(text: str) -> str:
    """`AWS_S3`, `aws-s3` and `awsS3` → `awss3`."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


@functools.lru_cache(maxsize=10_000)
def _role(key: str) -> str:
    """What a field of this name has of a store: an endpoint, a bucket, an account; empty for all others."""
    found = ((role, pattern.fullmatch(key)) for role, pattern in _ROLES.items())
    return next((role for role, matched in found if matched), "")


def has_own_store(group: Mapping[str, Any]) -> bool:
    """Whether a group of fields, or the variables of a container, has an endpoint of a store that is not Amazon's."""
    for key, value in group.items():
        if _role(str(key)) == "endpoint" and value not in (None, ""):
            if not isinstance(value, str):
                return value is UNKNOWN
            hosts = url_hosts(value) or [found.endpoint for found in named_in(value, ADDRESS)]
            return not any(host.endswith(_AWS) for host in hosts)
    return False


def of_text(text: str, *, own_store: bool = False) -> Iterator[Service]:
    """Stores and keys that a text names by a scheme or by Amazon's resource names."""
    if not own_store and not re.search(r"endpoint[-_]?url", text, re.IGNORECASE):
        for found in _SCHEMED.finditer(text):
            named = backend_host(found[0]) if "?" in found[0] else ""  # s3://bucket?endpoint=…&region=…
            if not named or not inside(named):
                yield Service(named or SCHEMES[found[1].lower()])
    if repository := _RESTIC.match(text):
        yield Service(SCHEMES[repository[1]])
    if host := _cloud_host(text):
        yield Service(host)
    for found in _ARN.finditer(text):
        yield Service(".".join(part for part in (found[1], found[2], _AWS) if part))


def _cloud_host(text: str) -> str:
    """The host of a cloud.id; empty where the text is none."""
    found = _CLOUD_ID.fullmatch(text)
    try:
        host, dollar, _ = base64.b64decode(found[1], validate=True).decode().partition("$") if found else ("", "", "")
    except ValueError:
        return ""
    return host_of(host) or "" if dollar else ""


def of_group(path: Sequence[str], group: Mapping[str, Any], *, own_store: bool) -> Iterator[tuple[str, Service]]:
    """Services that the fields of a group choose together, with the field; `own_store`: as `has_own_store` says."""
    said = [plain_word(step) for step in path[-2:]]
    for key, value in group.items():
        word = plain_word(str(key))
        if word in ("secretref", "name") or _is_off(value):
            continue
        if notified := _NOTIFIES.fullmatch(str(key)):
            if host := _WORDS.get(notified[1]) or getattr(_OF_KEY.get(f"{notified[1]}configs"), "endpoint", ""):
                yield str(key), Service(host, "telemetry")
        elif service := _OF_KEY.get(word):
            if isinstance(value, Mapping | list):
                yield str(key), service
        elif "dns01" in said[-1:] or "venafi" in said[-1:]:
            if word in _SOLVERS:
                yield str(key), Service(_SOLVERS[word], "acme")
        elif said[-1:] and said[-1] in _HOLDS_CHOICES and isinstance(value, Mapping | None):
            name = plain_word(str(key).partition("/")[0])
            if name in _WORDS:
                yield str(key), Service(_WORDS[name], "secrets" if said[-1] == "provider" else "telemetry")
        elif _role(str(key)) == "account" and isinstance(value, str) and value:
            yield str(key), Service(f"{value.lower()}.blob.core.windows.net")
    buckets = [str(key) for key in group if _role(str(key)) == "bucket" and group[key]]
    if buckets and not own_store and (host := _host_of_bucket(said, group)):
        yield buckets[0], Service(host)


def _host_of_bucket(path: Sequence[str], group: Mapping[str, Any]) -> str:
    """Whose store has a bucket, by what stands around it; empty where nothing says it."""
    here = " ".join([*path[-2:], *map(plain_word, map(str, group))])
    if re.search(r"gcs|google|gcp", here):
        return "storage.googleapis.com"
    region = next((value for key, value in group.items() if plain_word(str(key)).endswith("region")), None)
    if isinstance(region, str) and _REGIONS[0][1].fullmatch(region):
        return f"s3.{region}.{_AWS}"
    return f"s3.{_AWS}" if re.search(r"\bs3\b|\baws", " ".join(path[-2:])) else ""


def _is_off(value: Any) -> bool:
    return value in (None, False) or (isinstance(value, Mapping) and value.get("enabled") is False)


def of_field(path: Sequence[str], key: str, value: str, *, own_store: bool) -> Iterator[Service]:
    """A provider or a region that is the value of one field."""
    if _CHOOSES.fullmatch(key) or (key.lower() == "name" and set(map(plain_word, path)) & set(_HOLDS_CHOICES)):
        word = plain_word(value)
        if (word in _WORDS or (word == "s3" and key.lower() == "name")) and not (own_store and "s3" in word):
            yield Service(_WORDS.get(word, f"s3.{_AWS}"))
    elif words_of(key)[-1:] in (("region",), ("regions",), ("location",)) and not own_store:
        yield from (Service(f"{provider}/{value}") for provider, pattern in _REGIONS if pattern.fullmatch(value))


def of_variables(names: Sequence[str]) -> Iterator[tuple[str, Service]]:
    """Services whose keys the variables of a container hold, with the variable."""
    for name in names:
        found = _VARIABLE.fullmatch(name)
        if found and not any(
            other.startswith(f"{found[1]}_") and re.search(r"URL|HOST|ENDPOINT|SITE|BASE", other) for other in names
        ):
            yield name, Service(_OF_VARIABLE[found[1]])
