"""What is wrong, or will surprise, with what watches a cluster."""

from components.core.finding import Finding
from components.monitoring.model import NODE_EXPORTER_PORT, MonitoringSpec


def monitoring_advice(spec: MonitoringSpec | None, *, firewall: bool) -> list[Finding]:
    """Advice where metrics of nodes are open to everybody who reaches them."""
    if spec is None or firewall:
        return []
    said = f"opens port {NODE_EXPORTER_PORT} of every node to everybody who reaches the node's address"
    remedy = "write nodeFirewall, or close the port in the provider's firewall for all but the nodes"
    return [Finding("monitoring-open", "monitoring", said, remedy, advice=True)]
