"""Rules for changing the CRDs in a cluster: they compare the live CRDs with a new bundle."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.core.finding import Finding
from components.core.manifests import Manifest
from components.core.versions import parse
from components.gateway.bundle import CHANNEL, VERSION, Bundle, mark

_Wrong = tuple[str, str]
"""What is wrong, and the remedy."""


def bundle_problems(live: Iterable[Manifest], new: Bundle) -> Iterator[Finding]:
    """Everything wrong with applying `new`. CRDs that are not in it are not changed."""
    by_name = {item["metadata"]["name"]: item for item in new.crds}
    for item in sorted(live, key=lambda item: str(item["metadata"]["name"])):
        if item["metadata"]["name"] in by_name:
            yield from crd_problems(item, by_name[item["metadata"]["name"]])


def crd_problems(live: Manifest, new: Manifest) -> list[Finding]:
    """No downgrade, no experimental over standard, and no removal of a version in which objects are stored."""
    item = f"CustomResourceDefinition {live['metadata']['name']}"
    found = [_downgrade(live, new), _channel(live, new), *_dropped(live, new)]
    return [Finding("gateway-crds", item, said, remedy) for said, remedy in filter(None, found)]


def _downgrade(live: Manifest, new: Manifest) -> _Wrong | None:
    was, will = mark(live, VERSION), mark(new, VERSION)
    try:
        older = bool(was) and parse(will) < parse(was)
    except ValueError:
        return f"its release '{was}' can't be compared with {will}", "find out what it is before you replace it"
    if not older:
        return None
    return f"has release {was}, and {will} is older: objects would lose fields", f"use {was} or newer"


def _channel(live: Manifest, new: Manifest) -> _Wrong | None:
    if (mark(live, CHANNEL), mark(new, CHANNEL)) != ("standard", "experimental"):
        return None
    return (
        "is of the standard channel; a change to the experimental one can't be undone without losing fields",
        "use the standard channel's file",
    )


def _dropped(live: Manifest, new: Manifest) -> list[_Wrong]:
    served = {str(item["name"]) for item in _versions(new) if item.get("served")}
    return [
        (
            f"objects are stored as {version}, which the new CRD does not serve",
            "store them in another version (read and write each once), remove it from status.storedVersions, then "
            "update",
        )
        for version in _stored(live)
        if version not in served
    ]


def _stored(live: Manifest) -> list[str]:
    """Stored versions from `status`; if that is missing, the current storage version."""
    said = (live.get("status") or {}).get("storedVersions")
    return [str(name) for name in said or [item["name"] for item in _versions(live) if item.get("storage")]]


def _versions(item: Manifest) -> list[Mapping[str, Any]]:
    return list(item["spec"].get("versions") or ())
