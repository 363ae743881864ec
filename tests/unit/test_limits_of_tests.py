"""Tests are not judged by the clock of the machine that runs them, and are where one looks for them."""

import ast
import re
import subprocess
import sys

from hypothesis import settings

from tests.support.stacks import ROOT

_SHOW_LIMITS = """
import pytest, sys

class Show:
    def pytest_collection_finish(self, session):
        print({mark.args for item in session.items for mark in item.iter_markers("timeout")})

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--collect-only", "tests/lab/test_life.py"], [Show()]))
"""


def test_no_property_has_a_deadline() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None


def test_lab_tests_have_a_limit_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", _SHOW_LIMITS], cwd=ROOT, capture_output=True, text=True)
    assert "{(1800,)}" in done.stdout, done.stdout + done.stderr


def test_no_test_ends_what_a_busy_machine_has_not_yet_done() -> None:
    """The limit of pytest ends a test that hangs. One of a few seconds fails where other work runs too."""
    waits = {"run", "communicate", "wait", "wait_for"}
    found = []
    for file in sorted(ROOT.glob("tests/**/*.py")):
        if (ROOT / "tests" / "lab") in file.parents:  # it has limits that are promises of the platform
            continue
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in waits:
                given = [word.value for word in call.keywords if word.arg == "timeout"]
                numbers = [one.value for one in given if isinstance(one, ast.Constant)]
                found += [f"{file}:{call.lineno}" for number in numbers if number and number < 120]
    assert found == []


def test_no_test_imports_from_another_test_module() -> None:
    """Shared code is in tests/support, the lab's fixtures are in its conftest.py, and tests/fuzz is a program."""
    another = re.compile(r"^(?:from|import) (tests\.(?!support\b|fuzz\b|lab\.conftest\b)\S+)", re.M)
    assert {
        str(file): found for file in ROOT.glob("tests/**/*.py") if (found := another.findall(file.read_text()))
    } == {}


def test_the_folders_of_tests_are_those_of_the_source() -> None:
    """tests/unit/network has what components/network does, and tests/unit/vds/doctor what vds/doctor does."""
    found = {file.parent for kind in ("unit", "property") for file in (ROOT / "tests" / kind).rglob("test_*.py")}
    folders = {folder.relative_to(ROOT / "tests").as_posix().partition("/")[2] for folder in found}
    assert [one for one in sorted(folders) if not any((ROOT / top / one).is_dir() for top in ("", "components"))] == []
