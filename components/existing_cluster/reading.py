"""Asks a cluster about itself. Read only: nine requests, each of them with a time limit."""

from collections.abc import Callable
from typing import Any

from components.core.labels import EXCLUDED
from components.core.untrusted import YamlError, json_value, yaml_value
from components.existing_cluster.model import ClusterFacts, Fact
from components.gateway.bundle import CHANNEL, VERSION
from components.kubernetes_api import Api, ApiError, Cluster, KubeconfigError, UnreachableError, get, list_items
from components.nodes.preflight.facts import Kept

_K3S_ARGUMENTS = "k3s.io/node-args"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def read_cluster(kubeconfig: str) -> ClusterFacts:
    """The facts of a cluster. A fault is a reason and raises nothing."""
    try:
        return ask(Cluster(kubeconfig))
    except KubeconfigError as error:
        return ClusterFacts({}, failure=str(error))
    except ImportError:
        return ClusterFacts({}, failure="the Python package `kubernetes` is missing: install requirements.txt")


def known_cluster(kept: Kept | None, kubeconfig: str | None) -> ClusterFacts | None:
    """The facts of a facts file, or those of the cluster now; None where neither is given."""
    if kept is not None:
        return ClusterFacts(**kept.cluster) if kept.cluster else None
    return read_cluster(kubeconfig) if kubeconfig is not None else None


def ask(api: Api) -> ClusterFacts:
    """The facts of the cluster behind an API server."""
    try:
        version = str(api.request("GET", "/version")["gitVersion"])
    except (UnreachableError, ApiError) as error:
        return ClusterFacts({}, failure=f"the API server did not answer ({error})")
    except KeyError:
        return ClusterFacts({}, failure="what answers is no Kubernetes API server")
    return ClusterFacts(
        {"version": {"version": version}, **{name: _fact(api, question) for name, question in _QUESTIONS.items()}}
    )


def _fact(api: Api, question: Callable[[Api], Fact]) -> Fact:
    try:
        return question(api)
    except (UnreachableError, ApiError) as error:
        return {"unknown": f"the API server did not say ({error})"}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, YamlError) as error:
        return {"unknown": f"the answer is not understood ({type(error).__name__})"}


def _nodes(api: Api) -> Fact:
    found = {}
    for node in list_items(api, "/api/v1/nodes"):
        metadata, spec = node["metadata"], node.get("spec") or {}
        labels = metadata.get("labels") or {}
        addresses = (node.get("status") or {}).get("addresses") or ()
        found[metadata["name"]] = {
            "addresses": [one["address"] for one in addresses if one["type"] == "InternalIP"],
            "pod_cidrs": list(spec.get("podCIDRs") or ()),
            "excluded": EXCLUDED in labels,
        }
    return {"nodes": found}


def _programs(api: Api) -> Fact:
    """What runs on nodes for the network: DaemonSets, pods of kube-system, and what k3s has in its own process."""
    sets = {
        item["metadata"]["name"]: (item.get("status") or {}).get("desiredNumberScheduled", 0)
        for item in list_items(api, "/apis/apps/v1/daemonsets")
    }
    pods = [item["metadata"]["name"] for item in list_items(api, "/api/v1/namespaces/kube-system/pods")]
    within = set()
    for node in list_items(api, "/api/v1/nodes"):
        annotations = node["metadata"].get("annotations") or {}
        if _K3S_ARGUMENTS in annotations:
            words = [str(word) for word in json_value(annotations[_K3S_ARGUMENTS])]
            within |= _within_k3s(words)
    return {"sets": sorted(name for name, count in sets.items() if count), "pods": sorted(pods), "k3s": sorted(within)}


def _within_k3s(words: list[str]) -> set[str]:
    text = " ".join(words).replace("=", " ")
    agent = words[:1] == ["agent"]  # it has no such arguments: its server decides
    found = set()
    if not agent and "--disable-kube-proxy" not in text:
        found.add("kube-proxy")
    if not agent and "--flannel-backend none" not in text:
        found.add("flannel")
    return found


def _kube_proxy(api: Api) -> Fact:
    """Mode and strictARP of kubeadm's ConfigMap; `mode` is empty where there is none."""
    found = get(api, "/api/v1/namespaces/kube-system/configmaps/kube-proxy")
    if found is None:
        return {"mode": "", "strict_arp": None}
    content = yaml_value(found["data"]["config.conf"])
    ipvs = content.get("ipvs") or {}
    return {"mode": content.get("mode") or "iptables", "strict_arp": bool(ipvs.get("strictARP"))}


def _crds(api: Api) -> Fact:
    found = get(api, f"{_CRDS}/gateways.gateway.networking.k8s.io")
    if found is None:
        return {"version": "", "channel": ""}
    annotations = found["metadata"].get("annotations") or {}
    return {"version": str(annotations.get(VERSION, "unknown")).removeprefix("v"), "channel": annotations.get(CHANNEL)}


def _dns(api: Api) -> Fact:
    query = [("labelSelector", "k8s-app=kube-dns")]
    found: list[dict[str, Any]] = list_items(api, "/apis/apps/v1/namespaces/kube-system/deployments", query=query)
    return {
        "deployments": {
            item["metadata"]["name"]: {
                "ready": (item.get("status") or {}).get("readyReplicas") or 0,
                "wanted": (item.get("spec") or {}).get("replicas") or 0,
            }
            for item in found
        }
    }


_QUESTIONS: dict[str, Callable[[Api], Fact]] = {
    "nodes": _nodes,
    "programs": _programs,
    "kube_proxy": _kube_proxy,
    "crds": _crds,
    "dns": _dns,
}
