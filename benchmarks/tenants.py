"""What a registered tenant costs: a stack for each, one stack for all, and kubectl with the same objects.

    PYTHONPATH=. python benchmarks/tenants.py [--tenants 10 30] [--results FILE] [--plot docs/howto/tenants.svg]

Each way begins with an empty etcd and kube-apiserver of its own, without nodes, and works with the rights of an
administrator of tenants. Beside the clock it counts processor time: of the client (engine, programs, provider and
policy pack, or kubectl) and of the server. On a machine with other work that says more than the clock.

  a stack for each   `vds tenant up --all` of new registrations; then again without a change; then one changed tenant
  one stack for all  `pulumi up` of one program that makes the same objects, with the policy pack; the same three
  kubectl            `kubectl apply --server-side` of one file with the same objects; the same three

It prints a Markdown table and asserts nothing about time. It fails if a way makes other objects than the registrations
say. `--results` keeps the rows of other runs in a JSON file; the table and the plot have all of them.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import yaml

from components.core.manifests import Manifest
from components.core.untrusted import json_value
from components.kubernetes_api import ApiError
from components.stackfile.registered_cluster import CONTRACTS
from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import TOOLS
from tests.support.registered_site import CHANGED, Site, numbered, objects_of, registered_site
from tests.support.stacks import ROOT

EACH, ONE, KUBECTL = "a stack for each", "one stack for all", "kubectl"
WAYS = (KUBECTL, EACH, ONE)
_COLOURS = {EACH: "#0b6", ONE: "#c40", KUBECTL: "#05a"}
_SECONDS = 4 * 3600
_ONE_STACK = """
from functools import reduce
from os import environ
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes_api import Cluster
from components.residency.component import Residency
from components.residency.registered_egress import registered_record
from components.residency.state_store import state_store
from components.stackfile.registered_cluster import read_cluster
from components.stackfile.registration_config import kubeconfig_text, read_folder
from components.tenancy.registration.component import RegisteredTenant

known = read_cluster(Cluster(kubeconfig_text())).known
wanted = [one.registration for one in read_folder(Path("../tenants"))]
record = reduce(lambda sofar, one: registered_record(one, sofar), wanted, known.residency)
Residency("residency", record, state_store(Path.cwd(), "all", environ))
cluster = kubernetes.Provider("cluster", kubeconfig=pulumi.Output.secret(kubeconfig_text()))
for one in wanted:
    RegisteredTenant(one, known.environment, kubeconfig=kubeconfig_text(), provider=cluster)
