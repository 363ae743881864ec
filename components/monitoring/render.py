"""Prometheus, Alertmanager and node-exporter as objects, with the rights and the network that they need."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest, secured_namespace
from components.core.names import KUBE_SYSTEM, MONITORING_SYSTEM, NODE_EXPORTER
from components.core.pod_policies import deny_ingress, egress, ingress, tcp
from components.gateway.model import METRICS_PORT as TRAEFIK_PORT
from components.images.model import image_at, pin_of
from components.monitoring.alarms import rules
from components.monitoring.collection import (
    ALERTMANAGER_PORT,
    COREDNS_PORT,
    KUBELET_PORT,
    METALLB_PORT,
    PROMETHEUS_PORT,
    configuration,
    namespaces,
)
from components.monitoring.dashboard import dashboard
from components.monitoring.model import (
    CILIUM_PORT,
    HUBBLE_PORT,
    NODE_EXPORTER_PORT,
    MonitoringContext,
    MonitoringSpec,
    Receiver,
    Storage,
)

PROMETHEUS, ALERTMANAGER = "prometheus", "alertmanager"
GRAFANA_LABEL = "grafana_dashboard"
"""By which the sidecar of Grafana's chart finds dashboards (its `sidecar.dashboards.label`)."""
TOKEN_SECRET = "alertmanager-token"  # noqa: S105  the name of an object
_TOKEN_FILE = "/etc/alertmanager-token/token"  # noqa: S105  a path
_RBAC = "rbac.authorization.k8s.io/v1"
_USER = 65534  # "nobody", as in the projects' own images
_TEXTFILES = "/var/lib/vds-platform-metrics"
_COLLECTORS = (
    "conntrack cpu diskstats filesystem loadavg meminfo netdev netstat pressure sockstat softnet stat textfile time "
    "timex uname vmstat"
)
"""Of node-exporter: what the alarms and the dashboard ask for, and what an operator looks at next."""


def monitoring_manifests(spec: MonitoringSpec, context: MonitoringContext, *, token: bool = False) -> list[Manifest]:
    """All objects but the Secret, in the order in which they are applied. `token`: the receiver gets one."""
    return [
        secured_namespace(MONITORING_SYSTEM),
        # For the network of the node and its folders, which `baseline` refuses. Nothing else is there.
        secured_namespace(NODE_EXPORTER, "privileged"),
        *network_policies(spec, context),
        *_rights(context),
        _configuration(PROMETHEUS, _prometheus_files(spec, context)),
        _configuration(ALERTMANAGER, _alertmanager_files(spec.receiver, token=token)),
        manifest(
            "v1",
            "ConfigMap",
            "grafana-dashboard",
            namespace=MONITORING_SYSTEM,
            labels={GRAFANA_LABEL: "1"},
            data={"vds-platform.json": json.dumps(dashboard(context), indent=1, sort_keys=True)},
        ),
        _exporter(spec, context),
        _alertmanager(spec, context, token=token),
        _service(ALERTMANAGER, ALERTMANAGER_PORT),
        *([_claim(spec.storage)] if spec.storage else []),
        _prometheus(spec, context),
        _service(PROMETHEUS, PROMETHEUS_PORT),
    ]


def selected(name: str) -> dict[str, str]:
    """Labels of the pods of one program."""
    return {"app.kubernetes.io/name": name}


# --- configuration ---------------------------------------------------------------------------------------


def _prometheus_files(spec: MonitoringSpec, context: MonitoringContext) -> dict[str, str]:
    """JSON is YAML, and in it a text is never taken for a number."""
    return {
        "prometheus.yml": json.dumps(configuration(context), indent=1, sort_keys=True),
        "rules.json": json.dumps(rules(spec, context), indent=1, sort_keys=True),
    }


def _alertmanager_files(receiver: Receiver | None, *, token: bool) -> dict[str, str]:
    route: dict[str, Any] = {"receiver": "none", "group_by": ["alertname"], "group_wait": "10s", "group_interval": "1m"}
    receivers: list[dict[str, Any]] = [{"name": "none"}]
    if receiver:
        hook: dict[str, Any] = {"url": receiver.url, "send_resolved": True, "max_alerts": 100}
        if token:
            hook["http_config"] = {"authorization": {"credentials_file": _TOKEN_FILE}}
        route |= {"receiver": "webhook", "repeat_interval": f"{receiver.repeat_hours}h"}
        receivers.append({"name": "webhook", "webhook_configs": [hook]})
    # A node that is down is the reason for what else is wrong there.
    inhibit = {
        "source_matchers": ['alertname="NodeDown"'],
        "target_matchers": ['alertname!="NodeDown"'],
        "equal": ["node"],
    }
    made = {"route": route, "receivers": receivers, "inhibit_rules": [inhibit]}
    return {"alertmanager.yml": json.dumps(made, indent=1, sort_keys=True)}


