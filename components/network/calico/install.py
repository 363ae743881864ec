"""How Calico is installed: its operator's chart, and what the operator and Calico's own API then take."""

from components.core.names import TIGERA_OPERATOR
from components.network.calico.model import Calico
from components.network.calico.objects import after_calico, before_calico, ready_annotations
from components.network.calico.values import calico_namespace, calico_values
from components.network.install import Chart, Install, WaitAnnotation
from components.network.networks import ChartContext, NetworkSpec


def calico_install(cni: Calico, network: NetworkSpec, context: ChartContext) -> Install:
    """The CRDs, the operator, then Calico: the chart's Release waits for the operator only."""

    def chart(name: str, version: str) -> Chart:
        return Chart(name, TIGERA_OPERATOR, version, cni.install.repository, cni.install.timeout_seconds)

    return Install(
        kind="calico",
        chart=chart(*cni.chart),
        crds=chart(*cni.crd_chart) if cni.crd_chart else None,
        values=calico_values(cni, network, context),
        namespace=calico_namespace(),
        before=tuple(before_calico(cni, network)),
        waits=tuple(WaitAnnotation(("calico", item["kind"].lower()), item) for item in ready_annotations(cni)),
        one_by_one=True,
        after=tuple(after_calico(cni)),
    )
