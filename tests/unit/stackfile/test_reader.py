"""YAML as Pulumi's engine reads it: the values are what `pulumi config --json` (3.274) answered for the same text."""

import math

import pytest

from components.stackfile.reader import ReadError, read

SCALARS = {
    "NO": "NO",
    "no": "no",
    "yes": "yes",
    "on": "on",
    "Off": "Off",
    "y": "y",
    "1.30": 1.3,
    "0777": 511,
    "0o17": 15,
    "0O17": 15,
    "0x1F": 31,
    "-0x1F": -31,
    "1_000": 1000,
    "0x_F": 15,
    "1_0.5": 10.5,
    "1_": 1,
    "_1": "_1",
    "198.51.100.021": "198.51.100.021",
    "1:30": "1:30",
    "~": None,
    "Null": None,
    "TRUE": True,
    "True": True,
    "tRUE": "tRUE",
    "0b11": 3,
    "+5": 5,
    "-0": 0,
    "1.": 1,
    ".5": 0.5,
    "08": 8,
    "012": 10,
    "1e3": 1000,
    "1e": "1e",
    "2027-12-31": "2027-12-31 00:00:00 +0000 UTC",
    "2027-1-1": "2027-01-01 00:00:00 +0000 UTC",
    "2027-12-31 10:00:00": "2027-12-31 10:00:00 +0000 UTC",
    "2027-02-30": "2027-02-30",
    "=": "=",
    '"x"': "x",
    '"1"': "1",
    "'NO'": "NO",
    "!!str 5": "5",
    '!!int "12"': 12,
    "!foo bar": "bar",
    "!foo 1": "1",
    "!!binary aGVq": "hej",
    "123456789012345678901234567890": 1.2345678901234568e29,
}


LAUGHS = "x0: &x0 [a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{number}: &x{number} [{', '.join([f'*x{number - 1}'] * 9)}]\n" for number in range(1, 9)
)


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_is_what_the_engine_makes_of_it(text):
    value = read(f"a: {text}\n", file="f").value["a"]
    assert value == SCALARS[text]
    assert type(value) is type(SCALARS[text])
    assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "-0x" + "f" * 20, "1e400", "-1e400"])
def test_a_number_that_go_has_no_type_for_is_text(text):
    assert read(f"a: {text}\n", file="f").value == {"a": text}


def test_keys_are_text_as_go_prints_them():
    text = "1: a\ntrue: b\n~: c\nNO: d\n1.5: e\n2027-01-01: f\n"
    assert list(read(text, file="f").value) == ["1", "true", "<nil>", "NO", "1.5", "2027-01-01 00:00:00 +0000 UTC"]


def test_an_alias_has_its_anchors_value_and_a_key_stands_before_a_merged_one():
    node = read("base: &b {q: 1, r: 2}\nn: *b\nm:\n  <<: *b\n  q: 5\nl:\n  <<: [{a: 1}, {a: 2, b: 3}]\n", file="f")
    assert node.value["n"] == {"q": 1, "r": 2}
    assert node.value["m"] == {"q": 5, "r": 2}
    assert node.value["l"] == {"a": 1, "b": 3}
    assert node.children["m"].keys["q"] == 5


@pytest.mark.parametrize(
    ("text", "lines", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", (1, 3), "a: the key is there twice: keep one (lines 1 and 3)"),
        ("x:\n  1: a\n  '1': b\n", (2, 3), "x.1: the key is there twice"),
        ("a: *z\n", (1,), "'*z' has no anchor before it"),
        ("a: &z [*z]\n", (1,), "'*z' is the value that it stands in"),
        ("a: {<<: 3}\n", (1,), "'<<' merges something that is no group of settings"),
        ("? [a]\n: 1\n", (1,), "a key is a list"),
        ("a: 1\n---\nb: 2\n", (2,), "a second document begins here"),
        ("a: 1\n\tb: 1\n", (2,), "a tab before 'b'"),
        ('a: 1\nb: "x\n', (2,), "a quoted text begins here and does not end"),
        ("a:\n  - [1, 2\nb: 1\n", (2,), "a bracket opens here"),
        ("a: b: c\n", (1,), "a ': ' is in a value: write the value in quotes"),
        ("p:\n  x: 1\na:\n  y: 1\n  u: b: c\n", (5,), "a ': ' is in a value: write the value in quotes"),
        ('a:\n  b: "x\n  c: 1\n  d: 2\n  e: "y"\n', (2,), "a quoted text begins here and does not end"),
        ('a: "x\\q"\n', (1,), "begins no character that YAML knows: write single quotes"),
        ("a:\n  b: |x\n", (2,), "something follows '|' or '>'"),
        ("p:\n  x: 1\na:\n  u:b\n  y: 1\n", (4,), "has no ': ' between a key and its value"),
        ("p:\n  x: 1\na:\n  u b\n  y: 1\n", (4,), "has no ': ' between a key and its value"),
        ("a: @b\n", (1,), "write the value in quotes"),
        ("a:\n  " + "[" * 3000, (2,), "more than 100 lists and groups are within each other"),
        ("a: 1\nb: x\x07y\n", (2,), "has the character U+0007, which YAML does not take: remove it"),
        ("a:\n  b: !!int root\n", (2,), "the tag !!int stands before something else"),
        ("a: !!int 3.0\n", (1,), "!!int"),
        ("a: !!bool 1\n", (1,), "!!bool"),
        ("a: !!null x\n", (1,), "!!null"),
        ("a: !!float x\n", (1,), "!!float"),
        (LAUGHS, (6,), "aliases stand for more than 100000 values"),
    ],
)
def test_what_the_engine_refuses_is_said_with_its_line(text, lines, says):
    with pytest.raises(ReadError) as caught:
        read(text, file="f")
    (found,) = caught.value.findings
    assert found.lines == lines
    assert says in str(found)


def test_two_mistakes_are_said_at_once():
    with pytest.raises(ReadError) as caught:
        read("a: 1\na: 2\nb: *c\nd: 1\nd: 2\n", file="f")
    assert [found.lines for found in caught.value.findings] == [(1, 2), (3,), (4, 5)]


def test_lines_end_as_on_any_system_and_a_byte_order_mark_is_nothing():
    node = read("\ufeffa: 1\r\nb:\r\n  c: 2\r\n", file="f")
    assert node.value == {"a": 1, "b": {"c": 2}}
    assert node.children["b"].keys["c"] == 3


def test_an_empty_text_is_nothing():
    assert read("", file="f").value is None
    assert read("# only a comment\n", file="f").value is None