def _configuration(name: str, files: Mapping[str, str]) -> Manifest:
    return manifest("v1", "ConfigMap", name, namespace=MONITORING_SYSTEM, data=dict(files))


def _checksum(files: Mapping[str, str]) -> dict[str, str]:
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return {labels.CONFIGURATION: digest[:16]}


# --- rights and network ----------------------------------------------------------------------------------


def _rights(context: MonitoringContext) -> list[Manifest]:
    """Prometheus reads nodes, /metrics, and pods of the namespaces that it collects from. The others read nothing."""
    accounts = ((PROMETHEUS, MONITORING_SYSTEM), (ALERTMANAGER, MONITORING_SYSTEM), (NODE_EXPORTER, NODE_EXPORTER))
    subject = {"kind": "ServiceAccount", "name": PROMETHEUS, "namespace": MONITORING_SYSTEM}
    name = f"vds-platform-{PROMETHEUS}"
    nodes = [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]
    pods = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    made = [
        manifest("v1", "ServiceAccount", one, namespace=place, automountServiceAccountToken=False)
        for one, place in accounts
    ]
    made += [manifest(_RBAC, "ClusterRole", name, rules=nodes), _binding("ClusterRole", name, subject, None)]
    for place in namespaces(context):
        made.append(manifest(_RBAC, "Role", name, namespace=place, rules=pods))
        made.append(_binding("Role", name, subject, place))
    return made


def _binding(kind: str, name: str, subject: Mapping[str, str], namespace: str | None) -> Manifest:
    role = {"apiGroup": _RBAC.partition("/")[0], "kind": kind, "name": name}
    return manifest(_RBAC, f"{kind}Binding", name, namespace=namespace, roleRef=role, subjects=[dict(subject)])


def network_policies(spec: MonitoringSpec, context: MonitoringContext) -> list[Manifest]:
    """In: Prometheus to Alertmanager, and the named readers to Prometheus. No tenant reaches either.

    Out, where Cilium is: what is collected, and for Alertmanager its receiver, or nothing. node-exporter is in the
    network of its node, where no policy of a pod applies: the firewall of the node keeps others away.
    """
    own = {"podSelector": {"matchLabels": selected(PROMETHEUS)}}
    made = [
        deny_ingress(MONITORING_SYSTEM),
        deny_ingress(NODE_EXPORTER),
        ingress(ALERTMANAGER, MONITORING_SYSTEM, selected(ALERTMANAGER), [ALERTMANAGER_PORT], peer=own),
        ingress(PROMETHEUS, MONITORING_SYSTEM, selected(PROMETHEUS), [PROMETHEUS_PORT], peer=own),
    ]
    for reader in sorted(set(spec.readers)):
        peer = {"namespaceSelector": {"matchLabels": {labels.NAMESPACE_NAME: reader}}}
        made.append(ingress(f"reader-{reader}", MONITORING_SYSTEM, selected(PROMETHEUS), [PROMETHEUS_PORT], peer=peer))
    if context.on_cilium:
        made += [*_calls(context)]
        if spec.receiver is None:
            made.append(egress("alertmanager-calls", MONITORING_SYSTEM, selected(ALERTMANAGER), []))
    return made


