"""Reading a fleet over SSH: one connection a node, and a node that refuses costs nobody else anything."""

import os
import shutil
import socket
import threading
from ipaddress import IPv4Address

import asyncssh
import pytest

from components.core.untrusted import printable
from components.nodes.model import NodeRequirements, NodeSpec, SshSpec
from components.nodes.preflight.verdict import findings, problems
from components.nodes.reading import _Reader, read_fleet
from components.nodes.settings.drift import UnreachableNode
from components.nodes.settings.readback import Readback
from components.nodes.settings.script import node_script
from tests.support.sshd import listening
from tests.support.stacks import host_key

DEMANDS = NodeRequirements("ebpf", "4.0", "the test")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the node script reads as root only")


def node(number: int, address: str, host_key: str) -> NodeSpec:
    return NodeSpec(
        name=f"osl-{number}",
        address=address,
        country="NO",
        provider={"name": "Lab", "country": "NO"},
        profiles=(),
        host_key=host_key,
    )


def read(nodes, port, key, ask="none", attempts=1, **ssh):
    scripts = {one.name: node_script(one, DEMANDS) for one in nodes}
    ssh = SshSpec(port=port, dial_seconds=30, dial_attempts=attempts, **ssh)
    return read_fleet(nodes, scripts, DEMANDS, ssh, key, ask=ask, window_seconds=0.5)


def test_a_node_is_read_and_surveyed_over_one_connection(monkeypatch):
    opened = []
    original = asyncssh.connect
    monkeypatch.setattr(
        asyncssh, "connect", lambda *words, **options: opened.append(words) or original(*words, **options)
    )
    with listening(["127.0.0.1"], os.environ["PATH"]) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key, ask="all")
    assert isinstance(fleet.readings["osl-1"], Readback)
    assert fleet.readings["osl-1"].verdict == "absent"
    assert fleet.surveys[0].get("kernel")["release"] == os.uname().release
    assert len(opened) == 1


def test_a_server_without_python_is_read_and_its_survey_says_what_to_install(tmp_path):
    for name in ("timeout", "sh", "cat", "date", "flock", "id", "mkdir", "mv", "readlink", "rm", "rmdir", "sync", "tr"):
        (tmp_path / name).symlink_to(shutil.which(name))
    with listening(["127.0.0.1"], str(tmp_path)) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key, ask="all")
    assert "apt-get install python3" in fleet.surveys[0].get("kernel")["unknown"]


def test_a_python_without_its_library_is_named_with_what_to_install(tmp_path):
    for name in ("timeout", "sh", "cat", "date", "flock", "id", "mkdir", "mv", "readlink", "rm", "rmdir", "sync", "tr"):
        (tmp_path / name).symlink_to(shutil.which(name))
    said = "Traceback (most recent call last):\\nModuleNotFoundError: No module named 'json'\\n"
    (tmp_path / "python3").write_text(f'#!/bin/sh\nprintf "{said}" >&2\nexit 1\n')
    (tmp_path / "python3").chmod(0o755)
    with listening(["127.0.0.1"], str(tmp_path)) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key, ask="all")
    said = "its python3 lacks the module json, as Debian's python3-minimal does: apt-get install python3"
    assert fleet.surveys[0].failure == said


def test_an_sshd_that_takes_no_more_connections_is_said_and_the_others_are_read():
    with (
        listening(["127.0.0.1"], os.environ["PATH"]) as server,
        socket.create_server(("127.0.0.2", server.port)) as full,  # as sshd does above MaxStartups
    ):

        def refuse() -> None:
            connection, _ = full.accept()
            connection.sendall(b"Exceeded MaxStartups\r\n")
            connection.close()

        threading.Thread(target=refuse, daemon=True).start()
        nodes = [node(1, "127.0.0.1", server.host_key), node(2, "127.0.0.2", server.host_key)]
        fleet = read(nodes, server.port, server.private_key)
    assert isinstance(fleet.readings["osl-1"], Readback)
    second = fleet.readings["osl-2"]
    assert isinstance(second, UnreachableNode)
    assert second.reason.startswith(f"127.0.0.2 port {server.port} could not be reached")


def private_key():
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()


def counted(monkeypatch, *errors):
    """The attempts to connect; the first ones end with these errors."""
    attempts, original = [], asyncssh.connect

    async def connect(*words, **options):
        attempts.append(words)
        if len(attempts) <= len(errors):
            raise errors[len(attempts) - 1]
        return await original(*words, **options)

    monkeypatch.setattr(asyncssh, "connect", connect)
    return attempts


