"""How long a cluster takes: by `pulumi up`, and by hand. `make benchmark-bootstrap`.

    sudo .venv/bin/python benchmarks/bootstrap.py [--machines 3] [--rounds 3] [--only by-hand] [--json]

Both ways begin with bare machines that have booted, and end when every node is Ready, CoreDNS's Deployment is
available and a Deployment of ours is ready: one thread, the same for both, asks the API server for that.

  by hand     over SSH: packages on all machines at once, `kubeadm init`, the other control planes one by one, the
              workers at once, `helm install` of Cilium as soon as there is an API server (see by_hand.py)
  pulumi up   the whole platform, with its preview and its policies: it sets kernels, checks nodes before it touches
              one, and goes on to MetalLB, tenants and gateway after the cluster answers; the whole is noted beside it

Five machines are three control planes and two workers. The ways take turns at who is first. It prints what it measured
and asserts nothing. The tools must be built already, so `make up` has run before; a lab that runs is taken down first,
and none is left.
"""

import argparse
import json
import os
import platform
import secrets
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import by_hand
import yaml
from by_hand import Steps
from footprint import available_mib, busy_seconds, disk_mib, print_line

from components.core.untrusted import yaml_value
from components.kubeadm.credentials import Credentials
from components.kubernetes_api import ApiError
from components.stackfile.installed_charts import from_mirror
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from lab import data_center, fabric, session, stack_file, supplies, workloads
from lab.asking import ssh
from lab.cluster import Cluster, Manifest, condition, rolled_out
from lab.deploy import Deployment
from lab.layout import CHECKOUT, CONTROL_PLANES, NODES, OPERATOR, WORKERS, Host, Layout
from lab.machines import preconditions
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.build import Tools
from lab.verify import images

MACHINES: dict[int, tuple[Host, ...]] = {
    1: CONTROL_PLANES[:1],
    3: NODES,
    5: (*CONTROL_PLANES, *WORKERS[:2]),
}
_NAMESPACE = "benchmark"
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 600  # after the cluster is made; if it does not answer by then, it never will
_KUBECONFIG = "/etc/kubernetes/admin.conf"
_ANSWERS = "the cluster answers"


def _is_ready(cluster: Cluster) -> bool:
    """Whether the API server answers `/readyz` with 200."""
    try:
        cluster.text("GET", "/readyz")
    except Exception:  # refused, reset, not ready, no TLS: all mean "not yet"
        return False
    return True


class Watch(threading.Thread):
    """Notes the times of a cluster, from its first kubeconfig to an answering app."""

    def __init__(self, layout: Layout, machines: Sequence[Host]) -> None:
        super().__init__(daemon=True)
        self.steps = Steps()
        self.failure = ""
        self.answered = threading.Event()
        self.busy_seconds = 0.0
        self._layout, self._machines, self._image = layout, machines, images(layout)["e2e/agnhost"]
        self._ended = threading.Event()
        self._busy_before = busy_seconds()

    def run(self) -> None:
        """Ask until everything answers, or `end` is called."""
        try:
            with fabric.inside(OPERATOR):
                cluster = self._first_kubeconfig()
                for step, is_done in (
                    ("an API server answers", lambda: _is_ready(cluster)),
                    ("our Deployment is accepted", lambda: self._apply(cluster)),
                    (_ANSWERS, lambda: self._all_answer(cluster)),
                ):
                    self._until(is_done)
                    self.steps.done(step)
            self.busy_seconds = busy_seconds() - self._busy_before
            self.answered.set()
        except _EndedError:
            pass
        except Exception as error:  # the main thread says it
            self.failure = f"{type(error).__name__}: {error}"

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()

    def wait(self) -> None:
        """Until everything answers. Raises LabError where it does not."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not self.answered.wait(_POLL_SECONDS):
            if self.failure or time.monotonic() > deadline:
                raise LabError(self.failure or f"the cluster does not answer; it came to: {self.steps.seconds}")

    def _first_kubeconfig(self) -> Cluster:
        # One connection that waits there: asking again and again would cost the machines more.
        waiting = f"until [ -s {_KUBECONFIG} ]; do sleep 0.2; done; cat {_KUBECONFIG}"
        done = ssh(self._layout, self._machines[0].address, waiting, timeout_seconds=3600)
        if done.returncode:
            raise LabError(f"{self._machines[0].name} could not be asked for its kubeconfig: {done.stderr.strip()}")
        file = self._layout.state / "watch.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(done.stdout)
        return Cluster(file)

    def _until(self, is_done: Callable[[], bool]) -> None:
        while True:
            try:
                if is_done():
                    return
            except (LabError, ApiError):  # no answer, no right to ask, no such object: all mean "not yet"
                pass
            if self._ended.wait(_POLL_SECONDS):
                raise _EndedError

    def _apply(self, cluster: Cluster) -> bool:
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
        # Without it the Deployment's controller fails, and tries again ever more slowly.
        cluster.request("GET", f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts/default")
        cluster.apply(_app(self._image))
        return True

    def _all_answer(self, cluster: Cluster) -> bool:
        nodes = cluster.request("GET", "/api/v1/nodes")["items"]
        ready = [node for node in nodes if condition(node, "Ready") == "True"]
        dns = cluster.request("GET", "/apis/apps/v1/namespaces/kube-system/deployments/coredns")
        app = cluster.request("GET", f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/app")
        found = {
            "one node Ready": bool(ready),
            "every node Ready": len(ready) == len(self._machines),
            "CoreDNS available": condition(dns, "Available") == "True",
            "our Deployment ready": rolled_out(app),
        }
        for step, is_done in found.items():
            if is_done and step not in self.steps.seconds:
                self.steps.done(step)
        return all(found.values())


class _EndedError(Exception):
    """The watch was told to end."""


def _app(image: str) -> Manifest:
    labels = {"app.kubernetes.io/name": "app"}
    container = {
        "name": "app",
        "image": image,
        "args": ["netexec", f"--http-port={workloads.PORT}", "--udp-port=-1"],
        "readinessProbe": {"httpGet": {"path": "/", "port": workloads.PORT}, "periodSeconds": 1},
    }
    return workloads.deployment({"name": "app", "namespace": _NAMESPACE}, labels, {"containers": [container]})


def shape(spec: dict[str, Any], machines: Sequence[Host]) -> None:
    """Make the stack file's nodes these machines, each as its kind is there; a single one does everything."""
    examples = {role: node for node in reversed(spec["nodes"]) for role in node["roles"]}
    own = {node["name"]: node for node in spec["nodes"]}
    spec["nodes"] = [
        own.get(host.name)
        or {
            **examples["control-plane" if host in CONTROL_PLANES else "worker"],
            "name": host.name,
            "address": host.address,
        }
        for host in machines
    ]
    if len(machines) == 1:
        spec["nodes"][0]["roles"] = ["control-plane", "worker"]
        spec["gateway"]["install"]["replicas"] = 1


