"""The gRPC service of a language host: answers questions about a project, and runs its programs."""

# ruff: noqa: N802, ARG002 - names and arguments are the service's

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from lab.plugins.install import sdk_version
from lab.plugins.language.interpreter import NoInterpreterError, distributions, interpreter, packages
from lab.plugins.language.runner import ALREADY_REPORTED
from lab.plugins.serving import serve

_RUNNER = Path(__file__).with_name("runner.py")


class PythonHost(language_pb2_grpc.LanguageRuntimeServicer):
    """One per engine process; runs any number of programs and policy packs, and ends them with itself."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._children: set[asyncio.subprocess.Process] = set()

    async def Handshake(self, request: Any, context: Any) -> Any:
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    async def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=sdk_version("pulumi"))

    async def About(self, request: Any, context: Any) -> Any:
        python = await _interpreter(request.info, context)
        return language_pb2.AboutResponse(executable=str(python), version=sys.version.split()[0])

    async def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        found = packages(await _interpreter(request.info, context))
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(name=p.name, kind="resource", version=p.version, server=p.server)
                for p in found
            ]
        )

    async def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        found = packages(await _interpreter(request.info, context))
        return language_pb2.GetRequiredPluginsResponse(
            plugins=[
                plugin_pb2.PluginDependency(name=p.name, kind="resource", version=p.version, server=p.server)
                for p in found
            ]
        )

    async def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        found = distributions(await _interpreter(request.info, context))
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        )

    async def InstallDependencies(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Nothing to do: `setup.sh` has installed the project's requirements."""
        nothing: tuple[Any, ...] = ()
        for message in nothing:
            yield message

    async def Run(self, request: Any, context: Any) -> Any:
        python = await _interpreter(request.info, context)
        child = await self._start(
            python,
            {
                "kind": "program",
                "program": str(Path(request.info.program_directory) / request.info.entry_point),
                "pwd": request.pwd,
                "args": list(request.args),
                "config": dict(request.config),
                "secretKeys": list(request.configSecretKeys),
                "settings": {
                    "project": request.project,
                    "stack": request.stack,
                    "organization": request.organization,
                    "parallel": request.parallel,
                    "dry_run": request.dryRun,
                    "monitor": request.monitor_address,
                    "engine": self._engine,
                    "root_directory": request.info.root_directory,
                },
            },
        )
        # The program's output goes to our output, which the engine shows.
        code = await self._end(child)
        if code == ALREADY_REPORTED:
            return language_pb2.RunResponse(bail=True)
        if code != 0:
            return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}")
        return language_pb2.RunResponse()

    async def RunPlugin(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """A policy pack or component package: its own process in its folder, with its output streamed to the engine."""
        if request.kind not in ("analyzer", "resource"):
            said = f"this stand-in runs policy packs and component packages, no {request.kind} plugins"
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, said)
        python = await _interpreter(request.info, context)
        child = await self._start(
            python,
            {"kind": request.kind, "program": request.info.program_directory, "args": list(request.args)},
            cwd=request.info.program_directory,
            env=dict(entry.split("=", 1) for entry in request.env if "=" in entry) or None,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        messages: asyncio.Queue[Any] = asyncio.Queue()

        async def forward(stream: asyncio.StreamReader | None, field: str) -> None:
            while stream and (chunk := await stream.read(65536)):
                output: dict[str, Any] = {field: chunk}
                messages.put_nowait(language_pb2.RunPluginResponse(**output))

        async def forward_all() -> None:
            await asyncio.gather(forward(child.stdout, "stdout"), forward(child.stderr, "stderr"))
            messages.put_nowait(None)

        forwarding = asyncio.create_task(forward_all())
        try:
            while (message := await messages.get()) is not None:
                yield message
            yield language_pb2.RunPluginResponse(exitcode=await child.wait())
        finally:
            # Also when the engine closes the connection, which is how it ends a policy pack.
            forwarding.cancel()
            await self._end(child, now=True)

    async def Cancel(self, request: Any, context: Any) -> Any:
        await self.stop()
        return empty_pb2.Empty()

    async def stop(self) -> None:
        """End every program that still runs."""
        await asyncio.gather(*(self._end(child, now=True) for child in list(self._children)))

    async def _start(self, python: Path, request: dict[str, Any], **options: Any) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            str(python), "-u", str(_RUNNER), stdin=asyncio.subprocess.PIPE, **options
        )
        self._children.add(child)
        assert child.stdin is not None  # noqa: S101  # we asked for a pipe
        child.stdin.write(json.dumps(request).encode())
        child.stdin.close()
        return child

    async def _end(self, child: asyncio.subprocess.Process, *, now: bool = False) -> int:
        try:
            if now:
                _signal(child, signal.SIGTERM)
            return await child.wait()
        finally:
            _signal(child, signal.SIGKILL)
            self._children.discard(child)


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal a child that still runs, and leave its exit status to the event loop.

    Not `child.terminate()`: that polls first. A child that has just ended, as a policy pack does when the engine
    hangs up, would lose its status to the poll, and asyncio warn of an unknown child process and report 255.
    """
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)


async def _interpreter(info: Any, context: Any) -> Path:
    try:
        return interpreter(json_format.MessageToDict(info.options), Path(info.root_directory))
    except NoInterpreterError as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        raise


def main() -> None:
    """Serve until the engine interrupts us; the engine's address is the last argument."""
    host = PythonHost(engine=sys.argv[-1])
    add_to = language_pb2_grpc.add_LanguageRuntimeServicer_to_server
    serve(lambda server: add_to(host, server), stop=host.stop)
