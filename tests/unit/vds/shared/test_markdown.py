"""Markdown of other people's text."""

import html
import re
from collections.abc import Callable

import pytest

from vds.shared.markdown import code, code_block, escape, escape_for_forge, one_line, tag_text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("x | y", r"x \| y"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("#12 `code`", r"\#12 \`code\`"),
        ("one\r\ntwo\x00\u2028three", "one two three"),
    ],
)
def test_no_character_is_interpreted(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ask @ada", ["@ada"]),
        ("see #12, GH-12, !12 and %12", ["#12", "GH-12", "!12", "%12"]),
        ("https://x.no and ftp://x.no", ["://"]),
        ("www.evil.example/a, (WWW.evil.example)", ["www.", "WWW."]),
        ("mail a@evil.example", ["a@evil"]),
        ("`a` <b> [c](d)", ["`a`", "<b>", "[c]("]),
    ],
)
@pytest.mark.parametrize("write", [escape_for_forge, tag_text])
def test_a_comment_on_a_forge_notifies_nobody_and_links_to_nothing(
    text: str, parts: list[str], write: Callable[[str], str]
) -> None:
    """Forges look for mentions and links in the text that a reader sees: entities are decoded then."""
    markdown = write(text)
    if write is tag_text and "[c]" in text:
        parts = parts[:2]  # Markdown is not read in a tag
    for form in (markdown, html.unescape(markdown)) if "<b>" not in text else (markdown,):
        assert not [part for part in parts if part in form]
    seen = html.unescape(re.sub(r"\\([^\w\s])", r"\1", markdown)).replace("\u200b", "")
    assert seen == text, "and a reader sees the same"


HIDDEN = [
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\xad",
    "\u3164",
    "\ufe0f",
    "\U000e0041",
    "\ud800",
]


@pytest.mark.parametrize("character", HIDDEN, ids=lambda character: f"{ord(character):x}")
def test_a_character_that_shows_nothing_is_written_as_its_number(character: str) -> None:
    """Bidirectional controls turn the text behind them; a zero-width one makes two names look the same."""
    text, number = f"a{character}b", f"U+{ord(character):04X}"
    for written in (escape(text), escape_for_forge(text), code(text), code_block([text]), tag_text(text)):
        assert character not in written
        assert number in written
        written.encode()  # half of a pair has no UTF-8


def test_a_carriage_return_in_a_diff_is_seen() -> None:
    assert code_block(["+a\r", "+b\tc"]) == "```diff\n+a[U+000D]\n+b\tc\n```"


def test_a_text_of_control_characters_is_empty() -> None:
    assert one_line("\n\x07\t") == ""
