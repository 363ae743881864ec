"""What the Makefile's targets do, in their order."""

import os
import subprocess

import pytest

from lab.layout import CHECKOUT


def test_the_lab_s_tools_are_built_before_the_first_test_has_a_time_limit() -> None:
    asked = ["make", "--dry-run", "--always-make", "lab-tests"]
    plan = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert 0 < plan.find("-m lab tools") < plan.find("pytest -v")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_root_the_lab_s_tests_say_so_before_anything_is_built() -> None:
    rule = (CHECKOUT / "Makefile").read_text().split("lab-tests: $(VENV)/ready\n")[1]
    guard = rule.splitlines()[0].strip().removeprefix("@").replace("$$", "$")
    done = subprocess.run(["sh", "-c", guard], user=65534, capture_output=True, text=True)
    assert done.returncode == 1
    assert "run: sudo make test, or make test-fast" in done.stderr
