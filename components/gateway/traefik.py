"""Traefik as the gateway's data plane: its objects, with the rights in its documentation."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest
from components.gateway.model import METRICS_PORT, PING_PORT, GatewayContext, GatewaySpec, Traefik
from components.images.model import ImageMirror, image_at, pin_of

NAME = "traefik"
"""Name of every object in this module."""
ORIGIN = "docker.io/library/traefik"
"""Traefik's public image."""

SELECTED = {"app.kubernetes.io/name": NAME}
"""Labels of its pods."""
_CONFIGURATION = "/etc/traefik/body.yaml"
_BODY_LIMIT = "body-limit"
_OTHER_POD = "other-pod"
_MEBIBYTE = 1024 * 1024
_HELD_BACK = "2Gi"
"""Room on a node's disk for requests and answers that are held back. A pod that needs more is replaced."""
LATENCY_LIMITS = ("0.01", "0.025", "0.05", "0.1", "0.2", "0.3", "0.5", "0.8", "1.2", "2.5", "5")
"""Upper limits of the classes that Traefik counts answers in, in seconds."""
_USER = 65532  # "nonroot" in distroless images; any number except 0 works
_READ = ["get", "list", "watch"]
_GATEWAY_API = "gateway.networking.k8s.io"
_ACCEPT_SECONDS = 15
"""How long an ending pod accepts new requests: until every node knows that others answer."""
_FINISH_SECONDS = 20
"""How long running requests may take after that."""
_THROTTLE_MILLISECONDS = 100
"""Least time between two new configurations. A change waits for the rest of it if there was another one just before, of
any route, Service or pod. Traefik's default is 2 seconds."""


def traefik_manifests(spec: GatewaySpec, install: Traefik, context: GatewayContext) -> list[Manifest]:
    """All objects of Traefik in the gateway's namespace, in the order in which they are applied."""
    return [
        *([_configuration(spec)] if _middlewares(spec) else ()),
        manifest("v1", "ServiceAccount", NAME, namespace=spec.namespace),
        manifest("rbac.authorization.k8s.io/v1", "ClusterRole", NAME, rules=_rules()),
        manifest(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            NAME,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": spec.namespace}],
        ),
        _budget(spec.namespace),
        _deployment(spec, install, context),
        _service(spec, context),
    ]


