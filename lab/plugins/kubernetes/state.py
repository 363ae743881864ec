"""Between a resource's properties, as the engine keeps them, and its manifest."""

import secrets
from collections.abc import Mapping
from typing import Any

from lab.plugins.kubernetes.await_ready import annotations
from lab.plugins.kubernetes.manifests import group_kind, without_nothing
from lab.plugins.values import UNKNOWN, Properties, plain_map, wrap, wrap_map

Manifest = dict[str, Any]

# The official provider's own keys. It compares with the inputs in there: without them everything it took over
# from us would look new to it, and be replaced.
_INPUTS, _FIRST_API_VERSION, _MANAGER = "__inputs", "__initialApiVersion", "__fieldManager"
_MANAGER_PREFIX = "pulumi-kubernetes-"


def manifest_of(properties: Mapping[str, Any]) -> Manifest:
    """A manifest from properties: no internal keys, no nulls."""
    cleaned: Manifest = without_nothing({key: value for key, value in properties.items() if not key.startswith("__")})
    return cleaned


def field_manager(inputs: Mapping[str, Any], old_state: Mapping[str, Any]) -> str:
    """The field manager: the one the program names, else the resource's own from its first day."""
    named = annotations(inputs).get("pulumi.com/patchFieldManager")
    return str(named or old_state.get(_MANAGER) or _MANAGER_PREFIX + secrets.token_hex(4))


def mark_secret(manifest: Mapping[str, Any], values: Properties) -> dict[str, Any]:
    """What a Secret holds is secret, whether the program said so or not."""
    marked = dict(values)
    if group_kind(manifest) == ("", "Secret"):
        for key in ("data", "stringData"):
            if key in marked:
                marked[key] = marked[key].with_secret(True)
    return marked


def outputs_of(live: Mapping[str, Any], manager: str, inputs: Properties) -> dict[str, Any]:
    """The live object as the resource's state, with the checked inputs that made it. Without managedFields: big."""
    metadata = {key: value for key, value in (live.get("metadata") or {}).items() if key != "managedFields"}
    content = {**live, "metadata": metadata}
    outputs = wrap_map(content, inputs)
    if "stringData" in inputs:
        outputs["stringData"] = inputs["stringData"]
    outputs = mark_secret(content, outputs)
    given = manifest_of(plain_map(inputs))
    outputs[_INPUTS] = wrap(mark_secret(given, wrap_map(given, inputs)))
    outputs[_FIRST_API_VERSION] = wrap(content.get("apiVersion"))
    outputs[_MANAGER] = wrap(manager)
    return outputs


def foretold(manifest: Mapping[str, Any], like: Properties) -> dict[str, Any]:
    """Outputs at preview: the manifest, with what only the real object will have as unknown."""
    content = {key: value for key, value in manifest.items() if key != "status"}
    if group_kind(manifest) == ("", "Service") and isinstance(content.get("spec"), Mapping):
        asked = plain_map(like).get("spec") or {}
        addresses = {key: UNKNOWN for key in ("clusterIP", "clusterIPs") if key not in asked}
        content["spec"] = content["spec"] | addresses  # a dry run only has a stand-in for them
    metadata = content.get("metadata")
    if isinstance(metadata, Mapping):
        unset = dict.fromkeys(("uid", "resourceVersion", "creationTimestamp", "generation"), UNKNOWN)
        kept = {key: value for key, value in metadata.items() if key != "managedFields"}
        content["metadata"] = kept | unset
    return mark_secret(content, wrap_map(content | {"status": UNKNOWN}, like))
