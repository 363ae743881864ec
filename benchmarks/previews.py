"""How much longer a preview takes because of the policy pack, which renders the charts of the program's Releases.

    PYTHONPATH=. python benchmarks/previews.py [--resources 1000] [--releases 2] [--rounds 3] [--json]

The real engine previews one program with and without the pack, in turns: namespaces of tenants with their network
policies, quotas, Deployments, Services and ConfigMaps, and Releases of Cilium and MetalLB: one of each, or more.
"First" has an empty cache of renderings, as after changed values; "again" has those of the round before. The limit is
1.25 times a preview without the pack. Processor time counts the engine and everything that it starts: on a machine with
other work it says more than the clock. It prints what it measured and asserts nothing.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.support.charts import pack_folder
from tests.support.engine import Engine
from tests.support.modules import cilium_chart, metallb_chart

_LIMIT = 1.25
_CILIUM, _METALLB = "1.20.2", "0.16.1"
_PROGRAM = """
import pulumi
import pulumi_kubernetes as k

RESOURCES, RELEASES, CHARTS = {resources}, {releases}, {charts!r}
o = pulumi.ResourceOptions(provider=k.Provider("c", kubeconfig={kubeconfig!r}))
image = "registry.example.no/app@sha256:" + "0" * 64
every = {{"podSelector": {{}}, "policyTypes": ["Ingress", "Egress"]}}
server = {{
    "namespaceSelector": {{"matchLabels": {{"kubernetes.io/metadata.name": "kube-system"}}}},
    "podSelector": {{"matchLabels": {{"k8s-app": "kube-dns"}}}},
}}
ports = [{{"port": 53, "protocol": protocol}} for protocol in ("UDP", "TCP")]
names = {{"podSelector": {{}}, "policyTypes": ["Egress"], "egress": [{{"to": [server], "ports": ports}}]}}
hard = {{"pods": "20", "requests.cpu": "4", "requests.memory": "8Gi", "requests.storage": "1Gi"}}
limits = [{{"type": "Container", "default": {{"cpu": "1", "memory": "1Gi"}}}}]


def tenant(name):
    labels = {{"vds-platform.no/tenant": name, "pod-security.kubernetes.io/enforce": "restricted"}}
    here = {{"namespace": name}}
    k.core.v1.Namespace(name, metadata={{"name": name, "labels": labels}}, opts=o)
    k.networking.v1.NetworkPolicy(name + "-deny", metadata={{"name": "deny", **here}}, spec=every, opts=o)
    k.networking.v1.NetworkPolicy(name + "-dns", metadata={{"name": "dns", **here}}, spec=names, opts=o)
    k.core.v1.ResourceQuota(name + "-q", metadata={{"name": "q", **here}}, spec={{"hard": hard}}, opts=o)
    k.core.v1.LimitRange(name + "-l", metadata={{"name": "l", **here}}, spec={{"limits": limits}}, opts=o)
    for number in range(5):
        app, match = "app-" + str(number), {{"matchLabels": {{"app": "a"}}}}
        env = [{{"name": "DB_HOST", "value": "db.example.no"}}, {{"name": "LEVEL", "value": "info"}}]
        pod = {{"containers": [{{"name": "a", "image": image, "env": env}}]}}
        spec = {{"selector": match, "template": {{"metadata": {{"labels": {{"app": "a"}}}}, "spec": pod}}}}
        k.apps.v1.Deployment(name + app, metadata={{"name": app, **here}}, spec=spec, opts=o)
        port = {{"selector": {{"app": "a"}}, "ports": [{{"port": 80}}]}}
        k.core.v1.Service(name + app + "-s", metadata={{"name": app, **here}}, spec=port, opts=o)
        data = {{"app.yaml": "level: info\\nsink: https://logs.example.no/push\\n", "number": app}}
        k.core.v1.ConfigMap(name + app + "-c", metadata={{"name": app, **here}}, data=data, opts=o)


