"""Progress of long work: the step, the number of steps, the time, and the current action.

On a terminal, one line is updated. Otherwise each step prints a line when it starts and when it ends, and the current
action at most every ten seconds. Colour comes from rich, which honours NO_COLOR.
"""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.status import Status

_PLAIN_SECONDS = 10


class Progress:
    """Steps in order; `seconds` holds what each of the finished ones took."""

    def __init__(self, total: int, *, quiet: bool = False, console: Console | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._total = total
        self._quiet = quiet
        # On standard error, so that programs can read standard output.
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._title = ""
        self._started = 0.0
        self._last_plain = 0.0

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step; a failure inside is marked and passed on."""
        self._title = f"[{len(self.seconds) + 1}/{self._total}] {name}"
        self._started = self._last_plain = time.monotonic()
        mark = "failed after"
        try:
            with self._moving():
                yield
            mark = "done in"
        finally:
            took = time.monotonic() - self._started
            self.seconds[name] = took
            self._line(f"{self._title}: {mark} {took:.1f} s")

    @contextlib.contextmanager
    def _moving(self) -> Iterator[None]:
        if self._quiet or not self._console.is_terminal:
            self._line(self._title)
            yield
            return
        with self._console.status(self._escaped(self._title)) as self._status:
            yield
        self._status = None

    def detail(self, text: str) -> None:
        """What the step does right now."""
        now = time.monotonic()
        if self._status is not None:
            self._status.update(self._escaped(f"{self._title}: {text} ({now - self._started:.0f} s)"))
        elif now - self._last_plain >= _PLAIN_SECONDS:
            self._last_plain = now
            self._line(f"{self._title}: {text} ({now - self._started:.0f} s)")

    def _line(self, text: str) -> None:
        if not self._quiet:
            self._console.print(self._escaped(text), soft_wrap=True)
            sys.stderr.flush()

    @staticmethod
    def _escaped(text: str) -> str:
        return text.replace("[", "\\[")
