"""The platform of one stack: what its file says, wired in the order in which it must come to be."""

from typing import Any

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes

from components.gateway.component import Gateway, GatewayCrds
from components.kubeadm.component import Kubeadm
from components.kubeadm.scripts import leaving_script
from components.network.component import Cni
from components.nodes.component import Node
from components.nodes.inventory import Record
from components.nodes.preflight.gate import require_fit
from components.nodes.preflight.verdict import findings
from components.nodes.reading import read_fleet
from components.nodes.settings.script import node_script
from components.pools.component import MetalLb
from components.residency.component import Residency
from components.stackfile.config import access, gateway_crds, load
from components.tenancy.component import Tenant

platform = load()
secrets = access(platform)
scripts = {node.name: node_script(node, platform.demands) for node in platform.nodes}
fleet = read_fleet(platform.nodes, scripts, platform.demands, platform.ssh, secrets.reading_key)
require_fit(findings(secrets.facts or fleet.surveys, platform.nodes, platform.demands))
Residency("residency", platform.residency, secrets.state)
ssh, key = command.Provider("ssh"), secrets.ssh_private_key
nodes = [
    Node(
        node.name,
        node,
        provider=ssh,
        script=scripts[node.name],
        ssh=platform.ssh,
        private_key=key,
        reading=fleet.readings.get(node.name),
    )
    for node in platform.nodes
]
plan, keys, set_up = platform.bootstrap, secrets.credentials, [node.setup for node in nodes]
kubeadm = Kubeadm("kubeadm", plan, keys, set_up, provider=ssh, private_key=key) if plan and keys else None
kubeconfig: Any = kubeadm.kubeconfig if kubeadm else secrets.kubeconfig  # one of them, as `load` has seen to
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=kubeconfig,
    cluster_identifier=platform.environment,  # another kubeconfig for the same cluster replaces nothing
    enable_config_map_mutable=True,  # agents read cilium-config: it must never be gone between two versions
    enable_secret_mutable=True,  # nor may a certificate, while a listener serves with it
)
leaving = {node.name: leaving_script(plan, node) for node in plan.workers} if plan else {}
for spec, made in zip(platform.nodes, nodes, strict=True):
    made.releasable(
        kubeconfig,
        gateway_namespace=platform.gateway.namespace,
        leaving_script=leaving.get(spec.name, ""),
        depends_on=[kubeadm] if kubeadm else [],
    )
Record("record", platform.environment, (node.name for node in platform.nodes), provider=cluster, depends_on=nodes)
ready = [kubeadm] if kubeadm else nodes
crds = [GatewayCrds("gateway-crds", made, provider=cluster, depends_on=ready) for made in gateway_crds(platform)]
after = [*ready, *crds]
cni = Cni("cni", platform.cni, platform.network, platform.around_cni, provider=cluster, depends_on=after)
pools = MetalLb("metallb", platform.metallb, platform.around_metallb, provider=cluster, depends_on=[cni])
tenants = [
    Tenant(tenant.name, tenant, gateway_namespace=platform.gateway.pods_namespace, provider=cluster, depends_on=[cni])
    for tenant in platform.tenants
]
gateway = Gateway(
    "gateway",
    platform.gateway,
    images=platform.images,
    certificates=secrets.certificates,
    provider=cluster,
    depends_on=[pools, *crds],
    tenants=tenants,
)

pulumi.export("nodes", {node.name: made.readback for node, made in zip(platform.nodes, nodes, strict=True)})
pulumi.export("network", {"dataPath": cni.data_path, "podMtu": cni.pod_mtu, "podMtuBecause": cni.mtu_arithmetic})
pulumi.export("pools", pools.pools)
pulumi.export("gateway", {"className": platform.gateway.class_name, "hostnames": gateway.hostnames})
pulumi.export("tenants", {tenant.name: made.namespace for tenant, made in zip(platform.tenants, tenants, strict=True)})
if kubeadm:
    pulumi.export("kubeconfig", kubeadm.kubeconfig)
