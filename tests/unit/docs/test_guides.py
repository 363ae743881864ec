"""What the guides tell a stranger to type works as it is written, leaves no secret for git, and is complete."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.toolchain.build import cache
from tests.support.commands import options_of
from tests.support.stacks import ROOT

GUIDES = sorted((ROOT / "docs" / "howto").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "docs" / "architecture.md", *GUIDES]


def code(page: Path) -> Iterator[str]:
    """Every line of a page's code blocks, and every piece of code in its text."""
    text = page.read_text()
    blocks = re.findall(r"^ *```.*?\n(.*?)^ *```", text, re.M | re.S)
    for block in blocks:
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S).replace("\n", " "))


def vds_commands() -> Iterator[tuple[str, str]]:
    """(what runs it, its words) of every `vds` command in the pages."""
    for page in PAGES:
        for line in code(page):
            for python, words in re.findall(r"(\S*?\bvds|\S+ -m lab vds) ([a-z-].*)", line):
                words = re.split(r"  #| [<>] ", words)[0]
                yield pytest.param(python, words, id=f"{page.stem}: {words}")


@pytest.mark.parametrize(("python", "words"), list(vds_commands()))
def test_a_vds_command_is_run_by_the_environment_and_its_options_are_there(python: str, words: str) -> None:
    assert python in {".venv/bin/vds", ".venv/bin/python -m lab vds", "vds"}
    if words.startswith("--help"):
        return
    asked = shlex.split(words, comments=True)
    known, _ = options_of(asked)
    asked = asked[: asked.index("--")] if "--" in asked else asked
    assert {word.partition("=")[0] for word in asked if re.match("-.", word)} <= known


def test_a_typed_command_names_the_environment_that_it_is_installed_in() -> None:
    """`make .venv/ready` installs it there, and changes no PATH. In a sentence a command has its name alone."""
    bare = [
        (page.name, line)
        for page in PAGES
        for block in re.findall(r"^ *```.*?\n(.*?)^ *```", page.read_text(), re.M | re.S)
        for line in block.splitlines()
        if re.match(r" *(sudo )?vds ", line)
    ]
    assert not bare


def test_no_other_python_is_asked_either() -> None:
    bare = [(page.name, line) for page in PAGES for line in code(page) if re.match(r"(sudo )?python3? ", line.strip())]
    assert not bare


# --- what is written into the checkout ----------------------------------------------------------------------

WRITES = re.compile(
    r"(?:[^-]> ?|--facts |--write |-keyout |-out |--cert=|--key=|^cp \S+ |set vds-platform:factsFile )([\w./-]+\.\w+)"
)


COMMITTED = {"first.known_hosts"}
"""Host keys are public, and belong beside the stack file."""


def written() -> dict[str, str]:
    """File → the page that says to write it. Lists of options with a path elsewhere are no concern of git's."""
    found = {file: page.name for page in GUIDES for line in code(page) for file in WRITES.findall(line)}
    return {file: page for file, page in found.items() if not file.startswith("/") and file not in COMMITTED}


def ignored(*files: str) -> set[str]:
    argv = ["git", "check-ignore", "--no-index", *files]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    if done.returncode > 1:
        pytest.skip("this is no git checkout")
    return set(done.stdout.split())


def test_what_the_guides_write_into_the_checkout_is_ignored_by_git() -> None:
    files = written()
    assert {"admin.kubeconfig", "ca.key", "api.pcap", "oslo.facts.json", "facts/oslo.json", "state.json"} <= set(files)
    assert ignored(*files) == set(files)


def test_nothing_that_is_tracked_is_ignored() -> None:
    argv = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no git checkout")
    assert done.stdout == ""


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_secret_is_written_for_its_owner_alone(page: Path) -> None:
    for line in code(page):
        if any(file.endswith((".kubeconfig", ".key")) for file in WRITES.findall(line)):
            assert line.strip().startswith("(umask 077; "), line


# --- cleaning up --------------------------------------------------------------------------------------------


def test_the_lab_s_guide_removes_the_folder_that_a_build_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/root")  # as sudo does
    guide = ROOT / "docs" / "howto" / "run-the-lab.md"
    (line,) = [line for line in code(guide) if line.startswith("sudo rm")]
    assert str(cache()) in line.split()
    assert not [page.name for page in [*PAGES, ROOT / "Makefile"] if "without a trace" in page.read_text()]
