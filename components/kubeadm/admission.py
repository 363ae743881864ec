"""Lets nodes into the cluster while the engine adds them, and at no other time.

The engine calls these hooks before it creates a membership. What they bring to the first control plane is in no input
and no output of a resource, so the state never has it.
"""

import asyncio

import asyncssh
import pulumi

from components.core.names import PROJECT
from components.core.shell import as_root
from components.kubeadm.credentials import CA_KEY, Credentials
from components.kubeadm.model import Bootstrap
from components.kubeadm.scripts import IS_MEMBER, RUN_SECONDS, command, member_script
from components.nodes import connection
from components.nodes.connection import BastionError, connect, reason, run, server_of
from components.nodes.model import NodeSpec

_ASK_SECONDS = 30
"""For a question that a node answers at once."""
_MOST_CHARACTERS = 10_000
"""Of what a node says about a failure: its end, where the reason is."""


class AdmissionError(Exception):
    """A node can't be let in, or the cluster can't be made; the text has the node, the reason and what to do."""


class Admission:
    """What one run brings to the first control plane."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        credentials: Credentials,
        ca_key: pulumi.Output[str] | None,
        private_key: pulumi.Output[str],
    ) -> None:
        """`ca_key`: None in a configuration that does not have it any more."""
        self._bootstrap, self._credentials = bootstrap, credentials
        self._ca_key, self._private_key = ca_key, private_key
        self._first = bootstrap.control_planes[0]
        self._done: set[str] = set()
        self._turn = asyncio.Lock()
        always = pulumi.ResourceHookOptions(on_dry_run=True)
        self._makes_cluster = pulumi.ResourceHook("make-cluster", self.before_first, opts=always)
        self._joins = {
            role: pulumi.ResourceHook(f"admit-{role}", self._before(*verbs))
            for role, verbs in (("worker", ("admit",)), ("control-plane", ("admit", "upload")))
        }

    def hook_of(self, node: NodeSpec) -> pulumi.ResourceHookBinding:
        """What happens before the engine makes this node a member."""
        joins = self._joins["control-plane" if "control-plane" in node.roles else "worker"]
        return pulumi.ResourceHookBinding(before_create=[self._makes_cluster if node == self._first else joins])

    def credentials_of(self, node: NodeSpec) -> Credentials:
        """What this node joins with; nothing for the first, which joins nobody."""
        return Credentials() if node == self._first else self._credentials

    async def before_first(self, _args: pulumi.ResourceHookArgs) -> None:
        """Bring the authority's key to the node that makes the cluster, if the stack has no cluster yet.

        A membership that the state has lost, or a server that was installed anew, must not found a second cluster.
        """
        if self._ca_key is None:
            raise AdmissionError(
                f"{PROJECT}:{CA_KEY} is missing, and {self._first.name} makes the cluster with it: "
                f"run `pulumi config set --secret {PROJECT}:{CA_KEY} < ca.key`, and remove it after the update"
            )
        if pulumi.runtime.is_dry_run():
            return
        nodes = self._bootstrap.nodes
        answers = await asyncio.gather(*(self._run(node, IS_MEMBER, "", _ASK_SECONDS) for node in nodes))
        members = [node.name for node, said in zip(nodes, answers, strict=True) if "joined" in said.split()]
        if self._first.name in members:
            return
        if members:
            raise AdmissionError(
                f"{self._first.name} would make a new cluster, but {', '.join(members)} already in one: put a control "
                "plane that runs first in the stack file. If all control planes are lost, run `vds restore`. To make a "
                "new cluster of these nodes, remove them from the stack file, run `pulumi up`, and add them again"
            )
        key = await self._ca_key.future()
        await self._member(self._first, "authority", Credentials(), str(key))

    def _before(self, *verbs: str) -> "pulumi.resource_hooks.ResourceHookFunction":
        async def admit(_args: pulumi.ResourceHookArgs) -> None:
            async with self._turn:
                for verb in verbs:
                    if verb not in self._done:
                        key = self._credentials.certificate_key if verb == "upload" else ""
                        await self._member(self._first, verb, self._credentials._replace(certificate_key=key))
                        self._done.add(verb)

        return admit

    async def _member(self, node: NodeSpec, verb: str, credentials: Credentials, ca_key: str = "") -> None:
        script = member_script(self._bootstrap, node, credentials, ca_key)
        await self._run(node, command(verb), script, RUN_SECONDS + _ASK_SECONDS)

    async def _run(self, node: NodeSpec, line: str, script: str, seconds: float) -> str:
        """What a command line prints on a node. Raises AdmissionError."""
        server = server_of(node, self._bootstrap.ssh)
        try:
            key = connection.private_key(str(await self._private_key.future()))
            async with await connect(server, key) as opened:
                done = await run(opened, as_root(line, server.user), script, seconds=seconds)
        except ValueError as error:
            raise AdmissionError(str(error)) from None
        except (TimeoutError, OSError, asyncssh.Error) as error:
            where = error if isinstance(error, BastionError) else f"{server}: {reason(error)}"
            raise AdmissionError(f"node {node.name}: {where}: it must answer while nodes are added") from None
        if done.status != 0:
            failed = done.errors.strip()[-_MOST_CHARACTERS:] or "ended before it had done it"
            raise AdmissionError(f"node {node.name}: {failed}")
        return done.output
