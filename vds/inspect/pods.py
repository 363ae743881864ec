"""Finds a running pod and its node."""

import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from components.kubernetes_api import Api, ApiError, UnreachableError, list_items
from vds.shared.errors import OperationError
from vds.shared.suggestions import did_you_mean

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""Of a Kubernetes object: nothing else gets into a path of the API or into a shell script."""


class RunningPod(NamedTuple):
    """A pod that has a network."""

    namespace: str
    name: str
    node: str
    address: str
    host_network: bool
    """Whether it uses its node's network."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def split(text: str) -> tuple[str, str]:
    """`NAMESPACE/POD` in two. Raises OperationError for anything else."""
    namespace, _, name = text.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise OperationError(f"pod {text!r}: write NAMESPACE/POD, as in 'butikk/api-6d5f'")
    return namespace, name


def running(pod: Mapping[str, Any]) -> RunningPod:
    """A pod of the API. Raises OperationError if it has no node or no network."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    where = f"pod {meta['namespace']}/{meta['name']}"
    see = f"see `kubectl -n {meta['namespace']} describe pod {meta['name']}`"
    if not spec.get("nodeName"):
        raise OperationError(f"{where} is on no node yet: {see}")
    # While its init containers run a pod is Pending. It has its network, and the network may be what blocks it.
    if status.get("phase") not in ("Running", "Pending") or not status.get("podIP"):
        raise OperationError(f"{where} is not running (phase {status.get('phase')}): {see}")
    return RunningPod(meta["namespace"], meta["name"], spec["nodeName"], status["podIP"], bool(spec.get("hostNetwork")))


def find(api: Api, wanted: str) -> RunningPod:
    """The pod. Raises OperationError: it does not exist (with the nearest names), does not run, no answer."""
    namespace, name = split(wanted)
    try:
        pods = list_items(api, f"/api/v1/namespaces/{namespace}/pods")
        for pod in pods:
            if pod["metadata"]["name"] == name:
                return running(pod)
        names = [pod["metadata"]["name"] for pod in pods]
        if names:
            raise OperationError(f"pod {wanted} does not exist: {did_you_mean(name, names)}")
        namespaces = [item["metadata"]["name"] for item in list_items(api, "/api/v1/namespaces")]
    except ApiError as error:
        raise OperationError(
            f"the Kubernetes API refuses to list pods ({error.status}, {error}): "
            "check the permissions of vds-platform:kubeconfig"
        ) from None
    except UnreachableError as error:
        raise OperationError(
            f"the Kubernetes API does not answer ({error}): is it running, and is its address reachable from here?"
        ) from None
    if namespace in namespaces:
        raise OperationError(f"pod {wanted} does not exist: namespace {namespace} has no pods")
    raise OperationError(f"pod {wanted}: there is no namespace {namespace}: {did_you_mean(namespace, namespaces)}")


def pod_document(pod: RunningPod) -> dict[str, Any]:
    """The pod and its node, for JSON."""
    return {"pod": str(pod), "node": pod.node, "address": pod.address, "hostNetwork": pod.host_network}


def show_pod(pod: RunningPod) -> None:
    """The pod, its node, and whether the network is that of the node."""
    whose = ": it uses its node's network (hostNetwork)" if pod.host_network else ""
    note(f"pod {pod} on node {pod.node}{whose}")


def note(text: str) -> None:
    """A line beside the result."""
    if text:
        print(text, file=sys.stderr, flush=True)
