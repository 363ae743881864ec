"""The platform's own note in the cluster: which nodes the stack file has.

Whoever gives a node back looks for it, and so tells a removal (the note is there) from the destruction of the whole
stack (the note went first, because it depends on every node).
"""

import json
from collections.abc import Iterable

from components.core.manifests import Manifest, manifest
from components.core.names import KUBE_SYSTEM, RECORD


def record(environment: str, nodes: Iterable[str]) -> Manifest:
    """The ConfigMap for these nodes' names."""
    data = {"environment": environment, "nodes": json.dumps(sorted(nodes))}
    return manifest("v1", "ConfigMap", RECORD, namespace=KUBE_SYSTEM, data=data)
