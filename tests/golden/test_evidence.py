"""The evidence of the committed stacks, whole: what an auditor is handed is read before it changes."""

from dataclasses import replace

import pytest

from tests.support.evidence import DATE, evidence
from tests.support.golden import FILES, assert_golden
from vds.evidence.contents import render


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_evidence_of_a_committed_stack_is_as_read(name: str) -> None:
    # Every run of the tests makes another certificate authority, and its certificate is in the states.
    found = evidence(name=name)
    tenants = tuple(replace(one, state_sha256="0" * 64) for one in found.tenants)
    files = render(replace(found, state_sha256="0" * 64, tenants=tenants), date=DATE)
    # The documents for programs say the same of both, and the PDF is the Markdown.
    left_out = (".pdf",) if name == "oslo" else (".pdf", ".cdx.json", *(file for file in files if "oscal" in file))
    read = {file for file in files if not file.endswith(left_out)}
    for file in read:
        assert_golden(f"evidence-{name}/{file}", files[file].decode())
    assert {path.name for path in (FILES / f"evidence-{name}").iterdir()} == read
