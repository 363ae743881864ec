"""What a change does to residency: machines, places, legal entities, purposes, destinations and exceptions. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from vds.preview_comment.events import Change
from vds.preview_comment.single_values import single_values

_UNTIL = "until"
_OF_A_PLACE = {"country": "in", "entity": "of", "purposes": "for", "hosts": "at", "networks": "at"}
_OF_AN_EXCEPTION = {"place": "for the place", "setting": "for the setting", "check": "for the check", "nodes": "on"}
_OF_THE_STATE = {"stateBackend": "state stored at", "secretsProvider": "secrets provider"}


Subject = Literal["machines", "owner", "stack", "place", "exception", "record of processing"]


class Fact(NamedTuple):
    """One thing that a description says of residency."""

    subject: Subject
    """What it is about."""
    name: str
    """Its name; empty where the subject has none."""
    relation: str
    """How the value belongs to it, as in `in` and `until`."""
    value: str
    names: tuple[str, ...] = ()
    """The resources that say so, where it matters."""

    @property
    def key(self) -> tuple[Subject, str, str, str]:
        """The fact, whichever resources say so."""
        return self[:4]


@dataclass(frozen=True)
class Delta:
    """Facts before and after a change."""

    before: tuple[Fact, ...] = ()
    after: tuple[Fact, ...] = ()

    @property
    def added(self) -> tuple[Fact, ...]:
        return _without(self.after, self.before)

    @property
    def removed(self) -> tuple[Fact, ...]:
        return _without(self.before, self.after)

    @property
    def risky(self) -> bool:
        """Something comes or lasts longer. An exception that ends earlier is no risk."""
        before: dict[tuple[str, ...], str] = {}
        for fact in self.before:
            before[fact[:3]] = min(fact.value, before.get(fact[:3], fact.value))
        return any(fact.relation != _UNTIL or fact.value > before.get(fact[:3], "") for fact in self.added)

    def over(self, other: "Delta") -> "Delta":
        """What both say."""
        return Delta(_sorted([*self.before, *other.before]), _sorted([*self.after, *other.after]))


def of_changes(changes: Sequence[Change]) -> Delta:
    """From what the engine saw: resources that say where they are, whose they are, and which places are declared."""
    return Delta(
        _sorted(fact for one in changes if one.op != "create" for fact in _of_resource(one.name, one.old)),
        _sorted(fact for one in changes if one.op != "delete" for fact in _of_resource(one.name, one.new or one.old)),
    )


def of_specs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Delta:
    """From the specs, masked, before and after the change; empty where there is none."""
    return Delta(_sorted(_of_spec(before)), _sorted(_of_spec(after)))


def _of_spec(spec: Mapping[str, Any]) -> Iterator[Fact]:
    for node in _groups(spec.get("nodes")):
        given = node.get("provider")
        owner = given if isinstance(given, Mapping) else {}
        fields = {"provider": owner.get("name"), "providerCountry": owner.get("country")}
        yield from _of_machine(str(node.get("name", "?")), {**node, **fields})
    residency = spec.get("residency")
    record = residency if isinstance(residency, Mapping) else {}
    yield from _of_places(record)
    yield from (Fact("stack", "", "allows", text) for text in _texts(record.get("allowedCountries")))
    yield from _exceptions(spec, "")
    # The order of a list says nothing.
    for path, value in single_values(spec.get("processing")):
        if value not in (None, [], {}):
            yield Fact("record of processing", "", re.sub(r"\[[^\]]*\]", "", path), str(value))


def _of_resource(name: str, inputs: Mapping[str, Any]) -> Iterator[Fact]:
    yield from _of_machine(name, inputs)
    if "places" in inputs:
        yield from _of_places(inputs)
        yield from _exceptions(inputs.get("exceptions"), "exceptions")
        for field, relation in _OF_THE_STATE.items():
            yield from (Fact("stack", "", relation, text) for text in _texts(inputs.get(field)))
        for runner in _groups(inputs.get("ciRunners")):
            yield Fact("stack", "", "run by CI on", str(runner.get("label") or "?"), (str(runner.get("seen_in", "?")),))


def _of_machine(name: str, inputs: Mapping[str, Any]) -> Iterator[Fact]:
    if country := inputs.get("country"):
        yield Fact("machines", "", "in", str(country), (name,))
    if law := inputs.get("providerCountry"):
        entity = f"{inputs.get('provider') or 'a provider without a name'} ({law})"
        yield Fact("owner", "", "", entity, (name,))


def _of_places(record: Mapping[str, Any]) -> Iterator[Fact]:
    for place in _groups(record.get("places")):
        entity = f"{place.get('entity') or 'an entity without a name'} ({place.get('entityCountry') or 'no country'})"
        for field, relation in _OF_A_PLACE.items():
            for text in _texts(entity if field == "entity" else place.get(field)):
                yield Fact("place", str(place.get("name", "?")), relation, text)


def _exceptions(value: Any, path: str) -> Iterator[Fact]:
    """Every group with a last day and a reason, wherever it is: exceptions of all domains have these two."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _exceptions(item, f"{path}[{index}]")
    if not isinstance(value, Mapping):
        return
    if {_UNTIL, "reason"} <= value.keys():
        named = [text for field in ("name", *_OF_AN_EXCEPTION) for text in _texts(value.get(field))]
        name = named[0] if named else path
        for field, relation in (_OF_AN_EXCEPTION | {_UNTIL: _UNTIL, "reason": "because"}).items():
            yield from (Fact("exception", name, relation, text) for text in _texts(value.get(field)))
        return
    for key, inner in value.items():
        above = value.get("name") or path
        yield from _exceptions(inner, f"{above}.{key}" if path else str(key))


def _groups(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    """A value, or each of a list, that is there."""
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item not in (None, "", [], {})]


def _without(facts: Sequence[Fact], others: Sequence[Fact]) -> tuple[Fact, ...]:
    there = {fact.key for fact in others}
    return tuple(fact for fact in facts if fact.key not in there)


def _sorted(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Each fact once, with all resources that say it, in the order of its subjects."""
    names: dict[tuple[Subject, str, str, str], set[str]] = {}
    for fact in facts:
        names.setdefault(fact.key, set()).update(fact.names)
    # Within a subject the order of its fields stays.
    order = sorted(names, key=lambda key: (get_args(Subject).index(key[0]), key[:2]))
    return tuple(Fact(*key, tuple(sorted(names[key]))) for key in order)
