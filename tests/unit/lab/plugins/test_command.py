import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pulumi.provider.experimental import provider as sdk

from lab.plugins.command import ssh
from lab.plugins.command.provider import Command
from lab.plugins.resource_server import DiffRequest, ResourceError
from lab.plugins.values import UNKNOWN, Properties, plain, plain_map, wrap, wrap_map
from tests.support.sshd import listening

LOCAL = "command:local:Command"
REMOTE = "command:remote:Command"
QUIET = {"logging": "none"}


def _urn(token: str) -> str:
    return f"urn:pulumi:lab::p::{token}::node"


async def _create(provider: Command, token: str, inputs: Properties, *, preview: bool = False) -> Any:
    return await provider.create(sdk.CreateRequest(_urn(token), dict(inputs), 0, preview))


def _create_local(inputs: dict[str, Any], *, preview: bool = False) -> Any:
    return asyncio.run(_create(Command("127.0.0.1:1"), LOCAL, wrap_map({**QUIET, **inputs}), preview=preview))


def test_a_local_commands_output_is_kept_without_its_last_newline() -> None:
    created = _create_local({"create": "cat; echo to stderr >&2", "stdin": "hello\n"})
    assert plain(created.properties["stdout"]) == "hello"
    assert plain(created.properties["stderr"]) == "to stderr"


def test_a_local_command_runs_in_its_folder_with_its_environment_and_interpreter(tmp_path: Path) -> None:
    inputs = {"create": "import os; print(os.getcwd(), os.environ['GREETING'])", "interpreter": ["python3", "-c"]}
    created = _create_local({**inputs, "dir": str(tmp_path), "environment": {"GREETING": "hei"}})
    assert plain(created.properties["stdout"]) == f"{tmp_path} hei"


def test_a_preview_runs_nothing(tmp_path: Path) -> None:
    foretold = _create_local({"create": f"touch {tmp_path}/ran"}, preview=True)
    assert plain(foretold.properties["stdout"]) == UNKNOWN
    assert not (tmp_path / "ran").exists()


def test_a_failing_command_says_its_status_and_the_end_of_its_output() -> None:
    with pytest.raises(ResourceError) as caught:
        _create_local({"create": "seq 1 1000; echo oh no >&2; exit 3"})
    message = str(caught.value)
    assert message.startswith("Process exited with status 3")
    assert "oh no" in message
    assert "\n17\n" not in message


def test_nothing_is_shown_of_a_command_that_was_given_secrets() -> None:
    inputs = wrap_map({**QUIET, "create": "read a b; echo leak: $b; exit 1"})
    inputs["stdin"] = wrap("the password hunter2hunter2\n").with_secret(True)
    with pytest.raises(ResourceError) as caught:
        asyncio.run(_create(Command("127.0.0.1:1"), LOCAL, inputs))
    assert "hunter2" not in str(caught.value)


def test_what_the_program_names_fit_to_be_seen_is_shown_of_a_command_that_was_given_secrets() -> None:
    inputs = wrap_map({"logging": "stderr", "create": "read line; echo out: $line; echo err: $line >&2; exit 1"})
    inputs["stdin"] = wrap("hunter2hunter2").with_secret(True)
    with pytest.raises(ResourceError) as caught:
        asyncio.run(_create(Command("127.0.0.1:1"), LOCAL, inputs))
    message = str(caught.value)
    assert "err: [secret]" in message
    assert "\nout: [secret]" in message


def test_what_a_command_prints_is_secret_when_it_was_given_secrets() -> None:
    inputs = wrap_map({**QUIET, "create": "cat"})
    inputs["stdin"] = wrap("hush").with_secret(True)
    created = asyncio.run(_create(Command("127.0.0.1:1"), LOCAL, inputs))
    assert created.properties["stdout"].is_secret


def _update(olds: Properties, news: dict[str, Any]) -> Any:
    request = sdk.UpdateRequest(_urn(LOCAL), "id", dict(olds), wrap_map({**QUIET, **news}), 0, [], False)
    return asyncio.run(Command("127.0.0.1:1").update(request))


def test_an_update_runs_the_update_command_with_the_previous_output() -> None:
    first = _create_local({"create": "echo one"})
    second = _update(first.properties, {"create": "echo one", "update": "echo after $PULUMI_COMMAND_STDOUT"})
    assert plain(second.properties["stdout"]) == "after one"


def test_without_an_update_command_create_runs_again() -> None:
    first = _create_local({"create": "echo one"})
    assert plain(_update(first.properties, {"create": "echo two"}).properties["stdout"]) == "two"


