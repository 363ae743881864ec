"""What the architecture page and the import rules say of the folders is what is there."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

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
    words = [word.strip() for row in rows[1:] for word in row.split(",")]
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
