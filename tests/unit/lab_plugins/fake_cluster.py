"""An API server in memory: enough of server-side apply to show what the provider asks of it."""

from typing import Any

from lab.plugins.kubernetes.client import Kind, Target
from lab.plugins.kubernetes.errors import ApiError, UnknownKindError, UnreachableError

Manifest = dict[str, Any]


class FakeCluster:
    """Objects by path; `requests` counts what a real one would have been asked."""

    def __init__(self, *kinds: Kind, namespaces: tuple[str, ...] = ("default", "shop")) -> None:
        self.kinds = {(kind.api_version, kind.name): kind for kind in kinds} or {
            ("v1", "ConfigMap"): Kind("v1", "ConfigMap", "configmaps", True),
            ("v1", "Secret"): Kind("v1", "Secret", "secrets", True),
            ("v1", "Namespace"): Kind("v1", "Namespace", "namespaces", False),
            ("apps/v1", "Deployment"): Kind("apps/v1", "Deployment", "deployments", True),
        }
        self.namespaces = namespaces
        self.objects: dict[str, Manifest] = {}
        self.applied: list[tuple[Manifest, str, bool, bool]] = []
        self.requests = 0
        self.refusal: ApiError | None = None
        self.unreachable = False
        self.lingers = 0
        """How often a deleted object is still seen."""

    async def reach(self) -> None:
        if self.unreachable:
            raise UnreachableError("cluster unreachable")

    async def kind(self, api_version: str, name: str) -> Kind:
        if (api_version, name) not in self.kinds:
            raise UnknownKindError(f"no kind {name}")
        return self.kinds[(api_version, name)]

    async def target(self, manifest: Manifest) -> Target:
        kind = await self.kind(manifest["apiVersion"], manifest["kind"])
        metadata = manifest["metadata"]
        return Target(kind, metadata.get("namespace") or "default", metadata["name"])

    async def get(self, target: Target) -> Manifest | None:
        await self.reach()
        self.requests += 1
        live = self.objects.get(target.path)
        if live is not None and "deletionTimestamp" in live["metadata"]:
            self.lingers -= 1
            if self.lingers < 0:
                del self.objects[target.path]
                return None
        return live

    async def apply(self, target: Target, manifest: Manifest, *, manager: str, force: bool, dry_run: bool) -> Manifest:
        await self.reach()
        self.requests += 1
        if self.refusal:
            raise self.refusal.about(str(target), manager)
        if target.kind.namespaced and target.namespace not in self.namespaces:
            raise ApiError(404, "NotFound", f"namespaces {target.namespace!r} not found", [])
        self.applied.append((manifest, manager, force, dry_run))
        metadata = {**manifest["metadata"], "uid": f"uid of {target.name}", "managedFields": [{"manager": manager}]}
        live = {**manifest, "metadata": metadata}
        if not dry_run:
            self.objects[target.path] = live
        return live

    async def delete(self, target: Target, *, propagation: str, uid: str | None) -> bool:  # noqa: ARG002
        self.requests += 1
        live = self.objects.get(target.path)
        if live is None or (uid and live["metadata"].get("uid") != uid):
            return False
        live["metadata"]["deletionTimestamp"] = "now"
        return True
