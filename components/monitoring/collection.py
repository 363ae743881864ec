"""Prometheus' configuration: what is collected from where, and where alarms go."""

from collections.abc import Sequence
from typing import Any

from components.core.names import KUBE_SYSTEM, METALLB_SYSTEM, MONITORING_SYSTEM, NODE_EXPORTER
from components.gateway.model import METRICS_PORT as TRAEFIK_PORT
from components.gateway.traefik import SELECTED as TRAEFIK
from components.monitoring.model import (
    CILIUM_PORT,
    HUBBLE_PORT,
    NODE_EXPORTER_PORT,
    MonitoringContext,
)

PROMETHEUS_PORT, ALERTMANAGER_PORT = 9090, 9093
KUBELET_PORT, COREDNS_PORT = 10250, 9153
METALLB_PORT = 9120
"""Of MetalLB's speakers (`prometheus.metricsPort` of the chart): HTTPS, for tokens that may read /metrics."""
INTERVAL = "15s"
"""Also the most by which a canary's gate is late (ADR 41)."""
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  a folder
_FROM_NODES: dict[str, Any] = {
    "scheme": "https",
    "authorization": {"credentials_file": f"{_TOKEN}/token"},
    # A kubelet of kubeadm signs its own certificate, and so does MetalLB's speaker. The token that they see may read
    # metrics and the list of nodes, and nothing else.
    "tls_config": {"insecure_skip_verify": True},
}
_OF_KUBELET = "kubelet_(node_name|running_.*|certificate_manager_.*|volume_stats_.*|runtime_operations_errors_total)"
_OF_API_SERVER = "apiserver_(request_total|current_inflight_requests|storage_objects)|process_.*"
_OF_CILIUM = "cilium_(drop_count_total|forward_count_total|endpoint_state|bpf_map_pressure|unreachable_.*|version)"


def namespaces(context: MonitoringContext) -> list[str]:
    """Where pods are looked for."""
    found = {KUBE_SYSTEM, MONITORING_SYSTEM, NODE_EXPORTER}
    if context.metallb:
        found.add(METALLB_SYSTEM)
    if context.gateway_namespace:
        found.add(context.gateway_namespace)
    return sorted(found)


def jobs(context: MonitoringContext) -> list[str]:
    """Names of everything that is collected."""
    return sorted(one["job_name"] for one in configuration(context)["scrape_configs"])


def configuration(context: MonitoringContext) -> dict[str, Any]:
    """Prometheus' configuration."""
    found = [
        _pods("prometheus", MONITORING_SYSTEM, {"app.kubernetes.io/name": "prometheus"}, PROMETHEUS_PORT),
        _pods("alertmanager", MONITORING_SYSTEM, {"app.kubernetes.io/name": "alertmanager"}, ALERTMANAGER_PORT),
        _pods("node-exporter", NODE_EXPORTER, {"app.kubernetes.io/name": "node-exporter"}, NODE_EXPORTER_PORT),
        _pods("coredns", KUBE_SYSTEM, {"k8s-app": "kube-dns"}, COREDNS_PORT),
        {**_nodes("kubelet", KUBELET_PORT), **_FROM_NODES, **_keep(_OF_KUBELET)},
        {**_nodes("pods", KUBELET_PORT), **_FROM_NODES, "metrics_path": "/metrics/resource"},
        _api_server(context),
    ]
    if context.on_cilium:
        agents = {"k8s-app": "cilium"}
        found.append({**_pods("cilium", KUBE_SYSTEM, agents, CILIUM_PORT), **_keep(_OF_CILIUM)})
        if context.hubble:
            found.append(_pods("hubble", KUBE_SYSTEM, agents, HUBBLE_PORT))
    if context.gateway_namespace:
        found.append(_pods("traefik", context.gateway_namespace, TRAEFIK, TRAEFIK_PORT))
    if context.metallb:
        speakers = {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "speaker"}
        found.append({**_pods("metallb", METALLB_SYSTEM, speakers, METALLB_PORT), **_FROM_NODES})
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": "10s", "evaluation_interval": INTERVAL},
        "rule_files": ["/etc/prometheus/rules.json"],
        "alerting": {"alertmanagers": [_alertmanagers()]},
        "scrape_configs": sorted(found, key=lambda one: str(one["job_name"])),
    }


def _alertmanagers() -> dict[str, Any]:
    found = _pods("", MONITORING_SYSTEM, {"app.kubernetes.io/name": "alertmanager"}, ALERTMANAGER_PORT)
    return {key: found[key] for key in ("kubernetes_sd_configs", "relabel_configs")}


def _pods(job: str, namespace: str, labels: dict[str, str], port: int) -> dict[str, Any]:
    """Pods with these labels. Several ports of a pod become one target, because only the address is kept."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    discovered = {
        "role": "pod",
        "namespaces": {"names": [namespace]},
        "selectors": [{"role": "pod", "label": selector}],
    }
    return {
        "job_name": job,
        "kubernetes_sd_configs": [discovered],
        "relabel_configs": [
            # A pod that has ended keeps its name for a while, and one that has no address yet can't be asked.
            _relabel(["__meta_kubernetes_pod_phase"], "Running", action="keep"),
            _relabel(["__meta_kubernetes_pod_ip"], "(.+)", "__address__", f"$1:{port}"),
            _relabel(["__meta_kubernetes_namespace"], "(.+)", "namespace", "$1"),
            _relabel(["__meta_kubernetes_pod_name"], "(.+)", "pod", "$1"),
            _relabel(["__meta_kubernetes_pod_node_name"], "(.+)", "node", "$1"),
        ],
    }


def _nodes(job: str, port: int) -> dict[str, Any]:
    return {
        "job_name": job,
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            _relabel(["__meta_kubernetes_node_address_InternalIP"], "(.+)", "__address__", f"$1:{port}"),
            _relabel(["__meta_kubernetes_node_name"], "(.+)", "node", "$1"),
        ],
    }


def _api_server(context: MonitoringContext) -> dict[str, Any]:
    """Each control plane's own API server, by the name that all their certificates have."""
    found = _nodes("api-server", context.api_port)
    role = "__meta_kubernetes_node_labelpresent_node_role_kubernetes_io_control_plane"
    found["relabel_configs"].insert(0, _relabel([role], "true", action="keep"))
    verified = {"ca_file": f"{_TOKEN}/ca.crt", "server_name": "kubernetes.default.svc"}
    return {**found, **_FROM_NODES, "tls_config": verified, **_keep(_OF_API_SERVER)}


def _keep(names: str) -> dict[str, Any]:
    return {"metric_relabel_configs": [_relabel(["__name__"], names, action="keep")]}


def _relabel(
    source: Sequence[str], regex: str, target: str = "", replacement: str = "", action: str = "replace"
) -> dict[str, Any]:
    found: dict[str, Any] = {"source_labels": list(source), "regex": regex, "action": action}
    return {**found, "target_label": target, "replacement": replacement} if target else found