def _calls(context: MonitoringContext) -> list[Manifest]:
    rooms: list[tuple[str, Mapping[str, str], int]] = [(KUBE_SYSTEM, {"k8s-app": "kube-dns"}, COREDNS_PORT)]
    if context.gateway_namespace:
        rooms.append((context.gateway_namespace, {}, TRAEFIK_PORT))
    called: list[dict[str, Any]] = [
        {"to": [{"podSelector": {}}], "ports": tcp(PROMETHEUS_PORT, ALERTMANAGER_PORT)},
        *(
            {
                "to": [
                    {
                        "namespaceSelector": {"matchLabels": {labels.NAMESPACE_NAME: place}},
                        "podSelector": {"matchLabels": dict(pods)} if pods else {},
                    }
                ],
                "ports": tcp(port),
            }
            for place, pods, port in rooms
        ),
    ]
    ports = {KUBELET_PORT, NODE_EXPORTER_PORT, CILIUM_PORT, *context.api_ports, context.api_port}
    ports |= ({HUBBLE_PORT} if context.hubble else set()) | ({METALLB_PORT} if context.metallb else set())
    listed = [{"port": str(port), "protocol": "TCP"} for port in sorted(ports)]
    # Selectors and CIDRs never match nodes there.
    rule = {"toEntities": ["host", "remote-node", "kube-apiserver"], "toPorts": [{"ports": listed}]}
    body = {"endpointSelector": {"matchLabels": selected(PROMETHEUS)}, "egress": [rule]}
    return [
        egress("prometheus-calls", MONITORING_SYSTEM, selected(PROMETHEUS), called),
        manifest("cilium.io/v2", "CiliumNetworkPolicy", "prometheus-nodes", namespace=MONITORING_SYSTEM, spec=body),
    ]


# --- pods ------------------------------------------------------------------------------------------------


def _claim(storage: Storage) -> Manifest:
    """The volume of Prometheus. Not a template of its StatefulSet, which can't be added to one that runs, nor grow.

    Its name has the class, which can't be changed: another class is another volume.
    """
    body = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage.class_name,
        "resources": {"requests": {"storage": f"{storage.gibibytes}Gi"}},
    }
    name = f"{PROMETHEUS}-{storage.class_name}"
    return manifest("v1", "PersistentVolumeClaim", name, namespace=MONITORING_SYSTEM, spec=body)


def _prometheus(spec: MonitoringSpec, context: MonitoringContext) -> Manifest:
    image = _image("quay.io/prometheus/prometheus", spec.versions.prometheus, context)
    arguments = [
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        f"--storage.tsdb.retention.time={spec.retention_days}d",
        f"--storage.tsdb.retention.size={spec.retention_gibibytes}GB",
        f"--web.listen-address=:{PROMETHEUS_PORT}",
    ]
    container = _container(PROMETHEUS, image, arguments, PROMETHEUS_PORT, memory=("512Mi", "2Gi"))
    container["volumeMounts"] = [
        *_mounts(configuration="/etc/prometheus"),
        {"name": "data", "mountPath": "/prometheus"},
    ]
    volumes: list[dict[str, Any]] = [{"name": "configuration", "configMap": {"name": PROMETHEUS}}]
    if spec.storage:
        claim = _claim(spec.storage)["metadata"]["name"]
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
    else:
        # Beside what is kept: the newest two hours, and blocks that are being made smaller.
        volumes.append({"name": "data", "emptyDir": {"sizeLimit": f"{spec.retention_gibibytes + 2}Gi"}})
    pod = _pod(PROMETHEUS, [container], volumes)
    # It lists nodes and pods, and shows its token to kubelets.
    pod |= {"automountServiceAccountToken": True, "terminationGracePeriodSeconds": 60}
    body = {
        "replicas": 1,
        "serviceName": PROMETHEUS,
        "selector": {"matchLabels": selected(PROMETHEUS)},
        "template": _template(PROMETHEUS, _prometheus_files(spec, context), pod),
    }
    return manifest(
        "apps/v1", "StatefulSet", PROMETHEUS, namespace=MONITORING_SYSTEM, labels=selected(PROMETHEUS), spec=body
    )


def _alertmanager(spec: MonitoringSpec, context: MonitoringContext, *, token: bool) -> Manifest:
    image = _image("quay.io/prometheus/alertmanager", spec.versions.alertmanager, context)
    arguments = [
        "--config.file=/etc/alertmanager/alertmanager.yml",
        "--storage.path=/alertmanager",
        "--cluster.listen-address=",  # it is alone
        f"--web.listen-address=:{ALERTMANAGER_PORT}",
    ]
    container = _container(ALERTMANAGER, image, arguments, ALERTMANAGER_PORT, memory=("32Mi", "256Mi"))
    container["volumeMounts"] = [
        *_mounts(configuration="/etc/alertmanager"),
        {"name": "data", "mountPath": "/alertmanager"},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "configuration", "configMap": {"name": ALERTMANAGER}},
        {"name": "data", "emptyDir": {"sizeLimit": "256Mi"}},
    ]
    if token:
        container["volumeMounts"] += _mounts(token="/etc/alertmanager-token")  # noqa: S106  a path
        volumes.append({"name": "token", "secret": {"secretName": TOKEN_SECRET}})
    pod = _pod(ALERTMANAGER, [container], volumes)
    files = _alertmanager_files(spec.receiver, token=token)
    body = {
        "replicas": 1,
        "selector": {"matchLabels": selected(ALERTMANAGER)},
        "template": _template(ALERTMANAGER, files, pod),
    }
    return manifest(
        "apps/v1", "Deployment", ALERTMANAGER, namespace=MONITORING_SYSTEM, labels=selected(ALERTMANAGER), spec=body
    )


