"""Waiting, log tails, and children that end with us."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.processes import LabError, ending_with_us, tail, wait_until


def test_a_wait_that_ends_in_vain_says_what_for_and_how_long() -> None:
    with pytest.raises(LabError, match=r"no answer from x \(after 0\.1 s\)"):
        wait_until(lambda: False, 0.1, lambda: "no answer from x")


def test_a_wait_ends_when_it_is_true() -> None:
    answers = iter([False, True])
    wait_until(lambda: next(answers), 240, lambda: "never")


def test_a_question_that_fails_is_asked_again() -> None:
    failures = [LabError("503")]

    def ask() -> bool:
        if failures:
            raise failures.pop()
        return True

    wait_until(ask, 240, lambda: "never")


def test_a_wait_in_vain_says_what_the_last_question_failed_by() -> None:
    def ask() -> bool:
        raise LabError("the API server answered 503")

    with pytest.raises(LabError, match=r"not ready \(after 0 s; at last the API server answered 503\)"):
        wait_until(ask, 0, lambda: "not ready")


def test_the_tail_of_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == "(no log)"
    (tmp_path / "log").write_text("\n".join(str(n) for n in range(100)))
    assert tail(tmp_path / "log", 2) == "98\n99"


# Says that it is ready, then what it got; its last words are more than a pipe holds.
CHILD = """
import signal, sys, time
def stop(number, _):
    print("x" * 200_000, flush=True)
    sys.exit(number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, stop if sys.argv[1] == "in order" else signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def left_by(error: BaseException, how: str, *, seconds: float = 20) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", CHILD, how], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    if isinstance(error, KeyboardInterrupt):
        process.send_signal(signal.SIGINT)  # as the terminal does
    with pytest.raises(type(error)), ending_with_us(process, by=signal.SIGTERM, seconds=seconds):
        raise error
    return process


def test_a_child_ends_in_order_before_we_do() -> None:
    assert left_by(SystemExit(143), "in order").returncode == signal.SIGTERM


def test_a_child_that_the_terminal_told_to_end_is_waited_for_and_not_told_again() -> None:
    assert left_by(KeyboardInterrupt(), "in order").returncode == signal.SIGINT


def test_a_child_that_does_not_end_in_time_is_killed() -> None:
    assert left_by(SystemExit(143), "never", seconds=0.2).returncode == -signal.SIGKILL
