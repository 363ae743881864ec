"""Cyclonus' cases of NetworkPolicy: nine pods try each other, and three answers are compared.

The answers are what packets do, what Cyclonus' model allows, and what `vds reach` computes from the live objects. A
case passes if packets do what Cyclonus' model allows.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from components.reach import services
from components.reach.evaluate import Reach
from components.reach.model import Answer, Port
from components.reach.questions import Answers
from components.reach.read import read
from lab.asking import Facts, ask, from_pod, pods, service_address
from lab.cluster import Cluster, Manifest, condition
from lab.conformance import objects
from lab.conformance.images import has_sctp
from lab.conformance.suite import Counts, Result, Run, Suite
from lab.layout import Layout
from lab.processes import LabError, wait_until
from lab.toolchain.build import Tools
from vds.reach.inputs import of_cluster

# Cyclonus' own default, which leaves 112 of its 229 cases.
_EXCLUDED = ("multi-peer", "upstream-e2e", "example", "end-port", "namespaces-by-default-label")
_POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
_READY_SECONDS = 180
_SETTLE_SECONDS = 2  # time that the CNI has before the first try; Cyclonus' own default is 5
_AGAIN_SECONDS = 8  # a result that is not as the model says is looked at again for this time
_LABEL_SECONDS = 45  # after a change of labels; Cilium waits up to 30 seconds before it follows (identity-max-jitter)
_TRY_SECONDS = 1.5  # of one connection
_AT_ONCE = 9  # pods that try at the same time, each all its connections: most of the time is waiting for no answer


_DONE = {True: "let through", False: "stopped"}


class Pair(NamedTuple):
    """One connection that is tried."""

    source: str
    target: str
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.source} to {self.target} at {self.port}/{self.protocol}"


Verdicts = Mapping[Pair, bool]


def plan(tools: Tools, protocols: Sequence[str], addresses: Mapping[str, str]) -> Facts:
    """The objects that the cases need, and the cases. Their model needs the pods' addresses. Raises LabError."""
    argv = [str(tools.path("cyclonus-cases")), ",".join(protocols), "", ",".join(_EXCLUDED)]
    done = subprocess.run(argv, input=json.dumps(addresses), capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise LabError(f"cyclonus-cases failed: {done.stderr.strip()[-500:]}")
    return dict(json.loads(done.stdout))


def allowed(step: Facts) -> dict[Pair, bool]:
    """What Cyclonus' model allows in a step. No policy can deny what a pod asks of itself, so that is left out."""
    return {
        Pair(one["From"], one["To"], one["Port"], one["Protocol"]): one["Allowed"]
        for one in step["Connections"]
        if one["From"] != one["To"]
    }


class CasePods:
    """The cases' namespaces and pods in the cluster."""

    def __init__(self, layout: Layout, cluster: Cluster, tools: Tools, protocols: Sequence[str]) -> None:
        self._layout, self._cluster = layout, cluster
        made = plan(tools, protocols, {})
        self._namespaces: dict[str, dict[str, str]] = made["Namespaces"]
        self._template: Manifest = made["Pods"][0]
        for name, labels in self._namespaces.items():
            self._create_namespace(name, labels)
        for pod, service in zip(made["Pods"], made["Services"], strict=True):
            self._create("pods", "Pod", pod)
            self._create("services", "Service", service)
        self.there: dict[str, Facts] = {}
        self.look()

    def _create_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        meta = {"name": name, "labels": dict(labels)}
        self._cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def _create(self, plural: str, kind: str, item: Manifest) -> None:
        body = {key: value for key, value in item.items() if key != "status"}
        path = f"/api/v1/namespaces/{item['metadata']['namespace']}/{plural}"
        objects.create(self._cluster, path, {"apiVersion": "v1", "kind": kind, **body})

    def look(self) -> None:
        """Wait until all pods are ready, and find out their addresses, networks and Services."""
        paths = [f"/api/v1/namespaces/{name}/pods" for name in self._spaces()]

        def ready() -> bool:
            found = [pod for path in paths for pod in self._cluster.request("GET", path)["items"]]
            return all(condition(pod, "Ready") == "True" for pod in found)

        wait_until(ready, _READY_SECONDS, lambda: "the pods of the cases are not ready; see `make status`")
        spaces = set(self._spaces())
        self.there = {
            f"{pod['namespace']}/{pod['name']}": {
                **pod,
                "service": service_address(self._cluster, pod["namespace"], f"s-{pod['namespace']}-{pod['name']}"),
            }
            for pod in pods(self._layout, self._cluster)
            if pod["namespace"] in spaces
        }

    def _spaces(self) -> list[str]:
        return [*self._namespaces, "y-2"] if self._cluster.get(_space("y-2")) else [*self._namespaces]

    def reset(self) -> bool:
        """As before the first case; whether labels changed."""
        for name in self._namespaces:
            objects.remove(self._cluster, _POLICIES.format(name))
        changed = [self._label(f"/api/v1/namespaces/{name}", labels) for name, labels in self._namespaces.items()]
        changed += [
            self._label(f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}", {"pod": pod["name"]})
            for pod in self.there.values()
        ]
        return any(changed)

    def _label(self, path: str, labels: Mapping[str, str]) -> bool:
        """Give an object these labels and no other; whether that is a change."""
        now = self._cluster.request("GET", path)["metadata"].get("labels") or {}
        own = {key: value for key, value in now.items() if key != "kubernetes.io/metadata.name"}
        if own == dict(labels):
            return False
        patch = {"metadata": {"labels": {**dict.fromkeys(own), **labels}}}
        self._cluster.request("PATCH", path, patch, content_type="application/merge-patch+json")
        return True

    def change(self, action: Facts) -> bool:
        """Carry out an action of a step; whether it changes labels or pods."""
        [(kind, body)] = [(kind, body) for kind, body in action.items() if body]
        match kind:
            case "CreatePolicy" | "UpdatePolicy":
                self._put_policy(body["Policy"])
                return False
            case "DeletePolicy":
                objects.remove(self._cluster, f"{_POLICIES.format(body['Namespace'])}/{body['Name']}")
                return False
            case "CreateNamespace":
                self._create_namespace(body["Namespace"], body["Labels"])
            case "DeleteNamespace":
                space = _space(body["Namespace"])
                self._cluster.delete(space)
                wait_until(lambda: not self._cluster.get(space), _READY_SECONDS, lambda: f"{body['Namespace']} stays")
                self.look()
            case "SetNamespaceLabels":
                self._label(f"/api/v1/namespaces/{body['Namespace']}", body["Labels"])
            case "SetPodLabels":
                self._label(f"/api/v1/namespaces/{body['Namespace']}/pods/{body['Pod']}", body["Labels"])
            case "CreatePod":
                self._create_pod(body)
            case "DeletePod":
                space, name = body["Namespace"], body["Pod"]
                path = f"/api/v1/namespaces/{space}/pods/{name}"
                objects.remove(self._cluster, path)
                objects.remove(self._cluster, f"/api/v1/namespaces/{space}/services/s-{space}-{name}")
                wait_until(lambda: not self._cluster.get(_pod(space, name)), _READY_SECONDS, lambda: f"{name} stays")
                self.look()
            case _:
                raise LabError(f"Cyclonus has an action {kind} that the lab does not know")
        return True

    def _put_policy(self, policy: Manifest) -> None:
        meta = {"name": policy["metadata"]["name"], "namespace": policy["metadata"]["namespace"]}
        manifest = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta,
            "spec": policy["spec"],
        }
        self._cluster.apply(manifest)

    def _create_pod(self, body: Facts) -> None:
        space, name, labels = body["Namespace"], body["Pod"], body["Labels"]
        meta = {"name": name, "namespace": space, "labels": labels}
        self._create("pods", "Pod", {**self._template, "metadata": meta})
        ports = [
            {"name": port["name"], "port": port["containerPort"], "protocol": port["protocol"]}
            for container in self._template["spec"]["containers"]
            for port in container["ports"]
        ]
        meta = {"name": f"s-{space}-{name}", "namespace": space}
        self._create("services", "Service", {"metadata": meta, "spec": {"selector": labels, "ports": ports}})
        self.look()

    def on_the_wire(self, pairs: Sequence[Pair]) -> dict[Pair, bool]:
        """Try connections to the pods' Services, all of a pod at once."""

        def of(source: str) -> list[tuple[Pair, bool]]:
            own = [pair for pair in pairs if pair.source == source]
            questions = [
                {
                    "ask": "connect",
                    "host": self.there[pair.target]["service"],
                    "port": pair.port,
                    "protocol": pair.protocol,
                    "timeout_seconds": _TRY_SECONDS,
                }
                for pair in own
            ]
            answers = ask(from_pod(self.there[source], self._layout), questions)
            return list(zip(own, map(bool, answers), strict=True))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(row for rows in pool.map(of, sorted({pair.source for pair in pairs})) for row in rows)

    def computed(self, pairs: Sequence[Pair]) -> dict[Pair, Answer]:
        """What `vds reach` computes from the objects of the cluster."""
        given = of_cluster(self._layout.kubeconfig)
        answers = Answers(Reach(read(given.manifests, cni=given.cni)))  # type: ignore[arg-type]
        return {
            pair: services.verdict(answers, pair.source, service_of(pair.target), Port(pair.port, pair.protocol)).answer
            for pair in pairs
        }


