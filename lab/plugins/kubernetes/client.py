"""One cluster: connection, discovery and the five requests that the provider makes.

The official client library loads the kubeconfig, keeps the connections and authenticates. Its models are
left out: what the program says is what the API server gets.
"""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3.exceptions
import yaml
from kubernetes import client, config

from lab.plugins.kubernetes.errors import ApiError, UnknownKindError, UnreachableError, api_error
from lab.plugins.resource_server import ResourceError

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0  # the API server's own --request-timeout
_PARALLEL = 32  # the engine's usual --parallel on few cores; the API server allows 400 at once

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind as the cluster serves it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str) -> str:
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{scope}/{self.plural}/{name}"


@dataclass(frozen=True)
class Target:
    """Which object, in words and as a path."""

    kind: Kind
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return self.kind.path(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace + '/' if self.kind.namespaced else ''}{self.name}"


def read_kubeconfig(text: str | None) -> dict[str, Any]:
    """The kubeconfig given as contents or as a path; without one, the machine's default.

    Raises:
        ResourceError: it is neither a readable file nor a kubeconfig. Contents are never shown: they
            hold private keys.
    """
    text = text or os.environ.get("KUBECONFIG") or "~/.kube/config"
    contents = "\n" in text or text.lstrip().startswith("{")
    try:
        content = yaml.safe_load(text if contents else Path(text).expanduser().read_text())
    except OSError as error:
        raise ResourceError(f"kubeconfig {text}: {error.strerror}: give the contents or a file's path") from None
    except yaml.YAMLError:
        raise ResourceError("kubeconfig: not YAML or JSON: give the contents or a file's path") from None
    if not isinstance(content, dict) or not content.get("clusters"):
        raise ResourceError("kubeconfig: no clusters in it: set the provider's kubeconfig, or KUBECONFIG")
    return content


class Cluster:
    """All requests to one API server; discovery is asked once for each API group."""

    def __init__(self, kubeconfig: dict[str, Any], context: str | None = None) -> None:
        settings = client.Configuration()
        settings.connection_pool_maxsize = _PARALLEL
        settings.retries = False
        try:
            self._client = config.new_client_from_config_dict(  # type: ignore[no-untyped-call]
                kubeconfig, context=context, persist_config=False, client_configuration=settings
            )
        except config.ConfigException as error:
            raise ResourceError(f"kubeconfig: {error}") from None
        self.server = str(self._client.configuration.host)
        self._threads = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="api")
        self._kinds: dict[str, asyncio.Task[dict[str, Kind]]] = {}
        self._reached: asyncio.Task[Manifest] | None = None

    async def reach(self) -> None:
        """Ask once whether the API server answers at all.

        Raises:
            UnreachableError: it doesn't. The first who asked is told why; a stack of a hundred objects
                needs no hundred explanations.
        """
        first = self._reached is None
        if self._reached is None:
            self._reached = asyncio.create_task(self._ask("GET", "/version"))
        try:
            await self._reached
        except ApiError:
            return  # it answers, if only to say no
        except UnreachableError:
            if first:
                raise
            raise UnreachableError("cluster unreachable: see the first such error for the reason") from None

    async def target(self, manifest: Manifest) -> Target:
        """Where the manifest's object is.

        Raises:
            UnknownKindError: the cluster doesn't serve the kind.
        """
        metadata = manifest["metadata"]
        kind = await self.kind(manifest["apiVersion"], manifest["kind"])
        return Target(kind, str(metadata.get("namespace") or "default"), str(metadata["name"]))

    async def kind(self, api_version: str, name: str) -> Kind:
        """The kind; asks again when it isn't there: its definition may be new."""
        for known in (self._kinds.get(api_version), None):
            kinds = await (known or self._discover(api_version))
            if name in kinds:
                return kinds[name]
        raise UnknownKindError(
            f"the cluster has no kind {name} in {api_version}: install its CustomResourceDefinition first "
            "(depends_on), or correct apiVersion"
        )

    async def get(self, target: Target) -> Manifest | None:
        """The live object, or None."""
        try:
            return await self._ask("GET", target.path)
        except ApiError as error:
            if error.not_found:
                return None
            raise error.about(str(target), "") from None

    async def apply(self, target: Target, manifest: Manifest, *, manager: str, force: bool, dry_run: bool) -> Manifest:
        """Server-side apply; fields that `manager` applied before and are not in the manifest go away."""
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Warn"}
        if dry_run:
            query["dryRun"] = "All"
        try:
            return await self._ask("PATCH", target.path, query, manifest, "application/apply-patch+yaml")
        except ApiError as error:
            raise error.about(str(target), manager) from None

    async def delete(self, target: Target, *, propagation: str, uid: str | None) -> bool:
        """Ask for deletion; False when there is no such object (or already another of that name)."""
        body: Manifest = {"propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._ask("DELETE", target.path, {}, body, "application/json")
        except ApiError as error:
            if error.not_found or (uid and error.status == 409):
                return False
            raise error.about(str(target), "") from None
        return True

    async def _discover(self, api_version: str) -> dict[str, Kind]:
        async def ask() -> dict[str, Kind]:
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                answer = await self._ask("GET", path)
            except ApiError as error:
                if error.not_found:
                    return {}
                raise
            served = (entry for entry in answer["resources"] if "/" not in entry["name"])
            return {
                entry["kind"]: Kind(api_version, entry["kind"], entry["name"], entry["namespaced"]) for entry in served
            }

        task = asyncio.create_task(ask())
        self._kinds[api_version] = task
        return await task

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str | None = None,
    ) -> Manifest:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._request, method, path, query, body, content_type)

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None,
        body: Manifest | None,
        content_type: str | None,
    ) -> Manifest:
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {})
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS))
            content: bytes = answer.response.read() if answer.data is None else answer.data
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            cause = str(error).split(": ", 1)[-1] or type(error).__name__
            raise UnreachableError(
                f"cluster unreachable at {self.server}: {cause}: check that the API server runs and that the "
                "provider's kubeconfig names the right address"
            ) from None
        if not 200 <= answer.status < 300:
            raise api_error(answer.status, content)
        decoded = json.loads(content)
        return decoded if isinstance(decoded, dict) else {}
