"""Names that several places must agree on. A name in state is for ever: change one and a test fails."""

PROJECT = "vds-platform"

KUBE_SYSTEM = "kube-system"
METALLB_SYSTEM = "metallb-system"
TIGERA_OPERATOR = "tigera-operator"

CILIUM_CONFIG = "cilium-config"
"""The ConfigMap, in kube-system, that every Cilium agent of any installation reads."""

RECORD = "vds-platform"
"""The ConfigMap, in kube-system, that says which nodes the stack file has."""


def token(component: str) -> str:
    """The type token of a ComponentResource: publishing it as a package later then needs no aliases."""
    return f"{PROJECT}:index:{component}"


def child(component: str, role: str, key: str | None = None) -> str:
    """The name of a component's child, `<component>-<role>[-<key>]`: by name, never by index."""
    return "-".join(part for part in (component, role, key) if part)


FOR_DNS = (
    "for DNS: namespaceSelector kubernetes.io/metadata.name: kube-system, podSelector k8s-app: kube-dns, port 53, UDP "
    "and TCP"
)
"""What a network policy needs to name so that pods can ask for names: policies' messages say it."""
