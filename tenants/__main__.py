"""One registered tenant: its namespaces, and what isolates them. KUBECONFIG names the cluster."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubeadm.component import DestroyProtection
from components.residency.component import Residency
from components.stackfile.registration_config import load
from components.tenancy.registration.component import RegisteredTenant

registered = load()
residency = Residency("residency", registered.record, registered.state)
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(registered.kubeconfig),
    cluster_identifier=registered.environment.environment,  # another kubeconfig for the same cluster replaces nothing
)
tenant = RegisteredTenant(
    registered.registration, registered.environment, kubeconfig=registered.kubeconfig, provider=cluster
)
DestroyProtection("destroy-protection", depends_on=[residency, cluster, tenant])

pulumi.export("namespaces", tenant.namespaces)
