"""Renders the record of nodes in the cluster.

`vds decommission` looks for it: while it exists, one node is being removed and is drained. In a destroy it is deleted
first, because it depends on every node, and nothing is drained.
"""

import json
from collections.abc import Iterable

from components.core.manifests import Manifest, manifest
from components.core.names import KUBE_SYSTEM, RECORD


def record(environment: str, nodes: Iterable[str]) -> Manifest:
    """The ConfigMap with these nodes' names."""
    data = {"environment": environment, "nodes": json.dumps(sorted(nodes))}
    return manifest("v1", "ConfigMap", RECORD, namespace=KUBE_SYSTEM, data=data)
