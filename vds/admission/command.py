"""`vds admission`: the engine runs it before the pools. It waits until the API server can ask MetalLB's webhook."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from pydantic import ValidationError

from components.kubernetes_api import Cluster
from components.pools.admission import SECONDS, Question, unanswered
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

_PAUSE_SECONDS = 2


def wait(asked: Callable[[], str], clock: Clock, *, report: Callable[[str], None]) -> None:
    """Return when `asked` gives no reason any more. Raises IncompleteError with the last one after SECONDS."""
    end, said = clock.now() + SECONDS, ""
    while reason := asked():
        if reason != said:
            report(f"{reason}: waiting")
            said = reason
        if clock.now() >= end:
            raise IncompleteError(
                f"the webhook of MetalLB does not answer after {SECONDS} s ({reason}): see "
                "`kubectl -n metallb-system logs deployment/metallb-controller`, and run `pulumi up` again"
            )
        clock.sleep(_PAUSE_SECONDS)


def admission() -> None:
    """Reads a JSON document from standard input, and changes nothing.

    Exit code 1: the webhook does not answer in time.
    """
    if sys.stdin.isatty():
        raise OperationError("pulumi runs this command, with a JSON document on standard input; see --help")
    try:
        question = Question.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) or "the document" for one in error.errors())
        raise OperationError(f"standard input: {places}: can't be read: run `pulumi up`, which writes it") from None
    cluster = Cluster(question.kubeconfig.get_secret_value())

    def report(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    wait(lambda: unanswered(cluster, question.manifest), Clock(), report=report)
    print("the webhook answers")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("admission")(admission)
