"""Pages use words that a reader can look up, and say who does what."""

import re
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")])
PRIVATE = re.compile(
    r"\b(doors?|lattice|forsaken|unsaid|spellings?|spelled|give back|given back|give-back|take back|take-back"
    r"|held against|whoever|nobody's|said|stands? (?:in|beside)|ours to|look inside)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_private_word(page: Path) -> None:
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)
    assert PRIVATE.findall(prose) == []
