"""What is wrong with a cluster that kubeadm is to make."""

from collections.abc import Collection, Sequence
from datetime import date

from components.core.authority import is_root, names_outside, period_problem
from components.core.finding import Finding
from components.core.versions import between, matches
from components.images.model import ImageMirror
from components.kubeadm.model import Existing, Kubeadm, image_source
from components.kubeadm.security.render import KERNEL_DEFAULTS
from components.network.model import NetworkSpec
from components.nodes.model import NodeSpec

OLDEST = "1.32"
"""The first Kubernetes whose API server limits anonymous requests to some paths by default (KEP-4633)."""
NEWEST = "1.36"
"""The newest whose kubeadm was tested with what is rendered here."""


def cluster_problems(
    cluster: Existing | Kubeadm,
    network: NetworkSpec,
    nodes: Sequence[NodeSpec],
    allowed: Collection[str],
    mirror: ImageMirror | None = None,
) -> list[Finding]:
    """Everything that is wrong with a cluster of these nodes; of one that exists only where its API server is."""
    control_planes = [node for node in nodes if "control-plane" in node.roles]
    if isinstance(cluster, Existing):
        return [one for one in endpoint_problems(network, nodes) if not one.advice]
    problems = (
        _kernel_problems(cluster, nodes)
        + _version_problems(cluster)
        + _source_problems(cluster, allowed, mirror)
        + _runtime_problems(cluster)
        + _authority_problems(cluster, network, control_planes)
    )
    problems += [
        Finding(
            "cluster-swap",
            f"node {node.name}",
            "keepSwap is true, and a kubelet does not start with swap",
            "remove keepSwap, and the platform switches swap off",
            fields=(f"nodes[{node.name}].keepSwap",),
        )
        for node in nodes
        if node.keep_swap
    ]
    if not control_planes:
        problems.append(
            Finding(
                "cluster-control-plane",
                "nodes",
                "none has the role control-plane, which makes the cluster",
                "write roles: [control-plane] at one node or three",
            )
        )
    return problems + [one._replace(advice=False) for one in endpoint_problems(network, nodes)]


def expired_exceptions(cluster: Existing | Kubeadm, today: date) -> list[Finding]:
    """Exceptions of security settings whose last day is over."""
    if isinstance(cluster, Existing):
        return []
    return [
        Finding(
            "cluster-security",
            "cluster.security.exceptions",
            f"the exception for {item.setting} ended on {item.until}",
            "remove it, and the setting is on again, or have a new date approved",
            value=item.setting,
        )
        for item in cluster.security.exceptions
        if item.ended(today)
    ]


def _kernel_problems(cluster: Kubeadm, nodes: Sequence[NodeSpec]) -> list[Finding]:
    """Kernel settings of a node with which its kubelet does not start."""
    if not cluster.security.is_on("kernel-defaults"):
        return []
    return [
        Finding(
            "cluster-security",
            f"node {node.name}",
            f"sets {setting.key} to {setting.value}, and its kubelet starts only with {KERNEL_DEFAULTS[setting.key]}",
            "leave it out, or write an exception for kernel-defaults in cluster.security",
            value=setting.value,
            fields=(f"nodes[{node.name}].sysctls",),
        )
        for node in nodes
        for setting in node.sysctls
        if setting.value != KERNEL_DEFAULTS.get(setting.key, setting.value)
    ]


def _version_problems(cluster: Kubeadm) -> list[Finding]:
    if between(cluster.kubernetes_version, OLDEST, NEWEST):
        return []
    return [
        Finding(
            "cluster-version",
            "cluster.kubernetesVersion",
            f"{cluster.kubernetes_version} is not between {OLDEST} and {NEWEST}, whose kubeadm reads what this "
            "platform writes",
            "choose one of these",
        )
    ]


_AUTHORITY = "cluster.caCertificate"
_ADVICE_DAYS = 400
"""kubeadm's certificates are valid for a year. None may outlive its authority."""


