"""What happens on the first control plane before the engine makes a member, over SSH to servers on loopback."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pulumi
import pytest

from components.kubeadm import admission
from components.kubeadm.admission import Admission, AdmissionError
from components.kubeadm.model import Bootstrap
from tests.support.bootstraps import CA_KEY, CREDENTIALS, bootstrap
from tests.support.sshd import listening

NODES = ("osl-cp-1", "osl-cp-2", "osl-w-1")


class Servers:
    """A folder for each node; `runs` has what it was asked to run, with its standard input."""

    def __init__(self, folder: Path, plan: Bootstrap, private_key: str) -> None:
        self.folder, self.plan, self.private_key = folder, plan, private_key

    def joined(self, node: str) -> None:
        """From now on this node is a member of a cluster."""
        (self.folder / node / "joined").touch()

    def runs(self, node: str) -> list[tuple[str, str]]:
        """Each verb of the member script that ran on this node, with the script."""
        files = sorted((self.folder / node).glob("run-*"), key=lambda file: file.stat().st_mtime_ns)
        return [(file.name.split("-")[2], file.read_text()) for file in files]

    def admission(self, ca_key: str | None = CA_KEY) -> Admission:
        key = None if ca_key is None else pulumi.Output.from_input(ca_key)
        return Admission(self.plan, CREDENTIALS, key, pulumi.Output.from_input(self.private_key))


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", lambda _hook: None)  # there is no engine
    plan, nodes, key = bootstrap(), [], ""
    with ExitStack() as stack:
        for number, name in enumerate(NODES, 1):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "timeout").write_text(f'#!/bin/sh\nexec cat >"{folder}/run-$$-$6"\n')
            (folder / "ls").write_text(f'#!/bin/sh\n[ ! -e "{folder}/joined" ] || echo joined\n')
            for tool in ("timeout", "ls"):
                (folder / tool).chmod(0o755)
            made = stack.enter_context(listening([f"127.0.0.{number}"], f"{folder}:/usr/bin:/bin", key=key))
            key = made.private_key
            node = next(node for node in plan.nodes if node.name == name)
            own = {"address": ip_address(f"127.0.0.{number}"), "ssh_port": made.port, "host_key": made.host_key}
            nodes.append(node.model_copy(update={**own, "ssh_address": None}))
        ssh = plan.ssh.model_copy(update={"user": "root", "dial_attempts": 1, "dial_seconds": 5, "bastion": None})
        yield Servers(tmp_path, plan._replace(nodes=tuple(nodes), ssh=ssh), key)


def create(servers: Servers, *names: str, ca_key: str | None = CA_KEY, preview: bool = False) -> None:
    """One run of the engine that makes these nodes members, all at the same time."""

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: preview)

    async def work() -> None:
        run = servers.admission(ca_key)
        nodes = {node.name: node for node in servers.plan.nodes}
        hooks = [hook for name in names for hook in run.hook_of(nodes[name]).before_create]
        await asyncio.gather(*(hook(None) for hook in hooks if not preview or (hook.opts and hook.opts.on_dry_run)))

    try:
        asyncio.run(work())
    finally:
        monkeypatch.undo()


def test_the_authoritys_key_is_brought_to_the_node_that_makes_the_cluster(servers):
    create(servers, "osl-cp-1")
    [(verb, text)] = servers.runs("osl-cp-1")
    assert verb == "authority"
    assert CA_KEY.strip() in text
    assert CREDENTIALS.bootstrap_token not in text
    assert servers.runs("osl-cp-2") == servers.runs("osl-w-1") == []


@pytest.mark.parametrize("member", ["osl-cp-2", "osl-w-1"])
def test_no_second_cluster_is_made_of_nodes_that_have_one(servers, member):
    """The first server was installed anew, its membership left the state, and the endpoint does not answer."""
    servers.joined(member)
    with pytest.raises(AdmissionError) as caught:
        create(servers, "osl-cp-1")
    assert f"osl-cp-1 would make a new cluster, but {member} already in one" in str(caught.value)
    assert servers.runs("osl-cp-1") == []


def test_no_cluster_is_made_while_a_node_does_not_say_whether_it_has_one(servers):
    nodes = [node.model_copy(update={"ssh_port": 1}) if node.name == "osl-w-1" else node for node in servers.plan.nodes]
    silent = Servers(servers.folder, servers.plan._replace(nodes=tuple(nodes)), servers.private_key)
    with pytest.raises(AdmissionError, match=r"node osl-w-1: 127.0.0.3 port 1: .* it must answer while"):
        create(silent, "osl-cp-1")
    assert servers.runs("osl-cp-1") == []


def test_a_first_control_plane_that_is_a_member_is_taken_as_it_is(servers):
    """Of a stack whose state was lost: its script makes no cluster, and needs no key."""
    for name in NODES:
        servers.joined(name)
    create(servers, "osl-cp-1")
    assert servers.runs("osl-cp-1") == []


@pytest.mark.parametrize("preview", [True, False])
def test_a_missing_key_of_the_authority_is_said_at_preview(servers, preview):
    with pytest.raises(AdmissionError, match="vds-platform:caKey is missing, and osl-cp-1 makes the cluster with it"):
        create(servers, "osl-cp-1", ca_key=None, preview=preview)
    create(servers, "osl-w-1", ca_key=None)


def test_a_preview_lets_nobody_in(servers):
    create(servers, *NODES, preview=True)
    assert servers.runs("osl-cp-1") == []


def test_workers_are_let_in_without_the_clusters_certificates(servers):
    create(servers, "osl-w-1")
    [(verb, text)] = servers.runs("osl-cp-1")
    assert verb == "admit"
    assert CREDENTIALS.bootstrap_token in text
    assert CREDENTIALS.certificate_key not in text
    assert "PRIVATE KEY" not in text


def test_nodes_that_are_added_together_are_let_in_once(servers):
    create(servers, "osl-w-1", "osl-cp-2", "osl-w-1", "osl-cp-2")
    assert sorted(verb for verb, _ in servers.runs("osl-cp-1")) == ["admit", "upload"]
    assert CREDENTIALS.certificate_key in dict(servers.runs("osl-cp-1"))["upload"]


def test_what_failed_on_the_node_is_said(servers):
    (servers.folder / "osl-cp-1/timeout").write_text("#!/bin/sh\necho 'node osl-cp-1: kubeadm failed' >&2\nexit 5\n")
    with pytest.raises(AdmissionError, match="node osl-cp-1: kubeadm failed"):
        create(servers, "osl-w-1")


def test_a_node_that_says_much_is_quoted_to_a_limit(servers, monkeypatch):
    monkeypatch.setattr(admission, "_MOST_CHARACTERS", 100)
    (servers.folder / "osl-cp-1/timeout").write_text("#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x >&2\nexit 5\n")
    with pytest.raises(AdmissionError) as caught:
        create(servers, "osl-w-1")
    assert str(caught.value) == f"node osl-cp-1: {'x' * 100}"
