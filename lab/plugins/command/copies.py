"""Create, update and delete of a copy resource. Copied files stay after the resource is deleted."""

import secrets
from pathlib import Path

import pulumi
from pulumi.provider.experimental import provider as sdk

from lab.plugins.command.commands import with_defaults
from lab.plugins.command.ssh import connected, connection
from lab.plugins.resource_server import DiffRequest, ResourceError, respond
from lab.plugins.values import Properties, Unknown, plain, plain_map


class Copies:
    """`remote:CopyToRemote`, over SFTP. Archives are copied as they are, folders with all in them."""

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        inputs = dict(request.new_inputs)
        inputs["connection"], failures = with_defaults(inputs.get("connection"))
        source = plain(inputs["source"]) if "source" in inputs else None
        if not isinstance(source, pulumi.FileAsset | pulumi.FileArchive | Unknown):
            reason = "only a FileAsset or a FileArchive can be copied: write the content to a file first"
            failures.append(sdk.CheckFailure("source", reason))
        if "remotePath" not in inputs:
            failures.append(sdk.CheckFailure("remotePath", "where to?"))
        return sdk.CheckResponse(inputs, failures or None)

    async def diff(self, request: DiffRequest) -> sdk.DiffResponse:
        old, new = plain_map(request.old_inputs), plain_map(request.new_inputs)
        return respond(old, new, lambda path: path[0] == "triggers")

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        if request.preview:
            return sdk.CreateResponse(None, request.properties)
        await _copy(request.properties)
        return sdk.CreateResponse(request.name + secrets.token_hex(4), request.properties)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        if not request.preview:
            await _copy(request.news)
        return sdk.UpdateResponse(request.news)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """The official provider leaves the files too."""


async def _copy(properties: Properties) -> None:
    import asyncssh

    inputs = plain_map(properties)
    to = connection(inputs["connection"])
    source, target = Path(inputs["source"].path), str(inputs["remotePath"])
    if not source.exists():
        raise ResourceError(f"{source}: not there: correct source")
    async with connected(to) as server:
        try:
            async with server.start_sftp_client() as files:
                await files.put(str(source), target, recurse=source.is_dir(), preserve=False)
        except (asyncssh.SFTPError, asyncssh.ChannelOpenError) as error:
            raise ResourceError(f"{to}: copying {source} to {target}: {error.reason}") from None
