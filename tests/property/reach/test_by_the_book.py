"""Every answer of components/reach is the one of the specification, read a second time without sets and classes."""

import os
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest

from components.reach import services
from components.reach.evaluate import Reach
from components.reach.model import Answer, Port
from components.reach.questions import Answers
from components.reach.read import read
from tests.support.reach_by_the_book import ends, reaches
from tests.support.reach_intents import PORTS, Maker
from tests.support.reach_other_grammars import CalicoMaker, CiliumMaker, both_ways, calico_allowed, cilium_allowed

INTENTS = 10_000 if os.environ.get("EXAMPLES") == "nightly" else 300
"""Clusters to compare; a quarter of it for each CNI."""
BY_THE_BOOK = {True: Answer.YES, False: Answer.NO, None: Answer.UNDECIDED}


def disagreements(manifests: list[dict[str, Any]]) -> list[str]:
    pods = [one for one in manifests if one["kind"] == "Pod"]
    answers = Answers(Reach(read(manifests, cni="other")))
    found = []
    for source in pods:
        for target in pods:
            for number, protocol in PORTS:
                names = [f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in (source, target)]
                verdict = answers.verdict(*names, Port(number, protocol))
                wanted = BY_THE_BOOK[reaches(manifests, source, target, number, protocol)]
                if verdict.answer is not wanted:
                    found.append(f"{names} {number}/{protocol}: {verdict}, by the book {wanted}")
    return found


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_every_pair_and_port_has_the_answer_of_the_specification(part: int) -> None:
    for seed in range(part, INTENTS, 4):
        assert disagreements(Maker(seed).cluster()) == [], seed


def test_every_pair_and_port_has_the_answer_of_cilium_s_documentation() -> None:
    for seed in range(INTENTS // 4):
        manifests = CiliumMaker(seed, admin=False).cluster()
        assert others(manifests, "cilium", cilium_allowed) == [], seed


def test_every_pair_and_port_has_the_answer_of_calico_s_documentation() -> None:
    for seed in range(INTENTS // 4):
        maker = CalicoMaker(seed, admin=False)
        manifests = maker.cluster()
        assert others(manifests, "calico", partial(calico_allowed, maker.meanings)) == [], seed


def others(manifests: list[dict[str, Any]], cni: Any, allowed: Callable[..., bool]) -> list[str]:
    pods = {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in manifests if one["kind"] == "Pod"
    }
    answers = Answers(Reach(read(manifests, cni=cni)))
    found = []
    for source, target, port in product(pods, pods, PORTS):
        wanted = Answer.YES if both_ways(allowed, manifests, pods[source], pods[target], *port) else Answer.NO
        verdict = answers.verdict(source, target, Port(*port))
        if verdict.answer is not wanted:
            found.append(f"{source} → {target} {port}: {verdict}, by the book {wanted}")
    return found


def of_services(
    manifests: list[dict[str, Any]], given: list[dict[str, Any]], cni: Any, book: Callable[..., bool | None]
) -> tuple[list[str], int]:
    """Calls to Services for which an answer is not the book's, and how many are undecided."""
    answers = Answers(Reach(read([*manifests, *given], cni=cni)))
    pods = [one for one in manifests if one["kind"] == "Pod"]
    found, undecided = [], 0
    for source, service in product(pods, given):
        caller, name = (f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in (source, service))
        for port in service["spec"]["ports"]:
            asked = Port(port["port"], port["protocol"])
            each = {book(source, pod, number, asked.protocol) for pod, number in ends(service, pods, *asked)}
            wanted = BY_THE_BOOK[True if True in each else None if None in each else False]
            verdict = services.verdict(answers, caller, name, asked)
            undecided += verdict.answer is Answer.UNDECIDED
            if verdict.answer is not wanted and (cni != "other" or verdict.answer is not Answer.UNDECIDED):
                found.append(f"{caller} → {name} {asked}: {verdict}, by the book {wanted}")
    return found, undecided


def test_every_call_to_a_service_has_the_answer_of_the_pods_that_the_book_puts_behind_it() -> None:
    for seed in range(INTENTS // 4):
        maker = CiliumMaker(seed, admin=False)
        manifests = maker.cluster()
        book = partial(both_ways, cilium_allowed, manifests)
        assert of_services(manifests, maker.services(4), "cilium", book) == ([], 0), seed
        own = CalicoMaker(seed, admin=False)
        manifests = own.cluster()
        book = partial(both_ways, partial(calico_allowed, own.meanings), manifests)
        assert of_services(manifests, own.services(4), "calico", book) == ([], 0), seed


def test_only_a_network_that_holds_a_service_s_address_leaves_undecided_what_the_book_decides() -> None:
    undecided = 0
    for seed in range(INTENTS // 4):
        maker = Maker(seed, admin=False)
        manifests, given = maker.cluster(), maker.services(4)
        found, odd = of_services(manifests, given, "other", partial(reaches, manifests))
        assert found == [], seed
        blocks = [one for one in manifests if one["kind"] == "NetworkPolicy" and "ipBlock" in str(one["spec"])]
        assert blocks or not odd, seed
        undecided += odd
    assert undecided
