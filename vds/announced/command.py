"""`vds announced`: the engine runs it after the Gateway. It waits until the address is announced and answers."""

import socket
from collections.abc import Callable

from components.kubernetes_api import Api, ApiError, Cluster, CredentialsError, UnreachableError
from components.pools.announced import SECONDS, Announcement, Owner, Wait, announcement, remedy
from vds.shared import engine
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

_CONNECT_SECONDS = 5
Connect = Callable[[str, int], str]
"""Connects to an address and a port. Gives the reason if there is no answer."""


def wait(
    wanted: Wait, api: Api, clock: Clock, *, report: Callable[[str], None], connect: Connect | None = None
) -> Announcement:
    """The announcement. Raises IncompleteError if there is none in time or the address does not answer,
    OperationError if the API server refuses."""
    item, found, silent = f"gateway {wanted.namespace}/{wanted.gateway}", Announcement(""), ""

    def reason() -> str:
        nonlocal found, silent
        try:
            found = announcement(api, wanted.namespace, wanted.gateway, wanted.owner)
        except UnreachableError as error:
            return f"the cluster does not answer ({error})"
        except CredentialsError as error:
            raise OperationError(f"{item}: {error}") from None
        except ApiError as error:
            if error.may_pass:
                return f"the cluster can't answer now ({error})"
            raise OperationError(f"{item}: the cluster refused ({error}): use an administrator's kubeconfig") from None
        silent = "" if found.reason else _silent(found.address, wanted.ports, connect or answers)
        return found.reason or silent

    if left := engine.wait(reason, clock, seconds=SECONDS, report=lambda text: report(f"{item}: {text}")):
        what = _unreached(found) if left == silent else _remedy(api, wanted.owner)
        raise IncompleteError(f"{item}: {left} after {SECONDS} s: {what}")
    return found


def answers(address: str, port: int) -> str:
    """Why a TCP connection is not possible; empty if it is."""
    try:
        socket.create_connection((address, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        return error.strerror or "no answer in time"
    return ""


def _silent(address: str, ports: tuple[int, ...], connect: Connect) -> str:
    """The first port that does not answer, and why."""
    for port in ports:
        if why := connect(address, port):
            return f"{address} port {port} does not answer ({why})"
    return ""


def _unreached(found: Announcement) -> str:
    by = f"it is announced by {', '.join(found.nodes)}; " if found.nodes else ""
    return (
        f"{by}see the gateway's pods and the firewalls on the way; if the machine that runs Pulumi can't reach the "
        "address, write gateway.connect: false"
    )


def _remedy(api: Api, owner: Owner | None) -> str:
    try:
        return remedy(api, owner)
    except (ApiError, UnreachableError):
        return "start the API server and run `pulumi up` again"


def announced() -> None:
    """Reads a JSON document from standard input, and changes nothing.

    Exit code 1: no node announces the address in time, or a port of it does not answer. Exit code 2: the cluster
    refused.
    """
    wanted = engine.read_document(Wait)
    cluster = Cluster(wanted.kubeconfig.get_secret_value())
    found = wait(wanted, cluster, Clock(), report=engine.report)
    said = [f"is announced by {', '.join(found.nodes)}"] if found.nodes else []
    said += [f"answers on port {', '.join(map(str, wanted.ports))}"] if wanted.ports else []
    print(f"{found.address} {' and '.join(said)}")
