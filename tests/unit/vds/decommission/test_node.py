"""The connection to a node, against an SSH server on the loopback interface."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import asyncssh
import pytest

from components.nodes.decommission.document import Decommission
from vds.decommission.node import NodeServer, RefusedError, UnansweredError

HOST_KEY, OTHER_KEY, USER_KEY = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        return key == USER_KEY.convert_to_public()


async def _process(process: Any) -> None:
    script = await process.stdin.read()
    if script == "hang up":
        process.channel.get_connection().abort()
        return
    process.stdout.write(f"{process.command}: {script}\n")
    process.stderr.write("node osl-3: another run holds it\n")
    process.exit(4 if script == "busy" else 0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Served from a thread of its own, as the code under test has its own event loop."""
    ready, loop, found = threading.Event(), asyncio.new_event_loop(), []

    async def serve() -> None:
        listener = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=_Server, server_host_keys=[HOST_KEY], process_factory=_process
        )
        found.append(listener.get_port())
        ready.set()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(serve()), loop.run_forever()))
    thread.start()
    ready.wait()
    yield found[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def server(port: int, **changes: Any) -> NodeServer:
    facts = {
        "node": "osl-3",
        "address": "127.0.0.1",
        "port": port,
        "user": "root",
        "host_key": HOST_KEY.export_public_key().decode(),
        "dial_seconds": 2,
        "dial_attempts": 2,
        "script": "the script",
        "when_unreachable": "fail",
        "drain_seconds": 300,
        "gateway_namespace": "gw",
        "kubeconfig": "",
        "private_key": USER_KEY.export_private_key().decode(),
    }
    return NodeServer(Decommission.model_validate(facts | changes))


def test_the_script_is_told_to_remove_and_comes_on_standard_input(port):
    server(port).probe()
    assert server(port).remove() == "timeout -k 5 300 sh -s remove: the script\n"


def test_a_member_leaves_its_cluster_before_the_node_is_decommissioned(port):
    with pytest.raises(RefusedError, match="could not remove it from the cluster: node osl-3: another run holds it"):
        server(port, leaving_script="busy").remove()
    assert server(port, leaving_script="leave").remove().endswith(": the script\n")


def test_a_script_that_fails_says_why(port):
    with pytest.raises(RefusedError, match="could not decommission it: node osl-3: another run holds it"):
        server(port, script="busy").remove()


def test_a_connection_that_is_lost_half_way_is_no_silence(port):
    with pytest.raises(RefusedError, match="was lost"):
        server(port, script="hang up").remove()


def test_another_host_key_is_another_machine(port):
    with pytest.raises(UnansweredError, match="its host key differs"):
        server(port, host_key=OTHER_KEY.export_public_key().decode()).probe()


def test_a_refused_login_is_an_answer(port):
    with pytest.raises(RefusedError, match="does not let root in") as caught:
        server(port, private_key=OTHER_KEY.export_private_key().decode()).probe()
    assert "PRIVATE" not in str(caught.value)


def test_a_text_that_is_no_key_is_not_repeated(port):
    with pytest.raises(RefusedError, match="not an unencrypted SSH private key") as caught:
        server(port, private_key="hunter2hunter2").probe()
    assert "hunter2" not in str(caught.value)


def test_nobody_there_is_given_up_after_the_attempts():
    with pytest.raises(UnansweredError, match=r"^Connection refused$"):
        server(1, dial_seconds=1).remove()


def test_a_port_that_accepts_and_says_nothing_is_given_up_too():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnansweredError, match="no answer in time"):
        server(silent.getsockname()[1], dial_seconds=1, dial_attempts=1).probe()
