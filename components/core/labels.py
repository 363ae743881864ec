"""Labels and annotations, in one place: selectors, policies and manifests must spell them alike."""

PREFIX = "vds-platform.no/"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "vds-platform"

TENANT = f"{PREFIX}tenant"
"""On a tenant's namespace: its name."""
TIER = f"{PREFIX}tier"
"""On a tenant's pods: `frontend`, `api`, `database`, …; the tier policies select by it."""

CORDONED = f"{PREFIX}cordoned-by-decommission"
"""On a Node that we cordoned because it left the stack file: ours to remove, unlike an operator's cordon."""
CANARY = f"{PREFIX}canary"
"""Annotation of a route: the name of the Service that is on trial."""
PLAIN_TEXT = f"{PREFIX}plain-text"
"""Annotation of a Gateway: JSON, by listener, `until` and `reason` of why it needs no TLS."""
GATEWAY_BUNDLE = f"{PREFIX}gateway-api"
"""Annotation of the Cilium operator's pods: the release of Gateway API's CRDs that it has seen."""

WAITED_FOR = f"{PREFIX}waited-for"
"""Annotation of a chart's own object: what an update waited for by writing it."""

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Set by the API server on every namespace; nobody can take another's."""


def managed(**extra: str) -> dict[str, str]:
    """The labels of an object that is ours; keyword arguments add short labels under our prefix."""
    return {MANAGED_BY: MANAGER, **{f"{PREFIX}{key}": value for key, value in sorted(extra.items())}}
