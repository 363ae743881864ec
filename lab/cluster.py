"""The lab's own calls to its API server: what charts, a kubelet and an agency's deployments would do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from lab.processes import LabError

Manifest = dict[str, Any]

# Kinds that the lab applies → (API path prefix, plural, namespaced). Discovery would take a second at every start.
_PLURALS = {"NetworkPolicy": "networkpolicies", "Gateway": "gateways", "GatewayClass": "gatewayclasses"}
_CLUSTER_WIDE = {
    "Namespace",
    "Node",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "GatewayClass",
    "IngressClass",
    "CiliumNode",
}
_TIMEOUT_SECONDS = 30  # a new API server on a busy machine is slow with the first custom resources
FIELD_MANAGER = "vds-platform-lab"


def path_of(manifest: Manifest) -> str:
    """The API path of an object."""
    kind, version, meta = manifest["kind"], manifest["apiVersion"], manifest["metadata"]
    plural = _PLURALS.get(kind, f"{kind.lower()}es" if kind.endswith("s") else _plural(kind))
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = "" if kind in _CLUSTER_WIDE else f"/namespaces/{meta.get('namespace', 'default')}"
    return f"{prefix}{scope}/{plural}/{meta['name']}"


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"


class Cluster:
    """A connection to the API server by a kubeconfig file."""

    def __init__(self, kubeconfig: Path) -> None:
        self.api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        self.core = client.CoreV1Api(self.api)

    def is_ready(self) -> bool:
        """Whether the API server answers `/readyz` with 200."""
        try:
            self.request("GET", "/readyz", parse=False)
        except Exception:  # refused, reset, not ready, no TLS: all mean "not yet"
            return False
        return True

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Iterable[tuple[str, str]] = (),
        parse: bool = True,
    ) -> Any:
        """One call; the parsed answer.

        Raises:
            ApiException: the request is refused; its status is 400 or more.
            LabError: there was no answer, or the API server cannot give one now (429, 500 and more).
        """
        prepared = self.api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
        )
        try:
            answer = self.api.call_api(*prepared, _request_timeout=_TIMEOUT_SECONDS)
            text = answer.read().decode()
        except (HTTPError, OSError) as error:
            said = str(error).split("\n")[0]
            raise LabError(f"the API server gave no answer to {method} {path} ({said}); see `make logs`") from None
        if answer.status == 429 or answer.status >= 500:
            raise LabError(f"the API server answered {answer.status} to {method} {path}: {text.strip()[:300]}")
        if answer.status >= 400:
            raise ApiException(status=answer.status, reason=text)
        return json.loads(text) if parse else text

    def get(self, manifest: Manifest) -> Manifest | None:
        """The live object that `manifest` names, or None where there is none."""
        try:
            return dict(self.request("GET", path_of(manifest)))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply, as the lab's own field manager."""
        return dict(
            self.request(
                "PATCH",
                path_of(manifest),
                manifest,
                content_type="application/apply-patch+yaml",
                query=[("fieldManager", FIELD_MANAGER), ("force", "true")],
            )
        )

    def delete(self, manifest: Manifest) -> None:
        """Delete, fine where it is gone already."""
        try:
            self.request("DELETE", path_of(manifest))
        except ApiException as error:
            if error.status != 404:
                raise
