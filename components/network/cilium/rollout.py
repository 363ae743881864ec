"""What an update waits for beside Cilium's Release: every pod of its DaemonSets and Deployments.

Helm counts an object as ready with as many pods as desired − maxUnavailable: with two nodes and one of them allowed to
fail, half of the network may be down. The chart lets half of the operators and the only relay fail.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.core.labels import WAITED_FOR
from components.core.manifests import Manifest
from components.core.names import KUBE_SYSTEM
from components.network.cilium.model import Cilium


def rollout_annotations(cni: Cilium, values: Mapping[str, Any]) -> list[Manifest]:
    """Annotations on the chart's objects: applying one waits until the object is rolled out.

    They change with the Release and not with the nodes: a server that is gone for good still counts as a node whose
    agent is not ready, and taking it out of the stack file would wait for it in vain.
    """
    said = json.dumps([cni.version, values], sort_keys=True)
    revision = hashlib.sha256(said.encode()).hexdigest()[:16]
    objects = [("DaemonSet", "cilium"), ("Deployment", "cilium-operator")]
    if cni.l7_proxy:
        objects.append(("DaemonSet", "cilium-envoy"))
    if (values.get("hubble") or {}).get("relay", {}).get("enabled"):
        objects.append(("Deployment", "hubble-relay"))
    return [
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": KUBE_SYSTEM, "annotations": {WAITED_FOR: revision}},
        }
        for kind, name in objects
    ]
