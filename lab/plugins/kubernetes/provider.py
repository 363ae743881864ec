"""The provider: configuration, and which resource is handled where."""

import asyncio
import json

from pulumi.provider.experimental import provider as sdk

from lab.plugins.install import sdk_version
from lab.plugins.kubernetes.client import Cluster, read_kubeconfig
from lab.plugins.kubernetes.objects import Objects
from lab.plugins.kubernetes.releases import RELEASE, Releases
from lab.plugins.kubernetes.settings import Settings, other_cluster, problems, settings
from lab.plugins.resource_server import DiffRequest, ResourceError, Resources, own_type
from lab.plugins.values import plain_map


class Kubernetes(Resources):
    """One cluster, as configured by one provider resource."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._stopped = asyncio.Event()
        self._objects_of_cluster: Objects | None = None
        self._releases_of_cluster: Releases | None = None

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002
        return sdk.GetSchemaResponse(json.dumps({"name": "kubernetes", "version": sdk_version("pulumi-kubernetes")}))

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        found = problems(plain_map(request.new_inputs))
        failures = [sdk.CheckFailure(name, reason) for name, reason in found.items()]
        return sdk.CheckResponse(request.new_inputs, failures or None)

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        assert isinstance(request, DiffRequest)  # noqa: S101  # what our server sends
        old, new = plain_map(request.old_inputs), plain_map(request.new_inputs)
        old.pop("version", None)
        new.pop("version", None)
        reason = other_cluster(old, new)
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return sdk.DiffResponse(changes=bool(changed), diffs=changed, replaces=[reason] if reason else [])

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        self._settings = settings(plain_map(request.args))
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        raise ResourceError(
            f"{request.tok}: this stand-in has no functions: write objects and Releases as resources, "
            "or install the official plugin"
        )

    async def call(self, request: sdk.CallRequest) -> sdk.CallResponse:
        raise ResourceError(f"{request.tok}: this stand-in has no methods: install the official plugin")

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return await self._handler(own_type(request.urn)).check(request)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        assert isinstance(request, DiffRequest)  # noqa: S101  # what our server sends
        return await self._handler(own_type(request.urn)).diff(request)

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        return await self._handler(own_type(request.urn)).create(request)

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        return await self._handler(own_type(request.urn)).read(request)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        return await self._handler(own_type(request.urn)).update(request)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        await self._handler(own_type(request.urn)).delete(request)

    async def stop(self) -> None:
        self._stopped.set()

    def _handler(self, type_token: str) -> Objects | Releases:
        if type_token == RELEASE:
            if self._releases_of_cluster is None:
                self._releases_of_cluster = Releases(self._settings)
            return self._releases_of_cluster
        if type_token.startswith(("kubernetes:helm.sh/", "kubernetes:yaml", "kubernetes:kustomize")):
            raise ResourceError(f"{type_token}: this stand-in has plain kinds and {RELEASE} only")
        if self._objects_of_cluster is None:
            cluster = Cluster(read_kubeconfig(self._settings.kubeconfig), self._settings.context)
            self._objects_of_cluster = Objects(cluster, self._settings, self._stopped)
        return self._objects_of_cluster
