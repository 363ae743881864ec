"""`vds admission`: the engine runs it before the pools. It waits until the API server can ask MetalLB's webhook."""

from collections.abc import Callable

from components.kubernetes_api import Cluster, CredentialsError
from components.pools.admission import SECONDS, Question, unanswered
from vds.shared import engine
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError


def wait(asked: Callable[[], str], clock: Clock, *, report: Callable[[str], None]) -> None:
    """Return when `asked` gives no reason any more. Raises IncompleteError with the last one after SECONDS, and
    OperationError if the API server and the kubeconfig do not trust each other."""
    try:
        reason = engine.wait(asked, clock, seconds=SECONDS, report=report)
    except CredentialsError as error:
        raise OperationError(f"the webhook of MetalLB: {error}") from None
    if reason:
        raise IncompleteError(
            f"the webhook of MetalLB does not answer after {SECONDS} s ({reason}): see "
            "`kubectl -n metallb-system logs deployment/metallb-controller`, and run `pulumi up` again"
        )


def admission() -> None:
    """Reads a JSON document from standard input, and changes nothing.

    Exit code 1: the webhook does not answer in time. Exit code 2: a certificate of the cluster has ended.
    """
    question = engine.read_document(Question)
    cluster = Cluster(question.kubeconfig.get_secret_value())
    wait(lambda: unanswered(cluster, question.manifest), Clock(), report=engine.report)
    print("the webhook answers")
