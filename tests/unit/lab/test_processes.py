"""Waiting and log tails."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.processes import LabError, tail, wait_until


def test_a_wait_that_ends_in_vain_says_what_for_and_how_long() -> None:
    with pytest.raises(LabError, match=r"no answer from x \(after 0\.1 s\)"):
        wait_until(lambda: False, 0.1, lambda: "no answer from x")


def test_a_wait_ends_when_it_is_true() -> None:
    answers = iter([False, True])
    wait_until(lambda: next(answers), 5, lambda: "never")


def test_a_question_that_fails_is_asked_again() -> None:
    failures = [LabError("503")]

    def ask() -> bool:
        if failures:
            raise failures.pop()
        return True

    wait_until(ask, 5, lambda: "never")


def test_a_wait_in_vain_says_what_the_last_question_failed_by() -> None:
    def ask() -> bool:
        raise LabError("the API server answered 503")

    with pytest.raises(LabError, match=r"not ready \(after 0 s; at last the API server answered 503\)"):
        wait_until(ask, 0, lambda: "not ready")


def test_the_tail_of_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == "(no log)"
    (tmp_path / "log").write_text("\n".join(str(n) for n in range(100)))
    assert tail(tmp_path / "log", 2) == "98\n99"
