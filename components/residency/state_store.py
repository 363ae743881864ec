"""Where the engine keeps a stack: read from what surrounds the program, since the engine itself doesn't say.

A program can see PULUMI_BACKEND_URL and the project's files, and that is the engine's own order of precedence
(pulumi/pkg/workspace/creds.go, GetCurrentCloudURL). What comes last there, the backend that `pulumi login`
remembers, stands in a file of access tokens, which is not for programs to open: then the backend is not known.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.core.endpoints import without_secrets
from components.residency.model import StateStore


def state_store(project: Path, stack: str, environment: Mapping[str, str]) -> StateStore:
    """The backend of the project in this folder, and the secrets provider of its stack file."""
    settings = _yaml(project / "Pulumi.yaml")
    backend = environment.get("PULUMI_BACKEND_URL") or (settings.get("backend") or {}).get("url") or ""
    file = _yaml(project / f"Pulumi.{stack}.yaml")
    provider = file.get("secretsprovider") or ("passphrase" if "encryptionsalt" in file else "")
    return StateStore(without_secrets(str(backend)), without_secrets(str(provider)))


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}  # the engine has read it already, or it is elsewhere (--config-file): nothing is known from here
    return content if isinstance(content, dict) else {}
