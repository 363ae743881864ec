"""What a real cluster gets from charts before the platform is deployed, and the agency's own workloads after it.

The lab has no chart repository and no image registry, so it applies the manifests that come with the Go modules its
tools are built from (MetalLB, Gateway API) and small ones of its own (Traefik, the backends).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from lab.cluster import Cluster, Manifest
from lab.toolchain.build import Tools

GATEWAY_NAMESPACE = "gateway-system"
PROBE_NAMESPACE = "lab-probe"
# The lab's API server is outside of the pod network, so it could never call a webhook served by a pod.
_WITHOUT = {"ValidatingWebhookConfiguration", "Secret", "Service"}
_ORDER = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Role")


def install(cluster: Cluster, tools: Tools) -> None:
    """Apply the CRDs, MetalLB and Traefik; nothing changes where they are there already."""
    manifests = sorted([*_gateway_api(tools), *_metallb(tools), *traefik(), *probes()], key=_order)
    with ThreadPoolExecutor(8) as pool:  # one by one they would take three times as long
        for _, kinds in itertools.groupby(manifests, key=_order):
            list(pool.map(cluster.apply, kinds))


def _order(manifest: Manifest) -> int:
    kind = str(manifest["kind"])
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _gateway_api(tools: Tools) -> Iterator[Manifest]:
    for file in sorted((tools.module_dir("gateway-api") / "config/crd/standard").glob("*.yaml")):
        yield from _read(file)


def _metallb(tools: Tools) -> Iterator[Manifest]:
    for manifest in _read(tools.module_dir("metallb") / "config/manifests/metallb-native.yaml"):
        if manifest["kind"] in _WITHOUT:
            continue
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            pod["containers"][0]["args"].append("--webhook-mode=disabled")
            pod["containers"][0]["volumeMounts"] = pod["volumes"] = []
        yield manifest
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "memberlist", "namespace": "metallb-system"},
        "stringData": {"secretkey": "lab"},
    }


def _read(file: Path) -> Iterator[Manifest]:
    yield from (m for m in yaml.safe_load_all(file.read_text()) if m)


def traefik() -> Iterator[Manifest]:
    """Traefik as the Gateway API's data plane, with the rights its documentation lists and no more."""
    labels = {"app.kubernetes.io/name": "traefik"}
    meta = {"name": "traefik", "namespace": GATEWAY_NAMESPACE}
    yield {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": GATEWAY_NAMESPACE,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "traefik"},
        "rules": [
            _rule([""], ["namespaces", "services", "secrets", "configmaps", "nodes"], ["get", "list", "watch"]),
            _rule(["discovery.k8s.io"], ["endpointslices"], ["get", "list", "watch"]),
            _rule(["gateway.networking.k8s.io"], ["*"], ["get", "list", "watch"]),
            _rule(["gateway.networking.k8s.io"], ["*/status"], ["update", "patch"]),
        ],
    }
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "traefik"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "traefik"},
        "subjects": [{"kind": "ServiceAccount", **meta}],
    }
    yield deployment(
        meta,
        labels,
        image="traefik",
        args=[
            "--entrypoints.http.address=:80",
            "--ping=true",
            "--entrypoints.traefik.address=:8081",
            "--ping.entrypoint=traefik",
            "--providers.kubernetesgateway=true",
            f"--providers.kubernetesgateway.statusaddress.service.namespace={GATEWAY_NAMESPACE}",
            "--providers.kubernetesgateway.statusaddress.service.name=traefik",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ],
        readiness={"httpGet": {"path": "/ping", "port": 8081}, "periodSeconds": 5},
        account="traefik",
    )
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "selector": labels,
            "ports": [{"name": "http", "port": 80, "targetPort": 80}],
        },
    }


def probes() -> Iterator[Manifest]:
    """An idle pod on every node, in no tenant and under no policy: what DF pings between nodes are sent by."""
    labels = {"app.kubernetes.io/name": "probe"}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROBE_NAMESPACE}}
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "probe", "namespace": PROBE_NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "probe", "image": "lab/idle"}]},
            },
        },
    }


def workloads(namespace: str, tier_label: str) -> Iterator[Manifest]:
    """The agency's shop: a pod a tier, the API twice (stable and canary), each behind a Service."""
    for name, tier, track, port in (
        ("frontend", "frontend", "", 8080),
        ("api-stable", "api", "stable", 8080),
        ("api-canary", "api", "canary", 8080),
        ("database", "database", "", 5432),
    ):
        labels = {"app.kubernetes.io/name": name, tier_label: tier}
        meta = {"name": name, "namespace": namespace}
        yield deployment(
            meta,
            labels,
            image="lab/echo",
            env={"TRACK": track, "PORT": str(port)},
            readiness={"tcpSocket": {"port": port}},
        )
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [{"port": port, "targetPort": port}]},
        }


def deployment(
    meta: dict[str, str],
    labels: dict[str, str],
    *,
    image: str,
    args: list[str] | None = None,
    env: dict[str, str] | None = None,
    readiness: dict[str, Any] | None = None,
    account: str = "default",
) -> Manifest:
    """One replica of an image of the lab, as the Pod Security level `restricted` wants it."""
    container: dict[str, Any] = {
        "name": meta["name"],
        "image": image,
        "args": args or [],
        "env": [{"name": key, "value": value} for key, value in sorted((env or {}).items())],
        "readinessProbe": readiness,
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**meta, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": account,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65534,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                },
            },
        },
    }


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}
