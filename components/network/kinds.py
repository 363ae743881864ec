"""What the platform does with each kind of CNI: rules, advice and installation, a row a kind."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from components.charts.values import taken_problems
from components.core.finding import Finding
from components.network.calico.rules import calico_advice, calico_problems
from components.network.calico.values import calico_install
from components.network.calico.values import platform_values as calico_values
from components.network.cilium.rules import cilium_advice, cilium_problems
from components.network.cilium.values import cilium_install
from components.network.cilium.values import platform_values as cilium_values
from components.network.model import AnyCni
from components.network.networks import ChartContext, Install, NetworkSpec
from components.network.unmanaged.rules import flannel_problems, unmanaged_problems


class Kind(NamedTuple):
    """What differs between kinds and needs more than the model itself. Each takes a model of its own kind."""

    problems: Callable[[Any, NetworkSpec], Iterable[Finding]]
    """Everything wrong with it on these networks, beyond what is asked of every CNI."""
    values: Callable[[Any, NetworkSpec, ChartContext], Mapping[str, Any]] = lambda *_: {}
    """The chart values that are the platform's own."""
    advice: Callable[[Any, int], Iterable[Finding]] = lambda *_: []
    """What is not wrong and will surprise, over links of so many bytes."""
    install: Callable[[Any, NetworkSpec, ChartContext], Install | None] = lambda *_: None
    """How it is installed; None where somebody else does."""


KINDS: Mapping[str, Kind] = {
    "cilium": Kind(cilium_problems, cilium_values, cilium_advice, cilium_install),
    "calico": Kind(calico_problems, calico_values, calico_advice, calico_install),
    "flannel": Kind(flannel_problems),
    "unmanaged": Kind(unmanaged_problems),
}


def values_problems(cni: AnyCni, network: NetworkSpec, context: ChartContext) -> list[Finding]:
    """What is wrong with the chart values that the stack file adds: the platform sets the key. What the chart does not
    read, the policy pack finds by rendering it."""
    own, install = KINDS[cni.kind].values(cni, network, context), getattr(cni, "install", None)
    return taken_problems("cni-values", "cni.install.values", own, install.values) if install else []


def cni_advice(cni: AnyCni, underlay: int) -> list[Finding]:
    """Every remark on this CNI over links of `underlay` bytes."""
    return list(KINDS[cni.kind].advice(cni, underlay))


def cni_install(cni: AnyCni, network: NetworkSpec, context: ChartContext) -> Install | None:
    """How it is installed; None where somebody else does."""
    return KINDS[cni.kind].install(cni, network, context)
