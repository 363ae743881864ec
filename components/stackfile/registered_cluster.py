"""What a cluster says of its registered tenants: its environment's facts, contracts and namespaces."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from components.core import labels
from components.core.names import KUBE_SYSTEM
from components.kubernetes_api import Api, get, list_items
from components.stackfile.registration import Published, published
from components.tenancy.registration.contract import CONTRACT, GROUP, PLURAL, VERSION, ContractSpec
from components.tenancy.registration.environment import ENVIRONMENT
from components.tenancy.registration.rules import Claim, claim_of

CONTRACTS = f"/apis/{GROUP}/{VERSION}/{PLURAL}"


class NoEnvironmentError(Exception):
    """The cluster has no environment for registrations; the text says what to do."""


class RegisteredCluster(NamedTuple):
    """A cluster with an environment that takes registrations."""

    known: Published
    contracts: Mapping[str, ContractSpec]
    """By namespace."""
    namespaces: Mapping[str, str]
    """Registered namespaces, with the name of the tenant."""

    @property
    def claims(self) -> list[Claim]:
        """What each tenant has."""
        return [claim_of(one) for one in self.contracts.values()]

    def of(self, tenant: str) -> list[str]:
        """The namespaces of one tenant."""
        return sorted(name for name, owner in self.namespaces.items() if owner == tenant)


def read_cluster(api: Api) -> RegisteredCluster:
    """What the cluster says. Raises NoEnvironmentError, ApiError or UnreachableError."""
    path = f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/{ENVIRONMENT}"
    found: Mapping[str, Any] | None = get(api, path)
    if found is None:
        raise NoEnvironmentError(
            f"the cluster has no ConfigMap {KUBE_SYSTEM}/{ENVIRONMENT}: run `pulumi up` in the environment "
            "with this release"
        )
    try:
        known = published(found.get("data") or {})
    except ValueError as error:
        raise NoEnvironmentError(
            f"ConfigMap {KUBE_SYSTEM}/{ENVIRONMENT} {error}: run `pulumi up` in the environment with this release"
        ) from None
    selector = [("labelSelector", f"{labels.REGISTERED}=true")]
    namespaces = list_items(api, "/api/v1/namespaces", query=selector)
    return RegisteredCluster(
        known,
        dict(_contracts(list_items(api, CONTRACTS))),
        {one["metadata"]["name"]: one["metadata"]["labels"].get(labels.TENANT, "") for one in namespaces},
    )


def _contracts(items: Sequence[Mapping[str, Any]]) -> list[tuple[str, ContractSpec]]:
    made = []
    for item in items:
        metadata = item["metadata"]
        if metadata["name"] != CONTRACT:
            continue
        try:
            spec = ContractSpec.model_validate(item.get("spec"), by_alias=True, by_name=False)
        except ValidationError:
            raise NoEnvironmentError(
                f"Contract {metadata['namespace']}/{CONTRACT} is not as this release writes it: "
                "run `vds tenant up` for its tenant with this release"
            ) from None
        made.append((metadata["namespace"], spec))
    return made
