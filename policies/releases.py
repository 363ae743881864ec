"""The objects inside a Helm Release, judged as objects of the program are."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from components.charts.releases import NOT_KNOWN_YET, Inside, inside
from components.core.manifests import kind_of
from components.network.compatibility.matrix import Part
from components.network.compatibility.releases import table
from policies.policy import Inner, Object, ResourceView
from policies.unknowns import plain

RELEASE = "helm.sh:Release"
RELEASE_TYPE = "kubernetes:helm.sh/v3:Release"
"""Pulumi's type of it."""


def is_release(resource: ResourceView) -> bool:
    """Whether the resource is a Helm Release, whose objects only Helm makes."""
    return str(kind_of(resource.resource_type)) == RELEASE


def is_chart(resource: ResourceView) -> bool:
    """Whether the resource is a Chart, whose objects are resources below it."""
    return str(kind_of(resource.resource_type)) == "helm.sh:Chart"


class _Read(NamedTuple):
    """A Release that was read once for all policies, which change nothing in it."""

    props: Mapping[str, Any]
    inside: Inside
    objects: tuple[Object, ...]


_READ: dict[str, _Read] = {}
"""By URN, the last one."""


def inside_of(release: ResourceView) -> Inside:
    """What is inside a Release, by its inputs."""
    return _read(release).inside


def inner_objects(release: ResourceView) -> tuple[Object, ...]:
    """The objects of a Release; none where it can't be rendered, which the policy `charts-rendered` reports."""
    return _read(release).objects


def _read(release: ResourceView) -> _Read:
    """The engine gives each policy of a resource a copy of its inputs, and policies of a stack the same ones."""
    last = _READ.get(release.urn)
    if last and last.props is release.props:
        return last
    found = inside(release.name, plain(release.props), versions())
    same = last is not None and last.inside is found
    objects = last.objects if last and same else tuple(_objects(release, found))
    _READ[release.urn] = _Read(release.props, found, objects)
    return _READ[release.urn]


def _objects(release: ResourceView, found: Inside) -> Iterator[Object]:
    for item in found.objects:
        api, kind = str(item.get("apiVersion")), str(item.get("kind"))
        resource_type = f"kubernetes:{api if '/' in api else f'core/{api}'}:{kind}"
        props = unknown_checking_proxy(_sealed(item))
        resource = Inner(resource_type, props, release.urn, release.name, release.provider, release.opts)
        if kind_found := kind_of(resource_type):
            yield Object(resource, kind_found, release=release.name)


@cache
def versions() -> tuple[str, ...]:
    """Versions of Kubernetes to render for, the newest first."""
    return tuple(reversed([line.newest for line in table().parts[Part.KUBERNETES].lines.values()]))


def _sealed(value: Any) -> Any:
    """The value with the engine's own mark for what is not known yet."""
    if isinstance(value, str):
        return UNKNOWN_STRING_VALUE if NOT_KNOWN_YET in value else value
    if isinstance(value, Mapping):
        if NOT_KNOWN_YET in value:  # labels or annotations of which none is known: any key may be there
            return UNKNOWN_STRING_VALUE
        return {key: _sealed(inner) for key, inner in value.items()}
    return [_sealed(inner) for inner in value] if isinstance(value, list) else value