def _authority_problems(cluster: Kubeadm, network: NetworkSpec, control_planes: Sequence[NodeSpec]) -> list[Finding]:
    found = []
    if not is_root(cluster.ca_certificate):
        said = "is not signed by itself: members would have to trust the authority above it too"
        found.append(Finding("cluster-authority", _AUTHORITY, said, "make an authority for this cluster alone"))
    names = [
        network.api_server.host,
        *cluster.certificate_names,
        "kubernetes.default.svc.cluster.local",
        str(network.service_cidr.network_address + 1),  # of the Service kubernetes
        *(name for node in control_planes for name in (node.name, str(node.address))),
    ]
    if outside := names_outside(cluster.ca_certificate, dict.fromkeys(names)):
        said = f"has name constraints that do not let it sign for {', '.join(outside)}"
        found.append(Finding("cluster-authority", _AUTHORITY, said, "make one without name constraints"))
    return found


def authority_period_problems(cluster: Existing | Kubeadm, now: float) -> list[Finding]:
    """Whether the cluster's authority is valid now, and for long enough. `now`: seconds since 1970."""
    if isinstance(cluster, Existing):
        return []
    if wrong := period_problem(cluster.ca_certificate, now):
        return [Finding("cluster-authority", _AUTHORITY, *wrong)]
    if wrong := period_problem(cluster.ca_certificate, now, _ADVICE_DAYS):
        return [Finding("cluster-authority", _AUTHORITY, *wrong, advice=True)]
    return []


CONTAINERD_2 = "1.36"
"""The first Kubernetes whose kubelets need containerd 2: 1.35 is the last one for 1.x (its release notes, KEP-4033)."""


def _runtime_problems(cluster: Kubeadm) -> list[Finding]:
    containerd = cluster.containerd
    if containerd.major >= 2 or not matches(cluster.kubernetes_version, f">={CONTAINERD_2}"):
        return []
    return [
        Finding(
            "cluster-runtime",
            "cluster.containerd.version",
            f"containerd {containerd.version} is older than 2.0, which Kubernetes needs from {CONTAINERD_2} on, and "
            f"this is {cluster.kubernetes_version}",
            "write containerd 2 from a repository that has it (containerd.io), or Kubernetes 1.35 or older",
            value=containerd.version,
        )
    ]


def _source_problems(cluster: Kubeadm, allowed: Collection[str], mirror: ImageMirror | None) -> list[Finding]:
    images = image_source(cluster, mirror)
    if images.country is None:
        said = f"nothing says under whose law {images.registry} is"
        return [Finding("cluster-sources", images.field, said, f"write {images.field}.country")]
    sources = (
        ("cluster.packages", cluster.packages.url, cluster.packages.country),
        (images.field, images.registry, images.country),
    )
    return [
        Finding(
            "cluster-sources",
            item,
            f"{name} is under the law of {country}, allowed: "
            f"{', '.join(sorted({*allowed, *cluster.source_countries}))}",
            "use a mirror, or let software come from there with cluster.sourceCountries",
        )
        for item, name, country in sources
        if country not in allowed and country not in cluster.source_countries
    ]


def endpoint_problems(network: NetworkSpec, nodes: Sequence[NodeSpec]) -> list[Finding]:
    """The endpoint is in every certificate and kubeconfig: it can't be a worker, and one machine of several is advice.

    A cluster that exists may have it so; one that is made here may not.
    """
    host = network.api_server.host
    control_planes = [node for node in nodes if "control-plane" in node.roles]
    holder = next((node for node in nodes if host in (str(node.address), node.name)), None)
    if holder is None or control_planes == [holder]:
        return []
    if holder not in control_planes:
        said = f"{host} is node {holder.name}, a worker: no API server listens there"
        remedy = "write the name or address in front of the control planes"
    else:
        said = (
            f"{host} is node {holder.name}, one of {len(control_planes)} control planes: without it the others would "
            "not be found"
        )
        remedy = "write a name or address that moves between them, or that is in front of all"
    advice = holder in control_planes
    return [Finding("cluster-endpoint", "network.apiServer.host", said, remedy, value=host, advice=advice)]
