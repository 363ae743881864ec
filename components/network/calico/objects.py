"""What Calico is told beside its Installation: BGP, Felix, and where the API server is."""

from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.core.names import TIGERA_OPERATOR
from components.core.versions import matches
from components.network.calico.model import Calico
from components.network.networks import NetworkSpec

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
