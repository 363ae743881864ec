"""Calico's `Installation`: what its operator turns into a running network."""

from typing import Any

from components.cni.model import Calico, NetworkSpec
from components.cni.mtu import solve
from components.manifests import Manifest, manifest
from components.names import TIGERA_OPERATOR


def installation(cni: Calico, network: NetworkSpec) -> Manifest:
    """The one Installation, named `default`: the operator looks for no other name."""
    return manifest("operator.tigera.io/v1", "Installation", "default", spec=_spec(cni, network))


def calico_namespace() -> Manifest:
    """The operator's namespace: it runs on the nodes' own network, before there is any other."""
    enforce = {"pod-security.kubernetes.io/enforce": "privileged"}
    return manifest("v1", "Namespace", TIGERA_OPERATOR, labels=enforce)


def calico_values(cni: Calico, network: NetworkSpec) -> dict[str, Any]:
    """Values of the tigera-operator chart, which makes the Installation once its CRDs are there."""
    return {"installation": {"enabled": True, **_spec(cni, network)}}


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
