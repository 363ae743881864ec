from hypothesis import given
from hypothesis import strategies as st

from lab.plugins.diff import Change, changes, text
from lab.plugins.values import UNKNOWN
from tests.support.json_values import JSON


@given(JSON)
def test_what_is_the_same_has_no_changes(content: object) -> None:
    assert changes(content, content) == {}


OBJECT = st.dictionaries(st.sampled_from("abc"), JSON)


@given(OBJECT, OBJECT)
def test_there_are_changes_exactly_when_the_two_differ(old: dict[str, object], new: dict[str, object]) -> None:
    assert bool(changes(old, new)) == (old != new)


def test_changes_name_the_deepest_path_that_differs() -> None:
    old = {"spec": {"ports": [{"port": 80}, {"port": 443}], "gone": 1}}
    new = {"spec": {"ports": [{"port": 80}, {"port": 8443}], "new": 1}}
    assert changes(old, new) == {
        ("spec", "ports", 1, "port"): Change.UPDATE,
        ("spec", "gone"): Change.DELETE,
        ("spec", "new"): Change.ADD,
    }


def test_an_unknown_differs_from_what_was_known() -> None:
    assert changes({"a": "x"}, {"a": UNKNOWN}) == {("a",): Change.UPDATE}


def test_paths_are_written_as_the_engine_writes_them() -> None:
    assert text(("spec", "ports", 0, "port")) == "spec.ports[0].port"
    assert text(("metadata", "labels", "app.kubernetes.io/name")) == 'metadata.labels["app.kubernetes.io/name"]'
