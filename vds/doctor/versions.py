"""Whether the members of a cluster have the packages of the stack file."""

from collections.abc import Iterator, Mapping

from components.kubeadm.model import Bootstrap
from components.kubeadm.upgrade.reading import NodeVersions
from components.kubeadm.upgrade.rules import running, skew_problems, steps
from vds.doctor.diagnosis import GatewayFinding


def examine_versions(bootstrap: Bootstrap | None, found: Mapping[str, NodeVersions]) -> Iterator[GatewayFinding]:
    """A row for each node that is behind, or one for all. Nothing if no node was asked."""
    if bootstrap is None or not found:
        return
    wrong = skew_problems(bootstrap.cluster.kubernetes_version, running(found))
    for one in wrong:
        yield GatewayFinding("versions", "fails", f"{one.subject}: {one.message}", one.remedy)
    behind = steps(bootstrap, found)
    for step in behind:
        remedy = "" if wrong else "run `pulumi up`, which upgrades it"
        yield GatewayFinding(f"node {step.node}", "fails", step.differences, remedy)
    if not wrong and not behind:
        yield GatewayFinding("versions", "ok", "members have the packages of the stack file")
