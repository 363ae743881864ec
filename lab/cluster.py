"""The lab's own requests to its API server: what charts, a kubelet and an agency's deployments would do."""

from pathlib import Path
from typing import Any, ClassVar

from urllib3 import Retry

from components import kubernetes_api
from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError, Query, UnreachableError
from lab.processes import LabError

Manifest = dict[str, Any]

FIELD_MANAGER = "vds-platform-lab"
_REPLICAS = (
    "replicas",
    "updatedReplicas",
    "availableReplicas",
)  # of a Deployment, all of which are its number at the end


class Cluster(kubernetes_api.Cluster):
    """A connection by a kubeconfig file."""

    answer_seconds: ClassVar = 30  # a new API server on a busy machine is slow with the first custom resources
    # An API server that starts again refuses connections, and then answers before it can read. A write is sent again
    # only if there was no connection. The pauses between the tries are 15 s in all.
    retries: ClassVar = Retry(
        total=None,
        connect=5,
        read=5,
        status=5,
        other=0,
        redirect=0,
        backoff_factor=0.5,
        allowed_methods=("GET",),
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )

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
            if error.may_pass:
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


def condition(item: Manifest, name: str) -> str:
    """The status of one condition of a live object: `Unknown` if it is not written yet."""
    found = (item.get("status") or {}).get("conditions") or ()
    return next((str(one["status"]) for one in found if one["type"] == name), "Unknown")


def rolled_out(workload: Manifest) -> bool:
    """Whether every pod of a Deployment or a DaemonSet is of its newest template, and ready."""
    status, replicas = workload.get("status") or {}, workload["spec"].get("replicas")
    wanted = status.get("desiredNumberScheduled", 0) if replicas is None else replicas
    names = ("updatedNumberScheduled", "numberReady") if replicas is None else _REPLICAS
    seen = status.get("observedGeneration") == workload["metadata"]["generation"]
    return bool(seen and all(status.get(name, 0) == wanted for name in names))
