"""The platform of one stack: what its file says, wired in the order in which it must come to be."""

from typing import Any

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes

from components.existing_cluster.checks import cluster_findings
from components.existing_cluster.reading import known_cluster
from components.faults.hook import answering, explain_failures
from components.gateway.component import Gateway, GatewayCrds
from components.kubeadm.component import DestroyProtection, Kubeadm, Upgrades
from components.kubeadm.scripts import script_without_secrets
from components.kubeadm.upgrade.gate import require_upgradable, version_question
from components.monitoring.component import Monitoring, NodeFacts
from components.monitoring.facts import agent_program
from components.network.component import Cni
from components.network.data_path_change import announce_change
from components.nodes.component import Node
from components.nodes.inventory import Placement, Record
from components.nodes.preflight.gate import require_fit
from components.nodes.preflight.verdict import accepted, findings
from components.nodes.reading import read_fleet
from components.nodes.settings.script import node_script
from components.pools.component import Announced, MetalLb
from components.residency.asked import asked_findings
from components.residency.component import Residency
from components.stackfile.config import access, gateway_crds, load
from components.tenancy.admission_policies import holds_contracts
from components.tenancy.registration.component import Registrations

platform = load()
secrets = access(platform)
scripts = {node.name: node_script(node, platform.node_requirements) for node in platform.nodes}
fleet = read_fleet(
    platform.nodes,
    scripts,
    platform.node_requirements,
    platform.ssh,
    secrets.reading_key,
    question=version_question(platform.bootstrap),
)
kept = secrets.facts
surveys = kept.surveys if kept else fleet.surveys
found = [
    *findings(surveys, platform.nodes, platform.node_requirements),
    *asked_findings(surveys, platform.nodes, platform.declared_hosts, secrets.today),
    *cluster_findings(known_cluster(kept, secrets.reading_kubeconfig), platform.cluster_requirements),
]
require_fit(accepted(found, platform.preflight.accept, secrets.today))
behind = require_upgradable(platform.bootstrap, platform.cni, fleet.answers)
residency = Residency("residency", platform.residency, secrets.state)

ssh = command.Provider("ssh")
nodes = {
    spec.name: Node(
        spec.name,
        spec,
        provider=ssh,
        script=scripts[spec.name],
        ssh=platform.ssh,
        private_key=secrets.ssh_private_key,
        reading=fleet.readings.get(spec.name),
        firewall=platform.node_firewall is not None,
    )
    for spec in platform.nodes
}
if platform.bootstrap and secrets.credentials and secrets.encryption_keys:
    kubeadm = Kubeadm(
        "kubeadm",
        platform.bootstrap,
        secrets.credentials,
        secrets.encryption_keys,
        [node.setup for node in nodes.values()],
        ca_key=secrets.ca_key,
        backup_key=secrets.backup_key,
        provider=ssh,
        private_key=secrets.ssh_private_key,
        upgrades=Upgrades(behind, platform.gateway.namespace),
    )
    kubeconfig: Any = kubeadm.kubeconfig if secrets.kubeconfig is None else secrets.kubeconfig
    api_server: list[pulumi.Resource] = [kubeadm.api_server]
    members: list[pulumi.Resource] = [kubeadm]
    made: list[pulumi.Resource] = [kubeadm]
    leaving = {node.name: script_without_secrets(platform.bootstrap, node) for node in platform.bootstrap.workers}
    pulumi.export("kubeconfig", kubeadm.kubeconfig)
else:
    kubeconfig = secrets.kubeconfig
    api_server = list(nodes.values())
    members = list(nodes.values())
    made = []
    leaving = {}

if secrets.reading_key is not None:
    kubeconfig = answering(kubeconfig)
