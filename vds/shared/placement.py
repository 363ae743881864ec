"""A pod and where it runs, as the Kubernetes API describes it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from vds.shared.errors import OperationError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""Of a Kubernetes object: what it can't be is never a path of the API, nor a word of a shell."""


class Place(NamedTuple):
    """A running pod and where it is."""

    namespace: str
    name: str
    node: str
    address: str
    host_network: bool
    """It has no network of its own: what is seen in it is its node's."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def split(text: str) -> tuple[str, str]:
    """`NAMESPACE/POD` in two. Raises OperationError for anything else."""
    namespace, _, name = text.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise OperationError(f"pod {text!r}: write NAMESPACE/POD, as in 'butikk/api-6d5f'")
    return namespace, name


def place(pod: Mapping[str, Any]) -> Place:
    """A pod of the API as a place. Raises OperationError where there is nothing to look at yet, or any more."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    where = f"pod {meta['namespace']}/{meta['name']}"
    see = f"see `kubectl -n {meta['namespace']} describe pod {meta['name']}`"
    if not spec.get("nodeName"):
        raise OperationError(f"{where} is on no node yet: {see}")
    # While its init containers run a pod is Pending, but has its network, which may be what keeps it there.
    if status.get("phase") not in ("Running", "Pending") or not status.get("podIP"):
        raise OperationError(f"{where} is not running (phase {status.get('phase')}): {see}")
    return Place(meta["namespace"], meta["name"], spec["nodeName"], status["podIP"], bool(spec.get("hostNetwork")))


def nearest(wanted: str, names: Iterable[str]) -> str:
    """`did you mean …`, or some of what there is."""
    there = sorted(names)
    close = difflib.get_close_matches(wanted, there, n=3, cutoff=0.5)
    close = close or [name for name in there if name.startswith(wanted) or wanted.startswith(name)][:3]
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are {', '.join(there[:5])}{' and others' if len(there) > 5 else ''}"
