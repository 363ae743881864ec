"""What one more worker costs in a small and in a large cluster, before its packages. `make benchmark-one-more`.

    sudo .venv/bin/python benchmarks/one_more.py [--nodes 3 50] [--rounds 5] [--json]

All nodes but the last are as the stack file says. Each round does what an update does with one new node:
  reading   every node is read, in parallel (ADR 2); the preview and the update do it once each
  own       the processor time of that in this process, which is the part that grows with the cluster
  setup     the node script sets up the new node
What comes after has the same number of resources in each cluster (tests/program/test_kubeadm.py): packages, membership,
agents of the CNI. It prints what it measured and asserts nothing.

Nodes and tools share one machine's cores here: fifty nodes answer with the processors of one, so `reading` grows here
and not with servers of their own. 2026-11-27, 3 and 50 nodes, 2 cores, Linux 6.18, load 17 from other work, 3 rounds,
medians: setup 1.61 s and 1.61 s; own 0.04 s and 0.27 s, 5 ms for each node more; reading 1.4 s and 8.7 s.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fleet import OPERATOR, described, fleet
from nodes import Bench, timed


def measure(wanted: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each part in each round, from inside the fleet's network."""
    bench = Bench(described(wanted.nodes[0] + 1, wanted.inside), None)
    bench.prepare()
    *others, new = bench.fleet.nodes
    bench.run_script("apply", others)
    rounds = []
    for _ in range(wanted.rounds):
        before = time.process_time()
        reading = timed(bench.read)
        own = time.process_time() - before
        setup = timed(lambda: bench.run_script("apply", [new]))
        bench.run_script("remove", [new])
        rounds.append({"reading": reading, "own": own, "setup": setup})
    return {name: [round(took[name], 2) for took in rounds] for name in rounds[0]}


def main() -> None:
    """Make each fleet, measure from inside its network, take it away."""
    parser = argparse.ArgumentParser(description="What one more worker costs in a small and in a large cluster.")
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 50])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        print(json.dumps(measure(wanted)))
        return
    found: dict[str, Any] = {"cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}
    seconds: dict[int, dict[str, list[float]]] = {}
    for number in wanted.nodes:
        print(f"one more than {number} nodes", file=sys.stderr)
        with fleet(number + 1) as nodes:
            again = [sys.executable, __file__, "--inside", str(nodes.folder), "--rounds", str(wanted.rounds)]
            enter = ["nsenter", f"--net=/run/netns/{OPERATOR}", *again, "--nodes", str(number)]
            done = subprocess.run(enter, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        seconds[number] = json.loads(done.stdout)
    medians = {number: {name: statistics.median(took) for name, took in one.items()} for number, one in seconds.items()}
    few, many = medians[wanted.nodes[0]], medians[wanted.nodes[-1]]
    ratios = {name: round(many[name] / few[name], 1) for name in few}
    if wanted.json:
        print(json.dumps({**found, "seconds": seconds, "ratios": ratios}, indent=2))
        return
    print(f"{found['cores']} cores, Linux {found['kernel']}, load {found['load']:.1f} before")
    for number, one in medians.items():
        print(f"{number:3} nodes  " + "  ".join(f"{name} {took:.2f} s" for name, took in one.items()))
    print("ratio      " + "  ".join(f"{name} {ratio}" for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()
