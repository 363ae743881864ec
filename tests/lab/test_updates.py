"""An agency's new version, rolled out under load."""

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lab.asking import Facts, ask, from_host
from lab.cluster import rolled_out
from lab.layout import CLIENT
from lab.proof.gateway import gateway_address, question
from lab.verify import load_spec
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

_ROLLED_OUT_SECONDS = 120
_MOST_ROUNDS = 500
_API = "/apis/apps/v1/namespaces/butikk-prod/deployments/api"


def is_rolled_out(lab: Lab) -> bool:
    return rolled_out(lab.cluster.request("GET", _API))


def test_a_rolling_update_loses_no_request(lab: Lab) -> None:
    spec = load_spec(lab.layout)
    asked = question(lab.layout, spec, gateway_address(lab.cluster, spec)) | {"requests": 200}
    failures: Counter[str] = Counter()
    answered = 0

    def ask_once() -> Facts:
        return dict(ask(from_host(CLIENT), [asked])[0])

    note = {"metadata": {"annotations": {"example.no/rolled-out": str(time.time())}}}
    deadline = time.monotonic() + _ROLLED_OUT_SECONDS
    with ThreadPoolExecutor(1) as pool:
        running: Future[Facts] = pool.submit(ask_once)
        patch = {"spec": {"template": note}}
        lab.cluster.request("PATCH", _API, patch, content_type="application/strategic-merge-patch+json")
        for _ in range(_MOST_ROUNDS):
            answer = running.result()
            failures.update(answer["failures"])
            answered += sum(answer["counts"].values())
            if is_rolled_out(lab) or time.monotonic() > deadline:
                break
            running = pool.submit(ask_once)
    assert is_rolled_out(lab)
    assert failures == {}
    assert answered >= 200
