"""The stack file's root model."""

from collections.abc import Sequence

from pydantic import Field

from components.charts.lock import WantedChart
from components.charts.model import ChartsSpec
from components.core.endpoints import image_registry, url_hosts
from components.core.finding import Finding
from components.core.labels import EDGE
from components.core.model import Spec
from components.core.types import EnvironmentName
from components.core.versions import matches, minor, parse
from components.existing_cluster.model import ClusterRequirements
from components.gateway.listener_sets import own_listeners
from components.gateway.model import CILIUM_CONTROLLER, CrdBundle, GatewayContext, GatewaySpec, HttpsListener, Traefik
from components.images.model import ImageMirror
from components.kubeadm.advice import cgroup_advice
from components.kubeadm.backup.rules import backup_advice
from components.kubeadm.model import Bootstrap, Cluster, Existing, Kubeadm, image_source
from components.kubeadm.render import API_PORT, packages
from components.kubeadm.rules import endpoint_problems
from components.kubeadm.security.render import KERNEL_DEFAULTS
from components.monitoring.model import (
    CILIUM_PORT,
    HUBBLE_PORT,
    NODE_EXPORTER_PORT,
    MonitoringContext,
    MonitoringSpec,
)
from components.monitoring.rules import monitoring_advice
from components.network.compatibility.matrix import Combination, Part
from components.network.kinds import cni_advice
from components.network.kube_proxy import kube_proxy_advice, others_kube_proxy_advice
from components.network.model import ChartContext, Cilium, Cni, NetworkSpec
from components.network.mtu import solve
from components.network.rules import kernel_floor
from components.nodes.model import (
    ApiEndpoint,
    NodeFirewall,
    NodeRequirements,
    NodeSpec,
    PortNeed,
    PreflightSpec,
    SshSpec,
    Sysctl,
)
from components.nodes.os_updates.model import OsUpdates
from components.nodes.os_updates.render import settings
from components.nodes.settings.firewall import ruleset
from components.pools.by_cilium import announcements
from components.pools.model import MetalLbContext, MetalLbSpec
from components.pools.rules import segment_advice
from components.residency.asked import Declared
from components.residency.model import Residency
from components.residency.processing import Processing
from components.stackfile.compatibility import together, untested_advice
from components.stackfile.installed_charts import wanted_charts
from components.tenancy.registration.environment import Environment, PublishedGateway, PublishedListener, Versions
from components.tenancy.registration.model import RegistrationsSpec

