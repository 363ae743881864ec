"""What the control plane and the kubelets read for the security settings.

The fields are those of Kubernetes 1.32 to 1.36. docs/cis-benchmark.md has the point of the benchmark for each of them.
"""

import hashlib
import json
from collections.abc import Mapping

from components.core.manifests import Manifest
from components.core.versions import matches
from components.kubeadm.security.model import IdentityProvider, SecuritySpec

FOLDER = "/etc/kubernetes/vds-platform"
"""The API server's configuration files, on control planes."""
ENCRYPTION = f"{FOLDER}/encryption.json"
AUDIT_POLICY = f"{FOLDER}/audit-policy.json"
AUTHENTICATION = f"{FOLDER}/authentication.json"
ADMISSION = f"{FOLDER}/admission.json"
AUDIT_FOLDER = "/var/log/kubernetes/audit"

CIPHER_SUITES = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
"""TLS 1.2 with forward secrecy and authenticated encryption (RFC 9325, section 4.2); those of TLS 1.3 are fixed."""

KERNEL_DEFAULTS = {
    "kernel.keys.root_maxbytes": "25000000",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
}
"""What a kubelet with `protectKernelDefaults` demands (setupKernelTunables in Kubernetes'
pkg/kubelet/cm/container_manager_linux.go); without it a kubelet sets them itself at each start."""

HEALTH = ("/healthz", "/livez", "/readyz")
"""What the kubelet's probes and load balancers read without credentials."""
DISCOVERY = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
"""What `kubeadm join` reads before it has credentials: the authority's certificate, signed with the token."""

POD_PIDS = 4096
"""Processes and threads of one pod: OpenShift's default. One pod must not use up those of its node."""

_ADMISSION_PLUGINS = {"external-ips": "DenyServiceExternalIPs", "event-rate-limit": "EventRateLimit"}
_NODES = {"userGroups": ["system:nodes"]}
_COMPONENTS = {"users": ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]}
_READS = {"verbs": ["get", "list", "watch"]}


def files(security: SecuritySpec, version: str) -> dict[str, str]:
    """The API server's configuration files without secrets: path → text."""
    made = {ADMISSION: _admission(security), AUTHENTICATION: _authentication(security, version)}
    if security.is_on("audit-log"):
        made[AUDIT_POLICY] = _audit_policy()
    return {path: json.dumps(document, indent=2) for path, document in sorted(made.items())}


def control_plane(security: SecuritySpec, version: str) -> Manifest:
    """The parts of kubeadm's ClusterConfiguration."""
    tls = {"tls-cipher-suites": ",".join(CIPHER_SUITES), "tls-min-version": "VersionTLS12"}
    read_again = "".join(f"{path}{text}" for path, text in files(security, version).items())
    volumes = [{"name": "vds-platform", "hostPath": FOLDER, "mountPath": FOLDER, "readOnly": True}]
    volumes[0]["pathType"] = "Directory"
    if security.is_on("audit-log"):
        volumes.append(
            {"name": "audit", "hostPath": AUDIT_FOLDER, "mountPath": AUDIT_FOLDER, "pathType": "DirectoryOrCreate"}
        )
    return {
        "apiServer": {
            "extraArgs": _arguments(_api_server(security) | tls),
            "extraVolumes": volumes,
            # The API server reads its files only when it starts: another value is another pod.
            "extraEnvs": [{"name": "VDS_PLATFORM_FILES", "value": hashlib.sha256(read_again.encode()).hexdigest()}],
        },
        "controllerManager": {
            "extraArgs": _arguments({"profiling": "false", "terminated-pod-gc-threshold": "1000"} | tls)
        },
        "scheduler": {"extraArgs": _arguments({"profiling": "false"} | tls)},
        "etcd": {
            "local": {"extraArgs": _arguments({"cipher-suites": tls["tls-cipher-suites"], "tls-min-version": "TLS1.2"})}
        },
    }


def kubelet(security: SecuritySpec) -> Manifest:
    """The parts of a KubeletConfiguration; kubeadm's own are the ones that keep anonymous requests out."""
    return {
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "enableDebugFlagsHandler": False,
        "enableProfilingHandler": False,
        "podPidsLimit": POD_PIDS,
        "protectKernelDefaults": security.is_on("kernel-defaults"),
        "readOnlyPort": 0,
        "seccompDefault": security.is_on("seccomp-default"),
        "tlsCipherSuites": list(CIPHER_SUITES),
        "tlsMinVersion": "VersionTLS12",
    }


