"""The running lab, for tests that need the real thing: started once, taken away if it was not there before."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.names import PROJECT
from lab import fabric, router
from lab.cluster import Cluster
from lab.deploy import Deployment
from lab.images import recipes
from lab.images.push import push
from lab.images.registry import Registry
from lab.layout import CHECKOUT, OPERATOR, SITE, STACK, Layout
from lab.processes import members, wait_until
from lab.progress import Progress
from lab.proof.gateway import gateway_address
from lab.tenants.registered import Agency
from lab.toolchain import build
from lab.toolchain.pins import MONITORING, TOOLS
from lab.verify import load_spec, wait_for_workloads
from tests.support.howtos import Terminal

Edit = Callable[[dict[str, Any]], None]
OF_OSLO = {
    "Pulumi.oslo.yaml": f"Pulumi.{STACK}.yaml",
    "-s oslo": f"-s {STACK}",
    "oslo.known_hosts": ".lab/known_hosts",
    "198.51.100.": "192.0.2.",  # the lab's network: the rest of each address is the same
}
"""What a test types instead of the environment that guides have."""
_WELL_SECONDS = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lab tests have a limit of their own; last are those that take the lab down, so that no others start it again."""
    names = ("control_planes", "restore", "first_environment", "upgrade", "life")
    last = [f"test_{name}.py" for name in names]
    items.sort(key=lambda item: last.index(item.path.name) + 1 if item.path.name in last else 0)
    for item in items:
        if Path(__file__).parent in item.path.parents:  # all of the session's are listed
            item.add_marker(pytest.mark.timeout(1800))


def lab_command(*arguments: str, timeout: float = 1800) -> subprocess.CompletedProcess[str]:
    """Run `python -m lab …` as the Makefile does."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def up() -> dict[str, Any]:
    """`make up`, which must succeed; its report."""
    done = lab_command("up", "--json")
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    unproved = {name: part for name, part in report.items() if isinstance(part, dict) and part.get("ok") is False}
    assert done.returncode == 0, f"{done.stderr}\n{json.dumps(unproved, indent=1)}"
    return report


@pytest.fixture(scope="session")
def first_report() -> Iterator[dict[str, Any]]:
    """What the first `make up` of this session reported."""
    if os.geteuid():
        pytest.fail("the lab tests need root, for network namespaces; run: sudo make test, or make test-fast")
    was_running = bool(members("site"))
    try:
        yield up()
    finally:
        if not was_running:
            lab_command("down")


@functools.cache
def built_tools() -> build.Tools:
    """The lab's tools, looked for once: each that could be on the PATH is asked for its version."""
    return build.ensure(Progress(total=1, quiet=True))


def copied(layout: Layout) -> Path:
    """A copy of the project as a fresh clone, with the operator's SSH key: no stack file but the example's."""
    folder = layout.state / "guide"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CHECKOUT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "site", "evidence"))
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".gitignore").write_text("*\n")
    (folder / "home" / ".ssh").mkdir(parents=True, mode=0o700)
    shutil.copy(layout.ssh_key, folder / "home" / ".ssh" / "vds_ed25519")
    return folder


