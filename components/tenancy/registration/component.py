"""The components of registered tenants: what an environment publishes for them, and one tenant's namespaces."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply
from components.core.kubeconfig import public_kubeconfig
from components.core.manifests import Manifest
from components.core.names import child, token
from components.tenancy.bundle import cluster_manifests, namespace_manifests, registered_namespace
from components.tenancy.registration.administration import administration_manifests
from components.tenancy.registration.contract import contract, contract_definition
from components.tenancy.registration.environment import Environment, environment_manifest
from components.tenancy.registration.model import Registration


class Registrations(pulumi.ComponentResource):
    """What a cluster needs before tenants are registered: the kind Contract, roles, and facts of the environment."""

    def __init__(
        self,
        name: str,
        environment: Environment,
        residency: Mapping[str, Any],
        administrators: Sequence[str],
        *,
        address: pulumi.Output[str],
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """`residency`: the record, as the stack file has it. `address`: the gateway's.

        The kind stays in the cluster when the component is deleted: its deletion would delete every contract.
        """
        super().__init__(token("Registrations"), name)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        kept = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(retain_on_delete=True))
        kind = apply(child(name, "kind"), contract_definition(), kept)
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[kind])
        needs: list[pulumi.Resource] = [kind]
        for item in (*cluster_manifests(environment), *administration_manifests(administrators)):
            # One after the other: what restricts comes before what is restricted.
            each = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(needs))
            needs.append(apply(child(name, item["kind"].lower(), item["metadata"]["name"]), item, each))
        facts = environment.model_dump(mode="json", by_alias=True)
        made = environment_manifest(facts, residency)
        data = address.apply(lambda known: _with_address(facts, residency, known)["data"])
        apply(child(name, "environment"), {**made, "data": data}, after)
        self.register_outputs({})


def _with_address(facts: Mapping[str, Any], residency: Mapping[str, Any], address: str) -> Manifest:
    return environment_manifest({**facts, "gateway": {**facts["gateway"], "address": address}}, residency)


class RegisteredTenant(pulumi.ComponentResource):
    """A registered tenant's namespaces, with what isolates them and a contract in each.

    Neither `destroy` nor another registration deletes a namespace: it is protected, and `vds tenant retire` is the way.
    """

    namespaces: pulumi.Output[list[str]]

    def __init__(
        self,
        registration: Registration,
        environment: Environment,
        *,
        kubeconfig: str,
        provider: kubernetes.Provider,
    ) -> None:
        """`kubeconfig`: its public part is an input, so that an exported state shows how the cluster is verified."""
        name = registration.tenant
        super().__init__(token("RegisteredTenant"), name, {"kubeconfig": public_kubeconfig(kubeconfig)})
        hooks = pulumi.ResourceHookBinding(
            on_error=[pulumi.ErrorHook(child(name, "wait-for-contract"), until_contract_is_read)]
        )
        made = []
        for namespace in registration.namespace_names:
            key = namespace.removeprefix(f"{name}-")
            protected = pulumi.ResourceOptions(parent=self, provider=provider, protect=True, retain_on_delete=True)
            place = apply(child(name, "namespace", key), registered_namespace(registration, namespace), protected)
            needs: list[pulumi.Resource] = [place]
            for stage in _stages(registration, namespace, environment):
                options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(needs), hooks=hooks)
                needs += [apply(_name(name, key, item), item, options) for item in stage]
            made.append(place.metadata["name"])  # type: ignore[attr-defined]  # a Namespace
        self.namespaces = pulumi.Output.all(*made)
        self.register_outputs({"namespaces": self.namespaces})


_RIGHTS = ("RoleBinding",)
_ATTEMPTS = 20
"""How often an object is sent, a second apart."""


async def until_contract_is_read(failed: pulumi.ErrorHookArgs) -> bool:
    """Whether to send an object again: the API server watches contracts, and refuses objects until it has seen a new
    one."""
    again = "no params found" in failed.errors[0] and len(failed.errors) < _ATTEMPTS
    if again:
        await asyncio.sleep(1)
    return again


def _stages(registration: Registration, namespace: str, environment: Environment) -> list[list[Manifest]]:
    """The contract, which admission policies ask for; what isolates the tenant; and last, who may work there."""
    isolation = namespace_manifests(registration, namespace, environment)
    return [
        [contract(registration, namespace, environment)],
        [item for item in isolation if item["kind"] not in _RIGHTS],
        [item for item in isolation if item["kind"] in _RIGHTS],
    ]


def _name(tenant: str, key: str, item: Manifest) -> str:
    return child(tenant, f"{key}-{item['kind'].lower()}", item["metadata"]["name"])
