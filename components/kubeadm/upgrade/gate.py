"""Says before an update which nodes it will upgrade, and stops it if they can't be upgraded."""

from collections.abc import Mapping

import pulumi

from components.core.finding import Finding
from components.kubeadm.model import Bootstrap
from components.kubeadm.render import packages
from components.kubeadm.upgrade.reading import NodeVersions, parse, question
from components.kubeadm.upgrade.rules import (
    cni_problems,
    joining_problems,
    removed_problems,
    running,
    skew_problems,
    steps,
)
from components.network.model import AnyCni
from components.nodes.preflight.gate import PreflightError
from components.nodes.reading import Question


def version_question(bootstrap: Bootstrap | None) -> Question | None:
    """What members of a cluster that kubeadm made are asked; None for another cluster."""
    return Question(question(packages(bootstrap.cluster), removed_apis=True), parse) if bootstrap else None


def require_upgradable(bootstrap: Bootstrap | None, cni: AnyCni, found: Mapping[str, NodeVersions]) -> dict[str, str]:
    """Log the plan of an upgrade. Returns each node that is behind the stack file, and with what.

    Raises:
        PreflightError: the versions that run can't be upgraded to the wanted ones. Nothing was changed.
    """
    if bootstrap is None:
        return {}
    problems = skew_problems(bootstrap.cluster.kubernetes_version, running(found))
    problems += joining_problems(bootstrap, found)
    problems += removed_problems(bootstrap.cluster.kubernetes_version, found)
    plan = steps(bootstrap, found)
    if plan:
        problems += cni_problems(cni)
    if problems:
        raise PreflightError(problems)
    if plan:
        lines = "".join(f"\n  {number}. {step}" for number, step in enumerate(plan, 1))
        order = (
            "nodes are upgraded one after the other; the first failure stops the upgrade, and the next run continues"
        )
        pulumi.log.info(f"{order}:{lines}")
        for node in [node.name for node in bootstrap.nodes if node.name not in found]:
            said = "did not say which versions it has, so it is not in the plan"
            pulumi.log.warn(str(Finding("upgrade-plan", f"node {node}", said, "make it answer over SSH, or remove it")))
    return {step.node: str(step) for step in plan}
