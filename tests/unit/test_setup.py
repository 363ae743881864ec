"""setup.sh makes the environment that root and everybody else share, whoever of them comes first."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.stacks import ROOT

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

# Stands for Python: its venv is a folder with a pip that installs nothing.
PYTHON = """#!/bin/sh
case $1 in
--version) echo Python 3.99.0 ;;
-m)
	mkdir -p "$3/bin"
	for program in pip python; do printf '#!/bin/sh\\n' >"$3/bin/$program" && chmod +x "$3/bin/$program"; done
	;;
esac
"""


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A folder with what setup.sh reads, which every user may enter: pytest's own may be root's alone."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file in ("setup.sh", "requirements.txt", "pyproject.toml"):
            shutil.copy(ROOT / file, folder)
        (folder / "python").write_text(PYTHON)
        (folder / "python").chmod(0o755)
        yield folder


def set_up(checkout: Path, user: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(checkout / "setup.sh"), str(checkout / "python"), ".venv"],
        env={"PATH": os.environ["PATH"], **environment},
        user=user,
        capture_output=True,
        text=True,
    )


@AS_ROOT
def test_what_root_made_belongs_to_whom_the_checkout_belongs_to(checkout: Path) -> None:
    os.chown(checkout, NOBODY, NOBODY)
    assert set_up(checkout).returncode == 0
    made = [checkout / ".venv", *(checkout / ".venv").rglob("*")]
    assert len(made) >= 4
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(NOBODY, NOBODY)}
    (checkout / "pyproject.toml").write_text("changed")
    assert set_up(checkout, NOBODY).returncode == 0, "and can be made anew without sudo"


def as_somebody_else(checkout: Path) -> int | None:
    """An environment that is not ours to write to; returns as whom to run, where not as ourselves."""
    assert set_up(checkout).returncode == 0
    if os.geteuid():
        (checkout / ".venv").chmod(0o555)
        return None
    return NOBODY


def test_an_environment_that_is_roots_names_the_remedy(checkout: Path) -> None:
    user = as_somebody_else(checkout)
    (checkout / "pyproject.toml").write_text("changed")
    done = set_up(checkout, user)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {checkout}/.venv belongs to another user; run: sudo rm -r {checkout}/.venv"
    ]
    assert (checkout / ".venv" / "bin" / "python").exists()


def test_an_environment_that_is_roots_is_used_while_it_is_right(checkout: Path) -> None:
    user = as_somebody_else(checkout)
    done = set_up(checkout, user)
    assert (done.returncode, done.stderr) == (0, "")
