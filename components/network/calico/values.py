"""How Calico is installed: its operator's chart with the `Installation`, and its settings beside that: BGP, Felix
and where the API server is."""

from collections.abc import Mapping
from typing import Any

from components.charts.reference import Chart
from components.charts.values import merged
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.core.names import TIGERA_OPERATOR
from components.core.versions import matches
from components.images.model import image_at
from components.network.calico.model import Calico
from components.network.mtu import solve
from components.network.networks import ChartContext, Install, NetworkSpec, WaitAnnotation

FLOW_LOGS = ">=3.30"
"""Release notes of Calico 3.30: Goldmane collects flow logs and Whisker shows them."""
FLOW_LOGS_OFF: Mapping[str, Any] = {"goldmane": {"enabled": False}, "whisker": {"enabled": False}}
"""The chart installs both by default: two more Deployments, and a record of each connection of each tenant.

A stack file that wants them writes so in `cni.install.values`."""
CALICOCTL = "quay.io/calico/ctl"
"""Of the chart's hook that takes Calico away."""


def calico_namespace() -> Manifest:
    """The operator's namespace: it runs on the nodes' own network, before there is any other."""
    enforce = {"pod-security.kubernetes.io/enforce": "privileged"}
    return manifest("v1", "Namespace", TIGERA_OPERATOR, labels=enforce)


def calico_values(cni: Calico, network: NetworkSpec, context: ChartContext) -> dict[str, Any]:
    """Values of the tigera-operator chart, which makes the Installation once its CRDs are there."""
    defaults = FLOW_LOGS_OFF if matches(cni.version, FLOW_LOGS) else {}
    return merged(platform_values(cni, network, context), merged(cni.install.values, defaults))


def platform_values(cni: Calico, network: NetworkSpec, context: ChartContext) -> dict[str, Any]:
    """The values that are the platform's own."""
    images = context.images
    values: dict[str, Any] = {"installation": {"enabled": True, **_spec(cni, network)}, "apiServer": {"enabled": True}}
    if images:
        # The operator adds the images' paths (calico/node, …) to the registry, which ends in a slash.
        values["installation"]["registry"] = f"{images.registry}/"
        values["tigeraOperator"] = {"registry": images.registry}
        values["calicoctl"] = {"image": image_at(images, CALICOCTL)}
    return values


def from_their_makers(values: Any) -> list[str]:
    """Images that the chart's values leave where its own defaults have them."""
    keys = (("installation", "registry"), ("tigeraOperator", "registry"), ("calicoctl", "image"))
    groups = [(values.get(group) if isinstance(values, Mapping) else None, key) for group, key in keys]
    moved = all(isinstance(group, Mapping) and group.get(key) for group, key in groups)
    return [] if moved else ["quay.io/calico/node"]


def _spec(cni: Calico, network: NetworkSpec) -> dict[str, Any]:
    return {
        "calicoNetwork": {
            "bgp": "Enabled" if cni.bgp else "Disabled",
            "ipPools": [
                {
                    "blockSize": 26,  # 64 addresses a node at a time; immutable, like the CIDR
                    "cidr": str(network.pod_cidr),
                    "encapsulation": cni.encapsulation,
                    "natOutgoing": "Enabled",
                }
            ],
            "linuxDataplane": cni.dataplane,
            "mtu": solve(cni, network.underlay_mtu).configured,  # the pods' own, unlike Cilium's
        }
    }


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


API = "projectcalico.org/v3"
"""Served by Calico's own API server, which the operator's chart installs."""
OPERATOR_API = "operator.tigera.io/v1"
READY_SINCE = ">=3.25"


def services_endpoint(network: NetworkSpec) -> Manifest:
    """Where the eBPF data plane reaches the API server: with kube-proxy gone no Service leads there.

    The operator looks for this name in its own namespace, before it starts anything else.
    """
    server = network.api_server
    return manifest(
        "v1",
        "ConfigMap",
        "kubernetes-services-endpoint",
        namespace=TIGERA_OPERATOR,
        data={"KUBERNETES_SERVICE_HOST": server.host, "KUBERNETES_SERVICE_PORT": str(server.port)},
    )


def before_calico(cni: Calico, network: NetworkSpec) -> list[Manifest]:
    """What must be there before the operator starts."""
    return [services_endpoint(network)] if cni.dataplane == "BPF" else []


def ready_annotations(cni: Calico) -> list[Manifest]:
    """Annotations on the operator's own objects, in order: applying them waits until Calico runs, and its API serves.

    The chart's Release waits for the operator only. The operator copies `Ready` from its own status onto the object
    (pkg/controller/status/status.go, UpdateStatusCondition, tigera/operator#2062, of Calico 3.25); an older one says
    nothing to wait for.
    """
    if not matches(cni.version, READY_SINCE):
        return []
    ready = {"annotations": {WAIT_FOR: "condition=Ready"}}
    return [
        {"apiVersion": OPERATOR_API, "kind": kind, "metadata": {"name": "default", **ready}}
        for kind in ("Installation", "APIServer")
    ]


def after_calico(cni: Calico) -> list[Manifest]:
    """What Calico's API server takes once it serves, in the order to apply it."""
    return [*_felix(cni), *_bgp(cni)]


def _felix(cni: Calico) -> list[Manifest]:
    spec: dict[str, object] = {}
    if cni.encryption == "wireguard":
        spec["wireguardEnabled"] = True
    if cni.dataplane == "BPF":
        spec["bpfExternalServiceMode"] = "DSR" if cni.external_services == "dsr" else "Tunnel"
    # The operator makes `default` too and leaves alone what it has not set.
    return [manifest(API, "FelixConfiguration", "default", spec=spec)] if spec else []


def _bgp(cni: Calico) -> list[Manifest]:
    peering = cni.bgp_peering
    if not cni.bgp or peering is None:
        return []
    spec: dict[str, object] = {"asNumber": peering.as_number, "nodeToNodeMeshEnabled": peering.node_mesh}
    if peering.service_networks:
        spec["serviceLoadBalancerIPs"] = [{"cidr": str(network)} for network in peering.service_networks]
    return [
        manifest(API, "BGPConfiguration", "default", spec=spec),
        *(
            manifest(
                API,
                "BGPPeer",
                peer.name,
                spec={
                    "asNumber": peer.as_number,
                    "nodeSelector": peer.node_selector,
                    "peerIP": str(peer.address),
                    **(
                        {"password": {"secretKeyRef": {"name": peer.password_secret, "key": "password"}}}
                        if peer.password_secret
                        else {}
                    ),
                },
            )
            for peer in peering.peers
        ),
    ]
