"""What it costs to set up many nodes at once: bare SSH, our node script, and Ansible. `make benchmark-nodes`.

    sudo .venv/bin/python benchmarks/nodes.py [--nodes 20] [--rounds 3] [--ansible PATH] [--json]

Each round, on all nodes in parallel:
  bare      `ssh node true`: what no tool can be faster than that makes one connection
  ours      every node read (`check`), then set up (`apply`): two connections, as an update makes them
  ansible   the same kernel settings and the same two files, where ansible-playbook is on the PATH or given

Ansible gets what makes it fast: pipelining, a fork a node, no facts, no interpreter discovery, one task for all
settings instead of one each. It sets exactly what our script reports as `applied`: in a network namespace the
machine's own settings are left alone. Before every measurement the nodes are as they were made, and after it their
kernels are asked whether they have the values. It prints what it measured and asserts nothing else.

Nodes and tools share one machine's cores here, so the ratios say more than the seconds. 2026-11-21, 20 nodes, 2 cores,
Linux 6.18, ansible-core 2.19.14, 3 rounds twice, medians, load 5 before the second run and 8 to 35 with our own work:
ours/bare 1.2 and 0.9 (one process for all connections, where bare starts an ssh for each), ansible/ours 8.8 and 9.3.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncssh
import playbook
from fleet import OPERATOR, Fleet, described, fleet

from components.nodes.connection import connect, server_of
from components.nodes.model import NodeRequirements, NodeSpec, SshSpec
from components.nodes.reading import read_fleet
from components.nodes.settings.readback import Readback
from components.nodes.settings.script import command, node_script

SSH = SshSpec(dial_seconds=30)  # a fleet on one busy machine shakes hands slowly, which is no fault of a node
DEMANDS = NodeRequirements("iptables", "4.19", "the benchmark")
FILES = ("/etc/sysctl.d/zz-vds-platform.conf", "/etc/modules-load.d/vds-platform.conf")
_READY_SECONDS = 60


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


class Bench:
    """What is measured, from inside the operator's namespace."""

    def __init__(self, nodes: Fleet, ansible: str | None) -> None:
        self.fleet, self.ansible = nodes, ansible
        self.scripts = {node.name: node_script(node, DEMANDS) for node in nodes.nodes}
        self.key = asyncssh.read_private_key(str(nodes.key))
        self.options = ["-F", "none", "-i", str(nodes.key), "-o", f"UserKnownHostsFile={nodes.known_hosts}"]
        self.options += ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        self.wanted: dict[str, str] = {}
        self.before: dict[str, str] = {}

    def bare(self) -> None:
        """One round trip to every node."""
        every = [subprocess.Popen(["ssh", *self.options, f"root@{node.address}", "true"]) for node in self.fleet.nodes]
        if any(process.wait() for process in every):
            sys.exit("error: not every node could be reached by ssh")

    def read(self) -> dict[str, Readback]:
        """Every node's standing, read as the program reads it."""
        key = self.fleet.key.read_text()
        readings = read_fleet(self.fleet.nodes, self.scripts, DEMANDS, SSH, key, ask="none").readings
        for name, reading in readings.items():
            if not isinstance(reading, Readback):
                sys.exit(f"error: {name} could not be read: {reading}")
        return {name: reading for name, reading in readings.items() if isinstance(reading, Readback)}

    def on_all(
        self,
        line: Callable[[NodeSpec], str],
        stdin: Callable[[NodeSpec], str] = lambda _: "",
        nodes: Sequence[NodeSpec] = (),
    ) -> list[str]:
        """What a command printed on each of these nodes; on every one without them."""

        async def one(node: NodeSpec) -> str:
            async with await connect(server_of(node, SSH), self.key) as connection:
                done = await connection.run(line(node), input=stdin(node))
            if done.exit_status:
                sys.exit(f"error: {node.name}: {str(done.stderr).strip()}")
            return str(done.stdout)

        async def every() -> list[str]:
            return await asyncio.gather(*map(one, nodes or self.fleet.nodes))

        return asyncio.run(every())

    def run_script(self, verb: str, nodes: Sequence[NodeSpec] = ()) -> None:
        """The node script on these nodes; on every one without them."""
        self.on_all(lambda _: command(verb), lambda node: self.scripts[node.name], nodes)

    def prepare(self) -> None:
        """Wait for the nodes, learn what is theirs to set and what stood before, and write Ansible's files."""
        deadline = time.monotonic() + _READY_SECONDS
        for node in self.fleet.nodes:
            while not answers(str(node.address)):
                if time.monotonic() > deadline:
                    sys.exit(
                        f"error: {node.name} did not start: {(self.fleet.folder / f'{node.name}.log').read_text()}"
                    )
                time.sleep(0.05)
        before = {item.key: item.live for item in next(iter(self.read().values())).settings}
        self.run_script("apply")
        after = next(iter(self.read().values()))
        self.wanted = {item.key: item.live for item in after.settings if item.state == "applied"}
        self.before = {key: before[key] for key in self.wanted}
        if self.ansible:
            for path in FILES:
                texts = self.on_all(lambda _: f"cat {path}")  # noqa: B023  used up before the next path
                playbook.keep(self.fleet, path, texts)
            playbook.write(self.fleet, self.options, self.wanted, FILES)
        self.run_script("remove")

    def run_ansible(self) -> None:
        """The playbook."""
        playbook.run(self.fleet, str(self.ansible))

    def check(self, who: str) -> None:
        """Every node's kernel has every value, and both files are there."""
        for name, reading in self.read().items():
            wrong = [item.key for item in reading.settings if self.wanted.get(item.key, item.live) != item.live]
            # What our own file should hold depends on what our own run remembers: after Ansible it only must be there.
            wrong += [path for path, state in reading.files.items() if state == "missing"]
            if wrong:
                sys.exit(f"error: after {who}, {name} has not: {', '.join(wrong)}")

    def reset(self) -> None:
        """The nodes as they were made, after Ansible."""
        old = " ".join(f"'{key}={value}'" for key, value in self.before.items())
        self.on_all(lambda _: f"sysctl -q -w {old} && rm -rf {' '.join(FILES)}")

    def round(self) -> dict[str, float]:
        """Seconds of everything, once."""
        seconds = {
            "bare": timed(self.bare),
            "reading": timed(self.read),
            "apply": timed(lambda: self.run_script("apply")),
        }
        seconds["ours"] = seconds["reading"] + seconds["apply"]
        self.check("our script")
        self.run_script("remove")
        if self.ansible:
            seconds["ansible"] = timed(self.run_ansible)
            self.check("Ansible")
            self.reset()
        return seconds


