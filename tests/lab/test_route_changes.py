"""Routes that change under load: how soon each change is live at the gateway, and that no request fails meanwhile.

The measurements "probe" and "routechange" of gateway-api-bench, scaled down to two cores.
"""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest

from components.gateway.routes import parent
from components.gateway.waits import API
from lab.asking import ask, from_host
from lab.layout import CLIENT
from lab.proof.gateway import gateway_address, question, until_served
from lab.tenants.settings import NAMESPACE
from lab.verify import load_spec
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

VERSIONS = ("api", "frontend")
"""Two apps of the agency, in place of two versions."""
WEIGHT_CHANGES, NEW_ROUTES = 200, 25
CLIENTS = 4
ROUND_SECONDS = 15
PAUSES = (0.5, 0.7)
"""Seconds between two changes, chosen at random: no timer of the gateway goes in step with them."""
MOST_TOLD = 40
"""Rows of failed requests that are printed."""
PATH = "/route-changes"


class Change(NamedTuple):
    """A change that somebody has made, and what answers from then on."""

    began: float
    answered: float
    """By the API server."""
    wanted: str


class Seen(NamedTuple):
    """Answers by one version, in a row, on one connection."""

    who: str
    first: float
    last: float
    many: int


def route(lab: Lab, name: str, path: str, weights: dict[str, int]) -> dict[str, Any]:
    spec = load_spec(lab.layout)
    asked = question(lab.layout, spec, "")
    backends = [{"name": one, "port": 80, "weight": weight} for one, weight in weights.items()]
    return {
        "apiVersion": API,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [parent(spec.gateway, spec.gateway.https[0].name)],
            "hostnames": [asked["hostname"]],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": backends}],
        },
    }


def changed(change: Callable[[], object], wanted: str) -> Change:
    """Make a change, and give the gateway some time."""
    began = time.time()
    change()
    answered = time.time()
    time.sleep(random.uniform(*PAUSES))  # noqa: S311  no secret
    return Change(began, answered, wanted)


def live_after(changes: list[Change], clients: list[list[Seen]]) -> list[float]:
    """By change, the seconds from its beginning until no client's answer was the one of before.

    That is the end of the last answer by somebody else, of any client; 0 if the change was live at the first request.
    """
    found = []
    ends = [one.began for one in changes[1:]] + [float("inf")]
    for change, end in zip(changes, ends, strict=True):
        late = [
            min(row.last, end) - change.began
            for rows in clients
            for row in rows
            if row.who != change.wanted and row.first < end and row.last > change.began
        ]
        found.append(max([0.0, *late]))
    return found


def told(name: str, seconds: list[float]) -> None:
    of = sorted(seconds)
    p50, p95, most = (1000 * of[min(len(of) - 1, int(part * len(of)))] for part in (0.5, 0.95, 1.0))
    print(f"{name}: {len(of)} changes, p50 {p50:.0f} ms, p95 {p95:.0f} ms, max {most:.0f} ms")


@pytest.fixture
def asked(lab: Lab) -> Iterator[dict[str, Any]]:
    """The question that clients ask, of a route that the test changes."""
    spec = load_spec(lab.layout)
    made = route(lab, "route-changes", PATH, {VERSIONS[0]: 1, VERSIONS[1]: 0})
    found = question(lab.layout, spec, gateway_address(lab.cluster, spec)) | {"path": f"{PATH}/x"}
    try:
        lab.cluster.apply(made)
        until_served(found, {VERSIONS[0]}, requests=1)
        yield found
    finally:
        lab.cluster.delete(made)


@contextmanager
def load(asked: dict[str, Any]) -> Iterator[list[list[Seen]]]:
    """Clients ask while the block runs; what they saw afterwards, by round. Their rounds do not end together."""
    found: list[list[Seen]] = []
    ended = False

    def client(number: int) -> None:
        seconds = ROUND_SECONDS * (number + 1) / CLIENTS
        while not ended:
            [rows] = ask(from_host(CLIENT), [asked | {"ask": "runs", "seconds": seconds}], 120)
            found.append([Seen(*row) for row in rows])
            seconds = ROUND_SECONDS

    with ThreadPoolExecutor(CLIENTS) as pool:
        sending = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            time.sleep(5)
            yield found
        finally:
            ended = True
            for one in sending:
                one.result()


def test_changes_of_routes_are_live_soon_and_no_request_fails(lab: Lab, asked: dict[str, Any]) -> None:
    """First the weights change. Then a route with a longer path takes the same requests, and is removed again."""
    first, second = VERSIONS
    weights: list[Change] = []
    routes: dict[str, list[Change]] = {"new routes": [], "removed routes": []}
    random.seed(14)
    longer = route(lab, "route-changes-longer", asked["path"], {second: 1})
    count = WEIGHT_CHANGES + 2 * NEW_ROUTES
    with load(asked) as rows:
        try:
            for number in range(WEIGHT_CHANGES):
                wanted = VERSIONS[(number + 1) % 2]
                made = route(lab, "route-changes", PATH, {one: int(one == wanted) for one in VERSIONS})
                weights.append(changed(partial(lab.cluster.apply, made), wanted))
            for _ in range(NEW_ROUTES):
                routes["new routes"].append(changed(lambda: lab.cluster.apply(longer), second))
                routes["removed routes"].append(changed(lambda: lab.cluster.delete(longer), first))
        finally:
            lab.cluster.delete(longer)
    every = sorted([*weights, *(one for some in routes.values() for one in some)])
    assert [one.wanted for one in every] == [second, first] * (count // 2)
    requests = sum(row.many for one in rows for row in one)
    failed = [row for one in rows for row in one if row.who not in VERSIONS]
    seconds = every[-1].began - every[0].began
    print(f"\n{requests} requests by {CLIENTS} clients in {seconds:.0f} s, failed: {sum(row.many for row in failed)}")
    for row in sorted(failed, key=lambda row: row.first)[:MOST_TOLD]:
        number = sum(one.began < row.first for one in every)
        after = row.first - every[number - 1].began if number else 0.0
        print(f"{row.who}: {row.many} for {row.last - row.first:.2f} s, {after:.2f} s after change {number}")
    took = dict(zip(every, live_after(every, rows), strict=True))
    for name, some in {"weights": weights, **routes}.items():
        told(name, [took[one] for one in some])
    told("the API server's answer", [one.answered - one.began for one in every])
    assert failed == []