class Bench:
    """What is measured, on one number of machines."""

    def __init__(self, machines: Sequence[Host], *, quiet: bool) -> None:
        self.layout, self.machines, self.quiet = Layout(), machines, quiet
        self.tools: Tools | None = None

    def start(self) -> Deployment:
        """Bare machines, booted, and the services of a closed network; nothing else of a lab."""
        session.remove(self.layout)
        progress = Progress(total=4, quiet=self.quiet)
        with progress.step("tools"):
            preconditions.ensure(progress)
            self.tools = self.tools or build.ensure(progress)
        with progress.step("network"):
            session.claim(self.layout)
        with progress.step("packages, images, charts"):
            supplies.ensure(self.layout, self.tools, progress)
        with progress.step("machines"):
            data_center.ensure(self.layout, progress, self.machines)
        return Deployment(self.layout, self.tools)

    def measured(self, way: Callable[[Deployment, Watch], dict[str, Any]]) -> dict[str, Any]:
        """One way, from bare machines to an answering cluster, with what it took of this machine."""
        session.remove(self.layout)
        before = available_mib()
        deployment = self.start()
        bare = before - available_mib()
        watch = Watch(self.layout, self.machines)
        try:
            result = way(deployment, watch)
        finally:
            watch.end()
        return {
            "answers": watch.steps.seconds[_ANSWERS],
            "cpu": watch.busy_seconds,
            **result,
            "milestones": watch.steps.seconds,
            "memory_bare_mib": bare,
            "memory_mib": before - available_mib(),
            "disk_mib": disk_mib(self.layout.state),
        }

    def by_hand(self, deployment: Deployment, watch: Watch) -> dict[str, Any]:
        """Over SSH."""
        content = yaml_value(stack_file.filled(self.layout))
        shape(content["config"][stack_file.SPEC], self.machines)
        spec = _parsed(content)
        drawn, ca_key = Credentials.drawn(secrets.choice), stack_file.secret_values(self.layout)["caKey"]
        watch.start()
        steps = by_hand.make(deployment, spec, drawn, ca_key)
        watch.wait()
        return {"steps": steps}

    def pulumi_up(self, deployment: Deployment, watch: Watch) -> dict[str, Any]:
        """By the engine, twice."""
        with fabric.inside(OPERATOR):
            deployment.prepare()
            content = yaml_value(deployment.config_file.read_text())
            shape(content["config"][stack_file.SPEC], self.machines)
            variant = self.layout.state / "Pulumi.benchmark.yaml"
            variant.touch(mode=0o600)
            variant.write_text(yaml.safe_dump(content))
            watch.start()
            began = time.monotonic()
            outcome = deployment.run("up", config_file=variant)
            whole = time.monotonic() - began
            if outcome.exit_code:
                raise LabError(f"pulumi up failed:\n{outcome.diagnostics}")
            watch.wait()
            steps = engine_steps(self.layout.state / "pulumi" / "up.events", whole)
            began = time.monotonic()
            again = deployment.run("up", config_file=variant)
        took = time.monotonic() - began
        return {"whole": whole, "again": took, "again_unchanged": again.unchanged, "steps": steps}


