"""The lab's test pods. Images are Kubernetes' own test images."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.labels import EDGE
from lab.cluster import Manifest

PROBE_NAMESPACE = "lab-probe"
PORT = 8080


def probes(images: Mapping[str, str]) -> Iterator[Manifest]:
    """An idle pod on every node, in no tenant and under no policy: what DF pings between nodes are sent by."""
    labels = {"app.kubernetes.io/name": "probe"}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROBE_NAMESPACE}}
    pod = restricted_pod("probe", images["e2e/agnhost"], args=["pause"])
    pod["tolerations"] = [{"operator": "Exists"}]
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "probe", "namespace": PROBE_NAMESPACE},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def echo(name: str, node: str, address: str, images: Mapping[str, str]) -> Iterator[Manifest]:
    """A backend on one node that says who asks, behind a Service with an address of the lab's pool."""
    labels = {"app.kubernetes.io/name": name}
    meta = {"name": name, "namespace": PROBE_NAMESPACE}
    arguments = ["netexec", f"--http-port={PORT}", "--udp-port=-1"]
    pod = restricted_pod(name, images["e2e/agnhost"], args=arguments, port=PORT)
    pod["nodeSelector"] = {"kubernetes.io/hostname": node}
    yield deployment(meta, labels, pod)
    made = service(meta, labels, PORT)
    made["metadata"] = {**meta, "annotations": {"metallb.io/loadBalancerIPs": address}}
    made["spec"] |= {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    yield made


def routed(name: str, address: str, policy: str, images: Mapping[str, str]) -> Iterator[Manifest]:
    """A pod on every edge node that says who asks, behind a Service with an address and `externalTrafficPolicy`."""
    labels = {"app.kubernetes.io/name": name}
    meta = {"name": name, "namespace": PROBE_NAMESPACE}
    arguments = ["netexec", f"--http-port={PORT}", "--udp-port=-1"]
    pod = restricted_pod(name, images["e2e/agnhost"], args=arguments, port=PORT)
    pod["nodeSelector"] = {EDGE: "true"}
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": meta,
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    made = service(meta, labels, PORT)
    made["metadata"]["annotations"] = {"metallb.io/loadBalancerIPs": address}
    made["spec"] |= {
        "type": "LoadBalancer",
        "allocateLoadBalancerNodePorts": False,
        "externalTrafficPolicy": policy,
    }
    yield made


def deployment(meta: dict[str, str], labels: dict[str, str], pod: Manifest, *, replicas: int = 1) -> Manifest:
    """A Deployment of a pod."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**meta, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def service(meta: dict[str, str], labels: dict[str, str], port: int) -> Manifest:
    """A Service of the pods with these labels."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": dict(meta),
        "spec": {"selector": labels, "ports": [{"port": port, "targetPort": port}]},
    }


def restricted_pod(name: str, image: str, *, args: list[str] | None = None, port: int | None = None) -> Manifest:
    """A pod as the Pod Security level `restricted` wants it."""
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "args": args or [],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if port is not None:
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
        # The pod answers until every data plane knows that it is ending.
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": 3}}}
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "terminationGracePeriodSeconds": 5,
    }
