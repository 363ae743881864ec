"""`vds without-bgp`: the engine runs it before MetalLB's chart. It removes BGP peers if no pool is announced by BGP."""

from collections.abc import Collection

from components.kubernetes_api import Api, ApiError, Cluster, CredentialsError, UnreachableError
from components.pools.without_bgp import Removal, remove
from vds.shared import engine
from vds.shared.errors import IncompleteError, OperationError


def removed(api: Api, pools: Collection[str], *, bgp: bool) -> list[str]:
    """Paths of what was deleted; nothing with `bgp`. `pools` stay.

    Raises:
        IncompleteError: the cluster does not answer.
        OperationError: it refuses.
    """
    try:
        return [] if bgp else remove(api, pools)
    except UnreachableError as error:
        raise IncompleteError(
            f"MetalLB's peers: the cluster does not answer ({error}): run `pulumi up` again"
        ) from None
    except CredentialsError as error:
        raise OperationError(f"MetalLB's peers: {error}") from None
    except ApiError as error:
        if error.may_pass:
            raise IncompleteError(
                f"MetalLB's peers: the cluster can't answer now ({error}): run `pulumi up` again"
            ) from None
        raise OperationError(
            f"MetalLB's peers: the cluster refused ({error}): use an administrator's kubeconfig"
        ) from None


def without_bgp() -> None:
    """Reads a JSON document from standard input. If no pool is announced by BGP, it deletes the platform's BGP peers,
    BFD profiles and BGP advertisements, and pools that only these announced.

    Exit code 1: the cluster does not answer. Exit code 2: it refused.
    """
    wanted = engine.read_document(Removal)
    found = removed(Cluster(wanted.kubeconfig.get_secret_value()), wanted.pools, bgp=wanted.bgp)
    print(f"removed {', '.join(found)}" if found else "nothing to remove")
