"""docs/howto/measure-the-network.md says nothing that is not so."""

import re

from typer.main import get_command

from tests.support.stacks import ROOT
from vds.bench.command import app
from vds.bench.manifests import NAMESPACE
from vds.bench.verdict import PUBLISHED, SOURCE

TEXT = (ROOT / "docs" / "howto" / "measure-the-network.md").read_text()


def test_its_table_is_the_published_one():
    rows = {cells[1].strip(): cells for cells in (line.split("|") for line in TEXT.splitlines()) if len(cells) == 7}
    for published in PUBLISHED:
        shared, dedicated = (cell.strip() for cell in rows[published.item][4:6])
        assert shared == f"{published.shared:.{published.digits}f} {published.unit}"
        assert dedicated == f"{published.dedicated:.{published.digits}f} {published.unit}"
    assert re.search("'(.+)'", SOURCE)[1] in TEXT


def test_its_options_are_the_commands():
    command = get_command(app).commands["network"]
    known = {word for option in command.params for word in option.opts}
    lines = re.findall(r"^\S+vds (bench network .*)", TEXT, re.MULTILINE)
    used = {word for line in lines for word in re.findall(r"(?<=\s)--?[a-z-]+", line)}
    assert used
    assert used <= known


def test_the_namespace_is_named():
    assert f"`{NAMESPACE}`" in TEXT
