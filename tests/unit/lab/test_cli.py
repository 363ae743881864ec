"""The lab's commands, run by whom they are for and by whom they are not, and ended from outside."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import cli, session
from lab.processes import LabError, wait_until
from lab.toolchain import build, pins
from tests.support.stacks import ROOT

# Stands for `go`: builds until it is told to stop, and writes down that it was.
GO = f"""#!{sys.executable}
import pathlib, signal, sys, time
if sys.argv[1] == "env":
    sys.exit(print("go1.99.0"))
mark = pathlib.Path(__file__).with_name("mark")
def stop(*_):
    time.sleep(0.5)  # ends its compilers
    mark.write_text("stopped in order")
    sys.exit(1)
signal.signal(signal.SIGINT, stop)
mark.write_text("building")
time.sleep(60)
"""
ONE_TOOL = """
from lab import cli
from lab.machines import preconditions
from lab.toolchain import build, pins
preconditions.ensure = lambda _: None
build.ensure.__defaults__ = (pins.TOOLS[:1],)
cli.main()
"""


def wait_for(file: Path, text: str) -> None:
    wait_until(lambda: file.exists() and file.read_text() == text, 240, lambda: f"{file.name} never said {text!r}")


@pytest.mark.parametrize("times", [1, 2])
def test_sigterm_ends_a_command_and_the_build_that_it_runs(tmp_path: Path, times: int) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    environment = {"PATH": f"{go.parent}:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "c")}
    process = subprocess.Popen(
        [sys.executable, "-c", ONE_TOOL, "tools"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    wait_for(go.with_name("mark"), "building")
    for _ in range(times):  # make and its process group may both send one
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    _, said = process.communicate()
    assert process.returncode == 143
    assert go.with_name("mark").read_text() == "stopped in order"
    assert not list((tmp_path / "c").rglob("draft-*/*"))
    assert "Traceback" not in said


# A proof that waits for what never comes.
PROOF = """
import time
from concurrent.futures import ThreadPoolExecutor
from lab import cli

def prove():
    pool = ThreadPoolExecutor(1)
    try:
        asked = pool.submit(time.sleep, 60)
        print("asked", flush=True)
        asked.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

cli.app = prove
cli.main()
"""


def test_sigterm_ends_a_proof_whose_question_hangs() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROOF], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143


# --- without root -------------------------------------------------------------------------------------------


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65534)


def test_logs_that_one_may_not_see_are_not_called_missing(nobody: None) -> None:
    with pytest.raises(LabError, match="run the same command with sudo") as error:
        cli.logs(name="", lines=1, follow=False)
    assert "not started" not in str(error.value)


def test_what_takes_root_names_no_command_that_one_did_not_run(nobody: None) -> None:
    with pytest.raises(LabError, match="run the same command with sudo") as error:
        session.require_root()
    assert "make up" not in str(error.value)


def test_a_running_labs_status_takes_root_and_says_so(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "members", lambda _: [1])
    with pytest.raises(LabError, match="needs root"):
        cli.status()


def test_root_without_a_lab_is_told_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(cli, "members", lambda _: [])
    with pytest.raises(LabError, match="not running; run: sudo make up"):
        cli.preview()


# --- tools --------------------------------------------------------------------------------------------------


@pytest.fixture
def one_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own, empty cache, one tool wanted, and a `go` that makes it at once."""
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = env ] && exec echo go1.99.0\nwhile [ "$1" != -o ]; do shift; done\n')
    with go.open("a") as script:
        script.write(f'>"$2/{pins.TOOLS[0].binary}"\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for function in (build.ensure, build.look):
        monkeypatch.setattr(function, "__defaults__", (pins.TOOLS[:1],))
    return build.cache()


def test_a_cache_that_was_removed_while_the_lab_ran_is_not_made_anew_in_silence(
    one_tool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(cli, "members", lambda _: [1])
    cli._running()
    said = capsys.readouterr()
    assert "[1/1] tools" in said.err
    assert said.out == "", "a program may read it"
    cli._running()
    assert capsys.readouterr() == ("", "")


def test_down_says_what_stays_and_where(
    one_tool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(session, "exclusive", contextlib.nullcontext)
    monkeypatch.setattr(session, "remove", lambda _: None)
    monkeypatch.setattr(session, "leftovers", lambda _: [])
    cli.down()
    assert capsys.readouterr().out == "the lab is gone\n"
    one_tool.mkdir(parents=True)
    cli.down()
    assert capsys.readouterr().out == f"the lab is gone; what was built stays in {one_tool}\n"