def service_of(pod: str) -> str:
    """The Service of a pod; both as `namespace/name`."""
    namespace, _, name = pod.partition("/")
    return f"{namespace}/s-{namespace}-{name}"


def _space(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _pod(namespace: str, name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}


def _execute(layout: Layout, run: Run, log: Path, seconds: float, tell: Callable[[str], None]) -> None:
    """Run all cases and write their results as JSON. Raises LabError."""
    deadline = time.monotonic() + seconds
    protocols = ["TCP", "UDP", *(["SCTP"] if has_sctp() else [])]
    tell("its pods start")
    case_pods = CasePods(layout, run.cluster, run.tools, protocols)
    cases = plan(run.tools, protocols, {name: pod["address"] for name, pod in case_pods.there.items()})["Cases"]
    rows = []
    with log.open("w") as out:
        for number, case in enumerate(cases, 1):
            if time.monotonic() > deadline:
                raise LabError(f"cyclonus was ended after {seconds:g} seconds, before case {number} of {len(cases)}")
            tell(f"case {number} of {len(cases)}, {case['Name']}")
            rows.append(row := _case(case_pods, case, f"{number}: {case['Name']}"))
            print(json.dumps(row, ensure_ascii=False), file=out, flush=True)
    run.report.write_text(json.dumps({"protocols": protocols, "cases": rows}, indent=2, ensure_ascii=False))


def _case(case_pods: CasePods, case: Facts, name: str) -> Facts:
    started = time.monotonic()
    relabelled = case_pods.reset()
    steps = []
    for step in case["Steps"]:
        changes = [case_pods.change(action) for action in step["Actions"] or ()]
        relabelled = any([*changes, relabelled])
        steps.append(_step(case_pods, allowed(step), _LABEL_SECONDS if relabelled else _AGAIN_SECONDS))
        relabelled = False
    seconds = round(time.monotonic() - started, 1)
    return {"name": name, "tags": sorted(case["Tags"]), "seconds": seconds, "steps": steps}


def _step(case_pods: CasePods, model: Verdicts, seconds: float) -> Facts:
    changed = time.monotonic()
    pairs = list(model)
    computed = case_pods.computed(pairs)
    time.sleep(max(0, changed + _SETTLE_SECONDS - time.monotonic()))
    deadline = time.monotonic() + seconds
    while True:
        wire = case_pods.on_the_wire(pairs)
        facts = compared(model, wire, computed)
        if not facts["wrong"] or not (facts["differ"] or facts["undecided"]) or time.monotonic() > deadline:
            return facts


def compared(model: Verdicts, wire: Verdicts, computed: Mapping[Pair, Answer]) -> Facts:
    """The connections of a step where two answers differ."""
    said = {True: Answer.YES, False: Answer.NO}
    undecided = [pair for pair in wire if computed[pair] is Answer.UNDECIDED]
    differ = [pair for pair in wire if computed[pair] not in (said[wire[pair]], Answer.UNDECIDED)]
    return {
        "tried": len(wire),
        "wrong": [f"{pair}: {_DONE[wire[pair]]}" for pair in wire if wire[pair] != model[pair]],
        "differ": [f"{pair}: {_DONE[wire[pair]]}" for pair in differ],
        "undecided": [str(pair) for pair in undecided],
    }


def _read(text: str) -> Result:
    report = json.loads(text)
    failed: set[str] = set()
    passed, counts = 0, dict.fromkeys(("tried", "differ", "undecided"), 0)
    for case in report["cases"]:
        wrong = any(step["wrong"] or not step["tried"] for step in case["steps"])
        passed += not wrong
        failed |= {case["name"]} if wrong else set()
        unlike = any(step["differ"] or step["undecided"] for step in case["steps"])  # here everything is known
        failed |= {f"vds reach: {case['name']}"} if unlike else set()
        for step in case["steps"]:
            counts["tried"] += step["tried"]
            for key in ("differ", "undecided"):
                counts[key] += len(step[key])
    right = counts["tried"] - counts["differ"] - counts["undecided"]
    found = {
        "Cyclonus' default cases": Counts(passed, len(report["cases"]) - passed),
        "verdicts of vds reach": Counts(right, counts["differ"], counts["undecided"]),
    }
    return Result(found, frozenset(failed), frozenset(_left_out(report)))


def _left_out(report: Facts) -> Iterator[str]:
    """Of cases that also have a rule for SCTP, where no connection by it was tried."""
    if "SCTP" not in report["protocols"]:
        for case in report["cases"]:
            if "sctp" in case["tags"]:
                yield f"{case['name']}: connections by SCTP, which the kernel of the lab's machine does not have"


SUITE = Suite(
    name="cyclonus",
    tool="cyclonus-cases",
    report="cyclonus.json",
    minutes=40,
    namespaces=r"x|y|z|y-2",  # fixed names; they are part of its cases
    execute=_execute,
    read=_read,
)
