"""Backend and secrets provider of a stack, read from environment and files, because the engine does not report them.

A program can read PULUMI_BACKEND_URL and the project's files, in the engine's own order of precedence
(pulumi/pkg/workspace/creds.go, GetCurrentCloudURL). The last one there, the backend of `pulumi login`, is in a file
with access tokens, which a program should not open. Then the backend is unknown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.core.endpoints import without_secrets
from components.core.untrusted import YamlError, yaml_value
from components.residency.ci_runners import ci_runners
from components.residency.model import StateStore


def state_store(project: Path, stack: str, environment: Mapping[str, str]) -> StateStore:
    """Backend of the project in this folder, secrets provider of its stack file, and runners of its workflows."""
    settings = _yaml(project / "Pulumi.yaml")
    backend = seen_backend(environment) or (settings.get("backend") or {}).get("url") or ""
    file = _yaml(project / f"Pulumi.{stack}.yaml")
    provider = file.get("secretsprovider") or ("passphrase" if "encryptionsalt" in file else "")
    return StateStore(without_secrets(str(backend)), without_secrets(str(provider)), ci_runners(project, stack))


def seen_backend(environment: Mapping[str, str]) -> str:
    """The backend that the environment names; empty if none. A preview with a state of its own names the real one."""
    return environment.get("VDS_STATE_BACKEND", environment.get("PULUMI_BACKEND_URL", ""))


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml_value(file.read_text(encoding="utf-8"))
    except (OSError, YamlError):
        return {}  # missing or invalid, or in another folder (--config-file): unknown
    return content if isinstance(content, dict) else {}
