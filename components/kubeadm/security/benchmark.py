"""The points of the CIS Kubernetes Benchmark 1.12: what holds on a cluster that kubeadm makes, and how that is checked.

`python -m components.kubeadm.security.benchmark` writes docs/cis-benchmark.md. The lab checks every point that has a
check on a running cluster. Titles are ours; the numbers are those of the benchmark.
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from components.kubeadm.security.render import (
    ADMISSION,
    AUDIT_FOLDER,
    AUDIT_POLICY,
    CIPHER_SUITES,
    ENCRYPTION,
    POD_PIDS,
)

PAGE = Path(__file__).parents[3] / "docs/cis-benchmark.md"
By = Literal["the platform", "kubeadm", "Kubernetes", "not kept", "the operator", "does not apply"]
"""Who makes a point hold. The first three are checked in the lab."""


class Argument(NamedTuple):
    """An argument of a process of the control plane."""

    process: str
    name: str
    value: str | None
    """None: the argument is absent."""


class Mode(NamedTuple):
    """Files of root whose mode has at most these bits."""

    files: str
    """A shell pattern."""
    most: int
    everywhere: bool = False
    """On workers too."""


class Kubelet(NamedTuple):
    """A field of every kubelet's live configuration (`configz`)."""

    field: str
    value: Any


class Behaviour(NamedTuple):
    """What the running cluster does; the lab has a function of this name."""

    name: str


class Point(NamedTuple):
    """One point of the benchmark."""

    number: str
    title: str
    by: By
    check: Argument | Mode | Kubelet | Behaviour | None = None
    why: str = ""
    """Why it does not hold, or what to know."""


def _api(name: str, value: str | None) -> Argument:
    return Argument("kube-apiserver", name, value)


_MANIFESTS = "/etc/kubernetes/manifests"
_PKI = "/etc/kubernetes/pki"
_SUITES = ",".join(CIPHER_SUITES)
_TENANTS = "Namespaces of tenants keep `restricted`; other namespaces without a label keep `baseline`."

