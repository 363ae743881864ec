"""Where a stack's machines are and whose law their owners are under, before and after a change. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vds.preview_comment.events import Change

Place = str
"""What it is and its name, as in `country NO` and `entity Nordic VDS AS (NO)`."""


@dataclass(frozen=True)
class Delta:
    """Countries and legal entities that come or go, each with what brings it or took it away."""

    before: Mapping[Place, tuple[str, ...]]
    after: Mapping[Place, tuple[str, ...]]

    @property
    def added(self) -> dict[Place, tuple[str, ...]]:
        return {place: names for place, names in self.after.items() if place not in self.before}

    @property
    def removed(self) -> dict[Place, tuple[str, ...]]:
        return {place: names for place, names in self.before.items() if place not in self.after}


def of_changes(changes: Sequence[Change]) -> Delta:
    """From what the engine saw: every resource that says in which country it is, or its provider."""
    return Delta(
        _places((change.name, change.old) for change in changes if change.op != "create"),
        _places((change.name, change.new or change.old) for change in changes if change.op != "delete"),
    )


def of_specs(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Delta:
    """From the specs before and after the change, if there is no preview; None if there was no spec."""
    return Delta(_places(_nodes(before)), _places(_nodes(after)))


def _nodes(spec: Mapping[str, Any] | None) -> Iterable[tuple[str, Mapping[str, Any]]]:
    found = (spec or {}).get("nodes")
    for node in found if isinstance(found, list) else ():
        if isinstance(node, Mapping):
            provider = node.get("provider")
            owner = provider if isinstance(provider, Mapping) else {}
            fields = {
                "country": node.get("country"),
                "provider": owner.get("name"),
                "providerCountry": owner.get("country"),
            }
            yield str(node.get("name", "?")), {key: value for key, value in fields.items() if value}


def _places(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[Place, tuple[str, ...]]:
    found: dict[Place, list[str]] = {}
    for name, inputs in resources:
        if country := inputs.get("country"):
            found.setdefault(f"country {country}", []).append(name)
        if law := inputs.get("providerCountry"):
            entity = f"{inputs.get('provider') or 'a provider without a name'} ({law})"
            found.setdefault(f"entity {entity}", []).append(name)
    return {place: tuple(sorted(names)) for place, names in sorted(found.items())}
