"""Decides from a node's reading whether the engine must run its command again.

`remote.Command` has no read, so the engine cannot see that somebody changed a value by hand. The program
reads the nodes instead. A new `update` text makes the engine run the command again; for a node without drift
`ignoreChanges` keeps the text of the state, so nothing is updated. ADR 0002 has the alternatives.
"""

from typing import NamedTuple

from components.nodes.settings.readback import Readback
from components.nodes.settings.script import command


class UnreachableNode(NamedTuple):
    """A node that could not be read."""

    reason: str
    untrusted: bool = False
    """The server showed another host key: its command must run, and fail, rather than be skipped."""
    refused: bool = False
    """The server answered, and can't be set up as it is: the preflight stops the run."""


Reading = Readback | UnreachableNode | None
"""None: not read (`vds-platform:readNodes: false`)."""


class Rerun(NamedTuple):
    """What the engine gets for a node's command."""

    update: str
    """The command for updates. A text that differs from the state's causes one."""
    keep: bool
    """True: keep the state's text."""
    warning: str = ""
    """What the operator should know; empty if nothing."""


def judge(node: str, reading: Reading) -> Rerun:
    """Whether a node's command must run, although nothing in the stack file changed."""
    plain = command("apply")
    if reading is None:
        return Rerun(plain, keep=True)
    if isinstance(reading, UnreachableNode):
        if reading.untrusted:
            return Rerun(command("apply", "another-host-key"), keep=False, warning=f"node {node}: {reading.reason}")
        return Rerun(
            plain,
            keep=True,
            warning=f"node {node}: {reading.reason}; so it is not judged. If it was never set up, or the stack file "
            "changed for it, this run sets it up; otherwise this run does not touch it, even if it has drifted",
        )
    if reading.verdict == "converged":
        return Rerun(plain, keep=True)
    # The node's clock makes the text new: the same value changed by hand twice is corrected twice.
    again = command("apply", f"{reading.verdict}-{reading.at}")
    if reading.verdict == "drifted":
        found = "; ".join(reading.drifted)
        return Rerun(again, keep=False, warning=f"node {node} has drifted: {found}. This run corrects it")
    return Rerun(again, keep=False)
