"""docs/howto/show-an-auditor.md says nothing that is not so."""

import re

import yaml

from tests.support.stacks import ROOT, problems, stack_data
from vds.evidence.contents import COVER, FILES, SUMS

TEXT = (ROOT / "docs" / "howto" / "show-an-auditor.md").read_text()


def test_what_it_has_a_reader_write_is_a_sound_stack_file() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert problems({**stack_data("lab"), **yaml.safe_load(block)}) == []


def test_it_names_every_file() -> None:
    named = TEXT.replace("`, `.json`", " .json").replace("`, `.mmd`", " .mmd")
    for name in (*FILES, SUMS, COVER):
        stem, _, suffix = name.rpartition(".")
        assert name in named or (f"`{stem}." in named and f".{suffix}" in named), name