def test_the_previous_output_is_withheld_where_the_program_says_so() -> None:
    first = _create_local({"create": "echo one"})
    news = {"create": "echo [$PULUMI_COMMAND_STDOUT]", "addPreviousOutputInEnv": False}
    assert plain(_update(first.properties, news).properties["stdout"]) == "[]"


def test_a_deletion_runs_the_delete_command_of_the_state(tmp_path: Path) -> None:
    state = _create_local({"create": "echo one", "delete": f"echo $PULUMI_COMMAND_STDOUT > {tmp_path}/bye"})
    request = sdk.DeleteRequest(_urn(LOCAL), "id", state.properties, 0)
    asyncio.run(Command("127.0.0.1:1").delete(request))
    assert (tmp_path / "bye").read_text() == "one\n"


def _diff(old: dict[str, Any], new: dict[str, Any]) -> sdk.DiffResponse:
    request = DiffRequest(_urn(REMOTE), "id", {}, wrap_map(new), [])
    request.old_inputs = wrap_map(old)
    return asyncio.run(Command("127.0.0.1:1").diff(request))


def test_changed_triggers_replace_and_a_changed_command_updates() -> None:
    old = {"create": "a", "triggers": ["1"]}
    assert _diff(old, {"create": "a", "triggers": ["2"]}).replaces == ["triggers[0]"]
    answer = _diff(old, {"create": "b", "triggers": ["1"]})
    assert answer.changes is True
    assert answer.replaces == []
    assert _diff(old, old).changes is False


def _check(token: str, inputs: dict[str, Any]) -> sdk.CheckResponse:
    return asyncio.run(Command("127.0.0.1:1").check(sdk.CheckRequest(_urn(token), {}, wrap_map(inputs), b"")))


def test_a_connection_gets_the_official_defaults() -> None:
    checked = plain_map(_check(REMOTE, {"connection": {"host": "192.0.2.11"}, "create": "true"}).inputs or {})
    assert checked["connection"] == {
        "host": "192.0.2.11",
        "port": 22,
        "user": "root",
        "dialErrorLimit": 10,
        "perDialTimeout": 15,
    }


def test_a_connections_credentials_are_secret_even_if_the_program_did_not_say_so() -> None:
    connection = {"host": "h", "privateKey": "k", "proxy": {"host": "p", "password": "w"}}
    checked = (_check(REMOTE, {"connection": connection, "create": "true"}).inputs or {})["connection"].value
    assert isinstance(checked, Mapping)
    assert checked["privateKey"].is_secret
    assert not checked["host"].is_secret
    proxy = checked["proxy"].value
    assert isinstance(proxy, Mapping)
    assert proxy["password"].is_secret


def test_what_the_program_leaves_out_stays_out_of_the_state_as_with_the_official_plugin() -> None:
    checked = plain_map(_check(REMOTE, {"connection": {"host": "192.0.2.11"}, "create": "true"}).inputs or {})
    assert set(checked) == {"connection", "create"}


def test_what_the_stand_in_cannot_do_is_refused() -> None:
    assert [failure.property for failure in _check(LOCAL, {"assetPaths": ["x"]}).failures or []] == ["assetPaths"]
    assert [failure.property for failure in _check(REMOTE, {"create": "true"}).failures or []] == ["connection"]
    with pytest.raises(ResourceError, match="only has"):
        _check("command:remote:CopyFile", {})


def test_only_files_and_folders_can_be_copied() -> None:
    inputs = {"connection": {"host": "h"}, "remotePath": "/x", "source": "text"}
    assert [failure.property for failure in _check("command:remote:CopyToRemote", inputs).failures or []] == ["source"]


class Server(asyncssh.SSHServer):
    """Lets in whoever has the one key; counts who comes."""

    allowed: asyncssh.SSHKey
    connections = 0

    def connection_made(self, conn: Any) -> None:  # noqa: ARG002
        type(self).connections += 1

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        return key == self.allowed.convert_to_public()


async def _serve_command(process: Any) -> None:
    command = process.command or ""
    if command == "power off":
        process.channel.get_connection().abort()
        return
    stdin = await process.stdin.read() if command in ("sh -s", "fail -s") else ""
    process.stdout.write(f"{command}: {stdin}\n")
    process.exit(3 if command in ("false", "fail -s") else 0)


