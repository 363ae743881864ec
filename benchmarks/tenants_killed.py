"""`vds tenant up --all` killed again and again at random moments, and what is there at the end.

    PYTHONPATH=. python benchmarks/tenants_killed.py [--kills 50] [--tenants 6] [--seed 1]

With an etcd and kube-apiserver of its own, without nodes, and the real engine. Before each run each tenant gets sizes
of its namespaces by chance. A run is killed with SIGKILL a random time after the first stack was locked, which is when
its engine begins. Of two kills, one is of the command alone: its workers end what they have in hand. The other is of
all its processes at once, as if the machine had stopped: a stack that is locked then gets `vds recover`, as the message
says.

At the end a run without a kill must succeed, and this is compared:

  the cluster   has all objects that the registrations say, with their sizes, and no other object of a tenant
  the states    have exactly these objects, each once, and no operation that is pending
  processes     none is left

It prints a line for each kill, and ends with exit code 1 and the differences if something was lost or left.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from components.core import labels
from components.core.untrusted import json_value
from components.kubernetes_api import list_items
from tests.support.registered_site import CHANGED, Site, numbered, objects_of, registered_site

_LONGEST = 300
"""Seconds in which the workers of a killed command must have ended."""
_KINDS = (
    "/apis/vds-platform.no/v1/contracts",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/api/v1/limitranges",
    "/api/v1/namespaces",
    "/api/v1/resourcequotas",
    "/api/v1/serviceaccounts",
)
Identity = tuple[str, str, str]
"""Kind, namespace and name."""


def main() -> None:
    """Kill, repair, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--tenants", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=8, help="seconds from the first lock to the latest kill")
    parser.add_argument("--minutes", type=float, default=60, help="begin no other kill after this time")
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311  # the same seed gives the same kills
    with tempfile.TemporaryDirectory(prefix="benchmark-killed-") as name, registered_site(Path(name)) as site:
        wanted = [numbered(number) for number in range(options.tenants)]
        recovered = kills = 0
        until = time.monotonic() + options.minutes * 60
        while kills < options.kills and time.monotonic() < until:
            for number, one in enumerate(wanted):
                wanted[number] = {**one, "namespaces": chance.choice([CHANGED, numbered(0)["namespaces"]])}
                site.write(wanted[number])
            said = _killed(site, after=chance.uniform(0, options.longest), everything=kills % 2 == 1)
            mended = list(_recover(site, wanted))
            recovered += len(mended)
            kills += bool(said)
            print(
                f"kill {kills}: {said or 'the run ended before'}; recovered: {', '.join(mended) or 'none needed'}",
                flush=True,
            )
        last = _up(site)
        last.communicate(timeout=6 * _LONGEST)
        differences = [*_differences(site, wanted), *(f"process {one} is left" for one in _session(last.pid))]
        if last.returncode:
            differences.insert(0, f"the last run ended with {last.returncode}")
    print(f"{kills} kills of {options.tenants} tenants, seed {options.seed}: {recovered} stacks recovered")
    print("\n".join(differences) or "nothing lost, nothing left")
    sys.exit(1 if differences else 0)


def _up(site: Site) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "vds", "tenant", "up", "--all", "--parallel", "3"]
    return subprocess.Popen(
        words,
        cwd=site.engine.project,
        env=site.engine.environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _killed(site: Site, *, after: float, everything: bool) -> str:
    """Begin a run, kill it and wait until nothing of it is left; what was killed, empty if the run had ended."""
    running = _up(site)
    while running.poll() is None and not any(_locks(site).rglob("*.json")):
        time.sleep(0.05)
    try:
        running.wait(after)
        return ""
    except subprocess.TimeoutExpired:
        pass
    for process in _session(running.pid) if everything else [running.pid]:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    running.wait()
    for _ in range(_LONGEST * 5):
        left = _session(running.pid)
        if not left:
            return f"{'all processes' if everything else 'the command'} after {after:.1f} s"
        if everything:  # one that was started meanwhile
            for process in left:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.2)
    raise SystemExit(f"error: of a killed run, processes {_session(running.pid)} still run")


def _locks(site: Site) -> Path:
    """The folder with a folder for each stack that an engine works on, or has left locked."""
    return site.engine.folder / "state" / ".pulumi" / "locks"


def _session(leader: int) -> list[int]:
    """The living processes of a run: each keeps the session of the first, whatever its group is."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":  # session and state, proc_pid_stat(5)
            found.append(int(status.parent.name))
    return found


def _recover(site: Site, wanted: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Run `vds recover` for every stack that is locked."""
    for one in wanted:
        tenant = one["tenant"]
        if not any(_locks(site).rglob(f"{tenant}/*.json")):
            continue
        done = subprocess.run(
            [sys.executable, "-m", "vds", "recover", "--stack", tenant],
            cwd=site.tenants,
            env=site.engine.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"error: vds recover --stack {tenant}: {done.stdout}{done.stderr}")
        yield tenant


def _differences(site: Site, wanted: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the cluster and the states have beside each other."""
    said = {_identity(item): item for one in wanted for item in objects_of(one)}
    there = {_identity(item): item for item in _in_cluster(site)}
    yield from (f"the cluster has no {' '.join(one)}" for one in sorted(said.keys() - there.keys()))
    yield from (
        f"the cluster has {' '.join(one)}, which no registration says" for one in sorted(there.keys() - said.keys())
    )
    for identity in sorted(said.keys() & there.keys()):
        if identity[0] == "ResourceQuota" and there[identity]["spec"]["hard"] != said[identity]["spec"]["hard"]:
            yield f"{' '.join(identity)} has another size than its registration"
    for one in wanted:
        file = site.engine.folder / "state" / ".pulumi" / "stacks" / "vds-tenants" / f"{one['tenant']}.json"
        state = json_value(file.read_text())["checkpoint"]["latest"]
        yield from (f"{file.name}: {each['type']} is pending" for each in state.get("pending_operations") or ())
        made = Counter(
            _identity(each["inputs"])
            for each in state["resources"]
            if each["type"].startswith("kubernetes:") and not each.get("delete")
        )
        own = {_identity(item) for item in objects_of(one)}
        yield from (
            f"{file.name} has {' '.join(each)} {made[each]} times"
            for each in sorted(made.keys() | own)
            if made[each] != 1
        )
        yield from (f"{file.name} has {' '.join(each)}" for each in sorted(made.keys() - own))


def _in_cluster(site: Site) -> Iterator[dict[str, Any]]:
    """Everything in the cluster that a registration made."""
    selector = [("labelSelector", labels.TENANT)]
    for path in _KINDS:
        answer = site.admin.request("GET", path, query=selector)
        kind = str(answer["kind"]).removesuffix("List")
        yield from ({**item, "kind": kind} for item in list_items(site.admin, path, query=selector))


def _identity(item: dict[str, Any]) -> Identity:
    metadata = item["metadata"]
    return str(item["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"])


if __name__ == "__main__":
    main()