def test_a_node_is_tried_as_often_as_the_engine_would_try_it(monkeypatch):
    with listening(["127.0.0.1"], os.environ["PATH"]) as server:
        nodes = [node(1, "127.0.0.1", server.host_key)]
        attempts = counted(monkeypatch, TimeoutError(), asyncssh.ConnectionLost("MaxStartups"))
        fleet = read(nodes, server.port, server.private_key, attempts=3)
        assert isinstance(fleet.readings["osl-1"], Readback)
        assert len(attempts) == 3
        attempts = counted(monkeypatch, *[OSError(113, "No route to host")] * 3)
        assert "No route to host" in read(nodes, server.port, server.private_key, attempts=3).readings["osl-1"].reason
        assert len(attempts) == 3


@pytest.mark.parametrize("error", [asyncssh.PermissionDenied("no"), asyncssh.HostKeyNotVerifiable("no")])
def test_a_server_that_says_no_is_asked_once(monkeypatch, error):
    attempts = counted(monkeypatch, *[error] * 3)
    fleet = read([node(1, "127.0.0.1", host_key("osl-1"))], 1, private_key(), attempts=3)
    assert isinstance(fleet.readings["osl-1"], UnreachableNode)
    assert len(attempts) == 1


def test_a_survey_that_its_node_had_to_end_says_so(tmp_path):
    for name in ("timeout", "sh", "cat", "date", "flock", "id", "mkdir", "mv", "readlink", "rm", "rmdir", "sync", "tr"):
        (tmp_path / name).symlink_to(shutil.which(name))
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 124\n")
    (tmp_path / "python3").chmod(0o755)
    with listening(["127.0.0.1"], str(tmp_path)) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key, ask="all")
    assert fleet.surveys[0].failure.startswith("it did not end its reading in time")


def test_a_key_that_is_none_is_every_nodes_reason():
    fleet = read([node(1, "127.0.0.1", host_key("osl-1"))], 1, "not a key")
    assert "is not an unencrypted SSH private key" in fleet.readings["osl-1"].reason
    assert fleet.surveys == ()


def test_a_node_that_is_silent_is_waited_for_once(monkeypatch):
    attempts = counted(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        one = node(1, "127.0.0.1", host_key("osl-1"))
        ssh = SshSpec(port=port, dial_seconds=1, dial_attempts=3)
        scripts = {"osl-1": node_script(one, DEMANDS)}
        fleet = read_fleet([one], scripts, DEMANDS, ssh, private_key(), ask="none", window_seconds=0.5)
    assert "no answer in time" in fleet.readings["osl-1"].reason
    assert len(attempts) == 1


CLOUD_IMAGE = """echo 'Please login as the user "debian" rather than the user "root".'; echo; exit 142"""


def test_a_cloud_images_answer_to_root_stops_the_run_and_says_what_to_write():
    with listening(["127.0.0.1"], os.environ["PATH"], forced=CLOUD_IMAGE) as server:
        nodes = [node(1, "127.0.0.1", server.host_key)]
        fleet = read(nodes, server.port, server.private_key)
    [stop] = problems(findings(fleet.surveys, nodes, DEMANDS))
    assert "its image lets debian log in and not root: write ssh.user: debian" in str(stop)


def test_a_cloud_images_answer_is_read_although_it_sleeps_as_long_as_a_reading_may_take(monkeypatch):
    monkeypatch.setattr("components.nodes.reading.READ_SECONDS", 1)
    with listening(["127.0.0.1"], os.environ["PATH"], forced=CLOUD_IMAGE.replace("exit", "sleep 3; exit")) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key)
    assert "write ssh.user: debian" in fleet.readings["osl-1"].reason


ODD = {
    "text": "echo hello",
    "number": "echo 5",
    "setting without its key": """echo '{"wanted":"1"}'; echo converged""",
    "service without its state": """echo '{"service":"swap"}'; echo converged""",
    "service that is none": """echo '{"service":"x","state":"drifted"}'; echo drifted""",
    "list": "echo '[]'; echo converged",
    "200,000 brackets": r"head -c 200000 /dev/zero | tr '\0' '['; echo; echo converged",
    "no verdict": """echo '{"module":"x","state":"loaded"}'""",
    "bytes that are no text": "head -c 1000 /dev/urandom",
    "escape sequences": r"printf '\033]0;converged\007\n'",
}


@pytest.mark.parametrize("script", ODD.values(), ids=ODD)
def test_a_node_that_prints_odd_lines_is_unreadable_and_the_others_are_read(script):
    """Finding 5: each of these ended the preview of the fleet with an IndexError."""
    forced = f"cat >/dev/null; {script}"
    with (
        listening(["127.0.0.1"], os.environ["PATH"]) as server,
        listening(["127.0.0.2"], os.environ["PATH"], key=server.private_key, forced=forced) as odd,
    ):
        second = node(2, "127.0.0.2", odd.host_key).model_copy(update={"ssh_port": odd.port})
        fleet = read([node(1, "127.0.0.1", server.host_key), second], server.port, server.private_key)
    assert isinstance(fleet.readings["osl-1"], Readback)
    found = fleet.readings["osl-2"]
    assert isinstance(found, UnreachableNode)
    assert found.reason.startswith(f"127.0.0.2 port {odd.port} can't be read: the node's script printed")
    assert found.reason == printable(found.reason)


def test_a_node_that_prints_without_end_is_cut_off(monkeypatch):
    """Finding 21."""
    monkeypatch.setattr("components.nodes.reading.READ_SECONDS", 60)
    with listening(
        ["127.0.0.1"], os.environ["PATH"], forced="cat >/dev/null; exec head -c 9000000 /dev/zero"
    ) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key)
    assert fleet.readings["osl-1"].reason.endswith("can't be read: it printed more than 4000000 bytes")


@pytest.mark.parametrize("method", ["_connect", "_check"])
def test_what_goes_wrong_with_one_node_stops_no_other(monkeypatch, method):
    original = getattr(_Reader, method)

    async def broken(self, node, *rest):
        if node.name == "osl-2":
            raise IndexError
        return await original(self, node, *rest)

    monkeypatch.setattr(_Reader, method, broken)
    with listening(["127.0.0.1", "127.0.0.2"], os.environ["PATH"]) as server:
        nodes = [node(number, f"127.0.0.{number}", server.host_key) for number in (1, 2)]
        fleet = read(nodes, server.port, server.private_key)
    assert isinstance(fleet.readings["osl-1"], Readback)
    assert fleet.readings["osl-2"].reason.endswith("can't be read (IndexError)")


def test_a_nodes_escape_sequences_do_not_reach_a_terminal():
    """Finding 28: `converged` was written over `drifted`."""
    said = r"printf '\033[2K\rconverged\n' >&2; exit 1"
    with listening(["127.0.0.1"], os.environ["PATH"], forced=f"cat >/dev/null; {said}") as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key)
    assert fleet.readings["osl-1"].reason == "its reading failed: \ufffd[2K converged"


SUDO = """#!/bin/sh
[ "$1" = -n ] || exit 9
shift
exec "$@"
"""
ASKS = "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"


def with_sudo(folder, text):
    (folder / "sudo").write_text(text)
    (folder / "sudo").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_another_user_than_root_reads_by_sudo(tmp_path):
    with listening(["127.0.0.1"], with_sudo(tmp_path, SUDO)) as server:
        fleet = read([node(1, "127.0.0.1", server.host_key)], server.port, server.private_key, "all", user="debian")
    assert isinstance(fleet.readings["osl-1"], Readback)
    assert fleet.surveys[0].get("kernel")["release"] == os.uname().release


def test_sudo_that_asks_for_a_password_stops_the_run_with_what_to_write(tmp_path):
    with listening(["127.0.0.1"], with_sudo(tmp_path, ASKS)) as server:
        nodes = [node(1, "127.0.0.1", server.host_key)]
        fleet = read(nodes, server.port, server.private_key, user="debian")
    [stop] = problems(findings(fleet.surveys, nodes, DEMANDS))
    assert "write 'debian ALL=(ALL) NOPASSWD: ALL' to /etc/sudoers.d/debian" in str(stop)


def test_a_node_is_read_through_the_bastion_at_its_address_for_ssh(monkeypatch):
    opened = []
    original = asyncssh.connect
    monkeypatch.setattr(
        asyncssh, "connect", lambda *words, **options: opened.append(words) or original(*words, **options)
    )
    with (
        listening(["127.0.0.2"], os.environ["PATH"]) as server,
        listening(["127.0.0.1"], os.environ["PATH"], key=server.private_key, forwards=True) as bastion,
    ):
        one = node(1, "192.0.2.11", server.host_key)
        one = one.model_copy(update={"ssh_address": IPv4Address("127.0.0.2"), "ssh_port": server.port})
        through = {"host": "127.0.0.1", "port": bastion.port, "host_key": bastion.host_key}
        fleet = read([one], 1, server.private_key, bastion=through)
        assert isinstance(fleet.readings["osl-1"], Readback)
        assert opened == [("127.0.0.1", bastion.port), ("127.0.0.2", server.port)]
        wrong = through | {"host_key": host_key("osl-1")}
        reading = read([one], 1, server.private_key, bastion=wrong, attempts=3).readings["osl-1"]
    assert reading.reason == f"the bastion 127.0.0.1 port {bastion.port} has another host key than the stack file"
    assert reading.untrusted
    assert len(opened) == 3, "another host key is not tried again"
