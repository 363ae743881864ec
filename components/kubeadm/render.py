"""What kubeadm, containerd and apt read on a node. kubeadm's fields are those of v1beta4 in Kubernetes 1.36.3."""

import json
from collections.abc import Sequence

from components.core.authority import discovery_hash
from components.core.manifests import Manifest
from components.core.versions import minor
from components.kubeadm.credentials import Credentials
from components.kubeadm.model import Bootstrap, Kubeadm
from components.kubeadm.security.render import control_plane, kubelet
from components.network.kube_proxy import kube_proxy_configuration
from components.nodes.inventory_render import taints as own_taints
from components.nodes.model import NodeSpec
from components.nodes.settings.profiles import wanted

KUBEADM = "kubeadm.k8s.io/v1beta4"
SOCKET = "unix:///run/containerd/containerd.sock"
API_PORT = 6443
"""The port of a node's own API server; the endpoint in front of it may have another."""
KEYRING = "/etc/apt/keyrings/vds-platform-kubernetes.asc"

RESERVED = {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "1Gi"}
"""Kept from pods, once for the system and once for kubelet and containerd: without it a full node starves its kubelet.
What Debian 12 with sshd and journald, and kubelet and containerd with some thirty pods use, rounded up."""

CONTAINERD_IMPORTS = "/etc/containerd/conf.d/*.toml"
"""Files of an operator's own, which containerd reads as well."""

TOKEN_LIFE = "2h0m0s"  # noqa: S105  how long it lives; kubeadm keeps the uploaded certificates as long
"""Long enough for every join of one run, and too short to be useful to a thief."""


def endpoint(bootstrap: Bootstrap) -> str:
    """Host and port of the control plane, for as long as the cluster exists."""
    return f"{bootstrap.network.api_server.host}:{bootstrap.network.api_server.port}"


def kubeadm_config(bootstrap: Bootstrap, node: NodeSpec, credentials: Credentials) -> str:
    """kubeadm's configuration for this node, as JSON documents.

    In YAML a token or name that looks like a number would become one; in JSON a string is always a string.
    """
    return "\n---\n".join(json.dumps(item, indent=2) for item in documents(bootstrap, node, credentials))


def documents(bootstrap: Bootstrap, node: NodeSpec, credentials: Credentials) -> list[Manifest]:
    """The first control plane makes the cluster; every other node joins it."""
    if node == bootstrap.control_planes[0]:
        return [
            _init(bootstrap, node, credentials),
            _cluster(bootstrap),
            _kubelet(bootstrap.cluster),
            *_kube_proxy(bootstrap),
        ]
    return [_join(bootstrap, node, credentials)]


def _init(bootstrap: Bootstrap, node: NodeSpec, credentials: Credentials) -> Manifest:
    token = {"description": "Joins the nodes of one run of vds-platform.", "ttl": TOKEN_LIFE}
    if not credentials.bootstrap_token:  # without one, init makes a token itself, which nobody uses
        token = {"description": "Of kubeadm init, unused.", "ttl": "1m0s"}
    return {
        "apiVersion": KUBEADM,
        "kind": "InitConfiguration",
        "bootstrapTokens": [token | _given("token", credentials.bootstrap_token)],
        "nodeRegistration": _registration(bootstrap, node),
        "localAPIEndpoint": _local_endpoint(bootstrap, node),
        **_given("certificateKey", credentials.certificate_key),
        **({"skipPhases": ["addon/kube-proxy"]} if bootstrap.service_proxy == "ebpf" else {}),
    }


def _given(field: str, secret: str) -> Manifest:
    return {field: secret} if secret else {}


