import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc.aio
import pulumi
import pytest
from google.protobuf import struct_pb2
from pulumi.provider.experimental import provider as sdk
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from lab.plugins import resource_server
from lab.plugins.resource_server import DiffRequest, ResourceError, Resources, own_type, respond
from lab.plugins.values import plain_map

Ask = Callable[[Any], Coroutine[Any, Any, Any]]


def _with_engine(provider: Resources, ask: Ask) -> Any:
    """Ask a served provider as the engine does, over gRPC."""

    async def scenario() -> Any:
        server = grpc.aio.server(interceptors=[resource_server._Answers()])
        servicer = resource_server._Servicer([], "1.2.3", provider, "127.0.0.1:1")
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                return await ask(provider_pb2_grpc.ResourceProviderStub(channel))
        finally:
            await server.stop(0)

    return asyncio.run(scenario())


def _failing(error: Exception) -> Resources:
    class Failing(Resources):
        async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:  # noqa: ARG002
            raise error

    return Failing()


async def _ask_create(stub: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Create(provider_pb2.CreateRequest(urn="urn:pulumi:lab::p::a:b:C::n"))
    return caught.value


def test_an_error_reaches_the_user_without_the_plugins_traceback() -> None:
    error = _with_engine(_failing(ResourceError("bad: do good")), _ask_create)
    assert error.details() == "bad: do good"


def test_an_error_is_of_a_kind_from_which_the_engine_knows_that_nothing_was_made() -> None:
    error = _with_engine(_failing(ResourceError("bad")), _ask_create)
    assert error.code() not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS)


def test_a_bug_of_the_plugin_says_where_it_is() -> None:
    error = _with_engine(_failing(KeyError("x")), _ask_create)
    assert "KeyError: 'x' (a bug of the plugin, test_resource_server.py:" in error.details()


@pytest.mark.parametrize("method", ["Diff", "DiffConfig"])
@pytest.mark.parametrize("changed", [True, False])
def test_the_engine_hears_whether_there_are_changes(method: str, changed: bool) -> None:
    class Same(Resources):
        async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:  # noqa: ARG002
            return sdk.DiffResponse(changes=changed)

        diff_config = diff

    async def ask(stub: Any) -> Any:
        return await getattr(stub, method)(provider_pb2.DiffRequest(urn="urn:pulumi:lab::p::a:b:C::n"))

    wanted = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
    assert _with_engine(Same(), ask).changes == wanted


def test_a_diff_gets_the_old_inputs() -> None:
    class Compares(Resources):
        async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
            assert isinstance(request, DiffRequest)
            old, new = plain_map(request.old_inputs), plain_map(request.new_inputs)
            return respond(old, new, lambda path: path == ("name",), delete_before_replace=True)

    async def ask(stub: Any) -> Any:
        old, new = struct_pb2.Struct(), struct_pb2.Struct()
        old.update({"name": "a", "size": 1})
        new.update({"name": "b", "size": 2})
        return await stub.Diff(provider_pb2.DiffRequest(urn="urn:pulumi:lab::p::a:b:C::n", old_inputs=old, news=new))

    answer = _with_engine(Compares(), ask)
    assert list(answer.replaces) == ["name"]
    assert answer.deleteBeforeReplace
    assert answer.detailedDiff["name"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert answer.detailedDiff["size"].kind == provider_pb2.PropertyDiff.UPDATE


def _asset(**fields: str) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    marks = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17"}
    struct.update({"source": {**marks, "hash": "abc", **fields}})
    return struct


def test_an_asset_keeps_its_hash_on_its_way_through_a_check() -> None:
    class Checks(Resources):
        async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
            assert isinstance(request.new_inputs["source"].value, pulumi.FileAsset)
            return sdk.CheckResponse(request.new_inputs)

    async def ask(stub: Any) -> Any:
        request = provider_pb2.CheckRequest(urn="urn:pulumi:lab::p::a:b:C::n", news=_asset(path="file.txt"))
        return await stub.Check(request)

    kept = _with_engine(Checks(), ask).inputs.fields["source"].struct_value.fields
    assert kept["hash"].string_value == "abc"


def test_an_asset_without_its_contents_is_compared_by_its_hash_and_survives_a_refresh() -> None:
    class Reads(Resources):
        async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
            assert isinstance(request, DiffRequest)
            return respond(plain_map(request.old_inputs), plain_map(request.new_inputs), lambda _: False)

    async def ask(stub: Any) -> Any:
        urn = "urn:pulumi:lab::p::a:b:C::n"
        same = await stub.Diff(provider_pb2.DiffRequest(urn=urn, old_inputs=_asset(), news=_asset()))
        read = await stub.Read(provider_pb2.ReadRequest(id="x", urn=urn, properties=_asset(), inputs=_asset()))
        return same.changes, read

    changes, read = _with_engine(Reads(), ask)
    assert changes == provider_pb2.DiffResponse.DIFF_NONE
    assert read.inputs == _asset()
    assert read.properties == _asset()


def test_the_type_of_a_components_child_is_its_own() -> None:
    assert (
        own_type("urn:pulumi:lab::p::a:index:Tenant$kubernetes:core/v1:Namespace::n") == "kubernetes:core/v1:Namespace"
    )
    assert own_type("urn:pulumi:lab::p::kubernetes:core/v1:Namespace::n") == "kubernetes:core/v1:Namespace"
