from hypothesis import given
from pulumi.provider.experimental.property_value import PropertyValue

from lab.plugins.values import UNKNOWN, plain, plain_map, secret_texts, without_secrets, wrap, wrap_map
from tests.support.json_values import JSON


@given(JSON)
def test_plain_python_survives_the_way_through_property_values(content: object) -> None:
    assert plain(wrap(content)) == content


@given(JSON)
def test_plain_python_survives_the_engines_wire_format(content: object) -> None:
    assert plain(PropertyValue.unmarshal(wrap(content).marshal())) == content


def test_an_unknown_is_seen_wherever_it_is_and_goes_back_as_it_came() -> None:
    number = PropertyValue("3eeb2bf0-c639-47a8-9e75-3b44932eb421")
    content = plain_map({"spec": PropertyValue({"ports": PropertyValue([number])})})
    assert plain(wrap(content["spec"]["ports"][0])) == UNKNOWN
    assert wrap(content["spec"]["ports"][0]).value == number.value


def test_secret_marks_are_put_where_they_were() -> None:
    like = {"data": PropertyValue({"a": PropertyValue("x", is_secret=True), "b": PropertyValue("y")})}
    marked = wrap_map({"data": {"a": "new", "b": "y"}}, like)
    assert marked["data"].value["a"].is_secret
    assert not marked["data"].value["b"].is_secret


def test_a_list_that_had_a_secret_in_it_becomes_secret_as_a_whole() -> None:
    like = PropertyValue([PropertyValue("x", is_secret=True), PropertyValue("y")])
    assert wrap(["y", "x"], like).is_secret


def test_secrets_are_blotted_out_of_a_message_line_by_line() -> None:
    secrets = secret_texts({"key": PropertyValue("first line\nsecond line", is_secret=True)})
    assert without_secrets("bad: second line", secrets) == "bad: [secret]"


def test_short_secrets_do_not_blot_out_half_the_message() -> None:
    assert without_secrets("exit status 1", {"1", "e"}) == "exit status 1"