"""


class Taken(NamedTuple):
    """What one command took."""

    seconds: float
    processor: float
    """Seconds of the processor, of the command and all that it started."""
    server: float
    """The same of the API server, etcd and the controllers meanwhile."""

    @property
    def all_processor(self) -> float:
        """Client and server."""
        return self.processor + self.server


class Row(NamedTuple):
    """What one way took for a number of tenants."""

    way: str
    tenants: int
    objects: int
    """Of one tenant, in the cluster."""
    new: Taken
    unchanged: Taken
    one: Taken
    """One tenant of them has another size of namespace."""
    largest: int
    """Bytes of the largest file of state."""
    state: int
    """Bytes of all files of state."""
    load: float
    """Of the machine during the run: the mean of the load averages of one minute."""


def _timed(site: Site, *words: str) -> Taken:
    """Run a command. Ends the benchmark if it fails."""
    client, server, started = _client(), _server(), time.perf_counter()
    done = subprocess.run(
        words,
        cwd=site.engine.project,
        env=site.engine.environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    taken = Taken(time.perf_counter() - started, _client() - client, _server() - server)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return taken


def _check(site: Site, wanted: Sequence[Manifest]) -> None:
    """Ends the benchmark unless all objects are in the cluster."""
    for one in wanted:
        try:
            site.admin.request("GET", site.admin.path_of(one))
        except ApiError as error:
            raise SystemExit(f"error: the way made no {one['kind']} {one['metadata']}: {error}") from None
    found = site.admin.request("GET", CONTRACTS)["items"]
    if len(found) != sum(one["kind"] == "Contract" for one in wanted):
        raise SystemExit(f"error: the cluster has {len(found)} contracts")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--one-stack-most", type=int, default=30, help="no larger number of tenants in one stack")
    parser.add_argument("--results", type=Path, help="JSON file with rows of other runs, which gets those of this run")
    parser.add_argument("--plot", type=Path, help="SVG file to write")
    options = parser.parse_args()
    rows = _read(options.results)
    for tenants in options.tenants:
        for way in options.ways:
            if way == ONE and tenants > options.one_stack_most:
                continue
            row = _measured(way, tenants)
            print(row, file=sys.stderr, flush=True)
            rows = [one for one in rows if one[:2] != row[:2]] + [row]
            if options.results:
                options.results.write_text(json.dumps([one._asdict() for one in rows], indent=1) + "\n")
    rows.sort(key=lambda row: (row.tenants, WAYS.index(row.way)))
    print("\n".join(_table(rows)))
    if options.plot:
        options.plot.write_text("\n".join(_plot(rows)) + "\n")


def _measured(way: str, tenants: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="benchmark-tenants-") as name:
        folder = Path(name)
        with registered_site(folder) as site:
            wanted = [numbered(number) for number in range(tenants)]
            for one in wanted:
                site.write(one)
            load = [os.getloadavg()[0]]
            taken = []
            for command in _commands(way, site, wanted):
                taken.append(_timed(site, *command))
                load.append(os.getloadavg()[0])
            changed = [{**wanted[0], "namespaces": CHANGED}, *wanted[1:]]
            objects = [item for one in changed for item in objects_of(one)]
            _check(site, objects)
            files = [file.stat().st_size for file in _state(site)] or [0]
            new, unchanged, one_changed = taken
            return Row(
                way,
                tenants,
                len(objects) // tenants,
                new,
                unchanged,
                one_changed,
                max(files),
                sum(files),
                round(statistics.mean(load), 1),
            )


def _commands(way: str, site: Site, wanted: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """All new, all unchanged, one changed. What a command needs is written before it is yielded."""
    first = wanted[0]
    if way == EACH:
        every = (sys.executable, "-m", "vds", "tenant", "up")
        yield (*every, "--all")
        yield (*every, "--all")
        site.write({**first, "namespaces": CHANGED})
        yield (*every, first["tenant"])
    elif way == ONE:
        place = site.engine.project / "all"
        place.mkdir()
        (place / "Pulumi.yaml").write_text((ROOT / "tenants" / "Pulumi.yaml").read_text().replace("-tenants", "-all"))
        (place / "__main__.py").write_text(_ONE_STACK)
        site.engine.must("stack", "init", "all", "--no-select", "--cwd", str(place))
        pack = str(site.engine.project / "policies")
        words = ("pulumi", "--non-interactive", "up", "--stack", "all", "--policy-pack", pack, "--yes", "--cwd")
        yield (*words, str(place))
        yield (*words, str(place))
        site.write({**first, "namespaces": CHANGED})
        yield (*words, str(place))
    else:
        (tool,) = [tool for tool in TOOLS if tool.name == "kubectl"]
        program = str(build.ensure(Progress(total=1, quiet=True), [tool]).path("kubectl"))
        apply = (program, "apply", "--server-side", "--filename")
        everything, one = site.engine.folder / "all.yaml", site.engine.folder / "one.yaml"
        every_object = [item for one in wanted for item in objects_of(one)]
        # The API server refuses objects in a namespace until its admission has read the contract, some time later.
        every_object.sort(key=lambda item: item["kind"] not in ("Namespace", "Contract"))
        everything.write_text(yaml.safe_dump_all(every_object))
        yield (*apply, str(everything))
        yield (*apply, str(everything))
        one.write_text(yaml.safe_dump_all(objects_of({**first, "namespaces": CHANGED})))
        yield (*apply, str(one))


def _state(site: Site) -> list[Path]:
    """The files of the stacks' newest state."""
    return list((site.engine.folder / "state" / ".pulumi" / "stacks").rglob("*.json"))


