"""Whether the API server takes pools: MetalLB's controller is ready before its webhook listens."""

from typing import Any

from components.core.engine_document import ClusterDocument
from components.core.manifests import Manifest
from components.core.names import PYTHON
from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError, Cluster, CredentialsError, UnreachableError

ADMISSION = f"exec {PYTHON} -m vds admission"
SECONDS = 120
"""How long an update waits: on a busy node the webhook listens about 20 seconds after the pod is ready."""

_NO_ANSWER = "failed calling webhook"
"""In the API server's refusal if the webhook did not answer (k8s.io/apiserver, admission/plugin/webhook/errors)."""


class Question(ClusterDocument):
    """What `vds admission` asks."""

    manifest: dict[str, Any]


def unanswered(api: Cluster, manifest: Manifest) -> str:
    """Why the API server can't ask the object's webhooks now; empty if it can. Nothing is written (`dryRun`).

    A webhook that refuses the object has answered: the update that follows shows what it said.

    Raises CredentialsError.
    """
    query = [("dryRun", "All"), ("fieldManager", "vds-admission"), ("force", "true")]
    try:
        api.request("PATCH", api.path_of(manifest), manifest, query=query, content_type=SERVER_SIDE_APPLY)
    except UnreachableError as error:
        return f"the cluster does not answer ({error})"
    except CredentialsError:
        raise
    except ApiError as error:
        return str(error) if _NO_ANSWER in str(error) or error.status == 404 else ""
    return ""