KUBELET = (10250, "the kubelet")  # logs, exec and metrics go through it on every node
CONTROL_PLANE = (
    # Pods reach every API server through the Service `kubernetes`.
    PortNeed(API_PORT, "tcp", "the API server", on="control-planes"),
    PortNeed(2379, "tcp", "etcd's clients", on="control-planes", asked_by="control-planes"),
    PortNeed(2380, "tcp", "etcd's members", on="control-planes", asked_by="control-planes"),
)


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
    node_firewall: NodeFirewall | None = None
    """A firewall on every node; left out: none is written, and one that we wrote is removed."""
    os_updates: OsUpdates | None = None
    """Security updates of the nodes' operating system, and when nodes may be rebooted. Left out: unattended-upgrades is
    left as it is, or as it was before us."""
    preflight: PreflightSpec = PreflightSpec()
    cni: Cni
    metallb: MetalLbSpec
    gateway: GatewaySpec
    monitoring: MonitoringSpec | None = None
    """Prometheus, Alertmanager and node-exporter; left out: nothing is collected. docs/howto/watch-a-cluster.md."""
    charts: ChartsSpec = ChartsSpec()
    registrations: RegistrationsSpec = RegistrationsSpec()
    """Who may register tenants, docs/howto/register-a-tenant.md."""
    processing: Processing = Processing()

    @property
    def node_requirements(self) -> NodeRequirements:
        """What this cluster asks of every node."""
        floor, reason = kernel_floor(self.cni)
        own = self.cluster.kernel_floor
        if own and parse(own) > parse(floor):
            floor, reason = own, "cluster.kernelFloor of the stack file"
        requirements = self.cni.requirements()
        tcp = (*requirements.tcp_ports, KUBELET, *self.metallb.tcp_ports, *self._metrics_ports)
        udp = (*requirements.udp_ports, *self.metallb.udp_ports)
        ports = (
            *(PortNeed(port, "tcp", why) for port, why in tcp),
            *(PortNeed(port, "udp", why) for port, why in udp),
            *CONTROL_PLANE,
        )
        return NodeRequirements(
            self.cni.service_proxy,
            floor,
            reason,
            kubernetes=minor(self.cluster.kubernetes_version),
            underlay_mtu=self.network.underlay_mtu,
            ports=ports,
            sysctls=self._kernel_defaults,
            same_segment=requirements.same_segment,
            source_address_filtering=requirements.foreign_sources,
            announcements=self._announcements,
            pod_source=str(self.network.pod_cidr.broadcast_address - 1),
            # What is accepted changes no node, so no node is set up again for it.
            preflight=self.preflight.model_copy(update={"accept": ()}),
            cgroup_v1=isinstance(self.cluster, Kubeadm) and self.cluster.cgroup_v1,
            api_server=ApiEndpoint(
                self.network.api_server.host, self.network.api_server.port, exists=isinstance(self.cluster, Existing)
            ),
            cluster_dns=str(self.network.service_cidr[10]),  # kubeadm's and k3s' choice
            node_cidrs=tuple(map(str, self.network.node_cidrs)),
            firewall=self._firewall(ports),
            os_updates=settings(self.os_updates, self._pinned) if self.os_updates else None,
        )

    @property
    def _pinned(self) -> tuple[str, ...]:
        return tuple(packages(self.cluster)) if isinstance(self.cluster, Kubeadm) else ()

    @property
    def declared_hosts(self) -> Declared:
        """What is said of the hosts that nodes ask."""
        sources: set[str] = set()
        if isinstance(self.cluster, Kubeadm):
            registry = image_source(self.cluster, self.images).registry
            sources = {*url_hosts(self.cluster.packages.url), image_registry(f"{registry}/image")}
        return Declared(self.residency, tuple(map(str, self.network.node_cidrs)), sources)

    @property
    def _kernel_defaults(self) -> tuple[Sysctl, ...]:
        if not isinstance(self.cluster, Kubeadm) or not self.cluster.security.is_on("kernel-defaults"):
            return ()
        return tuple(Sysctl(key=key, value=value, how="exact", required=True) for key, value in KERNEL_DEFAULTS.items())

    def _firewall(self, ports: Sequence[PortNeed]) -> str:
        if self.node_firewall is None:
            return ""
        return ruleset(
            operators=map(str, self.node_firewall.operators),
            inside=map(str, (*self.network.node_cidrs, self.network.pod_cidr)),
            ssh={22, self.ssh.port, *(node.ssh_port or 22 for node in self.nodes)},
            api=self.network.api_server.port,
            ports=ports,
        )

    @property
    def cluster_requirements(self) -> ClusterRequirements:
        """What this stack asks of a cluster that exists."""
        metallb, cni = self.metallb, self.cni
        by_metallb = metallb.install.kind != "cilium"
        ignores = metallb.install.kind == "helm" and self.metallb_context.from_control_planes
        l2 = self._announcements
        return ClusterRequirements(
            self.cluster.kubernetes_version,
            {node.name: str(node.address) for node in self.nodes},
            cni.kind,
            cni.service_proxy,
            self.network.pod_cidr,
            node_pod_cidrs=f"{cni.title}'s IPAM" if cni.kind in ("cilium", "flannel") else "",
            strict_arp=l2 if cni.service_proxy == "ipvs" and by_metallb else "",
            excluded="MetalLB" if by_metallb and not ignores else "",
            brings_crds=isinstance(self.gateway.crds, CrdBundle),
            bundle_version=self.gateway.bundle_version,
        )

    @property
    def _announcements(self) -> str:
        owner = "Cilium" if self.metallb.install.kind == "cilium" else "MetalLB"
        return f"{owner}'s layer-2 pools" if self.metallb.announces_by_arp else ""

    @property
    def chart_context(self) -> ChartContext:
        """What else of the stack the CNI's chart depends on."""
        operators = 2 if len(self.nodes) > 1 else 1  # two on two nodes, and two on two hundred
        announces, bundle = announcements(self.metallb), self.gateway.bundle_version
        return ChartContext(
            self.environment, operators, announces, bundle, self.images, monitored=self.monitoring is not None
        )

    @property
    def metallb_context(self) -> MetalLbContext:
        """What else of the stack the owner of its addresses depends on."""
        both = any({"control-plane", "worker"} <= set(node.roles) for node in self.nodes)
        cilium = self.cni.kind == "cilium"
        return MetalLbContext(both, self.images, self.has_edge, cilium, self.api_ports)

    @property
    def has_edge(self) -> bool:
        """Whether nodes have the profile `edge`: gateway pods and layer-2 announcements are there only."""
        return any("edge" in node.profiles for node in self.nodes)

    @property
    def gateway_context(self) -> GatewayContext:
        """What else of the stack the gateway depends on."""
        cilium = self.cni.kind == "cilium"
        by_cilium = cilium and self.gateway.controller_name == CILIUM_CONTROLLER
        return GatewayContext(
            api_ports=self.api_ports,
            by_cilium=by_cilium,
            on_cilium=cilium,
            listener_sets=by_cilium and self._has_listener_sets,
            addresses_by_cilium=self.metallb.install.kind == "cilium",
            node_selector={EDGE: "true"} if self.has_edge else {},
            images=self.images,
            load_balancer_class=self.metallb.load_balancer_class,
            monitored=self.monitoring is not None,
        )

    @property
    def monitoring_context(self) -> MonitoringContext:
        """What else of the stack decides what is collected."""
        cni, kubeadm = self.cni, isinstance(self.cluster, Kubeadm)
        backup = self.cluster.backup if isinstance(self.cluster, Kubeadm) else None
        return MonitoringContext(
            images=self.images,
            on_cilium=isinstance(cni, Cilium),
            hubble=isinstance(cni, Cilium) and cni.hubble,
            metallb=self.metallb.install.kind == "helm",
            gateway_namespace=self.gateway.namespace if isinstance(self.gateway.install, Traefik) else "",
            api_port=API_PORT if kubeadm else self.network.api_server.port,
            api_ports=self.api_ports,
            has_etcd=kubeadm,
            backup_minutes=backup.every_minutes if backup else 0,
        )

    @property
    def _metrics_ports(self) -> tuple[tuple[int, str], ...]:
        """Ports of nodes that Prometheus asks."""
        if self.monitoring is None:
            return ()
        found = [(NODE_EXPORTER_PORT, "node-exporter")]
        if isinstance(self.cni, Cilium):
            found.append((CILIUM_PORT, "metrics of Cilium's agent"))
            found += [(HUBBLE_PORT, "metrics of Hubble")] if self.cni.hubble else []
        return tuple(found)

    @property
    def _has_listener_sets(self) -> bool:
        """Gateway API has ListenerSets since 1.5, and Cilium since 1.20 (its operator/pkg/gateway-api/cell.go)."""
        if self.cni.kind != "cilium" or self.gateway.bundle_version is None:
            return False
        return matches(self.gateway.bundle_version, ">=1.5") and matches(self.cni.version, ">=1.20")

    @property
    def api_ports(self) -> tuple[int, ...]:
        """TCP ports of the API server, as pods reach it: kubeadm's own, and what is in front of it."""
        return tuple(sorted({API_PORT, self.network.api_server.port}))

    @property
    def published(self) -> Environment:
        """What registrations need of this environment. The gateway's address only if the stack file has it."""
        gateway, network = self.gateway, self.network
        shared = own_listeners(gateway, self.gateway_context)
        return Environment(
            environment=self.environment,
            gateway=PublishedGateway(
                namespace=gateway.namespace,
                name=gateway.name,
                data_plane_namespace=gateway.pods_namespace,
                address=str(gateway.address or ""),
                listeners=tuple(
                    PublishedListener(
                        name=one.name,
                        port=one.port,
                        hostname=one.hostname,
                        tenant=one.tenant if isinstance(one, HttpsListener) else None,
                        in_set=one not in shared,
                    )
                    for one in gateway.listeners
                    if isinstance(one, HttpsListener) or not one.redirect
                ),
                streams=gateway.limits.body_mebibytes is None,
                counts_requests=isinstance(gateway.install, Traefik),
            ),
            canary_ceiling_percent=gateway.canary_ceiling_percent,
            mtu=solve(self.cni, network.underlay_mtu).pod,
            cni=self.cni.kind,
            dns_names=getattr(self.cni, "l7_proxy", True),
            enforces_policies=self.cni.enforces_policies,
            admin_tier=getattr(self.cni, "cluster_network_policies", False),
            countries=self.residency.allowed_countries,
            versions=Versions(
                kubernetes=self.cluster.kubernetes_version,
                cni=getattr(self.cni, "version", None),  # an unmanaged CNI's is not in the stack file
                gateway_api=gateway.bundle_version,
            ),
            pod_networks=(network.pod_cidr,),
            service_networks=(network.service_cidr,),
            node_networks=network.node_cidrs,
            api_server=network.api_server.host,
            api_ports=self.api_ports,
            namespaces=(gateway.namespace,),
        )

    @property
    def combination(self) -> Combination:
        """The versions that work together or do not."""
        metallb, traefik, issuer = self.metallb.install, self.gateway.install, self.gateway.issuer
        versions = {
            Part.KUBERNETES: self.cluster.kubernetes_version,
            Part.GATEWAY_API: self.gateway.bundle_version,
            Part.METALLB: metallb.version if metallb.kind == "helm" else None,
            Part.TRAEFIK: traefik.version if traefik.kind == "traefik" else None,
            Part.CERT_MANAGER: issuer.version if issuer.kind == "cert-manager" else None,
        }
        return together(self.cni, versions)

    @property
    def advice(self) -> tuple[Finding, ...]:
        """What is not wrong and will surprise. What a day decides is in `releases.release_advice`."""
        kubernetes = self.cluster.kubernetes_version
        return (
            *kube_proxy_advice(self.cni.service_proxy, kubernetes),
            *(others_kube_proxy_advice(self.cni.service_proxy) if self.cluster.kind == "existing" else ()),
            *untested_advice(self.combination),
            *cni_advice(self.cni, self.network.underlay_mtu),
            *cgroup_advice(self.cluster),
            *backup_advice(self.cluster),
            *monitoring_advice(self.monitoring, firewall=self.node_firewall is not None),
            *self._edge_advice,
            *(one for one in endpoint_problems(self.network, self.nodes) if one.advice),
            *segment_advice(self.metallb, self.network, self.nodes),
        )

    @property
    def _edge_advice(self) -> tuple[Finding, ...]:
        """Gateway pods that share their only edge node."""
        edge = [node.name for node in self.nodes if "edge" in node.profiles]
        install = self.gateway.install
        if not isinstance(install, Traefik) or install.replicas < 2 or len(edge) != 1:
            return ()
        said = f"only {edge[0]} has the profile edge, so all {install.replicas} pods of the gateway are on it"
        return (Finding("gateway-placement", "nodes", said, "give the profile to a second node", advice=True),)

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