def _cluster(bootstrap: Bootstrap) -> Manifest:
    spec, network = bootstrap.cluster, bootstrap.network
    parts = control_plane(spec.security, spec.kubernetes_version)
    if spec.certificate_names:
        parts["apiServer"]["certSANs"] = list(spec.certificate_names)
    return {
        "apiVersion": KUBEADM,
        "kind": "ClusterConfiguration",
        "clusterName": bootstrap.environment,
        "kubernetesVersion": f"v{spec.kubernetes_version}",
        "controlPlaneEndpoint": endpoint(bootstrap),
        "imageRepository": bootstrap.registry,
        "networking": {"podSubnet": str(network.pod_cidr), "serviceSubnet": str(network.service_cidr)},
        **parts,
        # Stays in the cluster, so that `kubeadm upgrade` doesn't bring back what init skipped.
        **({"proxy": {"disabled": True}} if bootstrap.service_proxy == "ebpf" else {}),
    }


def _kube_proxy(bootstrap: Bootstrap) -> list[Manifest]:
    if bootstrap.service_proxy == "ebpf":
        return []
    return [kube_proxy_configuration(bootstrap.service_proxy, _conntrack(bootstrap.nodes))]


_KUBE_PROXY_MIN = 131072
"""kube-proxy's own default of `conntrack.min`."""
_CONNTRACK_MAX = "net.netfilter.nf_conntrack_max"
_CONNTRACK_TIMEOUTS = {
    "net.netfilter.nf_conntrack_tcp_timeout_established": "tcpEstablishedTimeout",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "tcpCloseWaitTimeout",
}


def _conntrack(nodes: Sequence[NodeSpec]) -> Manifest:
    """What kube-proxy must not take back: at each start it sets 32768 entries a core, 131072 at least, and timeouts.

    Its configuration is one for all nodes. Where each node's number can't follow from it, 0 lets every node keep its
    own: kubeproxy.config.k8s.io/v1alpha1, KubeProxyConntrackConfiguration.
    """
    asked = [setting for node in nodes for setting in wanted(node)]
    entries = [setting for setting in asked if setting.key == _CONNTRACK_MAX]
    found: Manifest = {}
    if any(setting.how == "exact" or setting.per_gib for setting in entries):
        found = {"maxPerCore": 0}
    elif entries:
        found = {"min": max(_KUBE_PROXY_MIN, *(int(setting.value.split()[0]) for setting in entries))}
    keys = {setting.key for setting in asked}
    return found | {field: "0s" for key, field in _CONNTRACK_TIMEOUTS.items() if key in keys}


def _join(bootstrap: Bootstrap, node: NodeSpec, credentials: Credentials) -> Manifest:
    control_plane = {
        "localAPIEndpoint": _local_endpoint(bootstrap, node),
        "certificateKey": credentials.certificate_key,
    }
    return {
        "apiVersion": KUBEADM,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": endpoint(bootstrap),
                "token": credentials.bootstrap_token,
                "caCertHashes": [discovery_hash(bootstrap.cluster.ca_certificate)],
            }
        },
        "nodeRegistration": _registration(bootstrap, node),
        **({"controlPlane": control_plane} if "control-plane" in node.roles else {}),
    }


def _kubelet(spec: Kubeadm) -> Manifest:
    """For every node: kubeadm gives nodes that join the same."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "systemReserved": RESERVED,
        "kubeReserved": RESERVED,
        **kubelet(spec.security),
        # True since Kubernetes 1.35 (KEP-5573): a kubelet does not start on cgroup v1.
        **({"failCgroupV1": False} if spec.cgroup_v1 else {}),
    }


def _registration(bootstrap: Bootstrap, node: NodeSpec) -> Manifest:
    taints = own_taints(node)
    if taints is None and {"control-plane", "worker"} <= set(node.roles):
        taints = []
    return {
        "name": node.name,
        "criSocket": SOCKET,
        # Without it a kubelet takes the address of its default route, which need not be the nodes' segment.
        "kubeletExtraArgs": [{"name": "node-ip", "value": str(node.address)}],
        # Left out, kubeadm keeps pods off control planes; an empty list lets them in.
        **({"taints": taints} if taints is not None else {}),
        **({"ignorePreflightErrors": ignored} if (ignored := ignored_checks(bootstrap.cluster)) else {}),
    }


def ignored_checks(spec: Kubeadm) -> list[str]:
    """Of kubeadm's checks. One of several in SystemVerification fails on cgroup v1 since 1.35."""
    return ["SystemVerification"] if spec.cgroup_v1 else []


