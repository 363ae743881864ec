"""Takes a deleted namespace out of the state of its tenant's stack."""

from pathlib import Path
from typing import Any

from components.core.untrusted import json_value
from vds.shared import pulumi


def forget(tenant: str, namespace: str, folder: Path) -> None:
    """Remove the namespace's resources from the state: they went with it. Nothing if the backend has no such stack."""
    shown = pulumi.run("stack", "export", "--stack", tenant, folder=folder)
    if shown.returncode:
        if "no stack named" in shown.stderr:
            return
        pulumi.output(tenant, "stack", "export", "--stack", tenant, folder=folder)  # says why
    state = json_value(shown.stdout, most=pulumi.LARGEST_STATE)
    for resource in (state.get("deployment") or {}).get("resources") or ():
        if _is(resource, namespace):
            urn = resource["urn"]
            pulumi.output(tenant, "state", "unprotect", urn, "--yes", "--stack", tenant, folder=folder)
            pulumi.output(
                tenant,
                "state",
                "delete",
                urn,
                "--yes",
                "--target-dependents",
                "--force",
                "--stack",
                tenant,
                folder=folder,
            )


def _is(resource: Any, namespace: str) -> bool:
    metadata = (resource.get("inputs") or {}).get("metadata") or {}
    return resource.get("type") == "kubernetes:core/v1:Namespace" and metadata.get("name") == namespace
