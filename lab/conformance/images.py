"""Replace the suites' images: the API server writes the lab's own into their pods, which reach no other registry.

A mutating admission policy does this while the suites run. Tagging images on the machines does not work: a kubelet that
pulled an image asks the registry again when the same image has another name (KubeletEnsureSecretPulledImages, on since
Kubernetes 1.35).
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.cluster import Cluster, Manifest
from lab.conformance import objects
from lab.layout import REGISTRY_NAME
from lab.processes import wait_until

NAME = "lab-conformance-images"
_API = "admissionregistration.k8s.io/v1"
_KINDS = {
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
}
_SEEN_SECONDS = 30  # time until the API server uses a new policy
_WAITING = ("ErrImagePull", "ImagePullBackOff")


def substitutes(images: Mapping[str, str]) -> dict[str, str]:
    """The last part of an image's name → the lab's image of that name: its test images, and CoreDNS."""
    return {
        name.rpartition("/")[2]: image for name, image in images.items() if name.startswith("e2e/") or name == "coredns"
    }


def manifests(images: Mapping[str, str], *, sctp: bool) -> list[Manifest]:
    """The policy and its binding. Without SCTP in the kernel, servers of it idle, for they would end at once."""
    patches = [_replaced("image", _is_named(name), json.dumps(image)) for name, image in sorted(images.items())]
    # The lab's agnhost has no shell. Each such command of the suites is one program with arguments.
    shell = "has(c.command) && c.command.size() == 3 && c.command[0] == '/bin/bash' && c.command[1] == '-c'"
    patches.append(_replaced("command", shell, "c.command[2].split(' ')"))
    if not sctp:
        serves = "has(c.env) && c.env.exists(e, e.name.startsWith('SERVE_SCTP_PORT_'))"
        patches.append(_replaced("command", serves, "['/agnhost', 'pause']"))
    theirs = " || ".join(_is_named(name) for name in sorted(images))
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "matchConstraints": {"resourceRules": [pods]},
        "matchConditions": [{"name": "of-a-suite", "expression": f"object.spec.containers.exists(c, {theirs})"}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": " +\n".join(patches)}}],
    }
    return [
        _manifest("MutatingAdmissionPolicy", policy),
        _manifest("MutatingAdmissionPolicyBinding", {"policyName": NAME}),
    ]


def _is_named(name: str) -> str:
    """Whether the container `c` has an image of this name from another registry; as CEL."""
    elsewhere = f"!c.image.startsWith('{REGISTRY_NAME}/')"
    return f"({elsewhere} && c.image.matches('(^|/){name}(:[^/]*)?$'))"


def _replaced(field: str, condition: str, value: str) -> str:
    """JSON patches for the containers of which the condition holds; as CEL."""
    path = f"'/spec/containers/' + string(i) + '/{field}'"
    return (
        f"object.spec.containers.transformList(i, c, {condition}, "
        f"JSONPatch{{op: 'replace', path: {path}, value: {value}}})"
    )


def _manifest(kind: str, spec: Manifest) -> Manifest:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def _path(manifest: Manifest) -> str:
    return f"/apis/{_API}/{_KINDS[manifest['kind']]}/{NAME}"


@contextmanager
def substituted(cluster: Cluster, images: Mapping[str, str]) -> Iterator[None]:
    """While the body runs, pods that name the suites' images get the lab's."""
    wanted = substitutes(images)
    made = manifests(wanted, sctp=has_sctp())
    try:
        for manifest in made:
            objects.apply(cluster, _path(manifest), manifest)
        name, image = min(wanted.items())
        asked = _pod(f"elsewhere.example.no/{name}:1")
        wait_until(
            lambda: _created(cluster, asked) == image,
            _SEEN_SECONDS,
            lambda: f"the API server does not go by the mutating admission policy {NAME}",
        )
        yield
    finally:
        for manifest in reversed(made):
            objects.remove(cluster, _path(manifest))


def _pod(image: str) -> Manifest:
    container = {"name": "asks", "image": image}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "asks-", "namespace": "default"},
        "spec": {"containers": [container], "automountServiceAccountToken": False},
    }


def _created(cluster: Cluster, pod: Manifest) -> str:
    """The image that a new pod would get."""
    made = objects.try_create(cluster, "/api/v1/namespaces/default/pods", pod)
    return str(made["spec"]["containers"][0]["image"])


def has_sctp() -> bool:
    """Whether this machine's kernel, which the nodes share, speaks SCTP."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


def unknown(pods: list[dict[str, Any]]) -> set[str]:
    """Images of other registries, which pods cannot pull. One of the lab's own is pulled at the next try."""
    found: set[str] = set()
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            waits = ((status.get("state") or {}).get("waiting") or {}).get("reason") in _WAITING
            if waits and not status["image"].startswith(f"{REGISTRY_NAME}/"):
                found.add(str(status["image"]))
    return found
