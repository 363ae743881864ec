"""The order in which the policies get the resources of a state."""

from typing import Any

from vds.evidence.evaluate import parents_first


def entry(urn: str, parent: str = "", *dependencies: str) -> dict[str, Any]:
    return {"urn": urn, "parent": parent, "dependencies": list(dependencies)}


def urns(*entries: dict[str, Any]) -> list[str]:
    return [one["urn"] for one in parents_first(list(entries))]


def test_a_resource_comes_after_its_parent_and_its_dependencies() -> None:
    assert urns(entry("a", "z"), entry("b", "a", "y"), entry("z"), entry("y", "gone")) == ["y", "z", "a", "b"]


def test_a_replaced_resource_stays_beside_its_twin() -> None:
    assert urns(entry("b", "c"), entry("a"), entry("b"), entry("c")) == ["a", "c", "b", "b"]


def test_a_cycle_comes_last_and_nothing_is_lost() -> None:
    assert urns(entry("a", "b"), entry("b", "a"), entry("c", "c")) == ["c", "a", "b"]
