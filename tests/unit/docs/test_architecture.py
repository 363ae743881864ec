"""Architecture, glossary and decisions are complete, and their links lead somewhere."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = ROOT / "docs" / "adr"
FOLDERS = sorted(path.name for path in (ROOT / "components").iterdir() if (path / "__init__.py").exists())


@pytest.mark.parametrize("name", FOLDERS)
def test_every_folder_of_components_is_on_the_architecture_page(name: str) -> None:
    (section,) = re.findall(r"^## Folders\n(.*?)^## ", (ROOT / "docs" / "architecture.md").read_text(), re.M | re.S)
    assert f"`{name}`" in section


@pytest.mark.parametrize("name", FOLDERS)
def test_every_folder_of_components_has_a_layer(name: str) -> None:
    rules = ConfigParser()
    rules.read(ROOT / ".importlinter")
    assert f"components.{name}" in re.split(r"[\s|]+", rules["importlinter:contract:layers"]["layers"])


def test_one_word_is_explained_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.M)
    words = [word.strip() for row in rows if row != "word" for word in row.split(",")]
    assert words
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("0*.md")), ids=lambda page: page.name)
def test_a_decision_has_its_price_and_how_to_undo_it(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.M)
    assert headings[:2] == ["Question", "Decision"]
    assert headings[-2:] == ["Price", "Undo"]
    (title,) = re.findall(r"^# (.+)$", page.read_text(), re.M)
    assert f"- [{title}]({page.name})" in (DECISIONS / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_file_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`((?:components|docs|lab|policies|tests|vds)/[\w./-]+)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []
