"""docs/howto/ship-a-canary.md, typed word for word under load: a good version gets all requests, a bad one none.

The requests are a client's, by HTTPS; the counters are those of the gateway's own pods. The bad versions are images
with a Traefik that sends some requests to a port on which nothing listens.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml

from components.core import labels
from components.gateway.canary import weights
from components.gateway.canary.route import canary_route
from components.gateway.canary.traffic import Totals
from lab.asking import ask, from_host
from lab.images import recipes
from lab.images.documents import Image
from lab.images.layers import File, Layer
from lab.images.push import push
from lab.images.registry import Registry
from lab.layout import CLIENT, SITE
from lab.processes import wait_until
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question
from lab.tenants.settings import APPS, NAMESPACE, ROUTE, ROUTES, stack_file
from lab.verify import load_spec
from tests.lab.conftest import Lab
from tests.support import howtos
from tests.support.howtos import Terminal
from vds.canary import counters

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PAGE = "ship-a-canary"
DEPLOY, UP, START, STATUS, PAUSE, PROMOTE, PROMOTED, ABORT, NEXT, WHY, REPAIRED, AGAIN = howtos.blocks(PAGE)
SETTINGS, PROBES = howtos.blocks(PAGE, "yaml")
SUBSTITUTIONS = {"registry.example.no/": "registry.lab.example.no/"}
CLIENTS, PAUSE_SECONDS = 4, 0.01
SECONDS_OF_CLIENT = 5
QUICK: dict[str, Any] = {
    "steps": [1, 20, 50, 100],
    "hold": "9s",
    "interval": "3s",
    "gates": [{"kind": "success", "marginPercent": 25}, {"kind": "latency", "marginPercent": 50}],
    "abort": {"inconclusiveAfter": "8m"},
}
_PING = {"rule": "PathPrefix(`/`)", "entryPoints": ["ok"], "service": "ping@internal"}
_GOOD, _DEAD, _SILENT = "http://127.0.0.1:8081", "http://127.0.0.1:1", "http://198.51.100.1:1"
"""No packet leaves a pod of an agency to the last one, of a network for documents (RFC 5737)."""
_FILE = "canary.yaml"
_TRAEFIK = (
    "--entrypoints.in.address=:8080",
    "--entrypoints.ok.address=127.0.0.1:8081",
    "--ping.manualrouting=true",
    f"--providers.file.filename=/{_FILE}",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
)


def faulty(service: dict[str, Any], **more: Any) -> str:
    """A configuration of Traefik as a backend."""
    router = {"rule": "PathPrefix(`/`)", "entryPoints": ["in"], "service": "answers"}
    if "middlewares" in more:
        router["middlewares"] = list(more["middlewares"])
    services = {"answers": service, **{name: _to(url) for name, url in (("good", _GOOD), ("dead", _DEAD))}}
    return json.dumps({"http": {"routers": {"in": router, "ok": _PING}, "services": services, **more}})


def _to(*urls: str) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": url} for url in urls]}}


ERRORS = faulty({"weighted": {"services": [{"name": "good", "weight": 19}, {"name": "dead", "weight": 1}]}})
"""5 % of the requests fail."""
SLOW = faulty(
    {"loadBalancer": {"servers": [{"url": _SILENT}], "serversTransport": "short"}},
    middlewares={
        "late": {"errors": {"status": ["504"], "service": "good", "query": "/", "statusRewrites": {"504": 200}}}
    },
    serversTransports={"short": {"forwardingTimeouts": {"dialTimeout": "300ms"}}},
)
"""Each request waits 300 ms for a connection that is not answered, and is then answered by another server."""


def pushed(lab: Lab) -> dict[str, str]:
    """Versions of the agency's app in the lab's registry, and their digests, as `docker push` prints them."""
    quiet = Progress(total=1, quiet=True)
    known = {image.name: image for image in recipes.images(lab.tools, quiet)}
    echo, traefik = known["e2e/echo-basic"], known["library/traefik"]
    versions = {tag: replace(echo, env=(f"VERSION={tag}",)) for tag in ("v2", "v3", "v4")}
    for tag, text in (("v3-errors", ERRORS), ("v4-slow", SLOW)):
        layers = (*traefik.layers, Layer([File(_FILE, text.encode())]))
        versions[tag] = replace(traefik, layers=layers, command=_TRAEFIK)
    with Registry(f"https://{SITE.address}", lab.layout.authority) as registry:
        return {tag: push(registry, _of_agency(image, tag), quiet) for tag, image in versions.items()}


def _of_agency(image: Image, tag: str) -> Image:
    return replace(image, name="butikk/api", tag=tag)


class Agency(Terminal):
    """The agency's project, with a kubeconfig of the platform team beside it, and the deployment of its new version."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.agency.folder, lab.agency.environment(), lab.layout.resolver, SUBSTITUTIONS)
        self.lab = lab
        self.digests = pushed(lab)
        shutil.copy(lab.layout.kubeconfig, self.folder / "platform.kubeconfig")

    def ready(self, version: str) -> None:
        """`DIGEST` is set to that of a version."""
        self.type(f"DIGEST={self.digests[version]}")

    def live(self) -> int:
        return weights.percent(weights.read(self.lab.cluster, NAMESPACE, ROUTE))

    def holder(self) -> int:
        """The process that watches the canary; 0 if none does."""
        done = self.run(f"{STATUS.strip()} --json")
        assert done.stdout.startswith("{"), done.stdout
        return int(json.loads(done.stdout).get("holder", "").rpartition("/")[2] or 0)

    def write(self, canary: Mapping[str, Any]) -> None:
        """What stands at the route's `canary` in the stack file."""
        file = stack_file(self.lab.layout)
        content = yaml.safe_load(file.read_text())
        content["config"][ROUTES][ROUTE]["canary"] = dict(canary)
        file.write_text(yaml.safe_dump(content))

    def count(self) -> dict[str, Totals]:
        """The gateway's own counters of both versions; none of a route without a canary."""
        route = canary_route(weights.read(self.lab.cluster, NAMESPACE, ROUTE))
        pods = [one for one in counters.gateway(self.lab.cluster, route).values() if not isinstance(one, str)]
        return {
            place: Totals(sum(one[place].requests for one in pods), sum(one[place].failed for one in pods))
            for place in ("stable", "canary")
        }


