"""What a size class of namespaces means, and who owns them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.core.model import Spec
from components.core.quantities import Quantity
from components.core.types import RefusedError


def _group(value: str) -> str:
    if value.startswith("system:"):
        raise RefusedError("is one of the cluster's own groups", "write the agency's")
    return value


Group = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^\S+$"), AfterValidator(_group)]
"""A group or user, as the API server's authentication gives it."""


class Quota(Spec):
    """Maximum for the whole namespace."""

    pods: int = Field(default=20, ge=1)
    """How many pods."""
    requests_cpu: Quantity = "4"
    requests_memory: Quantity = "8Gi"
    limits_cpu: Quantity = "8"
    limits_memory: Quantity = "16Gi"
    storage: Quantity = "50Gi"
    """Sum of all volume claims."""
    requests_ephemeral_storage: Quantity = "10Gi"
    """Of the nodes' disks: what pods write to emptyDir volumes, their own file systems and logs."""
    limits_ephemeral_storage: Quantity = "20Gi"
    """The same, as a maximum: the kubelet evicts a pod that writes more than its limit."""
    objects: int = Field(default=100, ge=1)
    """How many objects of each kind that the owner may create. etcd keeps them, and all tenants share it."""


class Limits(Spec):
    """Defaults for containers that request nothing, and the maximum for each container."""

    default_request_cpu: Quantity = "100m"
    default_request_memory: Quantity = "128Mi"
    default_cpu: Quantity = "500m"
    default_memory: Quantity = "512Mi"
    max_cpu: Quantity = "4"
    max_memory: Quantity = "8Gi"
    default_request_ephemeral_storage: Quantity = "256Mi"
    default_ephemeral_storage: Quantity = "1Gi"
    max_ephemeral_storage: Quantity = "10Gi"
