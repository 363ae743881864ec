"""The life of a plain object: apply, wait, read back, compare, delete."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from pulumi.provider.experimental import provider as sdk

from lab.plugins.diff import Path
from lab.plugins.kubernetes import manifests
from lab.plugins.kubernetes.await_ready import SKIP_AWAIT, annotations, pending
from lab.plugins.kubernetes.client import Cluster, Kind, Target
from lab.plugins.kubernetes.drift import imported, live_inputs, readable
from lab.plugins.kubernetes.errors import ApiError, UnknownKindError, UnreachableError
from lab.plugins.kubernetes.settings import Settings
from lab.plugins.kubernetes.state import field_manager, foretold, manifest_of, mark_secret, outputs_of
from lab.plugins.resource_server import DiffRequest, IncompleteError, ResourceError, own_type, respond
from lab.plugins.values import (
    Properties,
    Unknown,
    has_unknown,
    plain_map,
    secret_texts,
    without_secrets,
    wrap_map,
)

Manifest = dict[str, Any]

_FIRST_LOOK_SECONDS, _SLOWEST_LOOK_SECONDS = 0.05, 1.0
_READY_SECONDS = 600.0  # the official provider's default for Deployments; customTimeouts change it
_GONE_SECONDS = 600.0
_DEFINITION_SECONDS = 10.0  # an Established definition takes a moment to show up in discovery
# Their dependents are to be gone too when they are gone.
_OWNERS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"}


class Objects:
    """All plain kinds of one cluster."""

    def __init__(self, cluster: Cluster, settings: Settings, stopped: asyncio.Event) -> None:
        self._cluster = cluster
        self._settings = settings
        self._stopped = stopped
        # Objects that the engine will delete before it makes them anew: at preview they are still there.
        self._to_be_replaced: set[tuple[str, str, str]] = set()

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Complete the inputs: name, namespace, secret marks."""
        if not self._settings.skip_update_unreachable:
            await self._cluster.reach()
        inputs = dict(request.new_inputs)
        new, old = plain_map(inputs), plain_map(request.old_inputs)
        failures = []
        if manifests.is_patch(own_type(request.urn), new):
            if not (new.get("metadata") or {}).get("name"):
                failures.append(sdk.CheckFailure("metadata.name", "a patch names the object that it patches"))
        else:
            new = manifests.with_name(new, old, request.name)
        failures += [
            sdk.CheckFailure(key, f"every object needs {key}") for key in ("apiVersion", "kind") if not new.get(key)
        ]
        if failures:
            return sdk.CheckResponse(inputs, failures)
        if await self._lacks_namespace(new, old):
            new["metadata"] = {**(new.get("metadata") or {}), "namespace": self._settings.namespace}
        return sdk.CheckResponse(mark_secret(new, wrap_map(new, inputs)))

    async def diff(self, request: DiffRequest) -> sdk.DiffResponse:
        """Compare inputs; the cluster is not asked."""
        old, new = manifest_of(plain_map(request.old_inputs)), manifest_of(plain_map(request.new_inputs))
        if old == new:
            return sdk.DiffResponse(changes=False)
        if manifests.is_patch(own_type(request.urn), new):
            return respond(old, new, lambda path: path[:2] in _IDENTITY_OF_PATCH)
        other_group = manifests.group_changed(old, new)

        def replaces(path: Path) -> bool:
            if path == ("apiVersion",):
                return other_group
            return manifests.force_new(new, path, mutable=self._settings.mutable)

        gone_first = manifests.same_place(old, new) and not manifests.is_autonamed(new)
        answer = respond(old, new, replaces, delete_before_replace=gone_first)
        if answer.delete_before_replace:
            self._to_be_replaced.add(_key(new))
        return answer

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        inputs = manifest_of(plain_map(request.properties))
        if request.preview and (has_unknown(inputs) or _key(inputs) in self._to_be_replaced):
            return sdk.CreateResponse(None, foretold(inputs, request.properties))
        patch = manifests.is_patch(own_type(request.urn), inputs)
        manager = field_manager(inputs, {})
        secret = secret_texts(request.properties)
        try:
            target = await self._target(inputs, wait=not request.preview)
            if not patch and not self._settings.upsert:
                await self._refuse_existing(target)
            live = await self._apply(target, inputs, manager, dry_run=request.preview)
        except (UnknownKindError, ApiError) as error:
            if request.preview and (isinstance(error, UnknownKindError) or error.not_found):
                # Its definition or its namespace is yet to be made by this very program.
                return sdk.CreateResponse(None, foretold(inputs, request.properties))
            raise ResourceError(without_secrets(str(error), secret)) from None
        if request.preview:
            return sdk.CreateResponse(None, foretold(live, request.properties))
        resource_id = manifests.resource_id(inputs, namespaced=target.kind.namespaced)
        live = await self._ready(target, inputs, live, request.timeout, resource_id, manager, request.properties)
        return sdk.CreateResponse(resource_id, outputs_of(live, manager, request.properties))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        inputs = manifest_of(plain_map(request.news))
        manager = field_manager(inputs, plain_map(request.olds))
        if request.preview and has_unknown(inputs):
            return sdk.UpdateResponse(foretold(inputs, request.news))
        secret = secret_texts(request.news)
        try:
            target = await self._target(inputs, wait=False)
            live = await self._apply(target, inputs, manager, dry_run=request.preview)
        except UnreachableError:
            if self._settings.skip_update_unreachable:
                return sdk.UpdateResponse(dict(request.olds))
            raise
        except (ApiError, UnknownKindError) as error:
            if request.preview and isinstance(error, UnknownKindError):
                return sdk.UpdateResponse(foretold(inputs, request.news))
            raise ResourceError(without_secrets(str(error), secret)) from None
        if not request.preview:
            live = await self._ready(target, inputs, live, request.timeout, request.resource_id, manager, request.news)
        return sdk.UpdateResponse(outputs_of(live, manager, request.news))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """The live object; nothing when it is gone. The inputs returned are those that would make it."""
        old_live, inputs = plain_map(request.properties), manifest_of(plain_map(request.inputs))
        manifest = inputs or manifest_of(old_live) or await self._from_id(request)
        await self._cluster.reach()
        try:
            target = await self._cluster.target(manifest)
        except UnknownKindError:
            return sdk.ReadResponse()
        live = await self._cluster.get(target)
        if live is None:
            return sdk.ReadResponse()
        manager = field_manager(manifest, old_live)
        before, now = readable(old_live, inputs), readable(live, inputs)
        inputs = live_inputs(inputs, before, now) if inputs else imported(live)
        like = dict(request.inputs)
        resource_id = manifests.resource_id(manifest, namespaced=target.kind.namespaced)
        checked = mark_secret(inputs, wrap_map(inputs, like))
        outputs = outputs_of(live, manager, checked)
        if reason := pending(inputs, live):
            raise IncompleteError(resource_id, outputs, checked, [f"{target}: not ready: {reason}"])
        return sdk.ReadResponse(resource_id, outputs, checked)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        old = plain_map(request.properties)
        manager = field_manager(old, old)
        try:
            await self._cluster.reach()
            try:
                target = await self._cluster.target(old)
            except UnknownKindError:
                return  # without its definition no such object can be left
            if manifests.is_patch(own_type(request.urn), old):
                await self._relinquish(target, old, manager)
                return
            uid = (old.get("metadata") or {}).get("uid")
            if await self._cluster.delete(target, propagation=_propagation(old), uid=uid):
                await self._gone(target, old, request.timeout, uid)
        except UnreachableError:
            if not self._settings.delete_unreachable:
                raise

    async def _lacks_namespace(self, new: Manifest, old: Manifest) -> bool:
        """Whether the kind lives in a namespace and none is given."""
        metadata = new.get("metadata") or {}
        if isinstance(metadata, Unknown) or "namespace" in metadata or has_unknown([new["apiVersion"], new["kind"]]):
            return False
        try:
            return (await self._cluster.kind(new["apiVersion"], new["kind"])).namespaced
        except UnknownKindError:
            # A definition yet to come, or gone: most are namespaced, and what was decided once stays.
            return "namespace" in (old.get("metadata") or {}) if old else True

    async def _target(self, inputs: Manifest, *, wait: bool) -> Target:
        deadline = time.monotonic() + (_DEFINITION_SECONDS if wait else 0)
        while True:
            try:
                return await self._cluster.target(inputs)
            except UnknownKindError:
                if time.monotonic() >= deadline or self._stopped.is_set():
                    raise
            await asyncio.sleep(_FIRST_LOOK_SECONDS * 4)

    async def _refuse_existing(self, target: Target) -> None:
        if await self._cluster.get(target) is not None:
            raise ApiError(
                409,
                "AlreadyExists",
                f"{target}: already exists and is not this program's: change its name, import it (option "
                f"import_), or change only some of its fields with {target.kind.name}Patch",
                [],
            )

    async def _apply(self, target: Target, inputs: Manifest, manager: str, *, dry_run: bool) -> Manifest:
        force = str(annotations(inputs).get("pulumi.com/patchForce", self._settings.patch_force)).lower()
        manifest = {key: value for key, value in inputs.items() if not key.startswith("__")}
        return await self._cluster.apply(target, manifest, manager=manager, force=force == "true", dry_run=dry_run)

    async def _ready(
        self,
        target: Target,
        inputs: Manifest,
        live: Manifest,
        timeout: float,
        resource_id: str,
        manager: str,
        like: Properties,
    ) -> Manifest:
        """The object once it is ready. It is made by now: failures from here on leave it incomplete."""
        started, pause = time.monotonic(), _FIRST_LOOK_SECONDS
        limit = timeout or _READY_SECONDS
        while reason := pending(inputs, live):
            waited = time.monotonic() - started
            if waited > limit or self._stopped.is_set():
                ending = "interrupted" if self._stopped.is_set() else f"not ready after {limit:.0f} s"
                outputs = outputs_of(live, manager, like)
                raise IncompleteError(resource_id, outputs, like, [f"{target}: {ending}: {reason}"])
            await self._pause(pause)
            pause = min(pause * 1.5, _SLOWEST_LOOK_SECONDS)
            try:
                now = await self._cluster.get(target)
            except ResourceError as error:
                outputs = outputs_of(live, manager, like)
                raise IncompleteError(resource_id, outputs, like, [str(error)]) from None
            if now is None:
                raise ResourceError(f"{target}: someone deleted it while it was becoming ready")
            live = now
        return live

    async def _gone(self, target: Target, old: Manifest, timeout: float, uid: str | None) -> None:
        if str(annotations(old).get(SKIP_AWAIT, "")).lower() == "true":
            return
        started, pause = time.monotonic(), _FIRST_LOOK_SECONDS
        limit = timeout or _GONE_SECONDS
        while True:
            live = await self._cluster.get(target)
            if live is None or (uid and live["metadata"].get("uid") != uid):
                return
            if time.monotonic() - started > limit or self._stopped.is_set():
                ending = "interrupted" if self._stopped.is_set() else f"still there after {limit:.0f} s"
                raise ResourceError(f"{target}: deletion asked for, {ending}: {_held_by(live)}")
            await self._pause(pause)
            pause = min(pause * 1.5, _SLOWEST_LOOK_SECONDS)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return

    async def _relinquish(self, target: Target, old: Manifest, manager: str) -> None:
        """Give up the patched fields: those that nobody else owns go, the object stays."""
        if await self._cluster.get(target) is None:
            return
        bare = {"apiVersion": old["apiVersion"], "kind": old["kind"], "metadata": {"name": target.name}}
        await self._cluster.apply(target, bare, manager=manager, force=False, dry_run=False)

    async def _from_id(self, request: sdk.ReadRequest) -> Manifest:
        """`namespace/name` or `name`, of the kind in the resource's type: all that an import knows."""
        api_version, kind = manifests.type_parts(own_type(request.urn))
        found: Kind = await self._cluster.kind(api_version, kind)
        namespace, _, name = request.resource_id.rpartition("/")
        metadata = {"name": name} | ({"namespace": namespace or "default"} if found.namespaced else {})
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


_IDENTITY_OF_PATCH = {("kind",), ("metadata", "name"), ("metadata", "namespace")}


def _key(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = manifest.get("metadata") or {}
    return (str(manifest.get("kind")), str(metadata.get("namespace")), str(metadata.get("name")))


def _propagation(old: Manifest) -> str:
    named = annotations(old).get("pulumi.com/deletionPropagationPolicy")
    if named:
        return str(named).capitalize()
    return "Foreground" if old.get("kind") in _OWNERS else "Background"


def _held_by(live: Mapping[str, Any]) -> str:
    finalizers = [
        *(live["metadata"].get("finalizers") or []),
        *((live.get("spec") or {}).get("finalizers") or []),
    ]
    conditions = (live.get("status") or {}).get("conditions") or []
    messages = [str(item["message"]) for item in conditions if item.get("message") and item.get("status") == "True"]
    reasons = ([f"finalizers {', '.join(map(str, finalizers))}"] if finalizers else []) + messages
    return "; ".join(reasons) or "nothing says why; look at its controller"
