"""The table of `vds tenant list`."""

from collections.abc import Sequence
from typing import Any

from components.stackfile.registered_cluster import RegisteredCluster
from components.stackfile.registration import RegistrationFile
from vds.tenant.folder import tenant_of


def rows(files: Sequence[RegistrationFile], cluster: RegisteredCluster | None) -> list[dict[str, Any]]:
    """One for each tenant, with a file or in the cluster. `cluster` is None where none was asked."""
    by_tenant = {tenant_of(file): file for file in files}
    running = set(cluster.namespaces.values()) if cluster else set()
    return [_row(name, by_tenant.get(name), cluster) for name in sorted({*by_tenant, *running})]


def _row(tenant: str, file: RegistrationFile | None, cluster: RegisteredCluster | None) -> dict[str, Any]:
    registration = file.registration if file else None
    here = cluster is not None and file is not None and file.environment == cluster.known.environment.environment
    in_cluster = cluster.of(tenant) if cluster and (here or file is None) else None
    namespaces = registration.namespace_names if registration else in_cluster or ()
    if file is None:
        state = "no file"
    elif registration is None:
        state = "file has mistakes"
    elif in_cluster is None:
        state = "not asked"
    else:
        state = "registered" if set(in_cluster) == set(namespaces) else "not up to date" if in_cluster else "new"
    return {
        "tenant": tenant,
        "environment": file.environment if file else cluster.known.environment.environment if cluster else None,
        "namespaces": list(namespaces),
        "domains": list(registration.domains) if registration else [],
        "state": state,
    }