for number in range((RESOURCES - RELEASES) // 20):
    tenant("tenant-" + str(number))
for number in range(RELEASES):
    chart = CHARTS[number % len(CHARTS)]
    name = "r" + str(number)
    values = {{"cluster": {{"name": name}}}} if "cilium" in chart else {{"nameOverride": name}}
    k.helm.v3.Release("release-" + str(number), chart=chart, namespace="kube-system", values=values, opts=o)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=1000)
    parser.add_argument("--releases", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-previews-") as folder:
        measured = _measured(Path(folder), options.resources, options.releases, options.rounds)
    if options.json:
        print(json.dumps(measured, indent=1))
        return
    print(f"{options.resources} resources, {options.releases} Releases, {measured['machine']}")
    for way in ("without", "first", "again"):
        wall, cpu = measured[way]["seconds"], measured[way]["processorSeconds"]
        ratio = f", {measured[way]['ratio']:.2f} times" if way != "without" else ""
        print(f"{way:8} {wall:6.1f} s, {cpu:6.1f} s of processor time{ratio}")
    print(f"limit: {_LIMIT} times")


def _measured(folder: Path, resources: int, releases: int, rounds: int) -> dict[str, Any]:
    engine = Engine(folder, "a passphrase")
    program, pack = _program(engine, resources, releases)
    taken: dict[str, list[tuple[float, float]]] = {"without": [], "first": [], "again": []}
    for _ in range(rounds):
        shutil.rmtree(engine.folder / "cache", ignore_errors=True)
        taken["without"].append(_preview(engine, program))
        taken["first"].append(_preview(engine, program, pack))
        taken["again"].append(_preview(engine, program, pack))
    medians = {way: [statistics.median(column) for column in zip(*rows, strict=True)] for way, rows in taken.items()}
    found: dict[str, Any] = {
        way: {"seconds": wall, "processorSeconds": cpu, "ratio": cpu / medians["without"][1]}
        for way, (wall, cpu) in medians.items()
    }
    load = f"load {os.getloadavg()[0]:.0f}"
    return {
        **found,
        "rounds": rounds,
        "machine": f"{os.cpu_count()} processors, {load}, Python {platform.python_version()}",
    }


def _program(engine: Engine, resources: int, releases: int) -> tuple[Path, Path]:
    folder, mirror = engine.folder / "program", engine.folder / "charts"
    folder.mkdir()
    charts = [
        str(pack_folder(mirror, cilium_chart(_CILIUM), "cilium", _CILIUM)),
        str(pack_folder(mirror, metallb_chart(), "metallb", _METALLB)),
    ]
    runtime = {"name": "python", "options": {"virtualenv": str(engine.project / ".venv")}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "program", "runtime": runtime}))
    kubeconfig = yaml.safe_dump({"clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}]})
    (folder / "__main__.py").write_text(
        _PROGRAM.format(resources=resources, releases=releases, charts=charts, kubeconfig=kubeconfig)
    )
    engine.must("stack", "init", "--cwd", str(folder), "first")
    every = ["acme", "addresses", "backup", "chart-repository", "dns", "egress", "image-registry", "secrets", "state"]
    here = {"name": "here", "hosts": ["localhost", "*.example.no", "quay.io"], "networks": ["0.0.0.0/0"]}
    place = {**here, "country": "NO", "entity": "x", "entityCountry": "NO", "purposes": [*every, "telemetry", "time"]}
    # Two Releases of one chart break policies: advice ends no preview, and costs the same.
    config = {
        "all": "advisory",
        **{name: {"places": [place]} for name in ("residency-destinations", "residency-state")},
    }
    pack = engine.folder / "pack.json"
    pack.write_text(json.dumps(config))
    return folder, pack


def _preview(engine: Engine, program: Path, pack: Path | None = None) -> tuple[float, float]:
    """Seconds by the clock, and of processor time. Raises RuntimeError where the engine fails."""
    words = ["preview", "--cwd", str(program), "--stack", "first", "--suppress-progress"]
    if pack:
        words += ["--policy-pack", str(engine.project / "policies"), "--policy-pack-config", str(pack)]
    before, started = _processor_seconds(), time.perf_counter()
    done = engine.run(*words)
    taken = time.perf_counter() - started, _processor_seconds() - before
    if "to create" not in done.stdout:
        raise RuntimeError(f"the preview failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return taken


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
