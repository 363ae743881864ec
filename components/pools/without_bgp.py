"""Removal of what only FRR reads, before MetalLB runs without it.

The engine deletes objects at the end of an update, after all changes. A speaker without FRR refuses its whole
configuration as long as there is a peer with BFD or with a time between connects (MetalLB's
internal/config/validation.go, DiscardFRROnly). It then announces nothing, on layer 2 neither, and the update would wait
in vain for the gateway's address.
"""

from collections.abc import Collection
from typing import Any

from components.core.engine_document import ClusterDocument
from components.core.labels import MANAGED_BY, MANAGER
from components.core.names import METALLB_SYSTEM, PYTHON
from components.kubernetes_api import Api, ApiError, list_items
from components.pools.render import API, PEER_API

WITHOUT_BGP = f"exec {PYTHON} -m vds without-bgp"
_FOLDER = f"namespaces/{METALLB_SYSTEM}"
_ADVERTISEMENTS = f"/apis/{API}/{_FOLDER}/bgpadvertisements"
_POOLS = f"/apis/{API}/{_FOLDER}/ipaddresspools"
_SESSIONS = (f"/apis/{PEER_API}/{_FOLDER}/bgppeers", f"/apis/{API}/{_FOLDER}/bfdprofiles")
"""In this order: the webhook refuses to delete a profile that a peer names."""


class Removal(ClusterDocument):
    """What `vds without-bgp` reads."""

    bgp: bool
    """Whether a pool is announced by BGP: then nothing is removed."""
    pools: tuple[str, ...]
    """Names of the pools."""


def remove(api: Api, keep: Collection[str]) -> list[str]:
    """Delete the platform's own peers, BFD profiles and BGP advertisements, and pools that these announced; the paths.

    `keep` has the names of pools that stay. A Service keeps its address as long as the pool is there, and nothing
    announces it any more. There are none of all these where MetalLB is not installed yet.

    Raises ApiError, UnreachableError.
    """
    announced = _found(api, _ADVERTISEMENTS)
    pools = {str(name) for item in announced for name in (item.get("spec") or {}).get("ipAddressPools") or ()}
    paths = [f"{_ADVERTISEMENTS}/{item['metadata']['name']}" for item in announced]
    paths += [f"{path}/{item['metadata']['name']}" for path in _SESSIONS for item in _found(api, path)]
    paths += [f"{_POOLS}/{name}" for name in sorted(pools - set(keep))]
    for path in paths:
        _delete(api, path)
    return paths


def _delete(api: Api, path: str) -> None:
    try:
        api.request("DELETE", path)
    except ApiError as error:
        if error.status != 404:
            raise


def _found(api: Api, path: str) -> list[dict[str, Any]]:
    try:
        return list_items(api, path, query=[("labelSelector", f"{MANAGED_BY}={MANAGER}")])
    except ApiError as error:
        if error.status == 404:  # no CRD
            return []
        raise
