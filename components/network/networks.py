"""The networks of a cluster, what else of a stack a CNI's chart depends on, and how a CNI is installed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from components.charts.reference import Chart
from components.core.manifests import Manifest
from components.core.model import Spec
from components.core.types import DnsName, Mtu, Network, Networks
from components.images.model import ImageMirror


class ApiServer(Spec):
    """API server endpoint. Without kube-proxy, the CNI can't find the API server by its Service."""

    host: DnsName
    """An address, or a name that every node can resolve."""
    port: int = Field(default=6443, ge=1, le=65535)
    """TCP port of the API server."""


class NetworkSpec(Spec):
    """Networks of the nodes, pods and Services."""

    node_cidrs: Networks = Field(alias="nodeCidr")
    """Network of the nodes' addresses, or a list if they are in several: then pods need a tunnel or a routed network,
    and layer-2 pools nodes of one of them."""
    pod_cidr: Network
    """Addresses of pods. Each node gets a part of it."""
    service_cidr: Network
    """Addresses of Services. They exist only in the cluster."""
    underlay_mtu: Mtu = 1500
    """MTU of the links: the largest packet that every link between two nodes carries."""
    api_server: ApiServer


class ChartContext(NamedTuple):
    """What else of a stack a CNI's chart depends on."""

    cluster: str
    """Names the cluster to its peers."""
    operators: int = 2
    """Replicas of Cilium's operator: no more than there are nodes."""
    announces: frozenset[str] = frozenset()
    """How Cilium announces LoadBalancer addresses (`l2`, `bgp`); empty where they are MetalLB's."""
    gateway_bundle: str | None = None
    """The release of Gateway API's CRDs, where it is known."""
    images: ImageMirror | None = None
    """The mirror for images, if there is one."""
    monitored: bool = False
    """Whether this stack's Prometheus collects the agents' metrics."""


class WaitAnnotation(NamedTuple):
    """An annotation on an object of the chart's: applying it waits until the object is ready."""

    name: tuple[str, ...]
    """Of the resource, below its component's."""
    manifest: Manifest


class Install(NamedTuple):
    """What is applied, in this order."""

    kind: str
    chart: Chart
    values: Mapping[str, Any]
    namespace: Manifest | None = None
    """Where the chart does not bring its own."""
    crds: Chart | None = None
    """The chart of the CNI's CRDs, where `chart` has none."""
    before: tuple[Manifest, ...] = ()
    waits: tuple[WaitAnnotation, ...] = ()
    one_by_one: bool = False
    """Whether each wait begins when the one before has ended."""
    after: tuple[Manifest, ...] = ()
    """What only the running CNI takes. Objects named `default` are its own, and get our fields."""
