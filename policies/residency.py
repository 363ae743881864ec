"""The residency closure of any program: what its resources use, held against what it or the auditor declares."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from pulumi_policy import PolicyConfigSchema, PolicyResource
from pydantic import TypeAdapter, ValidationError

from components.charts.reference import chart_name
from components.core.endpoints import backend_host, image_registry, secrets_host, url_hosts
from components.core.finding import Finding
from components.network.calico.values import from_their_makers as calico_images
from components.network.cilium.images import from_their_makers as cilium_images
from components.pools.images import from_their_makers as metallb_images
from components.residency.data_flows import NOT_KNOWN, UNKNOWN, object_uses, values_uses
from components.residency.model import Place, ResidencyException
from components.residency.rules import Record, Use, expired_problems, missing_purposes, use_problems
from policies.context import SEEN_BACKEND, today
from policies.engine import UNDECIDED, Config, Found, kind, stack
from policies.settings import ALLOWED_COUNTRIES, EXCEPTIONS, PLACES, RECORD, STATE
from policies.unknowns import known, plain

Resources = Sequence[PolicyResource]

DEMANDED = ("dns", "time")
"""Purposes that every node has and no resource shows: where the program keeps a record, it must name them."""

CHART_IMAGES: dict[str, tuple[str, ...]] = {
    "cert-manager": ("quay.io",),
    "traefik": ("docker.io",),
}
"""Registries of images that these charts' own default values name (read in the charts)."""

FROM_THEIR_MAKERS: dict[str, Callable[[Any, str], list[str]]] = {
    "cilium": cilium_images,
    "metallb": lambda values, _: metallb_images(values),
    "tigera-operator": lambda values, _: calico_images(values),
}
"""Of these charts every image is known, and where values name it: what values leave to the defaults."""

_TAKEN_APART = {"helm.sh": ("Chart",), "yaml": ("ConfigFile", "ConfigGroup"), "kustomize": ("Directory",)}
"""Components of pulumi-kubernetes, by group: their objects are resources themselves."""

_PLACES = TypeAdapter(tuple[Place, ...])
_EXCEPTIONS = TypeAdapter(tuple[ResidencyException, ...])


def _closure(resources: Resources, config: Config) -> Iterator[Found]:
    record = _record(resources, config)
    for resource in resources:
        for use in dict.fromkeys(_uses(resource, config)):
            problems = [use] if isinstance(use, Finding) else _judged(use, record)
            yield from (Found(problem, resource.urn) for problem in problems)


def _state(resources: Resources, config: Config) -> Iterator[Found]:
    record = _record(resources, config)
    # All of them: what a program says of its state must not hide where the engine keeps it.
    backends = _known(config.get("stateBackend"), config.get(SEEN_BACKEND), *_said(resources, "stateBackend"))
    providers = _known(config.get("secretsProvider"), *_said(resources, "secretsProvider")) or [""]
    if not backends:
        yield Found(
            Finding(
                "residency-state",
                "Pulumi's state",
                "nothing says where it is kept: set PULUMI_BACKEND_URL, or `stateBackend` in the policy's "
                "configuration; what `pulumi login` remembers is not shown to programs",
            )
        )
        return
    uses = [Use(backend_host(backend), "state", "Pulumi's state backend") for backend in backends]
    for backend, provider in product(backends, providers):
        if holder := secrets_host(provider, backend):
            uses.append(Use(holder, "secrets", "the stack's secrets provider"))
    for use in dict.fromkeys(uses):
        yield from (Found(problem) for problem in _judged(use, record))


def _exceptions(resources: Resources, config: Config) -> Iterator[Found]:
    record = _record(resources, config)
    yield from (Found(problem) for problem in expired_problems(record.exceptions, record.today))


def _kept_record(resources: Resources, config: Config) -> Iterator[Found]:
    record = _record(resources, config)
    demanded = config.get("demanded")
    if demanded is None:
        demanded = DEMANDED if _records(resources) else ()
    yield from (Found(problem) for problem in missing_purposes(record.places, list(demanded)))


def _judged(use: Use, record: Record) -> list[Finding]:
    if use.endpoint == NOT_KNOWN:
        message = f"{UNDECIDED}: where bytes go ({use.purpose}) is not known yet; write it as a plain value"
        return [Finding("residency-closure", use.where, message)]
    return use_problems(use, record)


def _record(resources: Resources, config: Config) -> Record:
    """The auditor's places before the program's own: what they say of a host counts, and only the auditor's
    exceptions let one of them through."""
    audited = places = _read(_PLACES, config.get("places"), "places")
    approved = exceptions = _read(_EXCEPTIONS, config.get("exceptions"), "exceptions")
    for props in _records(resources):
        places += _read(_PLACES, props.get("places"), "places")
        exceptions += _read(_EXCEPTIONS, props.get("exceptions"), "exceptions")
    day = today(config) if exceptions else ""
    allowed = tuple(config.get("allowedCountries", ALLOWED_COUNTRIES))
    return Record(places, exceptions, allowed, day, audited, approved)


def _records(resources: Resources) -> list[Mapping[str, Any]]:
    """What components of any program declare: a list of `places` is what tells them."""
    return [
        r.props
        for r in resources
        if r.provider is None and "places" in r.props and not r.resource_type.startswith("pulumi:")
    ]


def _said(resources: Resources, field: str) -> list[Any]:
    return [props.get(field) for props in _records(resources)]