class Lab:
    """The running lab as a test sees it."""

    def __init__(self) -> None:
        self.layout = Layout()
        self.tools = built_tools()
        self.deployment = Deployment(self.layout, self.tools)
        self.agency = Agency(self.deployment)

    @functools.cached_property
    def cluster(self) -> Cluster:
        """The API server, which is there after the first `up`."""
        return Cluster(self.layout.kubeconfig)

    def restore(self) -> None:
        """Bring every resource back to what the lab's own stack file says; the platform is not proved again."""
        outcome = self.deployment.run("up")
        assert outcome.exit_code == 0, outcome.diagnostics

    def deploy(self, edit: Edit | None = None, *words: str) -> None:
        """The agency's update, of its stack file or of one that differs by `edit` of its settings."""
        outcome = self.agency.up(edit, *words)
        assert outcome.exit_code == 0, outcome.output

    def variant(self, edit: Edit) -> Path:
        """A stack file that differs from the lab's by `edit` of its spec; the engine reads it, secrets and all."""
        content = yaml.safe_load(self.deployment.config_file.read_text())
        edit(content["config"]["vds-platform:spec"])
        file = self.layout.state / "Pulumi.variant.yaml"
        file.write_text(yaml.safe_dump(content))
        return file

    def monitored(self, **settings: Any) -> Path:
        """A stack file with `monitoring`, whose images are in the lab's registry from now on."""
        progress = Progress(total=1, quiet=True)
        tools = build.ensure(progress, (*TOOLS, *MONITORING))
        with Registry(f"https://{SITE.address}", self.layout.authority) as registry:
            digests = {one.name: push(registry, one, progress) for one in recipes.monitoring(tools, progress)}
        alertmanager = next(tool.version for tool in MONITORING if tool.name == "alertmanager")

        def edit(spec: dict[str, Any]) -> None:
            versions = {"alertmanager": alertmanager}
            spec["monitoring"] = {"retentionDays": 1, "retentionGibibytes": 1, "versions": versions, **settings}
            spec["images"]["pins"] |= digests

        return self.variant(edit)

    def terminal(self, file: Path, substitutions: Mapping[str, str]) -> Terminal:
        """A shell in a copy of the project whose stack file for the lab's stack is a copy of `file`."""
        folder = copied(self.layout)
        (folder / ".lab").mkdir()
        for part in (self.layout.known_hosts, self.layout.gateway_crds):  # what the stack file names
            shutil.copy(part, folder / ".lab")
        shutil.copy(file, folder / f"Pulumi.{STACK}.yaml")
        environment = self.deployment.environment() | {"TMPDIR": str(folder / "home")}
        environment["PATH"] = f"{self.tools.path('age-keygen').parent}{os.pathsep}{environment['PATH']}"
        return Terminal(folder, environment, self.layout.resolver, OF_OSLO | substitutions)

    def set_secret(self, file: Path, name: str, value: str) -> None:
        """Write one more secret of the stack into a variant of its file."""
        words = ["config", "set", "--stack", "lab", "--config-file", str(file), "--secret", "--raw"]
        self.deployment.quietly([*words, f"{PROJECT}:{name}"], value.encode())

    def doctor(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`vds doctor` of the lab."""
        file = str(self.deployment.config_file)
        return lab_command("vds", "doctor", "--stack", "lab", "--config-file", file, *arguments)

    def examined(self) -> tuple[int, dict[str, Any]]:
        """What the doctor finds now: its exit code and its document."""
        done = self.doctor("--json")
        assert done.stdout.startswith("{"), done.stderr
        return done.returncode, json.loads(done.stdout)

    def well(self) -> dict[str, Any]:
        """The doctor's document when it finds nothing: what an update or a test did to the lab settles by itself."""
        seen: dict[str, Any] = {}

        def is_well() -> bool:
            status, found = self.examined()
            seen.update(found)
            return status == 0

        wait_until(is_well, _WELL_SECONDS, lambda: f"the doctor still finds: {failing(seen)}")
        return seen


def failing(part: Any, path: str = "") -> list[str]:
    """Every row of the doctor's document that is not good, so that a failed test says why."""
    if isinstance(part, list):
        return [row for index, item in enumerate(part) for row in failing(item, f"{path}.{index}")]
    if not isinstance(part, dict):
        return []
    own = part.get("state", part.get("verdict", "ok"))
    bad = [] if own in ("ok", "accepted", "advice", "unproved", "converged") else [f"{path}: {part}"]
    return bad + [row for name, item in part.items() for row in failing(item, f"{path}.{name}")]


@pytest.fixture(scope="session")
def routers_root() -> None:
    """Made before `lab` enters the lab's network, from where Debian's mirror can't be reached: named before `lab`."""
    router.prepare(Progress(total=1, quiet=True))


@pytest.fixture
def lab(first_report: dict[str, Any]) -> Iterator[Lab]:
    """The lab, deployed and settled after what the test before did, seen from the operator's laptop."""
    if not members("site"):
        up()
    with fabric.inside(OPERATOR):
        made = Lab()
        spec = load_spec(made.layout)
        wait_for_workloads(made.cluster, spec)
        gateway_address(made.cluster, spec)
        yield made
