"""Retries of an SSH connection."""

import asyncio
import io
import socket
from typing import Any
from unittest import mock

import asyncssh
import pytest

from components.nodes import connection
from components.nodes.connection import Server, agent_problem, connect, has_another_host_key, private_key
from tests.support.stacks import host_key

KEY = asyncssh.generate_private_key("ssh-ed25519")
SERVER = Server("192.0.2.1", 22, "root", host_key("osl-1"), dial_seconds=1, dial_attempts=3)


def attempts(monkeypatch: pytest.MonkeyPatch, error: Exception, *, seconds: float = 0, **options: Any) -> int:
    """How often a server that ends every attempt with this error is tried; each attempt takes some seconds."""
    now, tried = [0.0], []

    async def fail(*words: Any, **_: Any) -> None:
        tried.append(words)
        now[0] += seconds
        raise error

    async def pause(_: float) -> None:
        pass

    monkeypatch.setattr(asyncssh, "connect", fail)
    monkeypatch.setattr(connection.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(connection.asyncio, "sleep", pause)
    with pytest.raises(type(error)):
        asyncio.run(connect(SERVER, KEY, **options))
    return len(tried)


def test_a_refused_connection_is_retried_and_a_clear_answer_is_not(monkeypatch):
    assert attempts(monkeypatch, ConnectionRefusedError(111, "refused")) == 3
    assert attempts(monkeypatch, asyncssh.ConnectionLost("MaxStartups")) == 3
    assert attempts(monkeypatch, asyncssh.PermissionDenied("no")) == 1
    assert attempts(monkeypatch, asyncssh.HostKeyNotVerifiable("no")) == 1


def test_a_silent_host_is_retried_unless_the_caller_does_not_want_that(monkeypatch):
    assert attempts(monkeypatch, TimeoutError(), seconds=1) == 3
    assert attempts(monkeypatch, TimeoutError(), seconds=1, retry_silent=False) == 1


def test_another_host_key_is_recognised_in_both_of_its_forms():
    assert has_another_host_key(asyncssh.HostKeyNotVerifiable("no"))
    assert has_another_host_key(asyncssh.KeyExchangeFailed("No matching host key algorithm"))
    assert not has_another_host_key(asyncssh.KeyExchangeFailed("No matching cipher"))


def test_an_error_about_a_key_does_not_repeat_it():
    encrypted = KEY.export_private_key("pkcs8-pem", passphrase="hunter2").decode()
    for text in ("hunter2", encrypted):
        with pytest.raises(ValueError, match="not an unencrypted SSH private key") as caught:
            private_key(text)
        assert text not in str(caught.value)


def test_what_a_command_said_is_heard_also_if_it_ended_before_it_was_written_to():
    class Written(io.BytesIO):
        def write(self, _: Any) -> int:
            raise BrokenPipeError("Channel not open for sending")

    def heard(text: bytes) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        reader.feed_data(text)
        reader.feed_eof()
        return reader

    async def ended() -> connection.Done:
        process = mock.AsyncMock(stdin=Written(), stdout=heard(b"joined\n"), stderr=heard(b""), returncode=0)
        process.channel = mock.Mock()
        opened = mock.AsyncMock()
        opened.create_process.return_value = process
        return await connection.run(opened, "true", "", seconds=5)

    assert asyncio.run(ended()) == (0, "joined\n", "")


def test_an_agent_that_does_not_answer_is_a_problem_and_a_living_one_or_none_is_not(tmp_path):
    path = tmp_path / "agent"
    assert agent_problem("") == ""
    assert agent_problem(str(path)) == "No such file or directory"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(path))
        agent.listen()
        assert agent_problem(str(path)) == ""
    assert agent_problem(str(path)) == "Connection refused", "what is left of an agent that was killed"
    assert agent_problem("x" * 200) != ""
