"""`vds agency` as a person runs it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.agency import project
from tests.support.commands import vds
from tests.support.stacks import ROOT

EXAMPLE = ROOT / "examples/agency"


def run(*words: object):
    return vds("agency", *map(str, words))


def new(folder: Path, *words: object):
    repository = "https://git.example.no/platform/vds-platform.git"
    contract = ("--contract", EXAMPLE / "contract.yaml")
    return run("new", folder, *contract, "--repository", repository, "--version", "0.1.0", *words)


@pytest.mark.parametrize("language", ["yaml", "python"])
def test_a_new_project_has_the_contracts_names_and_keeps_it(tmp_path, language):
    done = new(tmp_path / "project", "--language", language)
    assert done.exit_code == 0, done.stderr
    written = {file.name: file.read_text() for file in (tmp_path / "project").iterdir()}
    assert written == project(language)
    for stack in ("prod", "staging"):
        done = run("check", tmp_path / "project", "-s", stack, "--contract", EXAMPLE / "contract.yaml")
        assert (done.exit_code, done.stdout) == (0, f"stack {stack}: no problems\n")


def test_no_file_is_written_over(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    done = new(tmp_path)
    assert done.exit_code == 2
    assert "has README.md already: name another folder" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]


def test_a_mistake_ends_with_1_and_has_its_line(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "it")
    file = tmp_path / "it/Pulumi.prod.yaml"
    file.write_text(file.read_text().replace("butikk.example.no", "nav.no"))
    words = ("check", tmp_path / "it", "-s", "prod", "--contract", tmp_path / "it/contract.yaml")
    done = run(*words)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{file}:3 route 'site': nav.no is not a domain of this tenant")
    assert done.stdout.endswith("stack prod: 1 problem\n")
    (found,) = json.loads(run(*words, "--json").stdout)
    assert (found["rule"], found["line"], found["value"]) == ("gateway-hostname", 3, "nav.no")


def test_what_can_not_be_read_ends_with_2(tmp_path):
    done = run("check", tmp_path, "-s", "prod", "--contract", EXAMPLE / "contract.yaml")
    assert done.exit_code == 2
    assert "Pulumi.yaml can't be read (No such file or directory): name a file that you may read" in done.stderr
