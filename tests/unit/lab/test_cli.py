"""The lab's commands, as a process that is run and ended by others."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
from lab import cli, machine
from lab.toolchain import build
machine.ensure_packages = lambda _: None
build.TOOLS = build.TOOLS[:1]
cli.main()
"""


def wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text() == text):
        assert time.monotonic() < deadline, f"{file.name} never said {text!r}"
        time.sleep(0.02)


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
    _, said = process.communicate(timeout=20)
    assert process.returncode == 143
    assert go.with_name("mark").read_text() == "stopped in order"
    assert not list((tmp_path / "c").rglob("draft-*"))
    assert "Traceback" not in said
