"""A canary's weights on a real API server: one owner of the route, beside the engine and after a killed process."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.gateway.canary import weights
from components.gateway.canary.model import Source
from components.gateway.canary.record import ENDED
from components.gateway.canary.route import canary_route
from components.gateway.canary.traffic import Seen, Totals
from components.kubernetes_api import Cluster
from tests.support.agency import CONTRACT
from tests.support.api_server import api_server
from tests.support.bundles import published
from tests.support.engine import ProgramOnApiServer
from vds.canary import running
from vds.canary.running import Canaried
from vds.shared.errors import OperationError

pytestmark = pytest.mark.lab

PROGRAM = """
import json
from pathlib import Path
import pulumi
import pulumi_kubernetes as kubernetes
from components.agency.model import Route
from components.agency.reading import read, read_contract
from components.agency.render import route_manifest
from components.apply import apply
from components.core.labels import WAIT_FOR
from components.gateway.bundle import read_bundle
from components.gateway.canary.hook import keep_weights
from components.gateway.component import GatewayCrds
from components.kubernetes_api import Cluster

asked = json.loads(Path("asked.json").read_text())
provider = kubernetes.Provider("provider", kubeconfig=asked["kubeconfig"])
crds = GatewayCrds("crds", read_bundle(asked["bundle"]), provider=provider)


async def cluster():
    return Cluster(asked["kubeconfig"])


made = route_manifest(read(Route, "api", asked["route"]), read_contract(asked["contract"]))
del made["metadata"]["annotations"][WAIT_FOR]  # no controller runs here
options = pulumi.ResourceOptions(provider=provider, depends_on=[crds])
apply("api", made, pulumi.ResourceOptions.merge(options, keep_weights("weights", cluster)))
"""


def route(**fields: Any) -> dict[str, Any]:
    return {
        "namespace": "default",
        "hostnames": ["butikk.example.no"],
        "addHeaders": {"X-One": "1"},
        "app": "api",
        "canary": {"steps": [5, 25, 100], "hold": "1m", "interval": "10s"},
        **fields,
    }


class Stack(ProgramOnApiServer):
    """A stack of this program, and the API server that it changes."""

    def run(self, *words: str, **fields: Any) -> str:
        self.ask(bundle=published("1.5.1"), route=route(**fields), contract=CONTRACT)
        return self.engine.must(*words, "--stack", "real")

    def up(self, **fields: Any) -> str:
        return self.run("up", "--yes", "--skip-preview", **fields)

    @property
    def canaried(self) -> Canaried:
        return Canaried(self.api, canary_route(self.live()))

    def live(self) -> dict[str, Any]:
        return weights.read(self.api, "default", "api")

    def percent(self) -> int:
        return weights.percent(self.live())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("canary")
    with api_server(folder) as kubeconfig:
        yield Stack(folder / "engine", kubeconfig, PROGRAM)


def _managers(live: dict[str, Any]) -> list[str]:
    return [one["manager"] for one in live["metadata"]["managedFields"]]


def test_an_update_beside_a_canary_keeps_its_weights_and_the_route_one_owner(stack: Stack) -> None:
    stack.up()
    before = stack.live()
    assert stack.percent() == 0
    found = stack.canaried
    record = running.begin(found, holder="test/0", now=1000.0)
    assert found.set_weights(record.percent) is True
    moved = stack.live()
    assert stack.percent() == 5
    for item in (before, moved):
        for backend in item["spec"]["rules"][0]["backendRefs"]:
            del backend["weight"]
    assert moved["spec"] == before["spec"], "nothing but the weights has changed"
    assert _managers(moved) == _managers(before), "Pulumi is the only owner"

    stack.up()
    assert stack.percent() == 5, "an update without a change"
    stack.up(addHeaders={"X-Two": "2"})
    assert stack.percent() == 5, "an update that changes a header of the route"
    [filters] = [rule["filters"] for rule in stack.live()["spec"]["rules"]]
    assert filters[0]["requestHeaderModifier"]["add"] == [{"name": "X-Two", "value": "2"}]
    assert _managers(stack.live()) == _managers(before)

    running.promote(found, 1100.0)
    assert stack.percent() == 25
    stack.run("preview", "--refresh", "--expect-no-changes", addHeaders={"X-Two": "2"})
    stack.run("refresh", "--yes", "--skip-preview", addHeaders={"X-Two": "2"})
    running.abort(found, 1200.0)
    stack.up(addHeaders={"X-Three": "3"})
    assert stack.percent() == 0, "the state of a refresh has 25, and the canary was rolled back since"
    running.abort(found, 1300.0)
    assert found.read() is None


def test_two_processes_never_watch_one_canary(stack: Stack) -> None:
    stack.up()
    found = stack.canaried
    running.begin(found, holder="one/1", now=1000.0)
    held = found.read()
    assert held is not None
    with pytest.raises(OperationError, match="process one/1 watches it: wait 30 s"):
        running.begin(found, holder="two/2", now=1000.0)
    found.write(held.record, held, holder="one/1", now=1010.0)
    with pytest.raises(running.ChangedError):
        found.write(held.record, held, holder="two/2", now=1050.0)
    running.begin(found, holder="two/2", now=1041.0)
    running.abort(found, 1042.0)
    running.abort(found, 1043.0)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the process runs after it."""


@pytest.mark.parametrize("moment", [1, 2, 3, 9, 10, 16])
def test_a_process_that_is_killed_at_any_request_leaves_a_canary_that_the_next_one_finishes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    if moment == 1:
        stack.up()
    found, clock, requests = stack.canaried, [1000.0], [0]
    whole = Cluster.text

    def now() -> float:
        return clock[0]

    def sleep(pause: float) -> None:
        clock[0] += pause

    def counters(_after: float) -> dict[Source, Seen]:
        many = int(clock[0] * 1000)
        percent = stack.percent() or 1
        canary, stable = (
            Totals(many * part // 100, 0, many * part // 100, {"0.1": many * part // 100})
            for part in (percent, 100 - percent)
        )
        return {"gateway": {"pod": {"stable": stable, "canary": canary}}}

    def text(cluster: Cluster, method: str, *words: Any, **more: Any) -> str:
        requests[0] += method != "GET"
        if requests[0] == moment and method != "GET":
            raise Killed
        return whole(cluster, method, *words, **more)

    def watched(holder: str) -> str:
        record = running.begin(found, holder=holder, now=now())
        if record.phase not in ENDED:
            record = running.watch(found, holder, now=now, sleep=sleep, read_counters=counters, report=lambda *_: None)
        found.set_weights(record.percent)
        return record.phase

    with monkeypatch.context() as patched:
        patched.setattr(Cluster, "text", text)
        try:
            assert watched("one/1") == "finished"
            killed = False
        except Killed:
            killed = True
    clock[0] += 60
    assert watched("two/2") == "finished"
    assert stack.percent() == 100
    running.abort(found, now())
    assert stack.percent() == 0
    assert found.read() is None
    assert killed