@asynccontextmanager
async def _server() -> AsyncIterator[dict[str, Any]]:
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    decoy = asyncssh.generate_private_key("ecdsa-sha2-nistp256")

    class Here(Server):
        allowed = user_key

    async with asyncssh.listen(
        "127.0.0.1", 0, server_factory=Here, server_host_keys=[decoy, host_key], process_factory=_serve_command
    ) as listener:
        yield {
            "host": "127.0.0.1",
            "port": listener.get_port(),
            "user": "root",
            "privateKey": user_key.export_private_key().decode(),
            "hostKey": host_key.export_public_key().decode(),
            "dialErrorLimit": 3,
            "perDialTimeout": 2,
            "server": Here,
        }


def _remote(connection: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    given = {name: value for name, value in connection.items() if name != "server"}
    return wrap_map({**QUIET, "connection": given, "create": "sh -s", **inputs})


def test_a_remote_command_gets_its_script_on_standard_input() -> None:
    async def scenario() -> Any:
        async with _server() as server:
            return await _create(Command("127.0.0.1:1"), REMOTE, _remote(server, stdin="echo hello"))

    assert plain(asyncio.run(scenario()).properties["stdout"]) == "sh -s: echo hello"


def test_a_server_that_goes_while_the_command_runs_is_named_with_what_to_do() -> None:
    async def scenario() -> str:
        async with _server() as server:
            with pytest.raises(ResourceError) as caught:
                await _create(Command("127.0.0.1:1"), REMOTE, _remote(server, create="power off"))
            return str(caught.value)

    message = asyncio.run(scenario())
    assert message.startswith("root@127.0.0.1:")
    assert "the connection was lost while the command ran" in message
    assert "run again" in message


def test_a_wrong_host_key_fails_at_once_with_both_fingerprints_and_a_remedy() -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")

    async def scenario() -> tuple[str, int, str]:
        async with _server() as server:
            seen = asyncssh.import_public_key(server["hostKey"]).get_fingerprint()
            inputs = _remote({**server, "hostKey": other.export_public_key().decode()})
            with pytest.raises(ResourceError) as caught:
                await _create(Command("127.0.0.1:1"), REMOTE, inputs)
            return str(caught.value), server["server"].connections, seen

    message, connections, seen = asyncio.run(scenario())
    assert connections == 1
    assert seen in message
    assert other.get_fingerprint() in message
    assert "installed anew" in message


def test_a_refused_login_fails_at_once_and_never_shows_the_key() -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()

    async def scenario() -> tuple[str, int]:
        async with _server() as server:
            with pytest.raises(ResourceError) as caught:
                await _create(Command("127.0.0.1:1"), REMOTE, _remote({**server, "privateKey": other}))
            return str(caught.value), server["server"].connections

    message, connections = asyncio.run(scenario())
    assert connections == 1
    assert "login refused" in message
    assert "authorized_keys" in message
    assert other.splitlines()[1] not in message


def test_a_dead_agent_is_a_failure_as_with_the_official_provider(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, int]:
        async with _server() as server:
            inputs = _remote({**server, "agentSocketPath": str(tmp_path / "agent")})
            with pytest.raises(ResourceError) as caught:
                await _create(Command("127.0.0.1:1"), REMOTE, inputs)
            return str(caught.value), server["server"].connections

    message, connections = asyncio.run(scenario())
    assert connections == 0
    assert "does not answer (No such file or directory): unset SSH_AUTH_SOCK" in message


def test_an_unreachable_server_is_given_up_within_the_limits() -> None:
    async def scenario() -> str:
        async with _server() as server:
            connection = {**server, "dialErrorLimit": 2, "perDialTimeout": 1}
        with pytest.raises(ResourceError) as caught:  # the server has gone by now
            await _create(Command("127.0.0.1:1"), REMOTE, _remote(connection))
        return str(caught.value)

    assert "not reachable over SSH after 2 attempts: Connection refused" in asyncio.run(scenario())


def test_a_server_that_accepts_and_says_nothing_is_given_up_too() -> None:
    async def scenario() -> str:
        kept = []

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            kept.append((reader, writer))  # let go of, the connection would be closed from Python 3.13 on
            await asyncio.sleep(60)

        silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        connection = {"host": "127.0.0.1", "port": port, "dialErrorLimit": 1, "perDialTimeout": 0.3}
        with pytest.raises(ResourceError) as caught:
            await _create(Command("127.0.0.1:1"), REMOTE, _remote(connection))
        silent.close()
        return str(caught.value)

    assert "no answer within 0.3 s" in asyncio.run(scenario())


def test_a_failing_remote_command_says_where() -> None:
    async def scenario() -> str:
        async with _server() as server:
            with pytest.raises(ResourceError) as caught:
                await _create(Command("127.0.0.1:1"), REMOTE, _remote(server, create="false"))
            return str(caught.value)

    assert "Process exited with status 3: running 'false' on root@127.0.0.1" in asyncio.run(scenario())


def test_of_a_secret_connection_the_credentials_alone_are_blotted_out() -> None:
    async def scenario() -> str:
        async with _server() as server:
            secret_line = server["privateKey"].splitlines()[1]
            inputs = _remote(server, create="fail -s", stdin=f"/root of 127.0.0.1 has {secret_line}")
            inputs["connection"] = inputs["connection"].with_secret(True)  # as the SDK does
            with pytest.raises(ResourceError) as caught:
                await _create(Command("127.0.0.1:1"), REMOTE, inputs)
            return str(caught.value)

    assert "/root of 127.0.0.1 has [secret]" in asyncio.run(scenario())


def test_without_a_host_key_any_server_will_do_as_with_the_official_plugin() -> None:
    async def scenario() -> Any:
        async with _server() as server:
            connection = {name: value for name, value in server.items() if name != "hostKey"}
            return await _create(Command("127.0.0.1:1"), REMOTE, _remote(connection, stdin="x"))

    assert plain(asyncio.run(scenario()).properties["stdout"]) == "sh -s: x"


def test_many_commands_run_at_the_same_time() -> None:
    async def scenario() -> int:
        async with _server() as server:
            provider = Command("127.0.0.1:1")
            inputs = _remote({**server, "dialErrorLimit": 5, "perDialTimeout": 15}, stdin="x")
            done = await asyncio.gather(*(_create(provider, REMOTE, inputs) for _ in range(20)))
            return len({answer.resource_id for answer in done})

    assert asyncio.run(scenario()) == 20


def test_an_interrupted_command_ends_at_once(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    async def scenario() -> str:
        provider = Command("127.0.0.1:1")
        create = f"touch {begun}; exec sleep 9999"
        running = asyncio.create_task(_create(provider, LOCAL, wrap_map({**QUIET, "create": create})))
        while not begun.exists():
            await asyncio.sleep(0.01)
        await provider.stop()
        with pytest.raises(ResourceError) as caught:
            await running
        return str(caught.value)

    assert "interrupted" in asyncio.run(scenario())


@pytest.mark.parametrize(
    ("inputs", "remedy"),
    [
        ({"privateKey": "not a key"}, "not a private key"),
        ({"hostKey": "not a key"}, "write it as in"),
    ],
)
def test_a_key_that_cannot_be_read_is_named_but_not_shown(inputs: dict[str, str], remedy: str) -> None:
    async def scenario() -> None:
        async with ssh.connected(ssh.connection({"host": "192.0.2.1", **inputs})):
            pass

    with pytest.raises(ResourceError, match=remedy) as caught:
        asyncio.run(scenario())
    assert "not a key" not in str(caught.value)


def test_a_connection_never_shows_its_secrets() -> None:
    secrets = {"privateKey": "hush1", "password": "hush2", "privateKeyPassword": "hush3"}
    assert "hush" not in repr(ssh.connection({"host": "h", **secrets, "proxy": {"host": "p", **secrets}}))


def test_a_server_is_reached_through_a_bastion_whose_host_key_is_verified() -> None:
    async def ask(inputs: dict[str, Any]) -> str:
        async with ssh.connected(ssh.connection(inputs)) as opened:
            return str((await opened.run("echo here", input="\n")).stdout)

    with (
        listening(["127.0.0.2"], os.environ["PATH"]) as server,
        listening(["127.0.0.1"], os.environ["PATH"], key=server.private_key, forwards=True) as bastion,
    ):
        limits = {"privateKey": server.private_key, "dialErrorLimit": 1, "perDialTimeout": 5}
        proxy = {"host": "127.0.0.1", "port": bastion.port, "hostKey": bastion.host_key, **limits}
        inputs = {"host": "127.0.0.2", "port": server.port, "hostKey": server.host_key, "proxy": proxy, **limits}
        assert asyncio.run(ask(inputs)) == "here\n"
        with pytest.raises(ResourceError, match=f"127.0.0.1:{bastion.port}: wrong host key"):
            asyncio.run(ask(inputs | {"proxy": proxy | {"hostKey": server.host_key}}))