@dataclass
class Load:
    """What became of a client's requests, and what the gateway counted of each version meanwhile."""

    began: float
    rows: list[list[Any]]
    made: dict[str, Totals]

    @property
    def answered(self) -> int:
        return sum(many for *_, many in self.rows)

    @property
    def failed(self) -> dict[str, int]:
        """By status or error, requests that were not answered with 200."""
        found = Counter[str]()
        for who, *_, many in self.rows:
            found[who] += many
        return {who: many for who, many in found.items() if who not in ("api", "api-canary", "status 200")}

    def __str__(self) -> str:
        by_version = ", ".join(f"{place} {one.requests} ({one.failed} failed)" for place, one in self.made.items())
        return f"{self.answered} requests, failed: {self.failed or 0}; counted by the gateway: {by_version}"

    def hurt(self) -> float:
        """Seconds from the first answer of a bad version to its last one."""
        bad = [row for row in self.rows if row[0] not in ("api", "api-canary")]
        return float(max(row[2] for row in bad) - min(row[1] for row in bad))


@contextmanager
def load(agency: Agency) -> Iterator[Load]:
    """Requests of clients while the block runs; their counts afterwards."""
    lab = agency.lab
    spec = load_spec(lab.layout)
    more = {"ask": "runs", "seconds": SECONDS_OF_CLIENT, "pause": PAUSE_SECONDS}
    asked = question(lab.layout, spec, gateway_address(lab.cluster, spec)) | more
    made, before, ended = Load(time.time(), [], {}), agency.count(), False

    def send() -> None:
        while not ended:
            for rows in ask(from_host(CLIENT), [dict(asked) for _ in range(CLIENTS)]):
                made.rows += rows

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            yield made
        finally:
            ended = True
            sending.result()
    after = agency.count()
    made.made = {
        place: Totals(one.requests - before[place].requests, one.failed - before[place].failed)
        for place, one in after.items()
    }


@pytest.fixture
def agency(lab: Lab) -> Iterator[Agency]:
    def edit(config: dict[str, Any]) -> None:
        config[APPS]["api"]["memory"] = "128Mi"  # of the bad versions

    try:
        lab.deploy(edit)
        shutil.copy(lab.agency.folder / "Pulumi.variant.yaml", stack_file(lab.layout))
        yield Agency(lab)
    finally:
        for file in ("platform.kubeconfig", "home/exported"):
            (lab.agency.folder / file).unlink(missing_ok=True)
        lab.deploy(None, "--refresh")


def watched(agency: Agency, percent: int) -> int:
    """The process that watches the canary, once it has this share."""
    wait_until(lambda: agency.live() >= percent, 300, lambda: f"the canary has {agency.live()} %, not {percent} %")
    return agency.holder()


def promoted(agency: Agency, done: subprocess.CompletedProcess[str], good: Load) -> str:
    """All requests went to the canary, and none failed; now its version is the stable one. What `abort` said."""
    assert (done.returncode, agency.live()) == (0, 100), done.stdout
    assert good.failed == {}
    agency.type(PROMOTED)
    return agency.type(ABORT)


def finished(agency: Agency, title: str) -> None:
    """The gates take the canary to its last step under load; then its version is the stable one."""
    with load(agency) as good:
        began = time.monotonic()
        done = agency.run(START)
    print(f"\n{title}: {time.monotonic() - began:.0f} s, {good}")
    promoted(agency, done, good)


