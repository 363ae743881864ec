"""The program itself: help, version, completion, errors and output in a pipe."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn

import pytest
import typer
from rich.table import Table

from tests.support.commands import command_of, vds
from tests.support.stacks import ROOT
from vds.main import _MODULES
from vds.shared import stack
from vds.shared.errors import OperationError
from vds.shared.output import console


def raises(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


def test_the_version_is_the_package_s() -> None:
    assert vds("--version").stdout == f"vds {version('vds-platform')}\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("words", [[], *([name] for name in _MODULES), ["inspect", "routes"], ["charts", "lock"]])
def test_help_is_everywhere_and_names_the_exit_codes(words: list[str], option: str) -> None:
    done = vds(*words, option)
    assert done.exit_code == 0
    assert "Exit codes: 0 everything is fine, 1 there are findings" in " ".join(done.stdout.split())


def test_every_command_is_listed_with_its_summary() -> None:
    listed = " ".join(vds("--help").stdout.replace("│", "").split())
    for name, (_, summary) in _MODULES.items():
        assert f"{name} {summary}" in listed
        assert command_of([name]).help.startswith(summary)


def test_a_help_text_is_folded_by_the_terminal_and_not_by_the_source() -> None:
    for words in (["decommission"], ["inspect", "drops"], ["charts", "lock"]):
        assert "\n" not in command_of(words).help.replace("\n\n", "")


@pytest.mark.parametrize(
    ("words", "nearest"), [(["docto"], "doctor"), (["inspect", "route"], "routes"), (["doctor", "--jsn"], "--json")]
)
def test_an_unknown_word_suggests_the_nearest(words: list[str], nearest: str) -> None:
    done = vds(*words)
    assert done.exit_code == 2
    assert nearest in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_with_json_an_error_is_a_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_config", raises(OperationError("first", "second")))
    done = vds("doctor", "-s", "oslo", "--json")
    assert (done.exit_code, done.stderr) == (2, "error: first\nerror: second\n")
    assert json.loads(done.stdout) == {"error": {"exitCode": 2, "problems": ["first", "second"]}}
    assert vds("doctor", "-s", "oslo").stdout == ""


def test_with_json_wrong_use_is_a_document_too() -> None:
    done = vds("doctor", "--json")
    assert done.exit_code == 2
    assert "--stack" in json.loads(done.stdout)["error"]["problems"][0]


def test_json_of_another_program_s_words_is_not_our_option() -> None:
    done = vds("inspect", "capture", "no-namespace", "--", "--json")
    assert (done.exit_code, done.stdout) == (2, "")


def test_an_interrupt_is_130_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_config", raises(KeyboardInterrupt()))
    assert vds("doctor", "-s", "oslo") == (130, "", "interrupted\n")


@pytest.mark.parametrize("given", ["n\n", ""])
def test_a_question_that_is_answered_with_no_or_not_at_all_is_one_line(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(stack, "_config", lambda *_, **__: typer.confirm("Go on?", abort=True, err=True))
    done = vds("doctor", "-s", "oslo", stdin=given)
    assert done.exit_code == 1
    assert done.stderr.endswith("error: not confirmed: nothing was changed; --yes answers the question\n")


def test_a_full_disk_is_one_line_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_config", raises(OSError(28, "No space left on device", "evidence/index.html")))
    assert vds("doctor", "-s", "oslo") == (2, "", "error: evidence/index.html: No space left on device\n")


def test_no_line_is_folded_or_cut_off_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    table.add_column()
    table.add_row("word " * 100)
    console().print(table)
    assert capsys.readouterr().out.split() == ["word"] * 100
    console().print(table)
    assert len(capsys.readouterr().out.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "offered"), [("vds do", "doctor"), ("vds doctor --js", "--json"), ("vds doctor -s o", "oslo")]
)
def test_the_shell_completes_commands_and_options(words: str, offered: str) -> None:
    asked = {"_VDS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    argv = [sys.executable, "-m", "vds"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **asked})
    assert offered in done.stdout.split()


def test_a_command_imports_no_module_of_another() -> None:
    text = (
        "import sys; from vds.main import run; run(['recommission', '-h']); "
        "print([name for name in sys.modules if name.startswith(('vds.', 'components.')) or name == 'kubernetes'])"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "'vds.decommission.command'" in loaded
    for other in ("vds.doctor", "vds.evidence", "components.kubeadm", "components.network", "kubernetes"):
        assert f"'{other}" not in loaded
