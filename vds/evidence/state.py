"""A stack's exported state, read: the engine's checkpoint forms 3 and 4, without anything secret. Pure.

Secrets never get in: `read` first empties every value that the engine marked, encrypted or (from
`pulumi stack export --show-secrets`) in plain text.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.core.endpoints import without_secrets
from components.core.unknown import SECRET, SIGNATURE
from components.core.untrusted import json_value
from vds.shared.errors import OperationError
from vds.shared.pulumi import LARGEST_STATE

FORMS = (3, 4)
"""What `pulumi stack export` writes: 3 since 2019, 4 for a stack that uses a feature that 3 does not have."""
FEATURES = frozenset({"hooks", "refreshBeforeUpdate", "views", "taint", "replaceWith", "extensionParameterization"})
"""Features of form 4 that add fields to a resource and leave its inputs and outputs as they are (engine 3.274,
pkg/resource/stack/deployment.go). This platform uses `hooks`."""


@dataclass(frozen=True)
class Resource:
    """One resource as the state has it, its secrets emptied."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    parent: str
    custom: bool
    """False for a component, which is made of the program alone."""
    leaving: bool
    """Already replaced, but still to be deleted: it exists."""

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of a Kubernetes object; empty where it has none that can be read."""
        return _mapping(self.inputs.get("metadata"))

    @property
    def kubernetes(self) -> str:
        """`apiVersion/Kind` without `Patch`, or empty if it is not a Kubernetes object."""
        provider, _, rest = self.type.partition(":")
        api, _, kind = rest.partition(":")
        return f"{api}/{kind.removesuffix('Patch')}" if provider == "kubernetes" and kind else ""


@dataclass(frozen=True)
class State:
    """What an export says, in an order that does not depend on how the engine came to write it."""

    resources: tuple[Resource, ...]
    """By URN."""
    deployment: Mapping[str, Any]
    """The export's own form, sorted and without secrets: what the policies judge."""
    made_at: str
    """When the engine last wrote it, as it says itself."""
    engine: str
    plugins: tuple[tuple[str, str], ...]
    """Name and version, sorted."""
    secrets_provider: str
    """Its type, with the URL where it has one; empty if the state names none."""
    interrupted: tuple[str, ...]
    """Resources on which the engine was working when it stopped."""

    @property
    def sha256(self) -> str:
        """Of `deployment` as JSON, sorted."""
        return hashlib.sha256(json.dumps(self.deployment, sort_keys=True).encode()).hexdigest()

    @property
    def stacks(self) -> frozenset[str]:
        """The stacks that the URNs name: one, unless two states were merged."""
        return frozenset(resource.urn.split(":")[2] for resource in self.resources if resource.urn.count(":") > 2)


def read(text: str, source: str) -> State:
    """The state behind an export. `source` is what it is called in messages.

    Raises OperationError if it is not an export of this form; the error quotes no value.
    """
    remedy = "export it with `pulumi stack export --stack STACK --file FILE`"
    try:
        export = json_value(text, most=LARGEST_STATE)
    except ValueError:
        raise OperationError(f"{source}: is not JSON: {remedy}") from None
    version = export.get("version") if isinstance(export, dict) else None
    if version not in FORMS:
        form = version if isinstance(version, int) else "none"
        raise OperationError(f"{source}: its form is version {form}, 3 and 4 can be read: {remedy}")
    features = export.get("features") or []
    if not isinstance(features, list) or not FEATURES.issuperset(map(str, features)):
        raise OperationError(f"{source}: it uses features of the engine that can't be read: use a newer vds-platform")
    deployment: Mapping[str, Any] = _mapping(_without_secrets(export.get("deployment")))
    entries: list[Any] = deployment.get("resources", [])  # a stack without any has no list at all
    if not isinstance(export.get("deployment"), dict) or not _are_resources(entries):
        raise OperationError(f"{source}: has no list of resources with URN and type: {remedy}")
    ordered = sorted(
        (_sound(entry) for entry in entries), key=lambda entry: (entry["urn"], json.dumps(entry, sort_keys=True))
    )
    manifest = _mapping(deployment.get("manifest"))
    return State(
        resources=tuple(_resource(entry) for entry in ordered),
        deployment={"resources": ordered},  # nothing else is judged; the provider's salt is left out
        made_at=str(manifest.get("time") or ""),
        engine=str(manifest.get("version") or ""),
        plugins=tuple(sorted({(str(p["name"]), str(p.get("version") or "")) for p in manifest.get("plugins") or []})),
        secrets_provider=_secrets_provider(_mapping(deployment.get("secrets_providers"))),
        interrupted=tuple(sorted(_pending(deployment.get("pending_operations") or []))),
    )


def _without_secrets(value: Any) -> Any:
    """The value with every secret's mark kept, for policies to see that something is there, and its content gone."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return {SIGNATURE: SECRET, "ciphertext": ""} if value[SIGNATURE] == SECRET else {}
        return {_text(key): _without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """JSON can spell half of a character (`\\ud800`), which no file can hold."""
    return value.encode(errors="replace").decode()


def is_secret(value: Any) -> bool:
    """Whether the engine marked this value."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def _are_resources(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("urn"), str) and isinstance(entry.get("type"), str)
        for entry in entries
    )


def _sound(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry with the types that the engine writes, in case it was edited by hand."""
    needs = entry.get("dependencies")
    names = {key: value for key in ("parent", "provider") if isinstance(value := entry.get(key), str)}
    return {
        **{key: value for key, value in entry.items() if key not in ("parent", "provider")},
        **names,
        "inputs": _mapping(entry.get("inputs")),
        "outputs": _mapping(entry.get("outputs")),
        "dependencies": [need for need in needs if isinstance(need, str)] if isinstance(needs, list) else [],
    }


def _resource(entry: Mapping[str, Any]) -> Resource:
    return Resource(
        urn=entry["urn"],
        type=entry["type"],
        inputs=entry["inputs"],
        outputs=entry["outputs"],
        parent=entry.get("parent", ""),
        custom=bool(entry.get("custom")),
        leaving=bool(entry.get("delete")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) and not is_secret(value) else {}


def _secrets_provider(entry: Mapping[str, Any]) -> str:
    url = str(_mapping(entry.get("state")).get("url") or "")
    return " ".join(part for part in (str(entry.get("type") or ""), without_secrets(url)) if part)


def _pending(operations: Any) -> Iterator[str]:
    for operation in operations if isinstance(operations, list) else []:
        entry = _mapping(operation)
        urn = str(_mapping(entry.get("resource")).get("urn") or "a resource without URN")
        yield f"{entry.get('type') or 'working on'} {urn.rpartition('::')[2]}"
