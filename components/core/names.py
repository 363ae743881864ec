"""Names that several places use. Names in the state must never change; a test fails if one does."""

PROJECT = "vds-platform"

CANARY_RECORD = "canary."
"""How the name of a canary's record begins, a Lease in the route's namespace; the route's name is the rest."""
KUBE_SYSTEM = "kube-system"
REBOOT_LEASE = "vds-platform-reboot"
"""The Lease in kube-system that the process holds which reboots nodes."""
METALLB_SYSTEM = "metallb-system"
MONITORING_SYSTEM = "monitoring-system"
"""Of Prometheus and Alertmanager."""
PROMETHEUS_PODS = {"app.kubernetes.io/name": "prometheus"}
"""Labels of Prometheus' pods there."""
NODE_EXPORTER = "node-exporter"
"""Of node-exporter alone, whose pods are in the network of their nodes."""
TIGERA_OPERATOR = "tigera-operator"

CILIUM_CONFIG = "cilium-config"
"""The ConfigMap, in kube-system, that every Cilium agent of any installation reads."""

PYTHON = ".venv/bin/python"
"""Relative to the project, where the engine starts its plugins. `setup.sh` makes it; `Pulumi.yaml` names it too."""

RECORD = "vds-platform"
"""The ConfigMap in kube-system with the nodes of the stack file."""


def token(component: str) -> str:
    """The type token of a ComponentResource. It needs no aliases if the component is published as a package later."""
    return f"{PROJECT}:index:{component}"


def child(component: str, role: str, key: str | None = None) -> str:
    """The name of a component's child, `<component>-<role>[-<key>]`: by name, never by index."""
    return "-".join(part for part in (component, role, key) if part)


FOR_DNS = (
    "for DNS: namespaceSelector kubernetes.io/metadata.name: kube-system, podSelector k8s-app: kube-dns, port 53, UDP "
    "and TCP"
)
"""What a network policy must allow for DNS, in messages of policies."""
