"""Compares `vds reach` with `cyclonus analyze`: random clusters, every pair of pods at five ports, both directions.

    python benchmarks/reach_cyclonus.py --verdicts 1000000

Cyclonus knows NetworkPolicy. What it reads differently is left out: its NotIn does not match an object without the
label, and it takes a port's name for every protocol. So every pod and namespace has all labels, and every pod the same
ports. A verdict is one pair, one port, and one of ingress, egress and both together. Exit code 1: a disagreement.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.reach.evaluate import Reach
from components.reach.model import Port
from components.reach.read import read
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import CONFORMANCE
from tests.support.reach_intents import ALIKE, Maker

_ROW = re.compile(r"^\|\s*(\S+/\S+)\s*\|(.*)\|$", re.M)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=1_000_000)
    parser.add_argument("--cyclonus", default="", help="the program; default: the one that make tools has built")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    (tool,) = [one for one in CONFORMANCE if one.name == "cyclonus"]
    program = options.cyclonus or str(build.ensure(Progress(total=1), [tool]).path("cyclonus"))
    compared, allowed, clusters, seed, wrong = 0, 0, 0, options.seed, list[str]()
    while compared < options.verdicts:
        manifests = Maker(seed, admin=False, alike=True, pods=60, policies=12).cluster()
        theirs = list(_theirs(program, manifests))
        ours = list(_ours(manifests))
        if [one for one, _ in ours] != [one for one, _ in theirs]:
            raise SystemExit("error: cyclonus answered other questions")
        differ = [(one, mine) for (one, mine), (_, their) in zip(ours, theirs, strict=True) if mine is not their]
        wrong += [f"seed {seed}, {one}: reach says {mine}" for one, mine in differ]
        compared, allowed = compared + len(ours), allowed + sum(mine for _, mine in ours)
        clusters, seed = clusters + 1, seed + 1
    print(f"{compared} verdicts of {clusters} clusters compared, {allowed} of them allowed, {len(wrong)} disagreements")
    for line in wrong[:20]:
        print(line)
    raise SystemExit(1 if wrong else 0)


def _ours(manifests: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    reach = Reach(read(manifests, cni="other"))
    names = sorted(reach.state.workloads)
    place = {name: reach.state.workloads[name][0] for name in names}
    for number, protocol in ALIKE:
        port = Port(number, protocol)
        out, into = (
            {name: reach.decide(place[name], direction, port, reach.everyone).allowed for name in names}
            for direction in ("egress", "ingress")
        )
        for kind in ("ingress", "egress", "both"):
            for source in names:
                for target in names:
                    answers = {
                        "ingress": bool(into[target] >> place[source] & 1),
                        "egress": bool(out[source] >> place[target] & 1),
                    }
                    yield f"{source} → {target} {port} {kind}", answers.get(kind, all(answers.values()))


def _theirs(program: str, manifests: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    pods = [one for one in manifests if one["kind"] == "Pod"]
    resources = {
        "Namespaces": {
            one["metadata"]["name"]: one["metadata"]["labels"] for one in manifests if one["kind"] == "Namespace"
        },
        "Pods": [
            {
                "Namespace": pod["metadata"]["namespace"],
                "Name": pod["metadata"]["name"],
                "Labels": pod["metadata"]["labels"],
                "IP": pod["status"]["podIP"],
                "Containers": [
                    {
                        "Name": f"c{port['containerPort']}",
                        "Port": port["containerPort"],
                        "Protocol": port["protocol"],
                        "PortName": port.get("name", ""),
                    }
                    for port in pod["spec"]["containers"][0]["ports"]
                ],
            }
            for pod in pods
        ],
    }
    probes = [{"Protocol": protocol, "Port": number} for number, protocol in ALIKE]
    policies = [one for one in manifests if one["kind"] == "NetworkPolicy"]
    with tempfile.TemporaryDirectory() as folder:
        model, listed = Path(folder, "model.json"), Path(folder, "policies.yaml")
        model.write_text(json.dumps({"Resources": resources, "Probes": probes}))
        listed.write_text(
            json.dumps({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": policies})
        )
        argv = [program, "analyze", "--mode", "probe", "--policy-path", str(listed), "--probe-path", str(model)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    names = sorted(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in pods)
    rows = [(match[1], match[2]) for match in _ROW.finditer(done.stdout)]
    titles = [(port, kind) for port in ALIKE for kind in ("ingress", "egress", "both")]
    if len(rows) != len(titles) * len(names):
        raise SystemExit(f"error: cyclonus printed {len(rows)} rows, and {len(titles) * len(names)} were expected")
    for index, (name, cells) in enumerate(rows):
        port, kind = titles[index // len(names)]
        for target, cell in zip(names, cells.split("|"), strict=True):
            if cell.strip() not in (".", "X"):
                raise SystemExit(f"error: cyclonus printed {cell.strip()!r} for {name} → {target}")
            yield f"{name} → {target} {Port(*port)} {kind}", cell.strip() == "."


if __name__ == "__main__":
    main()
