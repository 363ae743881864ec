"""Time as a parameter, so that tests do not wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass

NODES_DIFFER_SECONDS = 60
"""Clocks of nodes and of this machine differ by less: the preflight refuses more."""


@dataclass(frozen=True)
class Clock:
    """Seconds, and waiting for them to pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    date: Callable[[], float] = time.time
    """Seconds since 1970."""
