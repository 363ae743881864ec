"""What others changed: the inputs as they would have to read to say what is live."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

_SERVERS_OWN = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
_APPLIED_BY_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"


def live_inputs(inputs: Any, old_live: Any, live: Any) -> Any:
    """The inputs, with those values replaced that are live otherwise than when they were applied.

    The old live object is what they are compared with, not the inputs themselves: the API server writes
    many values differently (cpu 1000m becomes 1). What the program does not set is left alone.
    """
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        known = old_live if isinstance(old_live, Mapping) else {}
        return {
            key: live_inputs(value, known.get(key), live.get(key))
            for key, value in inputs.items()
            if key in live or key not in known
        }
    if live == old_live or live is None:
        return inputs
    if isinstance(inputs, list) and isinstance(live, list):
        before = old_live if isinstance(old_live, list) else []
        if len(inputs) == len(live) == len(before):
            return [live_inputs(*items) for items in zip(inputs, before, live, strict=True)]
    return live


def readable(manifest: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The live object with a Secret's `stringData` as it was written: the API server only keeps `data`."""
    wanted = inputs.get("stringData")
    if not isinstance(wanted, Mapping) or not isinstance(manifest.get("data"), Mapping):
        return dict(manifest)
    data = manifest["data"]
    return {**manifest, "stringData": {key: _decoded(data[key]) for key in wanted if key in data}}


def imported(live: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs for an object that no program has written yet: all but what the cluster itself sets."""
    metadata = {key: value for key, value in live.get("metadata", {}).items() if key not in _SERVERS_OWN}
    annotations = {k: v for k, v in metadata.pop("annotations", {}).items() if k != _APPLIED_BY_KUBECTL}
    if annotations:
        metadata["annotations"] = annotations
    return {key: value for key, value in live.items() if key != "status"} | {"metadata": metadata}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text
