"""Every chart that a stack file installs, and the same installs with their charts from a mirror."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from components.charts.lock import WantedChart
from components.charts.model import Mirror
from components.charts.reference import repository_of
from components.core.finding import Finding
from components.gateway.issuers import NAMESPACE as CERT_MANAGER
from components.gateway.issuers import CertManager
from components.gateway.model import GatewaySpec
from components.network.model import AnyCni
from components.network.model import Helm as CniHelm
from components.pools.model import Helm as MetalLbHelm
from components.pools.model import MetalLbSpec

_Helm = CniHelm | MetalLbHelm | CertManager


class Installing(Protocol):
    """The parts of a spec that may install a chart."""

    @property
    def cni(self) -> AnyCni: ...
    @property
    def metallb(self) -> MetalLbSpec: ...
    @property
    def gateway(self) -> GatewaySpec: ...


class _Install(NamedTuple):
    part: str
    chart: str
    version: str
    field: str
    helm: _Helm
    setting: str = "install"
    """The field of the part that has the chart."""


def wanted_charts(spec: Installing, mirror: Mirror | None) -> list[WantedChart]:
    """The charts of a stack file as it is written, before `from_mirror`."""
    return [
        WantedChart(
            found.chart,
            found.version,
            found.helm.repository,
            repository_of(mirror) if mirror else found.helm.repository,
            found.field,
        )
        for found in _installs(spec)
    ]


def mirror_problems(spec: Installing, mirror: Mirror | None) -> Iterator[Finding]:
    """Somebody's repository beside a mirror: one of the two would be ignored. The maker's own may stay written."""
    if mirror is None:
        return
    own = {
        f"{found.part}.{found.setting}": found.helm.repository
        for found in _installs(spec)
        if found.helm.repository != type(found.helm).model_fields["repository"].default
    }
    for place, repository in own.items():
        yield Finding(
            "charts-mirror",
            f"{place}.repository",
            f"{repository} beside charts.mirror, which every chart comes from",
            "take one of them out",
        )


def from_mirror(spec: Installing, mirror: Mirror | None) -> dict[str, Any]:
    """The parts of a spec that change when their charts come from the mirror; empty without one."""
    if mirror is None:
        return {}
    moved = {"repository": repository_of(mirror)}
    return {
        found.part: getattr(spec, found.part).model_copy(update={found.setting: found.helm.model_copy(update=moved)})
        for found in _installs(spec)
    }


def _installs(spec: Installing) -> Iterator[_Install]:
    cni: Any = spec.cni
    if isinstance(getattr(cni, "install", None), CniHelm):
        for name, version in filter(None, (cni.chart, cni.crd_chart)):
            yield _Install("cni", name, version, "cni.version", cni.install)
    if isinstance(spec.metallb.install, MetalLbHelm):
        install = spec.metallb.install
        yield _Install("metallb", "metallb", install.version, "metallb.install.version", install)
    issuer = spec.gateway.issuer
    if isinstance(issuer, CertManager):
        version = issuer.chart.version
        yield _Install("gateway", CERT_MANAGER, version, "gateway.issuer.version", issuer, "issuer")
