import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.plugins.language import runner
from lab.plugins.language.host import PythonHost
from lab.plugins.language.interpreter import NoInterpreterError, distributions, interpreter, packages


def _environment(root: Path) -> Path:
    site_packages = root / "lib" / "python3.11" / "site-packages"
    site_packages.mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    return site_packages


def test_the_programs_own_environment_runs_it(tmp_path: Path) -> None:
    _environment(tmp_path / "venv")
    assert interpreter({"virtualenv": "venv"}, tmp_path) == tmp_path / "venv" / "bin" / "python"


def test_a_project_that_names_no_environment_gets_ours(tmp_path: Path) -> None:
    assert interpreter({}, tmp_path) == Path(sys.executable)


def test_an_environment_that_is_missing_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoInterpreterError, match="create it"):
        interpreter({"virtualenv": "venv"}, tmp_path)


def test_sdks_that_need_a_plugin_are_found_and_others_are_not(tmp_path: Path) -> None:
    site_packages = _environment(tmp_path)
    for name, content in {
        "pulumi_random": {"resource": True, "name": "random", "version": "4.1.0"},
        "pulumi_policy": {"resource": False},
        "pulumi_aws_native": {"resource": True},
    }.items():
        (site_packages / name).mkdir()
        (site_packages / name / "pulumi-plugin.json").write_text(json.dumps(content))
    found = packages(tmp_path / "bin" / "python")
    assert [(package.name, package.version) for package in found] == [("aws-native", ""), ("random", "4.1.0")]


def test_everything_installed_is_listed_with_its_version(tmp_path: Path) -> None:
    site_packages = _environment(tmp_path)
    (site_packages / "pulumi_random-4.1.0.dist-info").mkdir()
    assert distributions(tmp_path / "bin" / "python") == [("pulumi_random", "4.1.0")]


def test_a_failing_programs_traceback_begins_in_the_program(tmp_path: Path) -> None:
    program = tmp_path / "__main__.py"
    program.write_text("def fail():\n    raise ValueError('boom')\nfail()\n")
    try:
        exec(compile(program.read_text(), str(program), "exec"), {})  # noqa: S102  # as runpy does
    except ValueError as error:
        shown = runner._users_traceback(error, str(tmp_path))
    assert "boom" in shown
    assert "test_language.py" not in shown


def test_the_programs_modules_come_before_ours_and_secrets_are_not_in_its_environment(tmp_path: Path) -> None:
    """A policy pack's process, which needs no engine to get as far as the pack."""
    (tmp_path / "__main__.py").write_text(
        "import os, sys\nprint(sys.path[0]); print('hush' in str(os.environ)); print(sys.argv)\n"
    )
    request = {"kind": "analyzer", "program": str(tmp_path), "args": ["127.0.0.1:1"], "config": {"x": "hush"}}
    done = subprocess.run(
        [sys.executable, runner.__file__],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("PULUMI")},
    )
    path, leaked, arguments = done.stdout.splitlines()
    assert path == str(tmp_path)
    assert leaked == "False"
    assert str(tmp_path) in arguments


def test_an_interrupted_program_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    request = {"kind": "analyzer", "program": str(tmp_path), "args": ["127.0.0.1:1"]}
    process = subprocess.Popen(
        [sys.executable, "-u", runner.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    assert process.stdout.readline() == "up\n"
    process.send_signal(2)
    process.wait()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


def test_a_child_is_ended_without_taking_its_exit_status_from_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def poll(process: object) -> None:
        raise AssertionError("asyncio's watcher finds no child left, and warns of an unknown process")

    async def scenario() -> int:
        host = PythonHost("127.0.0.1:1")
        child = await asyncio.create_subprocess_exec("sleep", "60")
        monkeypatch.setattr(subprocess.Popen, "poll", poll)
        try:
            return await host._end(child, now=True)
        finally:
            monkeypatch.undo()

    assert asyncio.run(scenario()) == -signal.SIGTERM
