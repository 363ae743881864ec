"""`vds announced`: the engine runs it after the Gateway. It waits until a node announces the gateway's address."""

from collections.abc import Callable

from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError
from components.pools.announced import SECONDS, Announcement, Owner, Wait, announcement, remedy
from vds.shared import engine
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError


def wait(wanted: Wait, api: Api, clock: Clock, *, report: Callable[[str], None]) -> Announcement:
    """The announcement. Raises IncompleteError if there is none in time, OperationError if the API server refuses."""
    item, found = f"gateway {wanted.namespace}/{wanted.gateway}", Announcement("")

    def reason() -> str:
        nonlocal found
        try:
            found = announcement(api, wanted.namespace, wanted.gateway, wanted.owner)
        except UnreachableError as error:
            return f"the cluster does not answer ({error})"
        except ApiError as error:
            raise OperationError(f"{item}: the cluster refused ({error}): use an administrator's kubeconfig") from None
        return found.reason

    if left := engine.wait(reason, clock, seconds=SECONDS, report=lambda text: report(f"{item}: {text}")):
        raise IncompleteError(f"{item}: {left} after {SECONDS} s: {_remedy(api, wanted.owner)}")
    return found


def _remedy(api: Api, owner: Owner) -> str:
    try:
        return remedy(api, owner)
    except (ApiError, UnreachableError):
        return "start the API server and run `pulumi up` again"


def announced() -> None:
    """Reads a JSON document from standard input, and changes nothing.

    Exit code 1: no node announces it in time. Exit code 2: the cluster refused.
    """
    wanted = engine.read_document(Wait)
    cluster = Cluster(wanted.kubeconfig.get_secret_value())
    found = wait(wanted, cluster, Clock(), report=engine.report)
    print(f"{found.address} is announced by {', '.join(found.nodes)}")
