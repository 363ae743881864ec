"""The steps that make a lost control plane again on new machines. Each can be run again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from components.kubeadm import scripts
from components.kubeadm.backup.credentials import ACCESS_KEY
from components.kubeadm.backup.render import RUN_SECONDS, agent_program, settings
from components.kubeadm.credentials import CA_KEY, Credentials
from components.kubeadm.render import api_server
from components.kubeadm.scripts import member_script, script_without_secrets
from components.kubeadm.security import encryption
from components.kubeadm.security.encryption import ENCRYPTION_KEYS, write_script
from components.kubernetes_api import Api, ApiError, UnreachableError
from components.nodes.model import NodeSpec
from components.nodes.settings.script import RUN_SECONDS as SETTINGS_SECONDS
from components.nodes.settings.script import node_script
from vds.backup.running import PROGRAM, ask, given, made_by_us, wanted
from vds.shared.errors import IncompleteError, OperationError
from vds.shared.ssh import outputs_of
from vds.shared.stack import Opened

_ASK_SECONDS = 30
_API_SECONDS = 120
"""Until the endpoint in front of the API servers has found the one that has come back."""
_MARK = "/var/lib/vds-platform-cluster/restored-from"
"""On the first control plane, from the time when it is one again until the restore is done."""
_AGAIN = "correct that and run `vds restore` again: it continues from there"
Say = Callable[[str], None]


class Lost(NamedTuple):
    """Control planes that are lost."""

    nodes: Sequence[NodeSpec]
    from_snapshot: bool
    """Whether all are: then a snapshot makes the first one, and otherwise they join those that live."""


class Restore:
    """Makes the lost control planes of a stack again. `say` gets each line of progress."""

    def __init__(self, opened: Opened, say: Say) -> None:
        """Raises OperationError if another tool made the cluster, or the stack lacks its encryption keys."""
        self._opened, self._say = opened, say
        self.bootstrap = made_by_us(opened)
        self.first, *self.others = self.bootstrap.control_planes
        self._encryption_keys = opened.secret(ENCRYPTION_KEYS, "Secrets in etcd are encrypted with it")

    def lost(self) -> Lost:
        """Which control planes are lost. Changes nothing.

        Raises:
            OperationError: none is lost, or the first one is and others live.
        """
        control_planes = self.bootstrap.control_planes
        answers = self._run(control_planes, [scripts.IS_MEMBER] * len(control_planes), "sh -s", _ASK_SECONDS, "asking")
        known = {name: set(text.split()) for name, text in answers.items()}
        alive = [node for node in control_planes if "joined" in known[node.name]]
        lost = [node for node in control_planes if node not in alive]
        if "restored-from" in known[self.first.name]:
            return Lost(lost, from_snapshot=True)
        if alive and self.first in lost:
            raise OperationError(
                f"{names_of(alive)} still in the cluster, and its etcd is newer than every snapshot: nothing was "
                f"changed. Write {alive[0].name} before {self.first.name} in the stack file, and run this again: then "
                "the lost ones join it"
            )
        if not lost:
            raise OperationError(f"{names_of(alive)} still in the cluster: none is lost, and nothing was changed")
        return Lost(lost, from_snapshot=not alive)

    def refuse_without_secrets(self) -> None:
        """Raises OperationError if the stack has no backup, or lacks a secret that a restore from it needs."""
        wanted(self._opened)
        self._ca_key = self._opened.secret(CA_KEY, "the cluster is made again with its own authority")
        self._given = given(self._opened, self.first, decrypts=True)

    def prepare(self, nodes: Sequence[NodeSpec]) -> None:
        """Kernel settings, packages and the keys of Secrets, on all nodes at once."""
        requirements = self._opened.spec.node_requirements
        self._run(nodes, [node_script(node, requirements) for node in nodes], "sh -s apply", SETTINGS_SECONDS, "setup")
        texts = [script_without_secrets(self.bootstrap, node) for node in nodes]
        self._run(nodes, texts, "sh -s prepare", scripts.RUN_SECONDS, "packages")
        self._run(nodes, [self._keys(node) for node in nodes], "sh -s write", encryption.RUN_SECONDS, "encryption keys")
        self._say(f"{names_of(nodes)} set up, with packages and encryption keys")

    def _keys(self, node: NodeSpec) -> str:
        security, server = self.bootstrap.cluster.security, api_server(self.bootstrap, node)
        return write_script(node.name, server, first=node == self.first, security=security, keys=self._encryption_keys)

    def restore(self, snapshot: str) -> dict[str, Any]:
        """etcd's folder on the first control plane. Returns what is said of the snapshot."""
        [answer] = ask(self._opened, [self.first], "restore", [{**self._given, "object": snapshot}])
        if answer.problem:
            raise IncompleteError(f"{answer.problem}: {_AGAIN}")
        return answer.found

    def found_again(self) -> None:
        """The first control plane, by kubeadm, with the restored etcd and the cluster's own authority."""
        script = member_script(self.bootstrap, self.first, Credentials(), self._ca_key)
        self._run([self.first], [script], "sh -s authority", scripts.RUN_SECONDS, "authority")
        script = script_without_secrets(self.bootstrap, self.first)
        self._run([self.first], [script], "sh -s apply", scripts.RUN_SECONDS, "kubeadm")
        self._say(f"{self.first.name} is a control plane again")

    def join(self, api: Api, nodes: Sequence[NodeSpec]) -> None:
        """The other control planes, one after the other.

        Their Node objects stay, with labels and taints that the engine believes to be there. kubeadm refuses the name
        of a node that is Ready, so they are marked as lost. And it lets none join beside a dead member of etcd.
        """
        if not nodes:
            return
        for node in nodes:
            self._not_ready(api, node.name)
        script = script_without_secrets(self.bootstrap, self.first)
        names = " ".join(node.name for node in nodes)
        self._run([self.first], [script], f"sh -s forget {names}", scripts.RUN_SECONDS, "etcd's members")
        drawn = Credentials.drawn(secrets.choice)
        for verb, credentials in (("admit", drawn._replace(certificate_key="")), ("upload", drawn)):
            script = member_script(self.bootstrap, self.first, credentials)
            self._run([self.first], [script], f"sh -s {verb}", scripts.RUN_SECONDS, verb)
        for node in nodes:
            script = member_script(self.bootstrap, node, drawn)
            self._run([node], [script], "sh -s apply", scripts.RUN_SECONDS, "kubeadm")
            self._say(f"{node.name} is a control plane again")

    def _not_ready(self, api: Api, name: str) -> None:
        said = {"type": "Ready", "status": "Unknown", "reason": "Lost", "message": "vds restore makes it again"}
        deadline = time.monotonic() + _API_SECONDS
        while True:
            try:
                api.request("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": [said]}})
            except ApiError as error:
                if error.status == 404:
                    return
                raise IncompleteError(f"Node {name} can't be marked as lost ({error}): {_AGAIN}") from None
            except UnreachableError as error:
                if time.monotonic() > deadline:
                    raise IncompleteError(f"the API server's endpoint does not answer ({error}): {_AGAIN}") from None
                time.sleep(1)
            else:
                return

    def back_up_again(self) -> None:
        """The timer of snapshots on every control plane, which the engine believes to be there."""
        backup = self.bootstrap.cluster.backup
        if backup is None:
            return
        nodes, key = self.bootstrap.control_planes, self._opened.secret(ACCESS_KEY, "the bucket asks for it")
        texts = [
            agent_program({**settings(self.bootstrap, backup, node), "access_key": key}, installs=True)
            for node in nodes
        ]
        self._run(nodes, texts, f"{PROGRAM} install", RUN_SECONDS, "backup")

    def close(self) -> None:
        """From now on the cluster's etcd is newer than the snapshot: another restore is refused."""
        self._run([self.first], [f"rm -f {_MARK}"], "sh -s", _ASK_SECONDS, "ending the restore")

    def _run(
        self, nodes: Sequence[NodeSpec], texts: Sequence[str], program: str, seconds: float, what: str
    ) -> dict[str, str]:
        """What the nodes printed. Raises IncompleteError with every reason if one failed."""
        asked = outputs_of(self._opened, nodes, texts, seconds, program=program)
        failed = [
            run.errors if run.errors.startswith("node ") else f"node {run.node}: {what}: {run.errors[-1500:]}"
            for run, _ in asked
            if run.status != 0
        ]
        if failed:
            raise IncompleteError(*(f"{reason}: {_AGAIN}" for reason in failed))
        return {run.node: output for run, output in asked}


def names_of(nodes: Sequence[NodeSpec]) -> str:
    """For a message."""
    return ", ".join(node.name for node in nodes)
