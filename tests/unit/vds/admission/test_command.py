"""The wait for MetalLB's webhook."""

import io

import pytest

from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError, CredentialsError, UnreachableError
from components.pools import admission
from components.pools.admission import SECONDS, unanswered
from components.pools.render import address_pool
from tests.support.stacks import stack
from vds.admission import command
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError, OperationError

POOL = address_pool(stack("lab").metallb.pools[0])
REFUSED = (
    'Internal error occurred: failed calling webhook "ipaddresspoolvalidationwebhook.metallb.io": failed to call '
    'webhook: Post "https://metallb-webhook-service.metallb-system.svc:443/": dial tcp 10.96.5.204:443: connect: '
    "connection refused"
)


class Cluster:
    """An API server that gives one answer to a dry run."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer = answer
        self.query: list[tuple[str, str]] = []

    def path_of(self, _manifest):
        return "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/public"

    def request(self, method, path, body, *, query, content_type):
        assert (method, path, body) == ("PATCH", self.path_of(body), POOL)
        assert content_type == SERVER_SIDE_APPLY
        self.query = list(query)
        if self.answer:
            raise self.answer
        return body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, ""),
        (ApiError(500, REFUSED), "connection refused"),
        (ApiError(404, "the cluster has no kind IPAddressPool in metallb.io/v1beta1"), "no kind IPAddressPool"),
        (UnreachableError("https://192.0.2.11:6443: no answer in time"), "does not answer"),
        (ApiError(403, 'admission webhook "ipaddresspoolvalidationwebhook.metallb.io" denied the request'), ""),
    ],
)
def test_a_webhook_that_refuses_has_answered(answer, reason):
    cluster = Cluster(answer)
    found = unanswered(cluster, POOL)
    assert reason in found
    assert bool(reason) == bool(found)
    assert ("dryRun", "All") in cluster.query


def test_a_certificate_that_has_ended_is_not_waited_for():
    cluster = Cluster(CredentialsError("https://192.0.2.11:6443: its certificate ended on 2026-11-25: renew it"))
    with pytest.raises(OperationError, match=r"its certificate ended on 2026-11-25: renew it") as caught:
        command.wait(lambda: unanswered(cluster, POOL), Clock(), report=pytest.fail)
    assert not isinstance(caught.value, IncompleteError)


def test_it_waits_until_there_is_no_reason_any_more():
    at = 0.0
    said: list[str] = []

    def sleep(seconds):
        nonlocal at
        at += seconds

    command.wait(lambda: "refused" if at < 10 else "", Clock(lambda: at, sleep), report=said.append)
    assert (at, said) == (10, ["refused: waiting"])
    with pytest.raises(IncompleteError, match=f"after {SECONDS} s .refused.*logs deployment/metallb-controller"):
        command.wait(lambda: "refused", Clock(lambda: at, sleep), report=said.append)


def test_a_document_that_can_t_be_read_is_not_repeated(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"kubeconfig": 7, "manifest": {}}'))
    with pytest.raises(OperationError, match="wrong: kubeconfig"):
        command.admission()


def test_it_is_run_by_the_engine_as_a_command_of_vds():
    assert admission.ADMISSION.endswith("-m vds admission")
