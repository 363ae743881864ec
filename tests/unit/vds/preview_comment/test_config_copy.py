"""A preview is made of the author's own text: only the two keys that would ask nodes change."""

import difflib

import pytest

from components.stackfile.reader import read
from tests.support.stacks import ROOT
from vds.preview_comment.config_copy import without_nodes
from vds.shared.errors import OperationError


def config(text):
    return read(text, file="f").value["config"]


@pytest.mark.parametrize("name", ["oslo", "lab"])
def test_nothing_else_changes_in_the_committed_files(name):
    text = (ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
    after = without_nodes(text)
    assert config(after) == {**config(text), "vds-platform:readNodes": False}
    differences = [line for line in difflib.ndiff(text.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert differences in (
        ["-   vds-platform:readNodes: true", "+   vds-platform:readNodes: false"],
        ["+   vds-platform:readNodes: false", "-   vds-platform:readNodes: true"],
        ["+   vds-platform:readNodes: false"],
    )


def test_values_stay_as_the_engine_reads_them():
    text = (
        "config:\n    # of the stack\n    vds-platform:factsFile: facts.json # a file\n    readNodes:\n      true\n"
        "    vds-platform:spec:\n        country: NO\n        version: 1.30\n        day: 2027-12-31\n"
        "        base: &b {q: 0o17}\n        other: *b\nencryptionsalt: v1:x\n"
    )
    assert without_nodes(text) == (
        "config:\n    # of the stack\n    vds-platform:readNodes: false\n"
        "    vds-platform:spec:\n        country: NO\n        version: 1.30\n        day: 2027-12-31\n"
        "        base: &b {q: 0o17}\n        other: *b\nencryptionsalt: v1:x\n"
    )


def test_a_file_on_one_line_is_refused_with_what_to_write():
    with pytest.raises(OperationError, match="each on a line of its own"):
        without_nodes("config: {vds-platform:spec: {}}\n")
