"""Asks control planes when the newest snapshot of etcd was taken, and whether its timer runs."""

import time

from vds.backup.command import LATE, newest, problems_of
from vds.backup.running import ask
from vds.doctor.diagnosis import GatewayFinding
from vds.shared.stack import Opened

_ITEM = "backup of etcd"


def examine_backups(opened: Opened) -> list[GatewayFinding]:
    """One row; nothing of a cluster that has no backup, before there is a cluster, or without an SSH key."""
    bootstrap = opened.spec.bootstrap
    if bootstrap is None or bootstrap.cluster.backup is None or opened.admin is None or not opened.ssh_private_key:
        return []
    every, nodes = bootstrap.cluster.backup.every_minutes, bootstrap.control_planes
    answers = ask(opened, nodes, "status", [{"node": node.name} for node in nodes])
    now = time.time()
    if not any(one.found for one in answers):
        return [GatewayFinding(_ITEM, "unknown", "; ".join(one.problem for one in answers), "run the doctor again")]
    if problems := problems_of(answers, every, now):
        return [GatewayFinding(_ITEM, "fails", "; ".join(problems))]
    minutes = (now - newest(answers)) / 60
    return [GatewayFinding(_ITEM, "ok", f"the newest snapshot is {minutes:.0f} min old (limit {LATE * every} min)")]
