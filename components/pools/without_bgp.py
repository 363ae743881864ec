"""Removal of what only FRR reads, before MetalLB runs without it.

The engine deletes objects at the end of an update, after all changes. A speaker without FRR refuses its whole
configuration as long as there is a peer with BFD or with a time between connects (MetalLB's
internal/config/validation.go, DiscardFRROnly). It then announces nothing, on layer 2 neither, and the update would wait
in vain for the gateway's address.
"""

from typing import Any

from components.core.engine_document import ClusterDocument
from components.core.labels import MANAGED_BY, MANAGER
from components.core.names import METALLB_SYSTEM, PYTHON
from components.kubernetes_api import Api, ApiError, list_items
from components.pools.render import API, PEER_API

WITHOUT_BGP = f"exec {PYTHON} -m vds without-bgp"
_KINDS = ((API, "bgpadvertisements"), (PEER_API, "bgppeers"), (API, "bfdprofiles"))
"""In this order: the webhook refuses to delete a profile that a peer names."""


class Removal(ClusterDocument):
    """What `vds without-bgp` reads."""


def remove(api: Api) -> list[str]:
    """Delete the platform's own objects of these kinds; which ones. None where MetalLB is not installed yet.

    Raises ApiError, UnreachableError.
    """
    removed = []
    for version, kind in _KINDS:
        path = f"/apis/{version}/namespaces/{METALLB_SYSTEM}/{kind}"
        for item in _found(api, path):
            name = item["metadata"]["name"]
            api.request("DELETE", f"{path}/{name}")
            removed.append(f"{kind}/{name}")
    return removed


def _found(api: Api, path: str) -> list[dict[str, Any]]:
    try:
        return list_items(api, path, query=[("labelSelector", f"{MANAGED_BY}={MANAGER}")])
    except ApiError as error:
        if error.status == 404:  # no CRD
            return []
        raise
