"""A preview is made of the author's own text: only secrets and what asks nodes are left out."""

import difflib

import pytest

from components.stackfile.reader import read
from tests.support.stacks import ROOT
from vds.preview_comment.config_copy import public_copy
from vds.shared.errors import OperationError

ADDED = "+   vds-platform:withoutSecrets: true"


def config(text):
    return read(text, file="f").value["config"]


@pytest.mark.parametrize("name", ["oslo", "lab"])
def test_nothing_else_changes_in_the_committed_files(name):
    text = (ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
    after = public_copy(text)
    wanted = {key: value for key, value in config(text).items() if key != "vds-platform:readNodes"}
    assert config(after) == wanted | {"vds-platform:withoutSecrets": True}
    own = text[text.index("\nconfig:") :].splitlines()
    differences = {line for line in difflib.ndiff(own, after.splitlines()) if line[0] in "+-"}
    assert differences <= {"- ", ADDED, "-   vds-platform:readNodes: true", "-   vds-platform:readNodes: false"}


def test_values_stay_as_the_engine_reads_them_and_every_secret_goes():
    text = (
        "secretsprovider: hashivault://key\nconfig:\n    # of the stack\n"
        "    vds-platform:factsFile: facts.json # a file\n"
        "    readNodes:\n      true\n    vds-platform:sshPrivateKey:\n        secure: v1:abc\n"
        "    vds-platform:caKey: >-\n        plain\n        text\n    other:nested: {a: [{secure: v1:def}]}\n"
        "    vds-platform:spec:\n        country: NO\n        version: 1.30\n        day: 2027-12-31\n"
        "        base: &b {q: 0o17}\n        other: *b\nencryptionsalt: v1:x\nenvironment: [production]\n"
    )
    assert public_copy(text) == (
        "config:\n    vds-platform:withoutSecrets: true\n    # of the stack\n"
        "    vds-platform:spec:\n        country: NO\n        version: 1.30\n        day: 2027-12-31\n"
        "        base: &b {q: 0o17}\n        other: *b\n"
    )


def test_a_file_on_one_line_is_refused_with_what_to_write():
    with pytest.raises(OperationError, match="each on a line of its own"):
        public_copy("config: {vds-platform:spec: {}}\n")