def _arguments(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def _api_server(security: SecuritySpec) -> dict[str, str]:
    plugins = [name for setting, name in _ADMISSION_PLUGINS.items() if security.is_on(setting)]  # type: ignore[arg-type]
    log = security.audit_log
    audit = {
        "audit-log-maxage": str(log.max_age_days),
        "audit-log-maxbackup": str(log.max_files),
        "audit-log-maxsize": str(log.max_file_megabytes),
        "audit-log-path": f"{AUDIT_FOLDER}/audit.log",
        "audit-policy-file": AUDIT_POLICY,
    }
    return {
        "admission-control-config-file": ADMISSION,
        "authentication-config": AUTHENTICATION,
        "enable-admission-plugins": ",".join(["NodeRestriction", *plugins]),
        "encryption-provider-config": ENCRYPTION,
        "encryption-provider-config-automatic-reload": "true",
        "profiling": "false",
        "service-account-extend-token-expiration": "false",
        **(audit if security.is_on("audit-log") else {}),
    }


def _admission(security: SecuritySpec) -> Manifest:
    level = "baseline" if security.is_on("pod-security") else "privileged"
    pod_security = {
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {
            **{"enforce": level, "audit": "restricted", "warn": "restricted"},
            **{f"{mode}-version": "latest" for mode in ("enforce", "audit", "warn")},
        },
        # The CNI, kube-proxy and the control plane itself. Other namespaces of the platform have labels.
        "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": ["kube-system"]},
    }
    # One namespace must not fill etcd with events. A kubelet sends at most 50 a second (eventRecordQPS).
    limits = [
        {"type": "Server", "qps": 500, "burst": 5000},
        {"type": "Namespace", "qps": 50, "burst": 500, "cacheSize": 2000},
    ]
    rate = {
        "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
        "kind": "Configuration",
        "limits": limits,
    }
    plugins = [{"name": "PodSecurity", "configuration": pod_security}]
    if security.is_on("event-rate-limit"):
        plugins.append({"name": "EventRateLimit", "configuration": rate})
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins}


def _authentication(security: SecuritySpec, version: str) -> Manifest:
    stable = matches(version, ">=1.34")  # KEP-3331
    anonymous: Manifest = {"enabled": True}
    if security.is_on("anonymous-requests"):
        anonymous["conditions"] = [{"path": path} for path in (*HEALTH, DISCOVERY)]
    return {
        "apiVersion": f"apiserver.config.k8s.io/{'v1' if stable else 'v1beta1'}",
        "kind": "AuthenticationConfiguration",
        "anonymous": anonymous,
        "jwt": [_provider(item) for item in security.identity_providers],
    }


def _provider(provider: IdentityProvider) -> Manifest:
    return {
        "issuer": {
            "url": provider.issuer,
            "audiences": list(provider.audiences),
            **({"audienceMatchPolicy": "MatchAny"} if len(provider.audiences) > 1 else {}),
            **({"certificateAuthority": provider.ca_certificate} if provider.ca_certificate else {}),
        },
        "claimMappings": {
            "username": {"claim": provider.username_claim, "prefix": provider.username_prefix},
            "groups": {"claim": provider.groups_claim, "prefix": provider.groups_prefix},
        },
        "userValidationRules": [
            {
                "expression": "!user.username.startsWith('system:')",
                "message": "names that begin with system: are Kubernetes' own",
            },
            {
                "expression": "user.groups.all(group, !group.startsWith('system:'))",
                "message": "groups that begin with system: are Kubernetes' own",
            },
        ],
    }


def _audit_policy() -> Manifest:
    """Who did what and when. Metadata has no body, so a Secret or a token never gets into the log."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {
                "level": "Metadata",
                "resources": [
                    {"group": "", "resources": ["configmaps", "secrets", "serviceaccounts/token"]},
                    {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
                ],
            },
            # What the cluster does all the time by itself, and what nobody is asked about.
            {"level": "None", "nonResourceURLs": [*(f"{path}*" for path in HEALTH), "/metrics", "/version"]},
            {
                "level": "None",
                "resources": [
                    {"group": "", "resources": ["events"]},
                    {"group": "events.k8s.io", "resources": ["events"]},
                ],
            },
            {"level": "None", **_NODES, "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "None", **_NODES, **_READS},
            {"level": "None", **_COMPONENTS, **_READS},
            {"level": "None", **_COMPONENTS, "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "Metadata"},
        ],
    }
