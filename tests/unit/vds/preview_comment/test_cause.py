"""Who began a cascade, whatever way it went."""

from tests.support.previews import recorded
from vds.preview_comment.cause import causes
from vds.preview_comment.events import Change
from vds.preview_comment.masking import UNKNOWN


def replaced(name: str, *keys: str, **fields: object) -> Change:
    return Change(urn(name), "a:b:T", "replace", keys=keys, **fields)  # type: ignore[arg-type]


def deleted(name: str, parent: str = "") -> Change:
    return Change(urn(name), "a:b:T", "delete", parent=urn(parent) if parent else "")


def urn(name: str) -> str:
    return f"urn:pulumi:s::p::t::{name}"


def test_a_replaced_provider_is_the_cause_of_all_that_it_made() -> None:
    (cause,) = causes(recorded("provider-replaced").changes)
    assert cause.root.name == "cluster"
    assert cause.because == "clusterIdentifier: lab → lab2"
    assert cause.size == 19


def test_what_is_deleted_with_its_component_follows_it() -> None:
    (cause,) = causes(recorded("node-replaced").changes)
    assert (cause.root.name, [change.name for change in cause.followers]) == ("osl-3", ["osl-3-setup"])
    assert cause.because == "it is no longer in the program"


def test_a_value_that_is_not_known_yet_comes_from_what_the_state_says() -> None:
    network = replaced("network", "cidr", old={"cidr": "a"}, new={"cidr": "b"})
    server = replaced("server", "networkId", new={"networkId": UNKNOWN})
    (cause,) = causes([server, network], {urn("server"): [urn("elsewhere"), urn("network")]})
    assert (cause.root, cause.followers) == (network, (server,))


def test_without_a_state_the_old_id_tells() -> None:
    network = replaced("network", "cidr", old={"cidr": "a"}, new={"cidr": "b"}, old_id="net-1")
    server = replaced("server", "networkId", old={"networkId": "net-1"}, new={"networkId": UNKNOWN})
    (cause,) = causes([server, network])
    assert cause.root is network


def test_two_reasons_are_two_causes_and_the_larger_comes_first() -> None:
    one = replaced("one", "x", old={"x": 1}, new={"x": 2})
    found = causes([one, deleted("parent"), deleted("child", "parent")])
    assert [cause.root.name for cause in found] == ["parent", "one"]


def test_a_ring_has_one_cause_and_an_end() -> None:
    first, second = replaced("first"), replaced("second")
    found = causes([first, second], {first.urn: [second.urn], second.urn: [first.urn]})
    assert [cause.size for cause in found] == [2]


def test_what_the_engine_gives_no_reason_for_has_none_made_up() -> None:
    (cause,) = causes([replaced("odd")])
    assert cause.because.startswith("the engine names no property")
