"""The components of tenants: a namespace bundle for each, and the rules for all."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply
from components.core.manifests import Manifest
from components.core.names import child, token
from components.tenancy.admission import admission_binding, admission_policy
from components.tenancy.model import TenantSpec
from components.tenancy.render import tenant_manifests


class Tenant(pulumi.ComponentResource):
    """A tenant's namespace, quota, limits, roles and network policies."""

    namespace: pulumi.Output[str]
    """Name of the namespace, known when the namespace exists."""

    def __init__(
        self,
        name: str,
        spec: TenantSpec,
        *,
        gateway_namespace: str | None,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """`gateway_namespace`: namespace of the data plane's pods, which tiers with `allowFrom: [gateway]` accept. None
        if Cilium is the gateway."""
        super().__init__(token("Tenant"), name)
        namespace, *fence = tenant_manifests(spec, gateway_namespace=gateway_namespace)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        made = apply(child(name, "namespace"), namespace, options)
        inside = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[made])
        for manifest in fence:
            apply(child(name, _ROLES[manifest["kind"]], _key(manifest)), manifest, inside)
        self.namespace = made.metadata["name"]  # type: ignore[attr-defined]  # a Namespace
        self.register_outputs({"namespace": self.namespace})


class TenantAdmission(pulumi.ComponentResource):
    """What the API server refuses in the namespaces of all tenants."""

    def __init__(self, name: str, *, provider: kubernetes.Provider, depends_on: Sequence[pulumi.Resource] = ()) -> None:
        super().__init__(token("TenantAdmission"), name)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        policy = apply(child(name, "policy"), admission_policy(), options)
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[policy])
        apply(child(name, "binding"), admission_binding(), after)
        self.register_outputs({})


_ROLES = {
    "CiliumNetworkPolicy": "traffic",
    "LimitRange": "limits",
    "NetworkPolicy": "traffic",
    "ResourceQuota": "quota",
    "Role": "role",
    "RoleBinding": "binding",
}


def _key(manifest: Manifest) -> str | None:
    """Name of the resource beside its role; None for the one that is named after the tenant."""
    name = str(manifest["metadata"]["name"])
    return None if name.startswith("tenant") else name
