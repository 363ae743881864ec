"""The evidence of the committed stacks, whole: what an auditor is handed is read before it changes."""

import pytest

from tests.support.evidence import DATE, evidence
from tests.support.golden import FILES, assert_golden
from vds.evidence.contents import render


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_the_evidence_of_a_committed_stack_is_as_read(name: str) -> None:
    files = render(evidence(name=name), date=DATE)
    for file, content in files.items():
        assert_golden(f"evidence-{name}/{file}", content.decode())
    assert {path.name for path in (FILES / f"evidence-{name}").iterdir()} == set(files)