explain_failures(kubeconfig)
announce_change(platform.cni, platform.network, kubeconfig)
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=kubeconfig,
    cluster_identifier=platform.environment,  # another kubeconfig for the same cluster replaces nothing
    enable_config_map_mutable=True,  # agents read cilium-config: it must never be gone between two versions
    enable_secret_mutable=True,  # nor may a certificate, while a listener serves with it
)
crds = [
    GatewayCrds("gateway-crds", bundle, provider=cluster, depends_on=api_server) for bundle in gateway_crds(platform)
]
cni = Cni(
    "cni",
    platform.cni,
    platform.network,
    platform.chart_context,
    provider=cluster,
    depends_on=[*api_server, *crds],
    members=members,
    node_names=[node.name for node in platform.bootstrap.nodes] if platform.bootstrap else (),
)
placement = Placement(
    "placement",
    platform.nodes,
    kept=platform.bootstrap is not None,
    provider=cluster,
    depends_on=members,
)
# After the CNI and the labels: what of them is on a node goes after the node has left, and stays if it may not leave.
for name, node in nodes.items():
    node.declare_decommission(
        kubeconfig,
        gateway_namespace=platform.gateway.namespace,
        leaving_script=leaving.get(name, ""),
        protect=bool(made) and name not in leaving,  # a control plane, whose membership is protected
        depends_on=[*made, cni, placement] if made else [],
    )
record = Record(
    "record", platform.environment, nodes, kubeconfig=kubeconfig, provider=cluster, depends_on=list(nodes.values())
)
network = [*members, cni, *nodes.values()]  # what has pods is deleted before a node leaves
pools = MetalLb(
    "metallb",
    platform.metallb,
    platform.metallb_context,
    kubeconfig=kubeconfig,
    provider=cluster,
    runner=ssh,
    depends_on=network,
)
gateway = Gateway(
    "gateway",
    platform.gateway,
    platform.gateway_context,
    certificates=secrets.certificates,
    dns_key=secrets.dns_key,
    provider=cluster,
    depends_on=[*network, placement, *crds],
    pools=[pools],
)
registrations: list[pulumi.Resource] = []
if holds_contracts(platform.cluster.kubernetes_version):
    registrations = [
        Registrations(
            "registrations",
            platform.published,
            platform.residency.model_dump(mode="json", by_alias=True),
            platform.registrations.administrators,
            address=gateway.address,
            provider=cluster,
            depends_on=network,
        )
    ]
announced = Announced(
    "announced",
    platform.metallb,
    namespace=platform.gateway.namespace,
    gateway=platform.gateway.name,
    ports=sorted({one.port for one in platform.gateway.listeners}) if platform.gateway.connect else [],
    kubeconfig=kubeconfig,
    provider=ssh,
    depends_on=[gateway],
)
watched: list[pulumi.Resource] = []
if platform.monitoring:
    monitoring = Monitoring(
        "monitoring",
        platform.monitoring,
        platform.monitoring_context,
        alert_token=secrets.alert_token,
        provider=cluster,
        depends_on=[*network, placement, pools, gateway],
    )
    watched = [
        monitoring,
        *(
            NodeFacts(
                spec,
                agent_program(
                    spec,
                    platform.nodes,
                    platform.node_requirements,
                    platform.monitoring_context,
                    scripts[spec.name],
                ),
                setup=nodes[spec.name].setup,
                ssh=platform.ssh,
                provider=ssh,
                private_key=secrets.ssh_private_key,
                depends_on=[*members, cni],
            )
            for spec in platform.nodes
        ),
    ]
if made:  # control planes, which are protected
    parts = [ssh, cluster, residency, *nodes.values(), *made, record, placement, *crds, cni, pools]
    parts += [gateway, *registrations, announced, *watched]
    DestroyProtection("destroy-protection", depends_on=parts)

pulumi.export("nodes", {name: node.readback for name, node in nodes.items()})
pulumi.export("network", {"dataPath": cni.data_path, "podMtu": cni.pod_mtu, "podMtuBecause": cni.mtu_arithmetic})
pulumi.export("pools", pools.pools)
pulumi.export(
    "gateway",
    {
        "className": platform.gateway.class_name,
        "address": gateway.address,
        "dnsRecords": gateway.dns,  # to make where the domain is: host name of a listener → address
        "certificatesEnd": secrets.certificate_ends,
    },
)
