"""The state of a stack after an update that did not end."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from components.core.untrusted import json_value
from vds.shared.errors import OperationError
from vds.shared.pulumi import LARGEST_STATE

RELEASE = "kubernetes:helm.sh/v3:Release"


class Restored(NamedTuple):
    """What was done to a state file."""

    said: list[str]
    older: bool
    """Whether the state is now that of an earlier update, so that it does not have what the last one made."""


def restore_checkpoint(folder: Path, project: str, stack: str) -> Restored:
    """Replace a state file that was cut short with its newest whole copy.

    Only a backend of files can have one. The engine writes down every step before it begins, and keeps the state before
    each write beside the file: with that copy nothing is lost. On a full disk the engine (3.274) cuts both. Then the
    copy that it made after the last update is used. `.attrs` files have the backend's notes about a file, and may be
    missing.

    Raises:
        OperationError: the file is cut short, and there is no whole copy.
    """
    said, older = [], False
    for notes in folder.rglob(f"{stack}.json*.attrs"):
        if not _whole(notes):
            notes.unlink()
            said.append(f"{notes} was cut short: removed")
    for file in folder.glob(f".pulumi/stacks/{project}/{stack}.json"):
        if _whole(file):
            continue
        beside = file.with_name(f"{file.name}.bak")
        earlier = sorted(folder.glob(f".pulumi/backups/{project}/{stack}/{stack}.*.json"), reverse=True)
        copy = next((one for one in (beside, *earlier) if _whole(one)), None)
        if copy is None:
            raise OperationError(
                f"{file} is cut short, and no copy beside it or in .pulumi/backups is whole: restore it from a backup "
                f"of your own, then run `vds recover --stack {stack}` again"
            )
        draft = file.with_name(f"{file.name}.new")
        shutil.copyfile(copy, draft)
        draft.replace(file)
        file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)  # they are of the old content
        said.append(f"{file} was cut short: replaced with {copy.name}")
        older = older or copy != beside
    return Restored(said, older)


def _whole(file: Path) -> bool:
    try:
        json_value(file.read_text(encoding="utf-8"), most=LARGEST_STATE)
    except (ValueError, OSError):
        return False
    return True


def pending(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations of which the state does not know how they ended."""
    return list(deployment.get("pending_operations") or ())


def resolve_pending(deployment: dict[str, Any]) -> None:
    """Record every Kubernetes object whose creation was cut short as created. A refresh then drops those that are not
    there.

    A command has no name by which it can be found. It is left out, because its script can run twice. (The engine's own
    `refresh --import-pending-creates` forgets the resources that it should import, seen with 3.259.)
    """
    known = {resource["urn"] for resource in deployment.get("resources") or ()}
    for operation in deployment.pop("pending_operations", ()):
        resource = operation["resource"]
        if operation["type"] == "creating" and resource["urn"] not in known and (identity := _identity(resource)):
            deployment["resources"].append({**resource, "id": identity, "outputs": resource["inputs"]})


def releases(operations: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Namespace and name of each Helm release that was being installed or upgraded."""
    inputs = [one["resource"].get("inputs") or {} for one in operations if one["resource"]["type"] == RELEASE]
    return [(str(one["namespace"]), str(one["name"])) for one in inputs]


def kubeconfig(deployment: dict[str, Any]) -> str | None:
    """The kubeconfig of the stack's Kubernetes provider, from an export with secrets in plain text."""
    for resource in deployment.get("resources") or ():
        if resource["type"] == "pulumi:providers:kubernetes":
            value = (resource.get("inputs") or {}).get("kubeconfig")
            return str(json_value(value["plaintext"])) if isinstance(value, dict) else value
    return None


def _identity(resource: dict[str, Any]) -> str | None:
    """The provider's id of an object whose creation was cut short; None if it can only be created again."""
    inputs = resource.get("inputs") or {}
    meta = inputs if resource["type"] == RELEASE else inputs.get("metadata") or {}
    if not str(resource["type"]).startswith("kubernetes:") or not meta.get("name"):
        return None
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])
