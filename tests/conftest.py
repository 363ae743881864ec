"""What all tests share."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The project's folder on the path, so that tests find `tests.support` however they are run.
sys.path.insert(0, str(Path(__file__).parent.parent))

# How long an example takes is the machine's business: a stall of 200 ms is no error of ours.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def interrupts() -> Iterator[None]:
    """SIGINT as a terminal gives it: a background job of a shell inherits it ignored, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


_CHARTS = ExitStack()


def pytest_configure() -> None:
    """No test asks a chart repository on the internet, nor does what is made when tests are collected."""
    from tests.support.chart_repositories import served

    _CHARTS.enter_context(served())


def pytest_unconfigure() -> None:
    """Forget the charts."""
    _CHARTS.close()
