"""Every answer of components/reach is the one of the specification, read a second time without sets and classes."""

import os
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest

from components.reach.evaluate import Reach
from components.reach.model import Answer, Port
from components.reach.questions import Answers
from components.reach.read import read
from tests.support.reach_by_the_book import reaches
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