def networks(bootstrap: Bootstrap) -> str:
    """What is in every certificate and address of a cluster, and never changes."""
    network = bootstrap.network
    return f"{endpoint(bootstrap)}, {network.pod_cidr}, {network.service_cidr}"


def settings(bootstrap: Bootstrap, node: NodeSpec) -> str:
    """What a member runs with; another text means that something there must start again.

    Without the version, which an upgrade changes.
    """
    parts = [_kubelet(bootstrap.cluster)]
    if "control-plane" in node.roles:
        parts.append({name: value for name, value in _cluster(bootstrap).items() if name != "kubernetesVersion"})
    return json.dumps(parts, indent=1, sort_keys=True)


def api_server(bootstrap: Bootstrap, node: NodeSpec) -> str:
    """The address of a control plane's own API server."""
    own = _local_endpoint(bootstrap, node)
    return f"https://{own['advertiseAddress']}:{own['bindPort']}"


def _local_endpoint(bootstrap: Bootstrap, node: NodeSpec) -> Manifest:
    server = bootstrap.network.api_server
    port = server.port if server.host == str(node.address) else API_PORT
    return {"advertiseAddress": str(node.address), "bindPort": port}


def apt_source(spec: Kubeadm) -> str:
    """The repository in apt's deb822 form, trusted by its own key only."""
    line = minor(spec.kubernetes_version)
    return f"Types: deb\nURIs: {spec.packages.url}v{line}/deb/\nSuites: /\nSigned-By: {KEYRING}"


def packages(spec: Kubeadm) -> dict[str, str]:
    """Every package that a member has, with its exact version, sorted."""
    own = f"{spec.kubernetes_version}-{spec.packages.revision}"
    pinned = dict.fromkeys(("kubeadm", "kubectl", "kubelet"), own)
    pinned |= {"cri-tools": spec.packages.cri_tools, "kubernetes-cni": spec.packages.kubernetes_cni}
    pinned[spec.containerd.package] = spec.containerd.version
    return dict(sorted(pinned.items()))


def crictl_config() -> str:
    """crictl's configuration. Without it each call warns, and tries the sockets of other runtimes first."""
    return f"runtime-endpoint: {SOCKET}\nimage-endpoint: {SOCKET}"


def containerd_config(bootstrap: Bootstrap) -> str:
    """What differs from containerd's defaults: cgroups by systemd, as in the kubelet, the sandbox image, and a folder
    for the settings of registries.

    It replaces Debian's own file, which looks for CNI plugins in a folder that no CNI uses. An operator's settings are
    in the folder of registries, and from containerd 2 on in conf.d: 1.x replaces a plugin's settings by imported ones.
    """
    spec = bootstrap.cluster
    pause = f"{bootstrap.registry}/pause:{spec.images.pause}"
    if spec.containerd.major >= 2:
        runtime, image = "io.containerd.cri.v1.runtime", "plugins.'io.containerd.cri.v1.images'.pinned_images"
        version, sandbox = 3, f'[{image}]\n  sandbox = "{pause}"'
        registry, imports = "plugins.'io.containerd.cri.v1.images'.registry", f'imports = ["{CONTAINERD_IMPORTS}"]\n'
    else:
        runtime = "io.containerd.grpc.v1.cri"
        version, sandbox = 2, f"[plugins.'{runtime}']\n  sandbox_image = \"{pause}\""
        registry, imports = f"plugins.'{runtime}'.registry", ""
    runc = f"plugins.'{runtime}'.containerd.runtimes.runc"
    return (
        f"version = {version}\n{imports}\n{sandbox}\n\n"
        f'[{registry}]\n  config_path = "/etc/containerd/certs.d"\n\n'
        f'[{runc}]\n  runtime_type = "io.containerd.runc.v2"\n\n[{runc}.options]\n  SystemdCgroup = true'
    )
