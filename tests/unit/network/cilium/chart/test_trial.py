"""What a chart is asked, and what it says."""

import pytest

from components.charts.render import ChartSource, UnavailableChartError
from components.network.cilium.chart.nested import dotted, flatten, keys
from components.network.cilium.chart.trial import Made, Refusal, Trial, difference
from tests.support.cilium_trials import trial
from tests.support.modules import METALLB, pinned, source


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bpf.masquerade", True),
        ("hubble", True),
        ("podAnnotations.team", True),
        ("nodePort.range", True),
        ("hubble.serviceMonitor.enabled", False),
        ("tunnel", False),
        ("bpf.maskerade", False),
    ],
)
def test_the_values_file_names_the_keys_also_as_comments(name, known):
    assert trial("1.20.0").knows(keys(name)) is known


def test_a_misspelt_key_has_a_near_one():
    assert trial("1.20.0").closest(keys("kubeproxyReplacement")) == keys("kubeProxyReplacement")
    assert trial("1.20.0").closest(keys("wholly.else")) is None


def test_nothing_random_differs_between_two_renderings():
    asked = trial("1.18.2")
    plain, other = asked.of({}), asked.of({keys("cluster.name"): "oslo"})
    assert isinstance(plain, Made)
    assert isinstance(other, Made)
    entries, objects = difference(plain, other)
    assert set(entries) == {"cluster-name"}
    assert not any(name.startswith("Secret") for name in objects)


def test_a_refusal_has_helms_words_and_the_schemas_by_key():
    found = trial("1.18.2").of(flatten({"cluster": {"id": "x"}, "MTU": "big"}))
    assert isinstance(found, Refusal)
    assert found.types == {keys("cluster.id"): "got string, want integer", keys("MTU"): "got string, want integer"}


def test_keys_that_the_chart_does_not_read_are_found():
    values = flatten({"bpf": {"maskerade": True, "masquerade": True}, "global": {"a": 1}, "nodePort": {"range": "1,2"}})
    assert [(dotted(path), near and dotted(near)) for path, near in trial("1.20.0").unread(values)] == [
        ("bpf.maskerade", "bpf.masquerade")
    ]


def test_another_chart_is_refused():
    with pytest.raises(UnavailableChartError, match="is the chart metallb"):
        Trial(ChartSource(str(source(METALLB, pinned("metallb")) / "charts/metallb")))
