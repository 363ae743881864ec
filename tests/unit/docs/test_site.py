"""The documentation is a site: strict, complete, and without anything from other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

READERS = ("Engineer", "Reviewer", "Agency", "Auditor")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    argv = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_page_loads_nothing_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"?(\S+)|<link[^>]* href=\"?(\S+)", page.read_text())
        assert not [url for pair in loaded for url in pair if url.startswith(("http:", "https:", "//"))], page


@pytest.mark.parametrize("reader", READERS)
def test_the_first_page_has_a_path_for_each_reader(site: Path, reader: str) -> None:
    assert f"\n## {reader}\n" in (ROOT / "docs" / "index.md").read_text()
    assert f"\n  - {reader}:\n" in (ROOT / "mkdocs.yml").read_text()
