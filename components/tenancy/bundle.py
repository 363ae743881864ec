"""Everything that isolates registered tenants: what each namespace has, and what the cluster has once. Pure."""

from components.core import labels
from components.core.manifests import Manifest, secured_namespace
from components.tenancy.admission_policies import admission_manifests
from components.tenancy.admission_rules import PRIORITY
from components.tenancy.network import floor_manifests, network_manifests
from components.tenancy.quota import limit_spec, priority_spec, quota_spec
from components.tenancy.registered import in_namespace
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import SIZES, Registration
from components.tenancy.rights import OWNER_RIGHTS, rights_manifests, roles_manifests


def registered_namespace(registration: Registration, namespace: str) -> Manifest:
    """The namespace, with Pod Security `restricted`. Admission policies and network policies select by its labels."""
    return secured_namespace(namespace, labels={labels.TENANT: registration.tenant, labels.REGISTERED: "true"})


def namespace_manifests(registration: Registration, namespace: str, environment: Environment) -> list[Manifest]:
    """What isolates one namespace, in the order in which it is applied: before anything can run there. The namespace
    itself and its contract are not among it. `namespace` is its name in the cluster, as in butikk-prod."""
    quota, limits = SIZES[registration.size_of(namespace)]
    tenant = registration.tenant
    return [
        *network_manifests(registration, namespace, environment),
        in_namespace(tenant, namespace, "v1", "ResourceQuota", "tenant", spec=quota_spec(quota, OWNER_RIGHTS)),
        *_priorities(registration, namespace),
        in_namespace(tenant, namespace, "v1", "LimitRange", "tenant", spec=limit_spec(limits)),
        *rights_manifests(registration, namespace),
    ]


def cluster_manifests(environment: Environment) -> list[Manifest]:
    """What the cluster has once for all registered tenants, after the definition of contracts."""
    admission = admission_manifests(environment.versions.kubernetes)
    return [*admission, *floor_manifests(environment), *roles_manifests()]


def _priorities(registration: Registration, namespace: str) -> list[Manifest]:
    """A quota in place of the rule that refuses the cluster's own priorities, where an exception waives the rule."""
    if all(one.rule != PRIORITY for one in registration.exceptions):
        return []
    spec = priority_spec()
    return [in_namespace(registration.tenant, namespace, "v1", "ResourceQuota", "system-priorities", spec=spec)]
