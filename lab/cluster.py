"""The lab's own requests to its API server: what charts, a kubelet and an agency's deployments would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from components import kubernetes_api
from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError, Query, UnreachableError
from lab.processes import LabError

Manifest = dict[str, Any]

FIELD_MANAGER = "vds-platform-lab"


class Cluster(kubernetes_api.Cluster):
    """A connection by a kubeconfig file."""

    answer_seconds: ClassVar = 30  # a new API server on a busy machine is slow with the first custom resources
    retries: ClassVar = 3

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig.read_text(encoding="utf-8"))

    def text(self, method: str, path: str, body: Any = None, *, query: Query = (), content_type: str = "") -> str:
        """One request; the answer.

        Raises:
            ApiError: the request is refused.
            LabError: there was no answer, or the API server can't give one now (429, 500 and more).
        """
        try:
            return super().text(method, path, body, query=query, content_type=content_type)
        except UnreachableError as error:
            raise LabError(f"the API server gave no answer to {method} {path} ({error}); see `make logs`") from None
        except ApiError as error:
            if error.status == 429 or error.status >= 500:
                text = str(error)[:300]
                raise LabError(f"the API server answered {error.status} to {method} {path}: {text}") from None
            raise

    def get(self, manifest: Manifest) -> Manifest | None:
        """The live object that `manifest` names, or None if there is none or no such kind."""
        try:
            return self.request("GET", self.path_of(manifest))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply, with the lab's own field manager."""
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        return self.request("PATCH", self.path_of(manifest), manifest, query=query, content_type=SERVER_SIDE_APPLY)

    def delete(self, manifest: Manifest) -> None:
        """Delete an object. No error if it does not exist."""
        try:
            self.request("DELETE", self.path_of(manifest))
        except ApiError as error:
            if error.status != 404:
                raise
