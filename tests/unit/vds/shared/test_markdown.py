"""Markdown of other people's text."""

import pytest

from vds.shared.markdown import escape, escape_for_forge, one_line


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


def test_a_comment_on_a_forge_notifies_nobody_and_links_to_nothing() -> None:
    assert escape_for_forge(r"@ada \#12 https://x.no `a`") == (r"&#64;ada \\&#35;12 https:&#47;&#47;x.no &#96;a&#96;")


def test_a_text_of_control_characters_is_empty() -> None:
    assert one_line("\n\x07\t") == ""
