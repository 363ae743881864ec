"""Clusters for tests of components/reach, written as short as can be."""

from typing import Any

import yaml

from components.reach.evaluate import Reach
from components.reach.model import Answer, Port, Verdict
from components.reach.questions import Answers
from components.reach.read import read

Manifest = dict[str, Any]


def namespace(name: str, **labels: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(place: str, *, address: str = "", ports: Any = (), spec: Any = None, **labels: str) -> Manifest:
    """`place` is namespace/name; its labels are `app: NAME`, and those given."""
    space, _, name = place.partition("/")
    container = {"name": "c", "image": "i", "ports": [{"containerPort": p, "name": n} for n, p in dict(ports).items()]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": {"app": name, **labels}},
        "spec": {"containers": [container], **(spec or {})},
        "status": {"podIP": address} if address else {},
    }


def policies(text: str) -> list[Manifest]:
    return [item for item in yaml.safe_load_all(text) if item]


def verdict(manifests: list[Manifest], source: str, target: str, port: str = "80/TCP", **options: Any) -> Verdict:
    number, _, protocol = port.partition("/")
    answers = Answers(Reach(read(manifests, **options)))
    return answers.verdict(source, target, Port(int(number), protocol or "TCP"))


def reached(manifests: list[Manifest], port: str = "80/TCP", **options: Any) -> set[str]:
    """`a → b` for every pair of different pods of which the first reaches the second; with `?` where undecided."""
    number, _, protocol = port.partition("/")
    answers = Answers(Reach(read(manifests, **options)))
    names = sorted(answers.reach.state.workloads)
    found = set()
    for source in names:
        for target in names:
            if source != target:
                answer = answers.verdict(source, target, Port(int(number), protocol)).answer
                if answer is not Answer.NO:
                    found.add(f"{source} → {target}" + ("?" if answer is Answer.UNDECIDED else ""))
    return found
