"""Rules for changing the CRDs in a cluster: they compare the live CRDs with a new bundle."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.core.finding import Finding
from components.core.manifests import Manifest
from components.core.versions import parse
from components.gateway.bundle import CHANNEL, VERSION, Bundle, mark


def bundle_problems(live: Iterable[Manifest], new: Bundle) -> Iterator[Finding]:
    """Everything wrong with applying `new`. CRDs that are not in it are not changed."""
    by_name = {item["metadata"]["name"]: item for item in new.crds}
    for item in sorted(live, key=lambda item: str(item["metadata"]["name"])):
        if item["metadata"]["name"] in by_name:
            yield from crd_problems(item, by_name[item["metadata"]["name"]])


def crd_problems(live: Manifest, new: Manifest) -> list[Finding]:
    """No downgrade, no experimental over standard, and no removal of a version in which objects are stored."""
    item = f"CustomResourceDefinition {live['metadata']['name']}"
    return [Finding("gateway-crds", item, said, remedy) for said, remedy in _wrong(live, new)]


def _wrong(live: Manifest, new: Manifest) -> Iterator[tuple[str, str]]:
    """What is wrong, and the remedy."""
    was, will = mark(live, VERSION), mark(new, VERSION)
    try:
        if was and parse(will) < parse(was):
            yield f"has release {was}, and {will} is older: objects would lose fields", f"use {was} or newer"
    except ValueError:
        yield f"its release '{was}' can't be compared with {will}", "find out what it is before you replace it"
    if (mark(live, CHANNEL), mark(new, CHANNEL)) == ("standard", "experimental"):
        yield (
            "is of the standard channel; a change to the experimental one can't be undone without losing fields",
            "use the standard channel's file",
        )
    served = {str(item["name"]) for item in _versions(new) if item.get("served")}
    for version in _stored(live):
        if version not in served:
            yield (
                f"objects are stored as {version}, which the new CRD does not serve",
                "store them in another version (read and write each once), remove it from status.storedVersions, then "
                "update",
            )


def _stored(live: Manifest) -> list[str]:
    """Stored versions from `status`; if that is missing, the current storage version."""
    said = (live.get("status") or {}).get("storedVersions")
    return [str(name) for name in said or [item["name"] for item in _versions(live) if item.get("storage")]]


def _versions(item: Manifest) -> list[Mapping[str, Any]]:
    return list(item["spec"].get("versions") or ())
