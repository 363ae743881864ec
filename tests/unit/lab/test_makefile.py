"""What the Makefile's targets do, in their order."""

from __future__ import annotations

import subprocess

from lab.layout import CHECKOUT


def test_the_lab_s_tools_are_built_before_the_first_test_has_a_time_limit() -> None:
    asked = ["make", "--dry-run", "--always-make", "lab-tests"]
    plan = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert 0 < plan.find("-m lab tools") < plan.find("pytest -v")
