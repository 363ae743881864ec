import base64
from typing import Any

from hypothesis import given

from lab.plugins.kubernetes.drift import imported, live_inputs, readable
from tests.unit.lab_plugins.test_values import JSON


@given(JSON, JSON)
def test_where_nothing_changed_the_inputs_stay_as_they_are(inputs: Any, live: Any) -> None:
    assert live_inputs(inputs, live, live) == inputs


def test_what_the_server_writes_differently_is_no_drift() -> None:
    inputs = {"spec": {"hard": {"requests.cpu": "2000m"}}}
    live = {"spec": {"hard": {"requests.cpu": "2"}}, "status": {}}
    assert live_inputs(inputs, live, live) == inputs


def test_a_value_changed_by_hand_shows_in_the_inputs() -> None:
    inputs = {"data": {"a": "1", "b": "2"}}
    assert live_inputs(inputs, inputs, {"data": {"a": "hand", "b": "2"}}) == {"data": {"a": "hand", "b": "2"}}


def test_a_value_taken_away_by_hand_goes_from_the_inputs() -> None:
    inputs = {"data": {"a": "1", "b": "2"}}
    assert live_inputs(inputs, inputs, {"data": {"b": "2"}}) == {"data": {"b": "2"}}


def test_what_others_add_is_none_of_the_programs_business() -> None:
    inputs = {"metadata": {"labels": {"mine": "1"}}}
    live = {"metadata": {"labels": {"mine": "1", "theirs": "2"}, "uid": "x"}}
    assert live_inputs(inputs, inputs, live) == inputs


def test_a_change_in_one_item_of_a_list_leaves_the_others_as_written() -> None:
    inputs = {"ports": [{"port": 80}, {"port": 443}]}
    old = {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 443, "protocol": "TCP"}]}
    live = {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 8443, "protocol": "TCP"}]}
    assert live_inputs(inputs, old, live) == {"ports": [{"port": 80}, {"port": 8443}]}


def test_a_secrets_written_text_is_compared_with_what_is_stored_of_it() -> None:
    inputs = {"stringData": {"password": "new"}}
    stored = {"data": {"password": base64.b64encode(b"new").decode(), "other": "eA=="}}
    assert readable(stored, inputs)["stringData"] == {"password": "new"}


def test_an_imported_object_is_what_a_program_would_write() -> None:
    live = {
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "uid": "x",
            "resourceVersion": "1",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "data": {"a": "1"},
        "status": {},
    }
    assert imported(live) == {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "1"}}
