"""Published CRDs as JSON Schemas that take no field they do not know."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from components.core.manifests import Manifest
from tests.support.modules import CERT_MANAGER, CILIUM, GATEWAY_API, METALLB, source

_FOLDERS = {
    CILIUM: "pkg/k8s/apis/cilium.io/client/crds",
    METALLB: "config/crd/bases",
    GATEWAY_API: "config/crd/standard",
    CERT_MANAGER: "deploy/crds",
}


def crds(module: str, version: str) -> list[Path]:
    """The files of a release's CRDs, and of what it publishes beside them. Fails the test where they cannot be had."""
    folder = source(module, version) / _FOLDERS[module]
    return sorted(file for file in folder.rglob("*.yaml") if file.name != "kustomization.yaml")


def crd_errors(manifest: Manifest, module: str, version: str) -> list[str]:
    """What the CRD of that release says against the manifest."""
    validator = _validators(module, version).get((manifest["apiVersion"], manifest["kind"]))
    if validator is None:
        return [f"{module} {version} has no {manifest['apiVersion']} {manifest['kind']}"]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


@cache
def _validators(module: str, version: str) -> dict[tuple[str, str], Any]:
    found = {}
    for file in crds(module, version):
        for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if crd["kind"] == "CustomResourceDefinition":
                spec = crd["spec"]
                for served in spec["versions"]:
                    schema = closed(served["schema"]["openAPIV3Schema"])
                    names = (f"{spec['group']}/{served['name']}", spec["names"]["kind"])
                    found[names] = jsonschema.Draft202012Validator(schema)
    return found


def closed(schema: Any) -> Any:
    """The API server drops fields that a schema does not name: here they are errors."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict) and "type" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found
