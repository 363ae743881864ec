"""The stack file's root model."""

from pydantic import Field

from components.base import EnvironmentName, Spec, version_tuple
from components.charts.lock import WantedChart
from components.charts.model import ChartsSpec
from components.cluster.advice import cgroup_advice
from components.cluster.model import Bootstrap, Cluster, Kubeadm
from components.cni.advice import cni_advice
from components.cni.kube_proxy import kube_proxy_advice
from components.cni.lattice import untested
from components.cni.model import Around as AroundCni
from components.cni.model import Cni, NetworkSpec
from components.cni.needs import foreign_sources, same_segment, tcp_ports, udp_ports
from components.cni.rules import kernel_floor
from components.compatibility import together
from components.gateway.model import GatewaySpec
from components.images.model import ImageMirror
from components.installs import wanted_charts
from components.metallb.by_cilium import announcements
from components.metallb.model import Around as AroundMetalLb
from components.metallb.model import MetalLbSpec
from components.nodes.model import Demands, NodeSpec, PortNeed, PreflightSpec, SshSpec
from components.processing.model import Processing
from components.residency.model import Residency
from components.tenancy.model import TenantSpec

KUBELET = (10250, "the kubelet")  # logs, exec and metrics go through it on every node


class PlatformSpec(Spec):
    """Everything about one environment that is not a secret."""

    environment: EnvironmentName
    """Its name; also the cluster's name to its peers, for which Cilium takes 32 characters."""
    residency: Residency
    ssh: SshSpec = SshSpec()
    cluster: Cluster
    images: ImageMirror | None = None
    """A registry that every image of the platform comes from; left out: from their makers'."""
    network: NetworkSpec
    nodes: tuple[NodeSpec, ...] = Field(min_length=1)
    preflight: PreflightSpec = PreflightSpec()
    cni: Cni
    metallb: MetalLbSpec
    gateway: GatewaySpec
    charts: ChartsSpec = ChartsSpec()
    tenants: tuple[TenantSpec, ...] = ()
    processing: Processing = Processing()

    @property
    def demands(self) -> Demands:
        """What this cluster asks of every node."""
        floor, reason = kernel_floor(self.cni)
        own = self.cluster.kernel_floor
        if own and version_tuple(own) > version_tuple(floor):
            floor, reason = own, "cluster.kernelFloor of the stack file"
        tcp = (*tcp_ports(self.cni), KUBELET, *self.metallb.tcp_ports)
        udp = (*udp_ports(self.cni), *self.metallb.udp_ports)
        return Demands(
            self.cni.service_proxy,
            floor,
            reason,
            kubernetes=self.cluster.kubernetes_version,
            underlay_mtu=self.network.underlay_mtu,
            ports=(
                *(PortNeed(port, "tcp", why) for port, why in tcp),
                *(PortNeed(port, "udp", why) for port, why in udp),
            ),
            same_segment=same_segment(self.cni),
            foreign_sources=foreign_sources(self.cni),
            announcements=self._announcements,
            pod_source=str(self.network.pod_cidr.broadcast_address - 1),
            preflight=self.preflight,
            cgroup_v1=isinstance(self.cluster, Kubeadm) and self.cluster.cgroup_v1,
        )

    @property
    def _announcements(self) -> str:
        owner = "Cilium" if self.metallb.install.kind == "cilium" else "MetalLB"
        return f"{owner}'s layer-2 pools" if self.metallb.announces_by_arp else ""

    @property
    def cilium_version(self) -> str | None:
        """Whose kinds its operator makes; None for another CNI."""
        return self.cni.version if self.cni.kind == "cilium" else None

    @property
    def around_cni(self) -> AroundCni:
        """What else of the stack the CNI's chart depends on."""
        nodes = tuple(node.name for node in self.nodes)
        announces, bundle = announcements(self.metallb), self.gateway.bundle_version
        return AroundCni(self.environment, nodes, announces, bundle, self.images)

    @property
    def around_metallb(self) -> AroundMetalLb:
        """What else of the stack the owner of its addresses depends on."""
        both = any({"control-plane", "worker"} <= set(node.roles) for node in self.nodes)
        return AroundMetalLb(self.cilium_version, both, self.images)

    @property
    def advice(self) -> tuple[str, ...]:
        """What is not wrong and will not last, for the operator to read at preview."""
        kubernetes = self.cluster.kubernetes_version
        found = (
            kube_proxy_advice(self.cni.service_proxy, kubernetes),
            untested(together(self.cni, kubernetes=kubernetes)),
            *cni_advice(self.cni, self.network.underlay_mtu),
            cgroup_advice(self.cluster),
        )
        return tuple(text for text in found if text)

    @property
    def wanted_charts(self) -> list[WantedChart]:
        """What Helm installs, and where each chart is from."""
        return wanted_charts(self, self.charts.mirror)

    @property
    def bootstrap(self) -> Bootstrap | None:
        """What kubeadm makes of the nodes; None where the cluster exists."""
        if not isinstance(self.cluster, Kubeadm):
            return None
        network, proxy = self.network, self.cni.service_proxy
        return Bootstrap(self.cluster, self.environment, network, proxy, self.nodes, self.ssh, self.images)
