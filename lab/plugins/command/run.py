"""Run one command, locally or on a server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Any

from lab.plugins.command.output import Output
from lab.plugins.command.ssh import Connection, connected, connection
from lab.plugins.resource_server import ResourceError

_DEFAULT_INTERPRETER = ["/bin/sh", "-c"]
_POLITE_SECONDS = 2.0  # the engine gives a plugin five to end


async def run_remote(inputs: Mapping[str, Any], command: str, previous: Mapping[str, str], output: Output) -> None:
    """Run it on the server that the inputs' connection names.

    Raises:
        ResourceError: no connection or a lost one, a refused environment variable, or a command that fails.
    """
    import asyncssh

    to = connection(inputs["connection"])
    try:
        async with connected(to) as server:
            await _run_there(server, to, inputs, command, previous, output)
    except (asyncssh.Error, OSError) as error:
        raise ResourceError(
            f"{to}: the connection was lost while the command ran ({error}): look whether the server runs, and run "
            "again"
        ) from None


async def _run_there(
    server: Any,
    to: Connection,
    inputs: Mapping[str, Any],
    command: str,
    previous: Mapping[str, str],
    output: Output,
) -> None:
    environment = _texts(inputs.get("environment"))
    if environment:
        await _refuse_ignored(server, environment, str(to))
    # Send the previous output as variables. A server that does not accept them still runs the command.
    process = await server.create_process(command, env={**previous, **environment}, encoding="utf-8", errors="replace")
    await asyncio.gather(
        _feed(process.stdin, inputs.get("stdin")),
        _gather(process.stdout, "stdout", output),
        _gather(process.stderr, "stderr", output),
    )
    await process.wait_closed()
    ended_by = process.exit_signal[0] if process.exit_signal else None
    if process.exit_status != 0 or ended_by:
        raise ResourceError(output.failure(process.exit_status, ended_by, command, f" on {to}"))


async def run_local(inputs: Mapping[str, Any], command: str, previous: Mapping[str, str], output: Output) -> None:
    """Run it on this machine, with the environment of the engine."""
    interpreter: Sequence[str] = inputs.get("interpreter") or _DEFAULT_INTERPRETER
    try:
        process = await asyncio.create_subprocess_exec(
            *interpreter,
            command,
            cwd=inputs.get("dir"),
            env={**os.environ, **previous, **_texts(inputs.get("environment"))},
            stdin=asyncio.subprocess.PIPE if inputs.get("stdin") is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ResourceError(f"{interpreter[0]}: {error.strerror}: correct interpreter or dir") from None
    try:
        await asyncio.gather(
            _feed(process.stdin, inputs.get("stdin"), encode=True),
            _gather(process.stdout, "stdout", output),
            _gather(process.stderr, "stderr", output),
        )
        status = await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    if status != 0:
        ended_by = signal.Signals(-status).name if status < 0 else None
        raise ResourceError(output.failure(status, ended_by, command, ""))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command with all it started; first politely."""
    for number, patience in ((signal.SIGTERM, _POLITE_SECONDS), (signal.SIGKILL, None)):
        if process.returncode is None:
            os.killpg(process.pid, number)
        try:
            async with asyncio.timeout(patience):
                await process.wait()
                return
        except TimeoutError:
            continue


async def _refuse_ignored(server: Any, environment: Mapping[str, str], host: str) -> None:
    """SSH servers drop variables silently unless AcceptEnv names them: ask whether they arrived."""
    answer = await server.run(f"printenv {' '.join(sorted(environment))} >/dev/null", env=environment)
    if answer.exit_status != 0:
        raise ResourceError(
            f"{host}: the server does not accept the environment variables {', '.join(sorted(environment))}: name "
            "them in its sshd_config (AcceptEnv), or write them in the command: VAR=value command"
        )


async def _feed(stream: Any, text: Any, *, encode: bool = False) -> None:
    if stream is None:
        return
    try:
        if text is not None:
            stream.write(str(text).encode() if encode else str(text))
            await stream.drain()
        stream.write_eof()
    except OSError:
        return  # it ended without reading everything; its exit status shows whether that is an error


async def _gather(stream: AsyncIterable[str | bytes] | None, name: str, output: Output) -> None:
    if stream is not None:
        async for line in stream:
            if line:  # the last line, if it has no newline
                output.add(name, line.decode(errors="replace") if isinstance(line, bytes) else line)


def _texts(environment: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (environment or {}).items()}
