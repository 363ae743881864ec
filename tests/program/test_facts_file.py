"""A facts file stands for the nodes in a preview, and in nothing else."""

import time

import pytest

from components.nodes.preflight.facts import Survey, dump
from components.nodes.preflight.gate import PreflightError
from components.stackfile.parsing import SpecError
from tests.support.program import run_program
from tests.support.stacks import stack

NAMES = [node.name for node in stack("oslo").nodes]


@pytest.fixture
def made(tmp_path):
    """Writes a facts file of these surveys."""

    def write(*surveys: Survey) -> str:
        file = tmp_path / "facts.json"
        file.write_text(dump(surveys, environment="oslo", made_at=time.time()))
        return str(file)

    return write


def said(program, words: str) -> list[str]:
    return [line for line in program.log if words in str(line)]


def test_an_update_never_judges_by_a_facts_file(made):
    file = made(*(Survey(name, {}) for name in NAMES))
    assert run_program("oslo", preview=True, factsFile=file).of("remote:Command")
    with pytest.raises(SpecError, match=r"factsFile: is for previews, .*pulumi config rm") as caught:
        run_program("oslo", factsFile=file)
    assert "nothing was changed" in str(caught.value)


def test_a_preview_by_a_facts_file_says_so_and_what_an_update_will_do(made):
    [line] = said(run_program("oslo", preview=True, factsFile=made()), "are judged by")
    assert "an update will refuse vds-platform:factsFile" in str(line)


def test_a_facts_file_without_a_node_says_whom_it_does_not_judge(made):
    some = run_program("oslo", preview=True, factsFile=made(*(Survey(name, {}) for name in NAMES[1:])))
    assert [NAMES[0] in str(line) for line in said(some, "is not judged")] == [True]
    assert len(said(run_program("oslo", preview=True, factsFile=made()), "is not judged")) == len(NAMES)


def test_a_node_that_was_not_read_when_the_file_was_made_stops_the_preview(made):
    file = made(Survey(NAMES[0], {}, failure="it has no python3"))
    with pytest.raises(PreflightError, match=f"node {NAMES[0]}: survey of the node it has no python3"):
        run_program("oslo", preview=True, factsFile=file)
