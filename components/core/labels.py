"""Labels and annotations that selectors, policies and manifests share."""

PREFIX = "vds-platform.no/"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "vds-platform"

TENANT = f"{PREFIX}tenant"
"""On a tenant's namespace: its name."""
REGISTERED = f"{PREFIX}registered"
"""On a namespace that a registration made, with a Contract in it: `"true"`."""
EGRESS = "egress.vds-platform.no/"
"""Prefix of a label on a registered tenant's pods: with the name of an egress and `"true"`, the pod may call it."""

EDGE = f"{PREFIX}edge"
"""On nodes with the profile `edge`: `"true"`. Gateway pods and the announcer of addresses go there."""
CORDONED = f"{PREFIX}cordoned"
"""On a Node that we cordoned, because it left the stack file or is being upgraded. We remove such a cordon, and never
an operator's."""
REBOOTING = f"{PREFIX}rebooting"
"""Annotation of a Node that `vds reboot` has begun with: the boot id that it had before. The next run finishes it."""
CANARY = f"{PREFIX}canary"
"""Annotation of a route: the name of the canary's Service."""
CANARY_STEPS = f"{PREFIX}canary-steps"
"""Annotation of a route: the shares in percent that `vds canary` gives its canary one after the other, with commas."""
CANARY_PLAN = f"{PREFIX}canary-plan"
"""Annotation of the same route: the rest of its `canary` as JSON: `hold`, `interval`, `gates`, `abort`."""
PLAIN_TEXT = f"{PREFIX}plain-text"
"""Annotation of a Gateway: JSON, by listener, `until` and `reason` for plain text."""
CONFIGURATION = f"{PREFIX}configuration"
"""Annotation of pods: a checksum of their configuration, so that another one restarts them."""
GATEWAY_BUNDLE = f"{PREFIX}gateway-api"
"""Annotation of the Cilium operator's pods: the release of Gateway API's CRDs that it has seen."""

WAIT_FOR = "pulumi.com/waitFor"
"""Annotation that makes the Kubernetes provider wait: for a condition, or for a field. Without it a custom resource is
ready at once."""
WAITED_FOR = f"{PREFIX}waited-for"
"""Annotation of a chart's own object: writing it makes an update wait for something, which it names."""

PATCH_FORCE = "pulumi.com/patchForce"
"""Annotation for Pulumi's provider: take over fields that another writer has."""

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""On nodes that no address is announced from: kubeadm gives it to control planes."""

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Set by the API server on every namespace; it can't be set to another name."""


def managed(**extra: str) -> dict[str, str]:
    """The labels of a managed object; keyword arguments add labels under our prefix."""
    return {MANAGED_BY: MANAGER, **{f"{PREFIX}{key}": value for key, value in sorted(extra.items())}}
