"""Asks every node whether updates arrive, and whether it must be rebooted."""

from collections.abc import Iterator
from datetime import UTC, datetime

from components.nodes.os_updates.model import OsUpdates
from components.nodes.os_updates.state import MISSED_WINDOWS
from vds.doctor.diagnosis import GatewayFinding
from vds.reboot.asking import Answer, ask
from vds.shared.stack import Opened


def examine_os_updates(opened: Opened) -> list[GatewayFinding]:
    """Two rows for each node; nothing where the stack file has no osUpdates, or without an SSH key."""
    updates = opened.spec.os_updates
    if updates is None or not opened.ssh_private_key:
        return []
    return [row for answer in ask(opened, opened.spec.nodes) for row in rows(answer, updates)]


def rows(answer: Answer, updates: OsUpdates) -> Iterator[GatewayFinding]:
    """Whether updates arrive on a node, and whether it must be rebooted."""
    arriving, reboot = f"node {answer.node}, updates", f"node {answer.node}, reboot"
    state = answer.state
    if state is None:
        yield GatewayFinding(arriving, "unknown", answer.problem, "run the doctor again")
        return
    if state.late:
        yield GatewayFinding(arriving, "fails", state.late)
    elif state.upgraded:
        hours = (state.now - state.upgraded) / 3600
        yield GatewayFinding(arriving, "ok", f"unattended-upgrades ended without an error {hours:.0f} h ago")
    else:
        yield GatewayFinding(arriving, "ok", "unattended-upgrades is on, and has its first run before it")
    if not state.must_reboot:
        if state.advice:
            yield GatewayFinding(reboot, "advice", state.advice)
        else:
            yield GatewayFinding(reboot, "ok", f"not required, kernel {state.kernel}")
        return
    said = f"required since {datetime.fromtimestamp(state.since, UTC):%Y-%m-%d}: {'; '.join(state.reasons)}"
    missed = state.missed(updates.window)
    if not missed:  # no advice: it would be an alarm with --strict, and nothing is late
        yield GatewayFinding(reboot, "ok", f"{said}; `vds reboot` does it in the window, {updates.window}")
        return
    said += f"; the window was open {missed} times since (limit {MISSED_WINDOWS - 1})"
    remedy = "look why the scheduled job `vds reboot` did not do it, and run `vds reboot --dry-run`"
    yield GatewayFinding(reboot, "fails" if missed >= MISSED_WINDOWS else "advice", said, remedy)