def rolled_back(agency: Agency, version: str, reason: str, title: str) -> Load:
    """The gates roll the next version back under load, for this reason."""
    agency.ready(version)
    agency.type(NEXT)
    with load(agency) as bad:
        done = agency.run(START)
    assert (done.returncode, agency.live()) == (1, 0), done.stdout
    assert reason in done.stdout
    print(f"\n{title}: {done.stdout.splitlines()[-1]}; {bad}")
    print(f"its answers came for {bad.hurt():.1f} s")
    return bad


def test_the_page_ends_with_the_repaired_version_at_all_requests(agency: Agency) -> None:
    agency.ready("v2")
    agency.type(DEPLOY)
    agency.type(UP)
    assert agency.live() == 0, "the route had 10 %, and a canary with steps begins with nothing"

    with load(agency) as good, ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        first = pool.submit(agency.run, START)
        process = watched(agency, 5)
        assert "running at 5 %" in agency.type(STATUS)
        assert "paused at 5 %" in agency.type(PAUSE)
        os.kill(process, signal.SIGINT)
        assert first.result(60).returncode
        second = pool.submit(agency.run, START)
        wait_until(lambda: "resumed" in agency.run(STATUS).stdout, 60, lambda: agency.run(STATUS).stdout)
        assert "running at 50 %" in agency.type(PROMOTE)
        done = second.result(600)
    print(f"\npromoted by hand, then by its gates: {time.monotonic() - began:.0f} s, {good}")
    assert "✓ canary of route 'butikk-api' in butikk-prod: finished, 100 % after" in done.stdout
    assert "rolled-back at 0 % (by hand)" in promoted(agency, done, good)
    assert agency.live() == 0

    said = "✗ canary of route 'butikk-api' in butikk-prod: rolled-back, success: worse than stable at 5 %"
    bad = rolled_back(agency, "v3-errors", said, "5 % errors")
    assert bad.made["stable"].failed == 0
    assert 0 < bad.made["canary"].requests <= 0.05 * bad.answered + CLIENTS, "at most the step's share was hurt"
    assert "rolled back: success: worse than stable at 5 %" in agency.type(WHY)

    agency.ready("v3")
    agency.type(REPAIRED)
    with load(agency) as good, ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        first = pool.submit(agency.run, AGAIN)
        os.kill(watched(agency, 5), signal.SIGKILL)
        assert first.result(60).returncode
        assert "✗ no process watches it" in agency.run(STATUS).stdout
        done = agency.run(START)
    print(f"\nrepaired, 5 to 100 % by its gates, killed once: {time.monotonic() - began:.0f} s, {good}")
    promoted(agency, done, good)

    for text in (SETTINGS, PROBES):
        plan = yaml.safe_load(text)
        agency.write(plan.get("canary") or {"steps": [1, 100], **plan})
        agency.type(UP)
        written = weights.read(agency.lab.cluster, NAMESPACE, ROUTE)["metadata"]["annotations"]
        assert written[labels.CANARY_STEPS] == ("1,5,25,50,100" if "canary" in plan else "1,100")


def test_a_release_goes_from_1_to_100_percent_and_a_slow_one_back(agency: Agency) -> None:
    agency.ready("v4")
    agency.type(DEPLOY)
    agency.write(QUICK)
    agency.type(UP)
    finished(agency, "1 to 100 % unattended")
    slow = rolled_back(agency, "v4-slow", "latency: worse than stable at 1 %", "300 ms slower")
    assert slow.failed == {}
    assert 0 < slow.made["canary"].requests <= 0.01 * slow.answered + CLIENTS
    agency.type(ABORT)  # removes the record


def test_a_release_is_judged_by_what_the_platforms_prometheus_has_collected(agency: Agency) -> None:
    lab = agency.lab
    try:
        outcome = lab.deployment.run("up", config_file=lab.monitored())
        assert outcome.exit_code == 0, outcome.diagnostics
        agency.ready("v2")
        agency.type(DEPLOY)
        gates = [{**gate, "source": "prometheus"} for gate in QUICK["gates"]]
        agency.write({**QUICK, "steps": [5, 100], "gates": gates})
        agency.type(UP)
        route = canary_route(weights.read(lab.cluster, NAMESPACE, ROUTE))
        pods = len(counters.gateway(lab.cluster, route))

        def unread() -> list[str]:
            seen = counters.collected(lab.cluster, route, counters.PROMETHEUS, 0.0).values()
            return [one for one in seen if isinstance(one, str)] or [""] * (pods - len(seen))

        wait_until(lambda: not unread(), 150, lambda: f"{pods} pods of the gateway: {unread()}")
        finished(agency, "by Prometheus, 5 to 100 %")
        rolled_back(agency, "v3-errors", "success: worse than stable at 5 %", "by Prometheus, 5 % errors")
        agency.type(ABORT)  # removes the record
    finally:
        lab.restore()