def _known(*said: Any) -> list[str]:
    return list(dict.fromkeys(str(value) for value in said if value))


def _read(adapter: TypeAdapter[Any], value: Any, what: str) -> Any:
    try:
        return adapter.validate_python(known(value) or ())
    except ValidationError as error:
        fields = sorted({".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)})
        raise TypeError(f"{what}: {', '.join(fields)}") from None


def _uses(resource: PolicyResource, config: Config) -> Iterator[Use | Finding]:
    found = kind(resource.resource_type)
    if found is None or taken_apart(resource.resource_type):
        return
    if (found.group, found.name) == ("helm.sh", "Release"):
        yield from _chart_uses(f"Release {resource.name}", plain(resource.props), config)
        return
    manifest = plain(resource.props)
    said = manifest.get("metadata")
    metadata = said if isinstance(said, Mapping) else {}
    namespace, name = metadata.get("namespace"), metadata.get("name")
    name = name if isinstance(name, str) and name else resource.name
    item = f"{found.name} {f'{namespace}/' if isinstance(namespace, str) else ''}{name}"
    yield from object_uses(found.name, item, manifest)


def _chart_uses(item: str, release: Mapping[str, Any], config: Config) -> Iterator[Use | Finding]:
    chart, options = release.get("chart"), release.get("repositoryOpts") or release.get("fetchOpts") or {}
    repository = options.get("repo") if isinstance(options, Mapping) else None
    for field, value in (("chart", chart), ("repositoryOpts", options), ("repositoryOpts.repo", repository)):
        if value is UNKNOWN:
            yield Use(NOT_KNOWN, "chart-repository", f"{item}: {field}")
        for host in url_hosts(value) if isinstance(value, str) else ():
            yield Use(host, "chart-repository", f"{item}: {field}")
    if release.get("valueYamlFiles"):
        # The provider reads them into `values` only where it knows every input of the Release.
        message = f"{UNDECIDED}: the provider has not read these files yet: write what is in them into values"
        yield Finding("residency-closure", f"{item}: valueYamlFiles", message)
    yield from values_uses(item, release.get("values"))
    name = chart_name(chart) if isinstance(chart, str) else ""
    configured = config.get("chartImages", {})
    registries = own_images(name, release.get("values"), configured, str(release.get("version") or ""))
    if registries is None:
        yield Finding(
            "residency-closure",
            item,
            f"{UNDECIDED}: which registries chart {name or '?'} takes the images from that its values do not name: "
            "write them in the policy's `chartImages` ([] if the values name every image), or write "
            "global.imageRegistry where the chart reads it",
        )
    # Of these charts our table can't see that values replace every default: only someone who has read one can say so.
    mirrored = f'if the values name every image, write `chartImages: {{"{name}": []}}` in the policy\'s configuration'
    for registry in registries or ():
        where = f"{item}: images of chart {name} by its own defaults"
        otherwise = "" if name in configured or name in FROM_THEIR_MAKERS else mirrored
        yield Use(image_registry(f"{registry}/x"), "image-registry", where, otherwise)


def own_images(chart: str, values: Any, configured: Mapping[str, Any], version: str = "") -> tuple[str, ...] | None:
    """Registries of images that a chart's own defaults name; None where nobody knows.

    Values that name some images say nothing of the others: only a registry for all of them does, and not where we
    know the chart. `configured`: by chart, what the auditor read in it."""
    if chart in configured:
        return tuple(str(registry) for registry in configured[chart])
    if chart in FROM_THEIR_MAKERS:
        left = FROM_THEIR_MAKERS[chart](values, version)
        return tuple(dict.fromkeys(image.partition("/")[0] for image in left))
    if chart in CHART_IMAGES:
        return CHART_IMAGES[chart]
    common = values.get("global") if isinstance(values, Mapping) else None
    if not isinstance(common, Mapping):
        return None
    image = common.get("image")
    given = (common.get("imageRegistry"), image.get("registry") if isinstance(image, Mapping) else None)
    return () if any(given) else None


def taken_apart(resource_type: str) -> bool:
    """Whether a resource is a component of pulumi-kubernetes, whose objects are resources themselves."""
    api, _, name = resource_type.removeprefix("kubernetes:").partition(":")
    return name in _TAKEN_APART.get(api.partition("/")[0], ())


def _schema(*parts: dict[str, Any]) -> PolicyConfigSchema:
    return PolicyConfigSchema({key: value for part in parts for key, value in part.items()})


RESIDENCY_RULES = [
    stack(
        "residency-closure",
        "Every place that bytes go to is declared, stands in an allowed country, and is controlled from one.",
        judge=_closure,
        schema=_schema(PLACES, EXCEPTIONS, RECORD),
    ),
    stack(
        "residency-state",
        "Pulumi's state, and the key to its secrets, are at declared places.",
        judge=_state,
        schema=_schema(PLACES, EXCEPTIONS, STATE),
    ),
    stack(
        "residency-exceptions",
        "Every exception from residency has a date that is still to come.",
        judge=_exceptions,
        schema=_schema(PLACES, EXCEPTIONS),
    ),
    stack(
        "residency-record",
        "The record names a place for what every node uses and no resource shows.",
        judge=_kept_record,
        schema=_schema(
            PLACES,
            EXCEPTIONS,
            {
                "demanded": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Purposes that need a place; else dns and time, where a component has `places`.",
                }
            },
        ),
    ),
]
