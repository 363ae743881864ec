"""Canaries on the running platform: a good version gets all requests, a bad one none, and a killed command goes on.

The requests are a client's, by HTTPS; the counters are those of the gateway's own pods. The bad versions are pods of
Traefik that send some requests to a port that nobody listens on.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from components.core.labels import TENANT
from lab import workloads
from lab.asking import from_host
from lab.layout import CHECKOUT, CLIENT
from lab.processes import command, wait_until
from lab.proof.gateway import gateway_address, question
from lab.tenants.settings import AGENCY, NAMESPACE, ROUTE, ROUTES
from lab.verify import images, load_spec, wait_for_workloads
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PORT = 8080
CLIENTS = 4
INTERVAL = 3
PLAN: dict[str, Any] = {
    "steps": [2, 20, 50, 100],
    "hold": "9s",
    "interval": f"{INTERVAL}s",
    "gates": [{"kind": "success", "marginPercent": 25}, {"kind": "latency", "marginPercent": 50}],
    "abort": {"inconclusiveAfter": "8m"},
}
_PING = {"rule": "PathPrefix(`/`)", "entryPoints": ["ok"], "service": "ping@internal"}
_GOOD, _DEAD = "http://127.0.0.1:8081", "http://127.0.0.1:1"


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
SLOW = faulty(_to(_DEAD, _GOOD), middlewares={"again": {"retry": {"attempts": 2, "initialInterval": "300ms"}}})
"""Each request fails once, and is repeated about 300 ms later."""


def edit(config: dict[str, Any]) -> None:
    config[ROUTES][ROUTE]["canary"] = PLAN


@contextmanager
def load(lab: Lab) -> Iterator[list[dict[str, Any]]]:
    """Requests of a client while the block runs; their counts afterwards."""
    spec = load_spec(lab.layout)
    asked = {**question(lab.layout, spec, gateway_address(lab.cluster, spec)), "ask": "load", "seconds": 5}
    counts: list[dict[str, Any]] = []
    running = subprocess.Popen(
        [sys.executable, "-c", _LOAD, json.dumps(from_host(CLIENT)), json.dumps([asked] * CLIENTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    try:
        yield counts
    finally:
        out, _ = running.communicate("", timeout=60)
        counts += json.loads(out)


_LOAD = """
import json, subprocess, sys, select
argv, questions, found = json.loads(sys.argv[1]), sys.argv[2], []
while not select.select([sys.stdin], [], [], 0)[0]:
    done = subprocess.run(argv, input=questions, capture_output=True, text=True, check=True)
    found += json.loads(done.stdout)
print(json.dumps(found))
"""


def total(counts: list[dict[str, Any]]) -> tuple[int, int]:
    """Requests that were answered with 200, and others."""
    return sum(one["answered"] for one in counts), sum(sum(one["failures"].values()) for one in counts)


class Canary:
    """The command, in the lab: the platform team starts a canary, and the agency does the rest."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def words(self, name: str, *more: str) -> list[str]:
        kubeconfig = self.lab.layout.kubeconfig if name == "start" else self.lab.agency.kubeconfig
        stack = ["--namespace", NAMESPACE, "--kubeconfig", str(kubeconfig), "--json"]
        argv = [sys.executable, "-m", "vds", "canary", name, ROUTE, *stack, *more]
        return command(argv, part="op", resolver=self.lab.layout.resolver)

    def run(self, name: str, *more: str) -> tuple[int, dict[str, Any]]:
        env = self.lab.deployment.environment()
        done = subprocess.run(
            self.words(name, *more), cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=900
        )
        assert done.stdout.startswith("{"), done.stderr
        return done.returncode, json.loads(done.stdout)

    def begin(self) -> subprocess.Popen[str]:
        words, env = self.words("start", "--again"), self.lab.deployment.environment()
        return subprocess.Popen(words, cwd=CHECKOUT, env=env, stdout=subprocess.DEVNULL, text=True)

    def live(self) -> int:
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/{ROUTE}"
        [rule] = self.lab.cluster.request("GET", path)["spec"]["rules"]
        assert [one["name"] for one in rule["backendRefs"]] == ["api", "api-canary"]
        return int(rule["backendRefs"][1]["weight"])


def deploy(lab: Lab, configuration: str) -> None:
    """The bad version, behind the canary's Service."""
    name, images_of_lab = "api-canary", images(lab.layout)
    labels = {"app.kubernetes.io/name": "api", "app.kubernetes.io/instance": name, TENANT: AGENCY}
    data = {"canary.yaml": configuration}
    meta = {"name": name, "namespace": NAMESPACE}
    lab.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    words = ["--entrypoints.in.address=:8080", "--entrypoints.ok.address=127.0.0.1:8081", "--ping.manualrouting=true"]
    words += ["--providers.file.filename=/canary/canary.yaml", "--global.checknewversion=false"]
    words += ["--global.sendanonymoususage=false"]
    pod = workloads.restricted_pod(name, images_of_lab["library/traefik"], args=words, port=PORT)
    pod["containers"][0]["volumeMounts"] = [{"name": "canary", "mountPath": "/canary"}]
    pod["volumes"] = [{"name": "canary", "configMap": {"name": name}}]
    made = workloads.deployment(meta, labels, pod)
    made["spec"]["strategy"] = {"type": "Recreate"}
    lab.cluster.request("DELETE", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}")
    lab.cluster.apply(made)
    wait_for_workloads(lab.cluster, load_spec(lab.layout))


@pytest.fixture
def canary(lab: Lab) -> Iterator[Canary]:
    made = Canary(lab)
    try:
        lab.deploy(edit)
        assert made.live() == 0, "the route had 10 %, and a canary with steps begins with nothing"
        yield made
    finally:
        for _ in range(2):  # the second one removes the record
            made.run("abort")
        lab.cluster.request("DELETE", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/api-canary")
        lab.deploy(None, "--refresh")


def test_canaries_are_promoted_or_rolled_back_by_what_their_requests_show(lab: Lab, canary: Canary) -> None:
    began = time.monotonic()
    with load(lab) as counts:
        first = canary.begin()
        wait_until(lambda: canary.live() >= 1, 60, lambda: "the canary has not begun")
        status, found = canary.run("status")
        assert status == 0, found
        os.kill(int(found["holder"].rpartition("/")[2]), signal.SIGKILL)
        first.wait(60)
        status, found = canary.run("status")
        assert status == 1
        assert "no process watches it" in str(found["findings"])
        status, found = canary.run("start")
    good, failed = total(counts)
    print(f"\ngood version: {found['reason']}, {time.monotonic() - began:.0f} s, {good} answers, {failed} failed")
    assert (status, found["phase"], canary.live()) == (0, "finished", 100)
    assert failed == 0
    canary.run("abort")

    for name, configuration in (("5 % errors", ERRORS), ("300 ms slower", SLOW)):
        assert canary.live() == 0
        deploy(lab, configuration)
        with load(lab) as counts:
            status, found = canary.run("start")
        good, failed = total(counts)
        took = found["since"] - found["began"]
        print(f"{name}: {found['reason']}, {took:.0f} s after its start, {good} answers, {failed} failed")
        assert (status, found["phase"], canary.live()) == (1, "rolled-back", 0)
        assert "worse than stable" in found["reason"]
        assert failed <= 0.05 * (good + failed), "at most the canary's part was hurt"
        canary.run("abort")
