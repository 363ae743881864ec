"""Texts of others are read within limits, and fail with one error only."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.charts.kubernetes_yaml import documents, repeated_keys
from components.core.untrusted import YamlError, json_value, printable, yaml_documents, yaml_value

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {k: 1, l: 2}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ODD = {
    "aliases": (LAUGHS, "aliases stand for more than 100000 values"),
    "merge keys": (MERGED, "aliases stand for more than 100000 values"),
    "brackets": ("[" * 200_000, "more than 100 lists and groups"),
    "dashes": ("- " * 50_000 + "a", "more than 100 lists and groups"),
    "keys": ("{a: " * 50_000, "more than 100 lists and groups"),
    "an alias of itself": ("a: &a [*a]", "an alias holds itself"),
    "a long number": ("a: " + "1" * 5000, "a number has more than 100 digits"),
    "a number of base 60": ("a: 1" + ":1" * 200_000, "a number has more than 100 digits"),
    "a hexadecimal number": ("a: 0x" + "f" * 5000, "a number has more than 100 digits"),
    "a number with a tag": ("a: !!int '1" + ":1" * 200_000 + "'", "a number has more than 100 digits"),
    "a length": ("a" * 10_000_001, "longer than 10000000 characters"),
}


@pytest.mark.parametrize(("text", "problem"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("read", [yaml_value, documents, repeated_keys])
def test_what_would_take_memory_or_time_is_refused(read, text, problem):
    with pytest.raises(YamlError) as caught:
        read(text)
    assert problem in str(caught.value.problem)


@pytest.mark.parametrize(
    "text",
    ["2026-13-45", "!!int x", "!!float x", "!!timestamp x", "? [a]\n: b", "\ud800", "!!binary é", "%YAML 3.0\n---\na"],
)
def test_python_errors_of_the_library_are_yaml_errors(text):
    with pytest.raises(YamlError):
        yaml_documents(f"a: {text}" if text[0] not in "?%" else text)


def test_deep_brackets_do_not_end_the_process():
    """libyaml's composer is recursive C: 200,000 brackets were a segmentation fault."""
    code = "from components.core.untrusted import *\ntry: yaml_value('[' * 200_000)\nexcept YamlError: print('refused')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "refused\n")


def test_what_people_write_is_read():
    assert yaml_value("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1e3}}") == {"a": [1, 2], "b": [1, 2], "c": {"d": "1e3"}}
    assert yaml_value(f"digest: {'0123456789abcdef' * 8}") == {"digest": "0123456789abcdef" * 8}
    assert yaml_value("") is None
    assert yaml_documents("a\n---\nb") == ["a", "b"]
    with pytest.raises(YamlError, match="several documents"):
        yaml_value("a\n---\nb")


@pytest.mark.parametrize("text", ["", "{", "NaN", "[" * 200_000, '"\\ud800"', "1" * 5000, '"\x1b"', b"\xff", "a" * 101])
def test_json_fails_with_one_error_that_repeats_nothing(text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the type is the promise
        json_value(text, most=100 if text == "a" * 101 else 1_000_000)
    assert "aaa" not in str(caught.value)


def test_json_is_read():
    assert json_value('{"a": [1, 2.5, null, "é"]}') == {"a": [1, 2.5, None, "é"]}


@given(st.text() | st.lists(st.sampled_from("-[]{}&*a:,!|>'\"# \n1"), max_size=60).map("".join))
def test_any_text_is_read_or_refused(text):
    for read in (yaml_documents, documents, repeated_keys):
        try:
            read(text)
        except YamlError:
            continue


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("osl-1 søl", "osl-1 søl"),
        ("a\x1b]0;title\x07b", "a\ufffd]0;title\ufffdb"),
        ("drifted\r\x1b[2Kconverged", "drifted \ufffd[2Kconverged"),
        ("a\nb\tc\u2028d", "a b c d"),
        ("\u202eabc\x9b\ud800", "\ufffdabc\ufffd\ufffd"),
    ],
)
def test_no_escape_sequence_is_left(text, shown):
    assert printable(text) == shown
