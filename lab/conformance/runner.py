"""Run the suites one after another, each with a time limit, and evaluate their reports."""

import dataclasses
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import verify
from lab.asking import Facts
from lab.cluster import Cluster
from lab.conformance import cyclonus, expected, gateway_api, images, network_policy_api, objects
from lab.conformance.expected import Expected
from lab.conformance.suite import Result, Run, Suite
from lab.deploy import Deployment
from lab.layout import Layout
from lab.processes import LabError, command, ending_with_us, tail, wait_until
from lab.progress import Progress
from lab.toolchain.build import Tools

SUITES = (gateway_api.SUITE, cyclonus.SUITE, network_policy_api.SUITE)
_STOP_SECONDS = 5  # the suites do not clean up after SIGTERM; this module does
_GONE_SECONDS = 180  # a namespace with a dozen pods, on a machine that is busy with nothing else
_LOOK_SECONDS = 5
_NAMESPACES = "/api/v1/namespaces"
_BEGINS = re.compile(r"^=== RUN +\S+?/(\S+)$", re.MULTILINE)  # lines of Go tests


def folder(layout: Layout) -> Path:
    """Where reports and logs are."""
    return layout.state / "conformance"


def run(layout: Layout, tools: Tools, suites: Sequence[Suite], progress: Progress) -> Facts:
    """Run suites; a fact each, with a verdict under `ok`. What they made in the cluster is removed."""
    cluster = Cluster(layout.kubeconfig)
    place = folder(layout)
    place.mkdir(exist_ok=True)
    deployment = Deployment(layout, tools)
    gateway_api.put_back(cluster, deployment, place / gateway_api.ASIDE)  # of a run that was killed, as is the next
    network_policy_api.put_back(cluster, deployment, place / network_policy_api.ON)
    spec = verify.load_spec(layout)
    found: Facts = {}
    with images.substituted(cluster, verify.images(layout)):
        for suite in suites:
            this = Run(cluster, spec, tools, deployment, place / suite.report, expected.load(suite.name))
            started = time.monotonic()
            with progress.step(suite.name):
                try:
                    facts = _run(layout, suite, this, progress)
                except LabError as error:
                    facts = {"ok": False, "error": str(error)}
            seconds = round(time.monotonic() - started)
            found[suite.name] = {**facts, "version": tools.version(suite.tool), "seconds": seconds}
    (place / "results.json").write_text(json.dumps(found, indent=2, ensure_ascii=False))
    return found


def _run(layout: Layout, suite: Suite, this: Run, progress: Progress) -> Facts:
    this.report.unlink(missing_ok=True)
    log = this.report.with_suffix(".log")
    with _namespaces_removed(this.cluster, suite), suite.prepared(this):
        if suite.execute:
            suite.execute(layout, this, log, 60 * suite.minutes, progress.detail)
        else:
            _start(layout, suite, this, log, progress)
        if not this.report.exists():
            raise LabError(f"{suite.name} ended without a report; its log {log} ends:\n{tail(log)}")
    return {**judged(suite.read(this.report.read_text()), this.expected), "report": str(this.report)}


def _start(layout: Layout, suite: Suite, this: Run, log: Path, progress: Progress) -> None:
    """Let a suite run to its end."""
    argv = [str(this.tools.path(suite.tool)), *suite.arguments(this)]
    there, environment = command(argv, part="op", resolver=layout.resolver), this.deployment.environment()
    with log.open("wb") as out:
        process = subprocess.Popen(
            there, cwd=log.parent, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        with ending_with_us(process, by=signal.SIGTERM, seconds=_STOP_SECONDS):
            _wait(process, suite, log, progress, lambda: _require_images(this.cluster, suite))


def _wait(
    process: subprocess.Popen[bytes], suite: Suite, log: Path, progress: Progress, look: Callable[[], None]
) -> None:
    deadline = time.monotonic() + 60 * suite.minutes
    while True:
        try:
            process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            progress.detail(whereabouts(log.read_text(errors="replace")))
            look()
        else:
            return
        if time.monotonic() > deadline:
            raise LabError(f"{suite.name} was ended after {suite.minutes:g} minutes; its log {log} ends:\n{tail(log)}")


def whereabouts(log: str) -> str:
    """How far a suite is, by its log."""
    tests = dict.fromkeys(name.split("/")[0] for name in _BEGINS.findall(log))
    return f"test {len(tests)}, {list(tests)[-1]}" if tests else "its pods start"


def _require_images(cluster: Cluster, suite: Suite) -> None:
    try:
        pods = cluster.request("GET", "/api/v1/pods")["items"]
    except LabError:  # the API server is busy with the suite; try again
        return
    if lacking := images.unknown([pod for pod in pods if re.fullmatch(suite.namespaces, pod["metadata"]["namespace"])]):
        raise LabError(f"{suite.name} wants images that the lab's registry does not have: {', '.join(sorted(lacking))}")


@contextmanager
def _namespaces_removed(cluster: Cluster, suite: Suite) -> Iterator[None]:
    """Let the suite make its namespaces, and remove them after it."""

    def there() -> list[str]:
        return sorted(name for name in objects.items(cluster, _NAMESPACES) if re.fullmatch(suite.namespaces, name))

    if already := there():  # from a killed run, or a user's own; they would be deleted afterwards
        names = " ".join(already)
        raise LabError(f"{suite.name} makes namespaces that are there already; run: kubectl delete namespace {names}")
    try:
        yield
    finally:
        for name in there():
            objects.remove(cluster, f"{_NAMESPACES}/{name}")
        wait_until(lambda: not there(), _GONE_SECONDS, lambda: f"namespaces are not gone: {', '.join(there())}")


def judged(result: Result, known: Expected) -> Facts:
    """A result beside what is expected: fine where tests ran and each that failed is known, with its reason."""
    surprising = sorted(result.failed - set(known.failures))
    ran = sum(group.passed + group.failed for group in result.groups.values())
    return {
        "ok": bool(ran) and not surprising,
        "groups": {name: dataclasses.asdict(counts) for name, counts in result.groups.items()},
        "unexpected": surprising,
        "expected": {name: known.failures[name] for name in sorted(result.failed & set(known.failures))},
        "passes_now": sorted(set(known.failures) - result.failed),
        "skipped": sorted(result.skipped),
        "exempt": dict(known.exempt),
    }
