"""Objects of the platform in a registered namespace. Pure."""

from typing import Any

from components.core import labels
from components.core.manifests import Manifest, manifest


def in_namespace(tenant: str, namespace: str, api: str, kind: str, name: str, **body: Any) -> Manifest:
    """An object that the registration makes. The API server lets no tenant change or delete it."""
    written = {labels.TENANT: tenant, labels.REGISTERED: "true"}
    return manifest(api, kind, name, namespace=namespace, labels=written, **body)