def engine_steps(events: Path, whole: float) -> dict[str, float]:
    """Seconds at which each resource was done; the log has whole seconds, and nothing of the preview before them."""
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    summary = next(row["summaryEvent"] for row in rows if "summaryEvent" in row)
    preview = whole - summary["durationSeconds"]
    began = rows[0]["timestamp"]
    found = {"preview, with its policies": preview}
    for row in rows:
        done = row.get("resOutputsEvent")
        if done and done["metadata"]["op"] not in ("same", "read"):
            found[done["metadata"]["urn"].rpartition("::")[2]] = preview + row["timestamp"] - began
    return found


def _parsed(content: dict[str, Any]) -> PlatformSpec:
    """As the program has it: charts are the mirror's."""
    spec = parse(content["config"][stack_file.SPEC], base_dir=CHECKOUT)
    return spec.model_copy(update=from_mirror(spec, spec.charts.mirror))


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """All rounds; where it is told to end before, those that were whole, if each way has one."""
    bench = Bench(MACHINES[wanted.machines], quiet=wanted.json)
    ways: dict[str, Callable[[Deployment, Watch], dict[str, Any]]] = {
        "by hand": bench.by_hand,
        "pulumi up": bench.pulumi_up,
    }
    chosen = [name for name in ways if wanted.only in (None, name.replace(" ", "-"))]
    load = os.getloadavg()[0]
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    try:
        for number in range(wanted.rounds):
            for name in chosen if number % 2 == 0 else reversed(chosen):
                print(f"round {number + 1} of {wanted.rounds}: {name}", file=sys.stderr)
                rounds[name].append(bench.measured(ways[name]))
                print(f"{name}: answers after {rounds[name][-1]['answers']:.1f} s", file=sys.stderr)
    except (KeyboardInterrupt, SystemExit):
        if not all(rounds.values()):
            raise
        print("told to end: this is what was measured before", file=sys.stderr)
    result = {
        "machines": wanted.machines,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": round(load, 1),
        "rounds": rounds,
    }
    if len(chosen) == len(ways):
        hand = _median(rounds["by hand"], "answers")
        result["ratios"] = {
            "pulumi up/by hand": round(_median(rounds["pulumi up"], "answers") / hand, 2),
            "whole update/by hand": round(_median(rounds["pulumi up"], "whole") / hand, 2),
        }
    return result


def _median(rounds: Sequence[dict[str, Any]], key: str) -> float:
    return statistics.median(float(took[key]) for took in rounds)


_ROWS = {
    "answers": ("nodes, DNS and an app answer", "s"),
    "whole": ("the whole platform", "s"),
    "again": ("again, nothing to change", "s"),
    "cpu": ("processor time until it answers", "s"),
    "memory_mib": ("memory in use, of the whole lab", "MiB"),
    "disk_mib": ("disk of .lab", "MiB"),
}


def show(result: dict[str, Any]) -> None:
    """The result for people."""
    count = result["machines"]
    print(
        f"{count} machine{'s' if count > 1 else ''} on {result['cores']} cores, Linux {result['kernel']}, "
        f"load {result['load_before']} before"
    )
    for name, rounds in result["rounds"].items():
        print(f"{name}, {len(rounds)} round{'s' if len(rounds) > 1 else ''}, median (range)")
        for key, (what, unit) in _ROWS.items():
            if key in rounds[0]:
                print_line(f"  {what}", [took[key] for took in rounds], unit)
        for title, part in (("as the API server shows it", "milestones"), ("steps", "steps")):
            print(f"  {title}, ended at second")
            found = {step: [took[part][step] for took in rounds if step in took[part]] for step in rounds[0][part]}
            for step, seconds in sorted(found.items(), key=lambda item: statistics.median(item[1])):
                print_line(f"    {step}", seconds, "s")
    for name, value in result.get("ratios", {}).items():
        print(f"{name:36} {value:8.2f}")


def main() -> None:
    """Take a running lab down, measure, and leave none."""
    parser = argparse.ArgumentParser(description="How long a cluster takes: by pulumi up, and by hand.")
    parser.add_argument("--machines", type=int, choices=sorted(MACHINES), default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("by-hand", "pulumi-up"), help="one of the two ways")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.rounds < 1:
        parser.error("--rounds: write 1 or more")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        session.require_root()
        with session.exclusive():
            try:
                result = measure(wanted)
            finally:
                session.remove(Layout())
    except LabError as error:
        sys.exit(f"error: {error}")
    if wanted.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