def _rules() -> list[dict[str, Any]]:
    """From docs/content/reference/dynamic-configuration/kubernetes-gateway-rbac.yml of Traefik 3.7.9, without `pods`
    (only for OpenTelemetry) and without kinds that are not in the standard channel."""
    kinds = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "tlsroutes", "backendtlspolicies")
    return [
        _rule("", ["namespaces"], ["list", "watch"]),
        _rule("", ["services", "secrets", "configmaps"], _READ),
        _rule("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
        _rule(_GATEWAY_API, [*kinds, "referencegrants"], _READ),
        _rule(_GATEWAY_API, [f"{kind}/status" for kind in kinds], ["update"]),
    ]


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _budget(namespace: str) -> Manifest:
    """One pod at a time may be evicted. A pod that is not ready may always be."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": SELECTED},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return manifest("policy/v1", "PodDisruptionBudget", NAME, namespace=namespace, spec=spec)


def _middlewares(spec: GatewaySpec) -> dict[str, Any]:
    """Of every request, the first one first. Traefik takes them from a file and not from its command line."""
    found: dict[str, Any] = {}
    if spec.limits.body_mebibytes:
        found[_BODY_LIMIT] = {"buffering": {"maxRequestBodyBytes": spec.limits.body_mebibytes * _MEBIBYTE}}
    if spec.limits.connect_attempts:
        # Without status codes it sends a request again only if nothing of it was written (pkg/middlewares/retry).
        found[_OTHER_POD] = {"retry": {"attempts": spec.limits.connect_attempts}}
    return found


def _configuration(spec: GatewaySpec) -> Manifest:
    text = json.dumps({"http": {"middlewares": _middlewares(spec)}})
    return manifest("v1", "ConfigMap", NAME, namespace=spec.namespace, data={"body.yaml": text})


def _deployment(spec: GatewaySpec, install: Traefik, context: GatewayContext) -> Manifest:
    pod: dict[str, Any] = {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": _ACCEPT_SECONDS + _FINISH_SECONDS + 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},  # required by Pod Security `restricted`
            # Traefik listens on the listeners' own ports. This allows ports below 1024 without a capability. It is
            # a safe sysctl of the pod since Kubernetes 1.22.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "topologySpreadConstraints": [
            {
                "topologyKey": "kubernetes.io/hostname",
                "maxSkew": 1,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": SELECTED},
                "matchLabelKeys": ["pod-template-hash"],  # counts only pods of the same version
                "nodeTaintsPolicy": "Honor",  # ignores nodes that are being drained
            }
        ],
        "containers": [_container(spec, install, context)],
    }
    if context.node_selector:
        pod["nodeSelector"] = dict(context.node_selector)
    about: dict[str, Any] = {"labels": SELECTED}
    if _middlewares(spec):
        pod["volumes"] = [{"name": "configuration", "configMap": {"name": NAME}}]
        if spec.limits.body_mebibytes:
            pod["volumes"].append({"name": "held-back", "emptyDir": {"sizeLimit": _HELD_BACK}})
        text = _configuration(spec)["data"]["body.yaml"]
        about["annotations"] = {labels.CONFIGURATION: hashlib.sha256(text.encode()).hexdigest()[:16]}
    return manifest(
        "apps/v1",
        "Deployment",
        NAME,
        namespace=spec.namespace,
        labels=SELECTED,
        spec={
            "replicas": install.replicas,
            "selector": {"matchLabels": SELECTED},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": about, "spec": pod},
        },
    )


def _container(spec: GatewaySpec, install: Traefik, context: GatewayContext) -> dict[str, Any]:
    ping = {"httpGet": {"path": "/ping", "port": PING_PORT}}
    mounts: list[dict[str, Any]] = []
    if _middlewares(spec):
        mounts.append({"name": "configuration", "mountPath": "/etc/traefik", "readOnly": True})
    if spec.limits.body_mebibytes:
        mounts.append({"name": "held-back", "mountPath": "/tmp"})  # noqa: S108  where Traefik holds bodies back
    return {
        "name": NAME,
        "image": _image(install, context.images),
        "args": _arguments(spec, "" if context.monitored else "127.0.0.1"),
        "ports": [
            *({"name": _port_name(port), "containerPort": port, "protocol": "TCP"} for port in _ports(spec)),
            {"name": "ping", "containerPort": PING_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {**ping, "periodSeconds": 5, "failureThreshold": 1, "timeoutSeconds": 2},
        "livenessProbe": {**ping, "periodSeconds": 10, "failureThreshold": 6, "timeoutSeconds": 2},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **({"volumeMounts": mounts} if mounts else {}),
    }


def _image(install: Traefik, images: ImageMirror | None) -> str:
    digest = pin_of(images, ORIGIN)
    return f"{image_at(images, ORIGIN)}:v{install.version}" + (f"@{digest}" if digest else "")


def _arguments(spec: GatewaySpec, counts_at: str) -> list[str]:
    ports = [(_port_name(port), port) for port in _ports(spec)]
    lives = [
        f"--entrypoints.{name}.transport.lifecycle.{key}={seconds}s"
        for name, _ in ports
        for key, seconds in (("requestacceptgracetimeout", _ACCEPT_SECONDS), ("gracetimeout", _FINISH_SECONDS))
    ]
    return [
        *(f"--entrypoints.{name}.address=:{port}/tcp" for name, port in ports),
        *lives,
        *_limits(spec, [name for name, _ in ports]),
        f"--entrypoints.metrics.address={counts_at}:{METRICS_PORT}",
        *_METRICS,
        f"--entrypoints.ping.address=:{PING_PORT}/tcp",
        "--ping=true",
        "--ping.entrypoint=ping",
        f"--providers.providersthrottleduration={_THROTTLE_MILLISECONDS}ms",
        "--providers.kubernetesgateway=true",
        f"--providers.kubernetesgateway.statusaddress.service.namespace={spec.namespace}",
        f"--providers.kubernetesgateway.statusaddress.service.name={NAME}",
        "--global.checknewversion=false",  # no requests to other countries
        "--global.sendanonymoususage=false",
    ]


_METRICS = (
    "--metrics.prometheus=true",
    "--metrics.prometheus.entrypoint=metrics",
    f"--metrics.prometheus.buckets={','.join(LATENCY_LIMITS)}",
)
"""Counters by backend, for canaries with steps, which agencies may have too. `vds canary` reads them through the API
server's port forwarding, which ends in the pod. From the network only Prometheus reaches them, where there is one."""


def _limits(spec: GatewaySpec, entry_points: Sequence[str]) -> list[str]:
    limits, forwarding = spec.limits, "--serverstransport.forwardingtimeouts"
    found = []
    if middlewares := ",".join(f"{name}@file" for name in _middlewares(spec)):
        found.append(f"--providers.file.filename={_CONFIGURATION}")
        found += [f"--entrypoints.{name}.http.middlewares={middlewares}" for name in entry_points]
    if limits.send_seconds:
        found += [
            f"--entrypoints.{name}.transport.respondingtimeouts.readtimeout={limits.send_seconds}s"
            for name in entry_points
        ]
    if limits.connect_seconds:
        found.append(f"{forwarding}.dialtimeout={limits.connect_seconds}s")
    if limits.read_seconds:
        found.append(f"{forwarding}.responseheadertimeout={limits.read_seconds}s")
    return found


def _service(spec: GatewaySpec, context: GatewayContext) -> Manifest:
    ports = [{"name": _port_name(port), "port": port, "targetPort": port, "protocol": "TCP"} for port in _ports(spec)]
    return manifest(
        "v1",
        "Service",
        NAME,
        namespace=spec.namespace,
        annotations=context.address_annotation(spec.address),
        spec={
            "type": "LoadBalancer",
            **context.service_class,
            "allocateLoadBalancerNodePorts": False,  # otherwise each port is also open on every node
            "externalTrafficPolicy": "Local",  # keeps the client's address
            "selector": SELECTED,
            "ports": ports,
        },
    )


def _ports(spec: GatewaySpec) -> list[int]:
    return sorted({listener.port for listener in spec.listeners})


def _port_name(port: int) -> str:
    return f"tcp-{port}"