def answers(address: str) -> bool:
    """Whether an sshd says its name there."""
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """All rounds, with the machine's load beside them."""
    bench = Bench(described(wanted.nodes, wanted.inside), wanted.ansible)
    bench.prepare()
    rounds, loads = [], [os.getloadavg()[0]]
    for number in range(1, wanted.rounds + 1):
        print(f"round {number} of {wanted.rounds}", file=sys.stderr)
        rounds.append(bench.round())
        loads.append(os.getloadavg()[0])
    seconds = {name: [round(took[name], 2) for took in rounds] for name in rounds[0]}
    median = {name: statistics.median(took) for name, took in seconds.items()}
    ratios = {"ours/bare": median["ours"] / median["bare"]}
    if bench.ansible:
        ratios["ansible/ours"] = median["ansible"] / median["ours"]
    return {
        "nodes": wanted.nodes,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": [round(load, 1) for load in loads],
        "settings": sorted(bench.wanted),
        "seconds": seconds,
        "ratios": {name: round(value, 1) for name, value in ratios.items()},
    }


def show(result: dict[str, Any]) -> None:
    """The result for people."""
    load = f"load {result['load_before']} before, {min(result['load'])} to {max(result['load'])} with our own"
    print(f"{result['nodes']} nodes on {result['cores']} cores, Linux {result['kernel']}, {load}")
    for name, took in result["seconds"].items():
        print(f"{name:14} {statistics.median(took):7.2f} s   ({min(took):.2f} to {max(took):.2f})")
    for name, value in result["ratios"].items():
        print(f"{name:14} {value:7.1f}")


def main() -> None:
    """Make the nodes, measure from inside their network, take them away."""
    parser = argparse.ArgumentParser(description="How long it takes to set up many nodes at once.")
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ansible", default=shutil.which("ansible-playbook"), help="ansible-playbook to compare with")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        print(json.dumps(measure(wanted)))
        return
    before = round(os.getloadavg()[0], 1)
    with fleet(wanted.nodes) as nodes:
        again = [sys.executable, __file__, "--inside", str(nodes.folder)]
        again += ["--nodes", str(wanted.nodes), "--rounds", str(wanted.rounds)]
        again += ["--ansible", str(Path(wanted.ansible).absolute())] if wanted.ansible else []
        enter = ["nsenter", f"--net=/run/netns/{OPERATOR}"]
        done = subprocess.run([*enter, *again], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    result = {"load_before": before, **json.loads(done.stdout)}
    if wanted.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