def _client() -> float:
    """Of what has ended: the server runs on."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _server() -> float:
    """Of the processes that this one has started and that still run."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime and stime, proc_pid_stat(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def _read(file: Path | None) -> list[Row]:
    if not file or not file.exists():
        return []
    rows = [Row(**one) for one in json_value(file.read_text())]
    return [row._replace(new=Taken(*row.new), unchanged=Taken(*row.unchanged), one=Taken(*row.one)) for row in rows]


_HEADS = (
    "tenants",
    "way",
    "clock",
    "processor",
    "clock to kubectl",
    "processor to kubectl",
    "all unchanged",
    "one changed",
    "state",
    "load",
)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Clock and processor are of one new tenant, the latter of client and server; in brackets the processor's time."""
    kubectl = {row.tenants: row.new for row in rows if row.way == KUBECTL}
    yield f"| {' | '.join(_HEADS)} |"
    yield f"|{'---|' * len(_HEADS)}"
    for row in rows:
        peer = kubectl.get(row.tenants)
        clock = f"{row.new.seconds / peer.seconds:.1f}" if peer else "–"
        processor = f"{row.new.all_processor / peer.all_processor:.1f}" if peer else "–"
        each, worked = row.new.seconds / row.tenants, row.new.all_processor / row.tenants
        state = f"{row.state / 1000:.0f} kB, largest file {row.largest / 1000:.0f} kB" if row.state else "–"
        yield (
            f"| {row.tenants} | {row.way} | {each:.2f} s | {worked:.2f} s | {clock} | {processor} "
            f"| {_both(row.unchanged)} | {_both(row.one)} | {state} | {row.load:.0f} |"
        )


def _both(taken: Taken) -> str:
    return f"{taken.seconds:.1f} s ({taken.all_processor:.1f} s)"


_WIDTH, _HEIGHT, _LEFT, _TOP = 460, 240, 60, 40
_STEPS = 4


def _plot(rows: Sequence[Row]) -> Iterator[str]:
    """Seconds of the processor for a new tenant, by the number of tenants: a flat line is linear."""
    most = max(row.tenants for row in rows)
    top = max(row.new.all_processor / row.tenants for row in rows) * 1.1

    def place(row: Row) -> tuple[float, float]:
        return _LEFT + row.tenants / most * _WIDTH, _TOP + _HEIGHT * (1 - row.new.all_processor / row.tenants / top)

    title = "Processor seconds for a new tenant, by the number of tenants"
    width, height, bottom = _LEFT + _WIDTH + 40, _TOP + _HEIGHT + 70, _TOP + _HEIGHT
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" font-family="monospace" font-size="12">'
    )
    yield f'<title>{escape(title)}</title><rect width="{width}" height="{height}" fill="#fff"/>'
    yield f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>'
    for step in range(_STEPS + 1):
        y = bottom - _HEIGHT * step / _STEPS
        yield f'<path d="M{_LEFT} {y:.0f}H{_LEFT + _WIDTH}" stroke="#ccc"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{top * step / _STEPS:.1f}</text>'
    for tenants in sorted({row.tenants for row in rows}):
        x = _LEFT + tenants / most * _WIDTH
        yield f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle">{tenants}</text>'
    for number, way in enumerate(WAYS):
        points = [place(row) for row in rows if row.way == way]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        yield f'<polyline points="{line}" fill="none" stroke="{_COLOURS[way]}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{_COLOURS[way]}"/>' for x, y in points)
        yield f'<text x="{_LEFT + number * 160}" y="{bottom + 50}" fill="{_COLOURS[way]}">● {way}</text>'
    yield "</svg>"


if __name__ == "__main__":
    main()
