"""Progress where there is no terminal: a line when a step begins, one when it ends."""

import io

import pytest
from rich.console import Console

from lab.progress import Progress


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(out: io.StringIO) -> Progress:
    return Progress(total=2, console=Console(file=out, highlight=False))


def test_each_step_says_which_it_is_of_how_many_and_how_long_it_took(progress: Progress, out: io.StringIO) -> None:
    with progress.step("control plane"):
        pass
    lines = out.getvalue().splitlines()
    assert lines[0] == "[1/2] control plane"
    assert lines[1].startswith("[1/2] control plane: done in 0.")


def test_seconds_are_kept_for_the_report(progress: Progress) -> None:
    for name in ("nodes", "proof"):
        with progress.step(name):
            pass
    assert list(progress.seconds) == ["nodes", "proof"]


def test_a_step_that_fails_says_so_and_passes_the_failure_on(progress: Progress, out: io.StringIO) -> None:
    with pytest.raises(ValueError, match="no"), progress.step("nodes"):
        raise ValueError("no")
    assert "nodes: failed after" in out.getvalue()


def test_without_a_terminal_details_do_not_flood_the_log(progress: Progress, out: io.StringIO) -> None:
    with progress.step("tools"):
        for number in range(100):
            progress.detail(f"{number} packages")
    assert "packages" not in out.getvalue()


def test_quiet_prints_nothing(out: io.StringIO) -> None:
    progress = Progress(total=1, quiet=True, console=Console(file=out))
    with progress.step("tools"):
        progress.detail("etcd")
    assert out.getvalue() == ""
    assert "tools" in progress.seconds
