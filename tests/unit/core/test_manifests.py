"""Manifests that anyone may have written are read by type: a wrong one is named by its field, never by its value."""

from typing import Any

import pytest

from components.core.manifests import FieldError, Fields, Kind, ManifestView, kind_of


@pytest.mark.parametrize(
    ("resource_type", "kind"),
    [
        ("kubernetes:metallb.io/v1beta1:IPAddressPool", Kind("metallb.io", "IPAddressPool", False)),
        ("kubernetes:core/v1:NamespacePatch", Kind("core", "Namespace", True)),
        ("kubernetes:yaml:ConfigFile", Kind("yaml", "ConfigFile", False)),
        ("pulumi:providers:kubernetes", None),
        ("command:remote:Command", None),
    ],
)
def test_the_kind_of_an_object_is_read_from_pulumi_s_type(resource_type: str, kind: Kind | None) -> None:
    assert kind_of(resource_type) == kind


def test_what_is_missing_or_null_is_empty() -> None:
    for fields in (Fields({}), Fields({"a": None}), Fields(None)):
        assert fields.text("a") == ""
        assert fields.text("a", "b") == "b"
        assert fields.number("a", 1) == 1
        assert fields.items("a") == []
        assert fields.group("a").group("b").groups("c") == []


@pytest.mark.parametrize(("value", "number"), [(7, 7), (7.0, 7), ("7", 7), ("", 0), (0, 0)])
def test_a_number_may_be_a_float_or_text_of_digits(value: Any, number: int) -> None:
    assert Fields({"a": value}).number("a") == number


@pytest.mark.parametrize(("value", "text"), [("x", "x"), (53.0, "53"), (True, "true"), (1.5, "1.5")])
def test_text_may_be_a_number_or_a_switch(value: Any, text: str) -> None:
    assert Fields({"a": value}).text("a") == text


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        ("group", "hunter2", "is not a group of fields"),
        ("groups", {"a": 1}, "is not a list"),
        ("items", "hunter2", "is not a list"),
        ("text", ["hunter2"], "is not text"),
        ("number", "hunter2", "is not a whole number"),
        ("number", float("inf"), "is not a whole number"),
        ("number", 1e308, "is not a whole number"),
        ("number", True, "is not a whole number"),
        ("number", "9" * 5000, "is not a whole number"),
    ],
)
def test_a_value_of_a_wrong_type_is_named_by_its_field(read: str, value: Any, message: str) -> None:
    fields = Fields({"spec": {"a": value}}).group("spec")
    with pytest.raises(FieldError) as raised:
        getattr(fields, read)("a")
    assert str(raised.value) == f"spec.a {message}"


def test_the_path_has_the_place_in_a_list() -> None:
    view = ManifestView("Service", {"spec": {"ports": [{"port": 80}, {"port": "http"}]}})
    first, second = view.spec.groups("ports")
    assert first.number("port") == 80
    with pytest.raises(FieldError, match=r"^spec.ports.1.port is not a whole number$"):
        second.number("port")


def test_an_object_is_called_by_kind_namespace_and_name() -> None:
    assert ManifestView("Role", {"metadata": {"name": "dev", "namespace": "a"}}).label == "Role a/dev"
    assert ManifestView("Role", {"metadata": {"name": "dev"}}).label == "Role default/dev"
    assert ManifestView("Role", {}).label == "Role default/?"
    with pytest.raises(FieldError, match=r"^metadata.name is missing"):
        _ = ManifestView("Role", {}).name
