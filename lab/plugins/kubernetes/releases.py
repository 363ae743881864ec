"""The life of a Helm release."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.provider.experimental import provider as sdk

from lab.plugins.kubernetes.helm import Helm, HelmError, seconds
from lab.plugins.kubernetes.manifests import unique_name
from lab.plugins.kubernetes.settings import Settings
from lab.plugins.resource_server import DiffRequest, IncompleteError, ResourceError, respond
from lab.plugins.values import (
    UNKNOWN,
    Properties,
    plain_map,
    secret_texts,
    without_secrets,
    wrap,
    wrap_map,
)

RELEASE = "kubernetes:helm.sh/v3:Release"
_OUTPUT_ONLY = {"status", "resourceNames", "manifest"}


class Releases:
    """All Helm releases of one cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._helm = Helm(settings.kubeconfig, settings.context)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        inputs, old = dict(request.new_inputs), request.old_inputs
        if "name" not in inputs:
            inputs["name"] = old["name"] if "name" in old else wrap(unique_name(request.name))
        inputs.setdefault("namespace", wrap(self._settings.namespace))
        if not inputs.get("chart"):
            return sdk.CheckResponse(inputs, [sdk.CheckFailure("chart", "a Release needs a chart")])
        return sdk.CheckResponse(inputs)

    async def diff(self, request: DiffRequest) -> sdk.DiffResponse:
        old, new = _inputs(plain_map(request.old_inputs)), _inputs(plain_map(request.new_inputs))
        return respond(old, new, lambda path: path in (("name",), ("namespace",)))

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        inputs = plain_map(request.properties)
        if request.preview:
            return sdk.CreateResponse(None, _foretold(request.properties))
        release = await self._deploy(self._helm.install, inputs, request.timeout, request.properties)
        return sdk.CreateResponse(_id(inputs), _outputs(release, request.properties))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        inputs = plain_map(request.news)
        if request.preview:
            return sdk.UpdateResponse(_foretold(request.news))
        release = await self._deploy(self._helm.upgrade, inputs, request.timeout, request.news)
        return sdk.UpdateResponse(_outputs(release, request.news))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """What helm has stored. Values that others set by `helm upgrade` show as drift."""
        namespace, _, name = request.resource_id.rpartition("/")
        release = await self._helm.status(name, namespace or "default")
        if release is None:
            return sdk.ReadResponse()
        live: dict[str, Any] = dict(request.inputs)
        if not live:
            live = wrap_map({"name": name, "namespace": namespace, "chart": _chart(release).get("name", "")})
        inputs = plain_map(live)
        stored = release.get("config") or {}
        if _values(inputs) != stored:
            live["values"] = wrap(stored, request.inputs.get("values"))
        return sdk.ReadResponse(request.resource_id, _outputs(release, live), live)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        old = plain_map(request.properties)
        namespace, _, name = request.resource_id.rpartition("/")
        limit = seconds(old, request.timeout)
        await self._helm.uninstall(name, namespace, wait=not old.get("skipAwait"), seconds=limit)

    async def _deploy(self, helm: Any, inputs: dict[str, Any], timeout: float, like: Properties) -> dict[str, Any]:
        limit = seconds(inputs, timeout)
        try:
            release: dict[str, Any] = await helm({**inputs, "values": _values(inputs)}, seconds=limit)
        except HelmError as error:
            item = f"Release {inputs['namespace']}/{inputs['name']}"
            reason = f"{item}: {without_secrets(str(error), secret_texts(like))}"
            left = await self._helm.status(inputs["name"], inputs["namespace"])
            if left is None or "cannot re-use a name" in reason:
                raise ResourceError(reason) from None
            raise IncompleteError(_id(inputs), _outputs(left, like), like, [reason]) from None
        return release


def _inputs(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key not in _OUTPUT_ONLY}


def _id(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['namespace']}/{inputs['name']}"


def _values(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Values from the files first, the Release's own over them."""
    merged: dict[str, Any] = {}
    for file in inputs.get("valueYamlFiles") or []:
        if isinstance(file, pulumi.FileAsset):
            merged = _merge(merged, yaml.safe_load(Path(file.path).read_text()) or {})
        elif isinstance(file, pulumi.StringAsset):
            merged = _merge(merged, yaml.safe_load(file.text) or {})
        else:
            raise ResourceError("valueYamlFiles: this stand-in reads file and string assets only")
    return _merge(merged, inputs.get("values") or {})


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _chart(release: Mapping[str, Any]) -> Mapping[str, Any]:
    return (release.get("chart") or {}).get("metadata") or {}


def _outputs(release: Mapping[str, Any], like: Properties) -> dict[str, Any]:
    chart = _chart(release)
    status = {
        "appVersion": str(chart.get("appVersion", "")),
        "chart": chart.get("name", ""),
        "name": release["name"],
        "namespace": release.get("namespace", ""),
        "revision": release.get("version", 0),
        "status": (release.get("info") or {}).get("status", ""),
        "version": chart.get("version", ""),
    }
    return {
        **like,
        "status": wrap(status),
        "resourceNames": wrap(_resource_names(str(release.get("manifest") or ""))),
    }


def _resource_names(manifest: str) -> dict[str, list[str]]:
    """What the chart made, by kind: `ConfigMap/v1: [namespace/name]`."""
    names: dict[str, list[str]] = {}
    for document in yaml.load_all(manifest, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if not isinstance(document, dict) or not document.get("kind"):
            continue
        metadata = document.get("metadata") or {}
        name = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
        names.setdefault(f"{document['kind']}/{document.get('apiVersion')}", []).append(name)
    return {kind: sorted(found) for kind, found in sorted(names.items())}


def _foretold(inputs: Properties) -> dict[str, Any]:
    unset = dict.fromkeys(("status", "resourceNames"), wrap(UNKNOWN))
    return {**inputs, **unset}