POINTS = (
    *(
        Point(number, f"{what}: mode 600", "kubeadm", Mode(f"{_MANIFESTS}/{file}.yaml", 0o600))
        for number, what, file in (
            ("1.1.1", "Manifest of the API server", "kube-apiserver"),
            ("1.1.3", "Manifest of the controller manager", "kube-controller-manager"),
            ("1.1.5", "Manifest of the scheduler", "kube-scheduler"),
            ("1.1.7", "Manifest of etcd", "etcd"),
        )
    ),
    *(
        Point(number, f"{what}: root's", "kubeadm", Mode(f"{_MANIFESTS}/{file}.yaml", 0o600))
        for number, what, file in (
            ("1.1.2", "Manifest of the API server", "kube-apiserver"),
            ("1.1.4", "Manifest of the controller manager", "kube-controller-manager"),
            ("1.1.6", "Manifest of the scheduler", "kube-scheduler"),
            ("1.1.8", "Manifest of etcd", "etcd"),
        )
    ),
    Point(
        "1.1.9", "Configuration of the CNI: mode 600", "the platform", Mode("/etc/cni/net.d/*.conflist", 0o600, True)
    ),
    Point("1.1.10", "Configuration of the CNI: root's", "the platform", Mode("/etc/cni/net.d/*.conflist", 0o600, True)),
    Point("1.1.11", "Data of etcd: mode 700", "the platform", Mode("/var/lib/etcd", 0o700)),
    Point("1.1.12", "Data of etcd: of a user etcd", "does not apply", why="etcd runs as root in a static pod."),
    Point("1.1.13", "Administrators' kubeconfigs: mode 600", "kubeadm", Mode("/etc/kubernetes/*admin.conf", 0o600)),
    Point("1.1.14", "Administrators' kubeconfigs: root's", "kubeadm", Mode("/etc/kubernetes/*admin.conf", 0o600)),
    Point("1.1.15", "Kubeconfig of the scheduler: mode 600", "kubeadm", Mode("/etc/kubernetes/scheduler.conf", 0o600)),
    Point("1.1.16", "Kubeconfig of the scheduler: root's", "kubeadm", Mode("/etc/kubernetes/scheduler.conf", 0o600)),
    Point(
        "1.1.17",
        "Kubeconfig of the controller manager: mode 600",
        "kubeadm",
        Mode("/etc/kubernetes/controller-manager.conf", 0o600),
    ),
    Point(
        "1.1.18",
        "Kubeconfig of the controller manager: root's",
        "kubeadm",
        Mode("/etc/kubernetes/controller-manager.conf", 0o600),
    ),
    Point("1.1.19", "Folder of certificates: root's", "kubeadm", Mode(_PKI, 0o755)),
    Point("1.1.20", "Certificates: mode 644", "kubeadm", Mode(f"{_PKI}/*.crt {_PKI}/etcd/*.crt", 0o644)),
    Point("1.1.21", "Keys of certificates: mode 600", "kubeadm", Mode(f"{_PKI}/*.key {_PKI}/etcd/*.key", 0o600)),
    Point(
        "1.2.1",
        "No anonymous requests",
        "the platform",
        Behaviour("anonymous_requests"),
        "The API server's health and the ConfigMap `cluster-info` are answered: probes and `kubeadm join` need them.",
    ),
    Point("1.2.2", "No file of tokens", "kubeadm", _api("token-auth-file", None)),
    Point("1.2.3", "No external addresses of Services", "the platform", Behaviour("external_ips")),
    Point(
        "1.2.4",
        "Client certificate for kubelets",
        "kubeadm",
        _api("kubelet-client-certificate", f"{_PKI}/apiserver-kubelet-client.crt"),
    ),
    Point(
        "1.2.5",
        "Authority for the certificates of kubelets",
        "not kept",
        why="Kubelets sign their serving certificates themselves: Kubernetes has no approver for them.",
    ),
    Point("1.2.6", "Not every request is allowed", "kubeadm", _api("authorization-mode", "Node,RBAC")),
    Point("1.2.7", "A node may read only what is its own", "kubeadm", _api("authorization-mode", "Node,RBAC")),
    Point("1.2.8", "Roles decide", "kubeadm", _api("authorization-mode", "Node,RBAC")),
    Point("1.2.9", "A limit of events", "the platform", Behaviour("admission_plugins")),
    Point("1.2.10", "Not AlwaysAdmit", "the platform", Behaviour("admission_plugins")),
    Point(
        "1.2.11",
        "AlwaysPullImages",
        "not kept",
        why="Every start of a pod would need the registry. From 1.35 on a kubelet checks a pod's right to an image.",
    ),
    Point("1.2.12", "ServiceAccount", "Kubernetes", _api("disable-admission-plugins", None)),
    Point("1.2.13", "NamespaceLifecycle", "Kubernetes", _api("disable-admission-plugins", None)),
    Point("1.2.14", "NodeRestriction", "the platform", Behaviour("admission_plugins")),
    Point("1.2.15", "No profiling of the API server", "the platform", _api("profiling", "false")),
    Point("1.2.16", "An audit log", "the platform", _api("audit-log-path", f"{AUDIT_FOLDER}/audit.log")),
    Point("1.2.17", "Age of the audit log", "the platform", _api("audit-log-maxage", "30")),
    Point("1.2.18", "Files of the audit log", "the platform", _api("audit-log-maxbackup", "10")),
    Point("1.2.19", "Size of the audit log", "the platform", _api("audit-log-maxsize", "100")),
    Point("1.2.20", "Time limit of a request: 60 s", "Kubernetes", _api("request-timeout", None)),
    Point("1.2.21", "Deleted service accounts are refused", "Kubernetes", _api("service-account-lookup", None)),
    Point("1.2.22", "Key of service accounts", "kubeadm", _api("service-account-key-file", f"{_PKI}/sa.pub")),
    Point(
        "1.2.23", "Client certificate for etcd", "kubeadm", _api("etcd-certfile", f"{_PKI}/apiserver-etcd-client.crt")
    ),
    Point("1.2.24", "Certificate of the API server", "kubeadm", _api("tls-cert-file", f"{_PKI}/apiserver.crt")),
    Point("1.2.25", "Authority of clients", "kubeadm", _api("client-ca-file", f"{_PKI}/ca.crt")),
    Point("1.2.26", "Authority of etcd", "kubeadm", _api("etcd-cafile", f"{_PKI}/etcd/ca.crt")),
    Point("1.2.27", "Encryption of Secrets", "the platform", _api("encryption-provider-config", ENCRYPTION)),
    Point("1.2.28", "secretbox encrypts", "the platform", Behaviour("secrets_in_etcd")),
    Point("1.2.29", "Strong ciphers", "the platform", _api("tls-cipher-suites", _SUITES)),
    Point("1.2.30", "Tokens end", "the platform", _api("service-account-extend-token-expiration", "false")),
    Point(
        "1.3.1",
        "Ended pods are deleted",
        "the platform",
        Argument("kube-controller-manager", "terminated-pod-gc-threshold", "1000"),
    ),
    Point(
        "1.3.2",
        "No profiling of the controller manager",
        "the platform",
        Argument("kube-controller-manager", "profiling", "false"),
    ),
    Point(
        "1.3.3",
        "Each controller has its own account",
        "kubeadm",
        Argument("kube-controller-manager", "use-service-account-credentials", "true"),
    ),
    Point(
        "1.3.4",
        "Key that signs service accounts' tokens",
        "kubeadm",
        Argument("kube-controller-manager", "service-account-private-key-file", f"{_PKI}/sa.key"),
    ),
    Point(
        "1.3.5",
        "Authority that pods get",
        "kubeadm",
        Argument("kube-controller-manager", "root-ca-file", f"{_PKI}/ca.crt"),
    ),
    Point(
        "1.3.6",
        "Rotation of kubelets' serving certificates",
        "Kubernetes",
        Argument("kube-controller-manager", "feature-gates", None),
        "The feature is on; see 4.2.11.",
    ),
    Point(
        "1.3.7",
        "The controller manager listens on 127.0.0.1",
        "kubeadm",
        Argument("kube-controller-manager", "bind-address", "127.0.0.1"),
    ),
    Point("1.4.1", "No profiling of the scheduler", "the platform", Argument("kube-scheduler", "profiling", "false")),
    Point(
        "1.4.2",
        "The scheduler listens on 127.0.0.1",
        "kubeadm",
        Argument("kube-scheduler", "bind-address", "127.0.0.1"),
    ),
    Point("2.1", "Certificate of etcd", "kubeadm", Argument("etcd", "cert-file", f"{_PKI}/etcd/server.crt")),
    Point("2.2", "Clients of etcd have a certificate", "kubeadm", Behaviour("etcd_without_certificate")),
    Point("2.3", "No certificate that etcd signs itself", "kubeadm", Argument("etcd", "auto-tls", None)),
    Point(
        "2.4", "Certificate for members of etcd", "kubeadm", Argument("etcd", "peer-cert-file", f"{_PKI}/etcd/peer.crt")
    ),
    Point("2.5", "Members of etcd have a certificate", "kubeadm", Argument("etcd", "peer-client-cert-auth", "true")),
    Point("2.6", "None that a member signs itself", "kubeadm", Argument("etcd", "peer-auto-tls", None)),
    Point("2.7", "An authority of etcd's own", "kubeadm", Behaviour("etcd_authority")),
    Point(
        "3.1.1",
        "No client certificates for users",
        "the operator",
        why="Name an identity provider (`identityProviders`); keep the administrator's for emergencies.",
    ),
    Point("3.1.2", "No service accounts for users", "the operator", why="Name an identity provider."),
    Point(
        "3.1.3", "No bootstrap tokens for users", "the platform", why="A token is valid for two hours, for nodes alone."
    ),
    Point("3.2.1", "An audit policy", "the platform", _api("audit-policy-file", AUDIT_POLICY)),
    Point("3.2.2", "The audit log has what matters, and no contents", "the platform", Behaviour("audit_log")),
    Point(
        "4.1.1",
        "Unit of the kubelet: mode 600",
        "not kept",
        why="The package's file is for everybody to read, has no secret, and comes back with each upgrade.",
    ),
    Point(
        "4.1.2",
        "Unit of the kubelet: root's",
        "Kubernetes",
        Mode("/usr/lib/systemd/system/kubelet.service*", 0o755, True),
    ),
    Point(
        "4.1.3", "Kubeconfig of kube-proxy: mode 600", "does not apply", why="kube-proxy has none on the node's disk."
    ),
    Point("4.1.4", "Kubeconfig of kube-proxy: root's", "does not apply", why="See 4.1.3."),
    Point("4.1.5", "Kubeconfig of the kubelet: mode 600", "kubeadm", Mode("/etc/kubernetes/kubelet.conf", 0o600, True)),
    Point("4.1.6", "Kubeconfig of the kubelet: root's", "kubeadm", Mode("/etc/kubernetes/kubelet.conf", 0o600, True)),
    Point("4.1.7", "Authority of clients: mode 644", "kubeadm", Mode(f"{_PKI}/ca.crt", 0o644, True)),
    Point("4.1.8", "Authority of clients: root's", "kubeadm", Mode(f"{_PKI}/ca.crt", 0o644, True)),
    Point(
        "4.1.9",
        "Configuration of the kubelet: mode 600",
        "the platform",
        Mode("/var/lib/kubelet/config.yaml", 0o600, True),
    ),
    Point(
        "4.1.10",
        "Configuration of the kubelet: root's",
        "the platform",
        Mode("/var/lib/kubelet/config.yaml", 0o600, True),
    ),
    Point("4.2.1", "No anonymous requests to kubelets", "the platform", Behaviour("anonymous_kubelet")),
    Point("4.2.2", "The API server decides who may", "the platform", Kubelet("authorization.mode", "Webhook")),
    Point(
        "4.2.3",
        "Authority of kubelets' clients",
        "kubeadm",
        Kubelet("authentication.x509.clientCAFile", f"{_PKI}/ca.crt"),
    ),
    Point("4.2.4", "No read-only port", "the platform", Kubelet("readOnlyPort", None)),
    Point("4.2.5", "Idle streams end", "Kubernetes", Kubelet("streamingConnectionIdleTimeout", "4h0m0s")),
    Point("4.2.6", "Chains of iptables", "Kubernetes", Kubelet("makeIPTablesUtilChains", True)),
    Point("4.2.7", "No other host name", "kubeadm", Argument("kubelet", "hostname-override", None)),
    Point("4.2.8", "Rate of events", "Kubernetes", Kubelet("eventRecordQPS", 50)),
    Point("4.2.9", "Certificate of the kubelet", "not kept", why="It signs its own; see 1.2.5."),
    Point("4.2.10", "Client certificates are renewed", "kubeadm", Kubelet("rotateCertificates", True)),
    Point("4.2.11", "Serving certificates are renewed", "not kept", why="See 1.2.5."),
    Point("4.2.12", "Strong ciphers of the kubelet", "the platform", Kubelet("tlsCipherSuites", list(CIPHER_SUITES))),
    Point("4.2.13", "A limit of processes for each pod", "the platform", Kubelet("podPidsLimit", POD_PIDS)),
    Point("4.2.14", "seccomp by default", "the platform", Kubelet("seccompDefault", True)),
    Point("4.3.1", "Metrics of kube-proxy on 127.0.0.1", "Kubernetes", why="The default, where there is a kube-proxy."),
    Point(
        "5.1.1",
        "cluster-admin only where required",
        "the platform",
        why="No tenant has it; the policy pack refuses it.",
    ),
    Point("5.1.2", "Few may read Secrets", "the platform", why="A tenant's role is for its own namespace."),
    Point("5.1.3", "Few wildcards in roles", "the platform", why="Tenants' roles have none; operators' charts may."),
    Point("5.1.4", "Few may create pods", "the platform", why="A tenant's role is for its own namespace."),
    Point("5.1.5", "Default service accounts are not used", "the operator", why="An application's own choice."),
    Point("5.1.6", "Tokens only where necessary", "the operator", why="An application's own choice."),
    Point(
        "5.1.7",
        "Nobody in system:masters",
        "not kept",
        why="Only `super-admin.conf` is, on the first control plane. `pulumi up` uses `admin.conf`, whose group is "
        "bound to cluster-admin and can be unbound.",
    ),
    Point("5.1.8", "Few may bind, impersonate and escalate", "the platform", why="No tenant may."),
    Point("5.1.9", "Few may create persistent volumes", "the platform", why="No tenant may; claims are counted."),
    Point("5.1.10", "Few may use the proxy of nodes", "the platform", why="No tenant may."),
    Point("5.1.11", "Few may approve certificates", "the platform", why="No tenant may."),
    Point("5.1.12", "Few may write webhook configurations", "the platform", why="No tenant may."),
    Point("5.1.13", "Few may make tokens", "the platform", why="No tenant may."),
    Point("5.2.1", "Admission controls pods", "the platform", _api("admission-control-config-file", ADMISSION)),
    Point("5.2.2", "No privileged containers", "the platform", Behaviour("privileged_pod"), _TENANTS),
    Point("5.2.3", "Not the node's processes", "the platform", Behaviour("host_namespaces"), _TENANTS),
    Point("5.2.4", "Not the node's IPC", "the platform", Behaviour("host_namespaces"), _TENANTS),
    Point("5.2.5", "Not the node's network", "the platform", Behaviour("host_namespaces"), _TENANTS),
    Point("5.2.6", "No escalation of privileges", "the platform", why="In namespaces of tenants."),
    Point("5.2.7", "No root in containers", "the platform", why="In namespaces of tenants."),
    Point("5.2.8", "Not NET_RAW", "the platform", why="In namespaces of tenants."),
    Point("5.2.9", "No capabilities", "the platform", why="In namespaces of tenants."),
    Point("5.2.10", "No HostProcess of Windows", "does not apply", why="Nodes are Linux."),
    Point("5.2.11", "No paths of the node", "the platform", Behaviour("host_path"), _TENANTS),
    Point("5.2.12", "No ports of the node", "the platform", Behaviour("host_path"), _TENANTS),
    Point(
        "5.3.1", "The CNI knows network policies", "the platform", why="A stack file with one that does not is refused."
    ),
    Point("5.3.2", "Every namespace has network policies", "the platform", why="Tenants and the gateway have."),
    Point("5.4.1", "Secrets as files", "the operator", why="An application's own choice."),
    Point("5.4.2", "Secrets outside the cluster", "the operator", why="An application's own choice."),
    Point(
        "5.5.1", "Origin of images", "the operator", why="Tenants' registries are a list; signatures are not checked."
    ),
    Point("5.6.1", "Namespaces are borders", "the platform", why="A tenant is a namespace."),
    Point("5.6.2", "A seccomp profile", "the platform", Kubelet("seccompDefault", True)),
    Point("5.6.3", "A security context", "the operator", why="`restricted` demands the most of it from tenants."),
    Point("5.6.4", "Nothing in the namespace default", "the platform", why="The platform makes nothing there."),
)
"""All points, by number."""

_PARTS = {
    "1": "Control plane",
    "2": "etcd",
    "3": "Authentication and audit log",
    "4": "Worker nodes",
    "5": "Policies",
}


def order(point: Point) -> tuple[int, ...]:
    """Sorts points as the benchmark does."""
    return tuple(map(int, point.number.split(".")))


def page() -> str:
    """docs/cis-benchmark.md."""
    text = [
        "# CIS Kubernetes Benchmark",
        "",
        "What holds on a cluster with `cluster.kind: kubeadm` and no exception in `cluster.security`, by the numbers",
        "of the CIS Kubernetes Benchmark 1.12. Titles are ours. `make policies` writes this page from",
        "`components/kubeadm/security/benchmark.py`. The lab checks each point with ✓ on a running cluster",
        "(`tests/lab/test_cis_benchmark.py`).",
        "",
        "*by* says who makes it hold: the platform, or a default of kubeadm or Kubernetes. *not kept* has the reason.",
    ]
    for part, title in _PARTS.items():
        text += ["", f"## {part}. {title}", "", "| point | what | by | checked | notes |", "|---|---|---|---|---|"]
        for point in sorted(POINTS, key=order):
            if point.number.split(".")[0] == part:
                checked = "✓" if point.check else ""
                text.append(f"| {point.number} | {point.title} | {point.by} | {checked} | {point.why} |")
    return "\n".join([*text, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