def _exporter(spec: MonitoringSpec, context: MonitoringContext) -> Manifest:
    """On every node, also control planes, in the node's network: its own would show its own counters."""
    image = _image("quay.io/prometheus/node-exporter", spec.versions.node_exporter, context)
    arguments = [
        f"--web.listen-address=$(NODE_ADDRESS):{NODE_EXPORTER_PORT}",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in _COLLECTORS.split()),
        f"--collector.textfile.directory=/host{_TEXTFILES}",
        "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/(containerd|kubelet))($|/)",
        "--collector.netdev.device-exclude=^(lo|lxc.*|cali.*|veth.*)$",
        "--path.rootfs=/host",
    ]
    container = _container(NODE_EXPORTER, image, arguments, NODE_EXPORTER_PORT, memory=("24Mi", "64Mi"))
    container["env"] = [{"name": "NODE_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]
    for probe in ("readinessProbe", "livenessProbe"):
        container[probe] = {**container[probe], "tcpSocket": {"port": NODE_EXPORTER_PORT}}
        del container[probe]["httpGet"]
    container["volumeMounts"] = [
        {"name": "host", "mountPath": "/host", "readOnly": True, "mountPropagation": "HostToContainer"}
    ]
    pod = _pod(NODE_EXPORTER, [container], [{"name": "host", "hostPath": {"path": "/"}}])
    pod |= {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]}
    pod["priorityClassName"] = "system-node-critical"
    body = {
        "selector": {"matchLabels": selected(NODE_EXPORTER)},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}},
        "template": _template(NODE_EXPORTER, {}, pod),
    }
    return manifest(
        "apps/v1", "DaemonSet", NODE_EXPORTER, namespace=NODE_EXPORTER, labels=selected(NODE_EXPORTER), spec=body
    )


def _image(origin: str, version: str, context: MonitoringContext) -> str:
    digest = pin_of(context.images, origin)
    return f"{image_at(context.images, origin)}:v{version}" + (f"@{digest}" if digest else "")


def _container(
    name: str, image: str, arguments: Sequence[str], port: int, *, memory: tuple[str, str]
) -> dict[str, Any]:
    def probe(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": port}, "periodSeconds": 5, "timeoutSeconds": 3}

    requests, most = memory
    return {
        "name": name,
        "image": image,
        "args": list(arguments),
        "ports": [{"name": "web", "containerPort": port, "protocol": "TCP"}],
        "readinessProbe": probe("/-/ready"),
        # Reading its log after a crash takes Prometheus minutes, and it does not answer meanwhile.
        "livenessProbe": {**probe("/-/healthy"), "failureThreshold": 60},
        "resources": {"requests": {"cpu": "50m", "memory": requests}, "limits": {"memory": most}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _mounts(**folders: str) -> list[dict[str, Any]]:
    return [{"name": name, "mountPath": path, "readOnly": True} for name, path in folders.items()]


def _pod(name: str, containers: list[dict[str, Any]], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": containers,
        "volumes": volumes,
    }


def _template(name: str, files: Mapping[str, str], pod: Mapping[str, Any]) -> dict[str, Any]:
    """Another configuration is another pod: neither program reads its files twice."""
    return {
        "metadata": {"labels": selected(name), **({"annotations": _checksum(files)} if files else {})},
        "spec": dict(pod),
    }


def _service(name: str, port: int) -> Manifest:
    ports = [{"name": "web", "port": port, "targetPort": "web", "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "selector": selected(name), "ports": ports}
    return manifest("v1", "Service", name, namespace=MONITORING_SYSTEM, spec=spec)
