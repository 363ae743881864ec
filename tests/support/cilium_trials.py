"""Cilium's charts as the tests ask them, and as `vds cilium-values` is given them."""

from functools import cache

from components.charts.render import ChartSource
from components.network.cilium.chart.trial import Trial
from tests.support.modules import cilium_chart


@cache
def trial(version: str) -> Trial:
    """The chart of a release; what it made of values is remembered for all tests."""
    return Trial(ChartSource(str(cilium_chart(version))))


def chart_options(*versions: str) -> list[str]:
    """Words that give the command these charts."""
    return [word for version in versions for word in ("--chart", str(cilium_chart(version)))]
