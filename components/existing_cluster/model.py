"""What a stack requires of a cluster that exists, and what was read of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from components.core.types import Network, ServiceProxy

Fact = Mapping[str, Any]


class ClusterRequirements(NamedTuple):
    """What the stack file says of the cluster."""

    kubernetes: str
    """Version, minor or whole."""
    nodes: Mapping[str, str]
    """Addresses by name."""
    cni: str
    """The CNI's kind: `cilium`, `calico`, `flannel` or `unmanaged`."""
    service_proxy: ServiceProxy
    pod_cidr: Network
    node_pod_cidrs: str = ""
    """The part that needs a pod network at each node; empty: none."""
    strict_arp: str = ""
    """The part that needs kube-proxy's strictARP; empty: none."""
    excluded: str = ""
    """The part that leaves out nodes with `node.kubernetes.io/exclude-from-external-load-balancers`; empty: none."""
    brings_crds: bool = False
    """Whether the platform applies Gateway API's CRDs itself."""
    bundle_version: str | None = None
    """Version of Gateway API's CRDs, where the stack file has one."""


class ClusterFacts(NamedTuple):
    """What was read of a cluster. A fact that is not known has `unknown`, the reason."""

    facts: Mapping[str, Fact]
    failure: str = ""
    """Why the cluster could not be asked at all; empty where it was."""

    def get(self, name: str) -> Fact:
        """A fact; one that was not read is unknown."""
        return self.facts.get(name, {"unknown": self.failure or "it was not read"})
