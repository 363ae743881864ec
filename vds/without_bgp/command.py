"""`vds without-bgp`: the engine runs it before MetalLB's chart, when no pool is announced by BGP."""

from components.kubernetes_api import Api, ApiError, Cluster, CredentialsError, UnreachableError
from components.pools.without_bgp import Removal, remove
from vds.shared import engine
from vds.shared.errors import IncompleteError, OperationError


def removed(api: Api) -> list[str]:
    """What was deleted. Raises IncompleteError if the cluster does not answer, OperationError if it refuses."""
    try:
        return remove(api)
    except UnreachableError as error:
        raise IncompleteError(
            f"MetalLB's peers: the cluster does not answer ({error}): run `pulumi up` again"
        ) from None
    except CredentialsError as error:
        raise OperationError(f"MetalLB's peers: {error}") from None
    except ApiError as error:
        raise OperationError(
            f"MetalLB's peers: the cluster refused ({error}): use an administrator's kubeconfig"
        ) from None


def without_bgp() -> None:
    """Reads a JSON document from standard input. Deletes the platform's BGP peers, BFD profiles and BGP advertisements.

    Exit code 1: the cluster does not answer. Exit code 2: it refused.
    """
    found = removed(Cluster(engine.read_document(Removal).kubeconfig.get_secret_value()))
    print(f"removed {', '.join(found)}" if found else "nothing to remove")
