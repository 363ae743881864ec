"""How many examples a property is tried with."""

import os

from hypothesis import settings

NIGHTLY_TIMES = 20


def examples(number: int) -> settings:
    """So many in each run, and `NIGHTLY_TIMES` as many by `make properties`."""
    return settings(max_examples=number * (NIGHTLY_TIMES if os.environ.get("EXAMPLES") == "nightly" else 1))
