"""Third-party CRDs, from a folder beside the checkout, as JSON Schemas that take no field they do not know."""

from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml

from components.manifests import Manifest
from tests.support.reference import DATA
from tests.support.stacks import ROOT

CRDS = DATA / "crds"


def crd_errors(manifest: Manifest, release: str) -> list[str]:
    """What the CRD of that release says against the manifest. Skips the test where the data are not to be had."""
    if not CRDS.is_dir():
        pytest.skip(f"no third-party CRDs at ../{CRDS.relative_to(ROOT.parent)}")
    schema = _schema(release, manifest["apiVersion"], manifest["kind"])
    if schema is None:
        return [f"{release} has no {manifest['apiVersion']} {manifest['kind']}"]
    errors = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in errors]


@cache
def _schema(release: str, api_version: str, kind: str) -> Any:
    group, _, version = api_version.partition("/")
    for file in sorted((CRDS / release).glob(f"{group}_*.yaml")):
        for crd in yaml.safe_load_all(file.read_text()):
            if crd["kind"] == "CustomResourceDefinition" and crd["spec"]["names"]["kind"] == kind:
                found = next(item for item in crd["spec"]["versions"] if item["name"] == version)
                return _closed(found["schema"]["openAPIV3Schema"])
    return None


def _closed(schema: Any) -> Any:
    """The API server drops fields that a schema does not name: here they are errors."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict) and "type" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed
