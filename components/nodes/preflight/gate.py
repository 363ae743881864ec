"""Stops a run before anything changes if the preflight fails."""

from collections.abc import Sequence

import pulumi

from components.core.finding import Finding
from components.core.messages import in_full
from components.nodes.preflight.verdict import CheckResult, advice, problems


class PreflightError(pulumi.RunError):
    """All failures of all nodes and of the cluster. The engine shows the text; nothing was changed."""

    def __init__(self, found: Sequence[Finding]) -> None:
        self.problems = tuple(found)
        count, lines = in_full(found, "failure")
        super().__init__(f"the preflight has {count}; nothing was changed:{lines}")


def require_fit(found: Sequence[CheckResult]) -> None:
    """Stop if a required check fails or could not be made; log advice. Without results nothing happens.

    Raises:
        PreflightError: with every failure.
    """
    for violation in advice(found):
        pulumi.log.warn(str(violation))
    if failures := problems(found):
        raise PreflightError(failures)
