"""Serve a resource provider: what the SDK's own servicer lacks.

It adds errors without the plugin's traceback, old inputs in a diff, and assets whose contents the engine does not send.
"""

# ruff: noqa: N802 - names are the service's

import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import struct_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.core.unknown import SIGNATURE
from lab.plugins.diff import changes, text
from lab.plugins.serving import serve
from lab.plugins.values import Properties

_ASSETS = {"c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"}  # asset, archive


class ResourceError(Exception):
    """Says to the user what went wrong and what to do; the resource is as it was before."""


def own_type(urn: str) -> str:
    """A resource's own type; in its URN, and so in the SDK's `type`, those of its parents stand before it."""
    return urn.split("::")[2].rpartition("$")[2]


class DiffRequest(sdk.DiffRequest):
    """The SDK's, with the inputs that the resource was last made from."""

    old_inputs: Properties


class Resources(sdk.Provider):
    """A provider whose diff also gets the old inputs, and which can be told to stop."""

    async def stop(self) -> None:
        """Let go of what is still being waited for."""

    async def cancel(self) -> None:
        await self.stop()


def respond(
    old_inputs: dict[str, Any],
    new_inputs: dict[str, Any],
    replaces: Callable[[tuple[str | int, ...]], bool],
    *,
    delete_before_replace: bool = False,
) -> sdk.DiffResponse:
    """The diff of two sets of plain inputs, with a replacement where `replaces` says so of a path."""
    detailed = {}
    replaced = []
    for path, change in changes(old_inputs, new_inputs).items():
        name = text(path)
        kind = change.name
        if replaces(path):
            replaced.append(name)
            kind += "_REPLACE"
        detailed[name] = sdk.PropertyDiff(sdk.PropertyDiffKind[kind], input_diff=True)
    return sdk.DiffResponse(
        changes=bool(detailed),
        replaces=replaced,
        diffs=sorted({name.split(".")[0].split("[")[0] for name in detailed}),
        detailed_diff=detailed,
        delete_before_replace=delete_before_replace and bool(replaced),
    )


def serve_resources(provider: Resources, version: str, engine: str) -> None:
    """Serve the provider until the engine ends."""
    servicer = _Servicer([], version, provider, engine)
    add_to = provider_pb2_grpc.add_ResourceProviderServicer_to_server
    serve(lambda server: add_to(servicer, server), stop=provider.stop, interceptors=[_Answers()])


class _Servicer(ProviderServicer):
    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return _answer(await self._provider.diff(_diff_request(request)))

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        # The SDK's servicer answers "no changes" although the provider reported some.
        return _answer(await self._provider.diff_config(_diff_request(request)))

    async def Check(self, request: Any, context: Any) -> Any:
        _assets_as_hashes(request.olds)
        return _with_assets_of(request.news, await super().Check(request, context), "inputs")

    async def Create(self, request: Any, context: Any) -> Any:
        return _with_assets_of(request.properties, await super().Create(request, context), "properties")

    async def Update(self, request: Any, context: Any) -> Any:
        _assets_as_hashes(request.olds)
        return _with_assets_of(request.news, await super().Update(request, context), "properties")

    async def Read(self, request: Any, context: Any) -> Any:
        given = provider_pb2.ReadRequest()
        given.CopyFrom(request)
        _assets_as_hashes(request.properties)
        _assets_as_hashes(request.inputs)
        answer = await super().Read(request, context)
        return _with_assets_of(given.inputs, _with_assets_of(given.properties, answer, "properties"), "inputs")

    async def Delete(self, request: Any, context: Any) -> Any:
        _assets_as_hashes(request.properties)
        return await super().Delete(request, context)


def _diff_request(request: Any) -> DiffRequest:
    for struct in (request.olds, request.news, request.old_inputs):
        _assets_as_hashes(struct)
    typed = DiffRequest(
        request.urn,
        request.id,
        PropertyValue.unmarshal_map(request.olds),
        PropertyValue.unmarshal_map(request.news),
        list(request.ignoreChanges),
    )
    typed.old_inputs = PropertyValue.unmarshal_map(request.old_inputs)
    return typed


def _answer(difference: sdk.DiffResponse) -> Any:
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=provider_pb2.PropertyDiff.Kind.Value(one.kind.name), inputDiff=one.input_diff
        )
        for path, one in difference.detailed_diff.items()
    }
    return provider_pb2.DiffResponse(
        changes=some if difference.changes else none,
        replaces=difference.replaces,
        stables=difference.stables,
        deleteBeforeReplace=difference.delete_before_replace,
        diffs=difference.diffs,
        detailedDiff=detailed,
        hasDetailedDiff=bool(detailed),
    )


def _assets_as_hashes(struct: struct_pb2.Struct) -> None:
    """Replace assets by text with their hash: where old values are sent, the engine keeps contents back."""
    for value in struct.fields.values():
        _asset_as_hash(value)


def _asset_as_hash(value: struct_pb2.Value) -> None:
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        for item in value.list_value.values:
            _asset_as_hash(item)
    elif kind == "struct_value" and _is_asset(value):
        fields = value.struct_value.fields
        value.string_value = f"asset {fields['hash'].string_value}" if "hash" in fields else "asset"
    elif kind == "struct_value":
        _assets_as_hashes(value.struct_value)


def _is_asset(value: struct_pb2.Value) -> bool:
    fields = value.struct_value.fields
    return SIGNATURE in fields and fields[SIGNATURE].string_value in _ASSETS


def _has_asset(value: struct_pb2.Value) -> bool:
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return any(_has_asset(item) for item in value.list_value.values)
    if kind == "struct_value":
        return _is_asset(value) or any(_has_asset(item) for item in value.struct_value.fields.values())
    return False


def _with_assets_of(given: struct_pb2.Struct, answer: Any, name: str) -> Any:
    """The answer with properties that hold assets as they were given: the SDK's values lose the hash."""
    struct = getattr(answer, name)
    for key, value in given.fields.items():
        if key in struct.fields and _has_asset(value):
            struct.fields[key].CopyFrom(value)
    return answer


class _Answers(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Turns what a method raises into an answer that the engine shows as it is."""

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler.unary_unary

        async def answer(request: Any, context: Any) -> Any:
            try:
                return await method(request, context)
            except NotImplementedError as error:
                status = (grpc.StatusCode.UNIMPLEMENTED, str(error), ())
            except Exception as error:
                # While the SDK handles our error, it raises another one with a traceback in its text.
                status = _status(error.__context__ or error)
            await context.abort(*status)
            return None

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


def _status(error: BaseException) -> tuple[Any, str, tuple[Any, ...]]:
    if isinstance(error, ResourceError):
        # Not UNKNOWN or INTERNAL, because then the engine assumes that the resource may exist.
        return grpc.StatusCode.FAILED_PRECONDITION, str(error), ()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error} (a bug of the plugin, {where})", ()
