"""`vds announced`: the engine runs it after the Gateway. It waits until a node announces the gateway's address."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from pydantic import ValidationError

from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError
from components.pools.announced import SECONDS, Announcement, Owner, Wait, announcement, remedy
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

_PAUSE_SECONDS = 2


def wait(wanted: Wait, api: Api, clock: Clock, *, report: Callable[[str], None]) -> Announcement:
    """The announcement. Raises IncompleteError if there is none in time, OperationError if the API server refuses."""
    end, said = clock.now() + SECONDS, ""
    item = f"gateway {wanted.namespace}/{wanted.gateway}"
    while True:
        try:
            found = announcement(api, wanted.namespace, wanted.gateway, wanted.owner)
            reason = found.reason
        except UnreachableError as error:
            found, reason = None, f"the cluster does not answer ({error})"
        except ApiError as error:
            raise OperationError(f"{item}: the cluster refused ({error}): use an administrator's kubeconfig") from None
        if found is not None and not reason:
            return found
        if reason != said:
            report(f"{item}: {reason}: waiting")
            said = reason
        if clock.now() >= end:
            raise IncompleteError(f"{item}: {reason} after {SECONDS} s: {_remedy(api, wanted.owner)}")
        clock.sleep(_PAUSE_SECONDS)


def _remedy(api: Api, owner: Owner) -> str:
    try:
        return remedy(api, owner)
    except (ApiError, UnreachableError):
        return "start the API server and run `pulumi up` again"


def announced() -> None:
    """Reads a JSON document from standard input, and changes nothing.

    Exit code 1: no node announces it in time. Exit code 2: the cluster refused.
    """
    if sys.stdin.isatty():
        raise OperationError("pulumi runs this command, with a JSON document on standard input; see --help")
    try:
        wanted = Wait.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) or "the document" for one in error.errors())
        raise OperationError(f"standard input: {places}: can't be read: run `pulumi up`, which writes it") from None
    cluster = Cluster(wanted.kubeconfig.get_secret_value())

    def report(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    found = wait(wanted, cluster, Clock(), report=report)
    print(f"{found.address} is announced by {', '.join(found.nodes)}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("announced")(announced)
