"""The provider: chooses the handler of a resource and shows lines while a command runs."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as sdk

from lab.plugins.command.commands import Commands
from lab.plugins.command.copies import Copies
from lab.plugins.command.display import Display
from lab.plugins.command.run import run_local, run_remote
from lab.plugins.install import sdk_version
from lab.plugins.resource_server import DiffRequest, ResourceError, Resources, own_type

_Answer = TypeVar("_Answer")


class Command(Resources):
    """Needs no configuration. Nothing is read back: what a command left behind only it could say."""

    def __init__(self, engine: str) -> None:
        self._display = Display(engine)
        show = self._display.show
        self._tasks: set[asyncio.Future[Any]] = set()
        self._resources: dict[str, Commands | Copies] = {
            "command:remote:Command": Commands(run_remote, show, remote=True),
            "command:local:Command": Commands(run_local, show, remote=False),
            "command:remote:CopyToRemote": Copies(),
        }

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002
        return sdk.GetSchemaResponse(json.dumps({"name": "command", "version": sdk_version("pulumi-command")}))

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:  # noqa: ARG002
        return sdk.DiffResponse(changes=False)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:  # noqa: ARG002
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        raise ResourceError(f"{request.tok}: this stand-in has no functions: install the official plugin")

    async def call(self, request: sdk.CallRequest) -> sdk.CallResponse:
        raise ResourceError(f"{request.tok}: this stand-in has no methods: install the official plugin")

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return await self._handler(own_type(request.urn)).check(request)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        assert isinstance(request, DiffRequest)  # noqa: S101  # what our server sends
        return await self._handler(own_type(request.urn)).diff(request)

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        return await self._interruptible(self._handler(own_type(request.urn)).create(request))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        return await self._interruptible(self._handler(own_type(request.urn)).update(request))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        await self._interruptible(self._handler(own_type(request.urn)).delete(request))

    async def stop(self) -> None:
        """Hang up on every command; what it did so far stays."""
        for task in list(self._tasks):
            task.cancel()

    async def _interruptible(self, work: Awaitable[_Answer]) -> _Answer:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            raise ResourceError("interrupted: the command may have done a part of its work") from None
        finally:
            self._tasks.discard(task)
            await self._display.drained()

    def _handler(self, type_token: str) -> Commands | Copies:
        try:
            return self._resources[type_token]
        except KeyError:
            known = ", ".join(sorted(self._resources))
            raise ResourceError(f"{type_token}: this stand-in only has {known}") from None
