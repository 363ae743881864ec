"""docs/howto/update-the-os.md, typed word for word: an update arrives by unattended-upgrades from an apt repository of
the lab, and two workers are rebooted one after the other under load through the gateway. Then control planes."""

import datetime
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from components.core import labels
from components.core.names import KUBE_SYSTEM, REBOOT_LEASE
from lab import data_center, packages
from lab.asking import ssh
from lab.chaos import changes
from lab.cluster import rolled_out
from lab.images.layers import File
from lab.layout import CONTROL_PLANES, NODES, PACKAGES_NAME, WORKERS, Host
from lab.machines import host, root
from lab.packages import debian
from lab.packages.deb import Package
from lab.packages.repository import signing_key, write
from lab.processes import wait_until
from lab.progress import Progress
from lab.proof.failover import is_ready
from lab.proof.gateway import gateway_address, question
from lab.stack_file import SPEC
from lab.tenants.settings import NAMESPACE
from lab.verify import images, load_spec
from tests.lab.conftest import Lab, lab_command
from tests.support import howtos
from tests.support.gateway_load import load
from tests.support.howtos import Terminal
from vds.shared.lease import Lease

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PAGE = "update-the-os"
UP, DOCTOR, DRY_RUN, REBOOT = howtos.blocks(PAGE)
FIRMWARE = "vdslab-firmware"
STOPPED_AT = WORKERS[1]
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
_SOURCE = "/etc/apt/sources.list.d/updates.sources"
_HOOK = '#!/bin/sh\nset -e\n[ "$1" = configure ]\nexec /etc/kernel/postinst.d/unattended-upgrades\n'
"""What Debian's kernels run when they are installed: this script of unattended-upgrades writes /run/reboot-required."""
_READY_SECONDS = 180
_ETCD, _ETCD_ASIDE = "/etc/kubernetes/manifests/etcd.yaml", "/etc/kubernetes/etcd.yaml"
_QUIET = Progress(total=1, quiet=True)


def firmware(version: str) -> Package:
    """A package whose second version needs a reboot."""
    file = File(f"usr/share/{FIRMWARE}/version", f"{version}\n".encode())
    scripts = {"postinst": _HOOK} if version == "2" else {}
    return Package(FIRMWARE, version, "Stands for what needs a reboot", (file,), scripts=scripts)


class Updates:
    """An apt repository beside the lab's others, and the nodes' entry for it."""

    def __init__(self, lab: Lab, others: list[Path]) -> None:
        self.lab, self.others = lab, others
        served = packages.build(lab.tools, _QUIET, restrict_oom=host.lacks_sys_resource()).folder
        self.folder = served / "updates"

    def publish(self, *made: Package) -> None:
        self.remove()
        write(self.folder, made, signing_key(), _QUIET, self.others)

    def offer(self, nodes: Sequence[Host]) -> None:
        """Name the repository to the nodes' apt."""
        signed = "Suites: /\\nSigned-By: /etc/apt/keyrings/site.asc\\n"
        entry = f"Types: deb\\nURIs: https://{PACKAGES_NAME}/updates/\\n{signed}"
        for node in nodes:
            self.run(node, f"printf '{entry}' >{_SOURCE}")

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, node: Host, command: str, seconds: float = 180) -> str:
        done = ssh(self.lab.layout, node.address, command, timeout_seconds=seconds)
        assert done.returncode == 0, f"{node.name}: {command}: {done.stdout} {done.stderr}"
        return done.stdout.strip()


@pytest.fixture
def of_debian() -> Iterator[list[Path]]:
    """unattended-upgrades and what it needs. Before the lab, because its network reaches no mirror of Debian."""
    with TemporaryDirectory() as folder:
        yield debian.download(["unattended-upgrades", "tzdata"], root.ensure(_QUIET), Path(folder))


@pytest.fixture
def updates(of_debian: list[Path], lab: Lab) -> Iterator[Updates]:
    """A mirror with unattended-upgrades and what it needs of Debian; nothing of it is left behind."""
    files, made = of_debian, Updates(lab, of_debian)
    try:
        made.offer(NODES)
        yield made
    finally:
        lab.restore()
        names = " ".join(file.name.partition("_")[0] for file in files)
        for node in NODES:
            made.run(node, f"apt-get -q -y purge {names} {FIRMWARE}; rm -f {_SOURCE}; apt-get -q update")
        made.remove()


@pytest.fixture
def three(of_debian: list[Path], lab: Lab) -> Iterator[Updates]:
    """Machines for two more control planes, and the mirror. At the end there is no lab, so that no member is left."""
    made = Updates(lab, of_debian)
    try:
        data_center.ensure(lab.layout, _QUIET, CONTROL_PLANES[1:])
        made.publish()
        made.offer((*CONTROL_PLANES, *WORKERS[:2]))
        yield made
    finally:
        lab_command("down")
        made.remove()


def window(minutes: int) -> dict[str, Any]:
    """A window of two hours that began so many minutes ago."""
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes)
    end = begin + datetime.timedelta(hours=2)
    return {"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}", "timezone": "Etc/UTC"}


def edited(terminal: Terminal, **fields: Any) -> None:
    file = terminal.folder / "Pulumi.lab.yaml"
    content = yaml.safe_load(file.read_text())
    spec = content["config"][SPEC]
    if "window" in fields:
        spec["osUpdates"]["window"] = fields["window"]
    if "drain_seconds" in fields:
        next(node for node in spec["nodes"] if node["name"] == STOPPED_AT.name)["drainSeconds"] = fields[
            "drain_seconds"
        ]
    file.write_text(yaml.safe_dump(content))


def nodes(lab: Lab) -> dict[str, dict[str, Any]]:
    return {node["metadata"]["name"]: node for node in lab.cluster.request("GET", "/api/v1/nodes")["items"]}


def boots(lab: Lab) -> dict[str, str]:
    return {name: node["status"]["nodeInfo"]["bootID"] for name, node in nodes(lab).items()}


def scaled(lab: Lab, namespace: str, name: str, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    lab.cluster.request("PATCH", path, {"spec": {"replicas": replicas}})
    wait_until(
        lambda: rolled_out(lab.cluster.request("GET", path)), 120, lambda: f"{name} has not {replicas} ready pods"
    )


def one_that_stays(image: str) -> list[dict[str, Any]]:
    """A Deployment of one pod that no other node takes, and its budget."""
    selector = {"app.kubernetes.io/name": "stays"}
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": STOPPED_AT.name},
        "containers": [{"name": "stays", "image": image, "args": ["pause"]}],
        "terminationGracePeriodSeconds": 1,
    }
    metadata = {"name": "stays", "namespace": "default"}
    template = {"metadata": {"labels": selector}, "spec": pod}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 1, "selector": {"matchLabels": selector}, "template": template},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata,
            "spec": {"minAvailable": 1, "selector": {"matchLabels": selector}},
        },
    ]


def open_stack_file(spec: dict[str, Any]) -> None:
    """What the page writes to the stack file, with a window that is open, and the lab's packages."""
    [stack_file] = howtos.blocks(PAGE, "yaml")
    howtos.written(spec, stack_file, {})
    spec["osUpdates"] |= {"window": window(5), "origins": ["origin=vds-platform,label=lab"]}


def switched_on(lab: Lab, updates: Updates) -> Terminal:
    """The page up to the update that installs unattended-upgrades."""
    for node in NODES:
        assert (
            updates.run(node, "dpkg-query -W -f '${db:Status-Status}' unattended-upgrades || echo none") != "installed"
        )
    terminal = lab.terminal(lab.variant(open_stack_file), {})
    terminal.type(UP)
    for node in NODES:
        state = updates.run(node, f"systemctl is-enabled {' '.join(TIMERS)}; systemctl is-active {' '.join(TIMERS)}")
        assert state.split() == ["enabled", "enabled", "active", "active"]
    return terminal


def installed_by_timers(updates: Updates) -> None:
    """The update arrives on the workers by what Debian's timers start, and what the platform pins stays."""
    before = updates.run(WORKERS[0], "dpkg-query -W -f '${Version}' kubectl")
    for node in WORKERS[:2]:
        updates.run(node, f"apt-get -q update && apt-get -q -y install {FIRMWARE}")
    newer = Package("kubectl", "99.0.0-1.1", "Newer than the stack file's", ())
    updates.publish(firmware("2"), newer)
    for node in WORKERS[:2]:
        began = time.monotonic()
        # The timers may have run already today.
        updates.run(
            node, "rm -f /var/lib/apt/periodic/*-stamp && systemctl start apt-daily.service apt-daily-upgrade.service"
        )
        seconds = time.monotonic() - began
        log = updates.run(node, "cat /var/log/unattended-upgrades/unattended-upgrades.log")
        assert updates.run(node, "dpkg-query -W -f '${Version}' " + FIRMWARE) == "2", log
        assert updates.run(node, "cat /run/reboot-required.pkgs") == FIRMWARE
        assert updates.run(node, "dpkg-query -W -f '${Version}' kubectl") == before, log
        print(f"{node.name}: unattended-upgrades installed the update in {seconds:.0f} s and left kubectl {before}")


def test_updates_arrive_and_nodes_are_rebooted_one_by_one_without_a_failed_request(updates: Updates) -> None:
    lab = updates.lab
    updates.publish(firmware("1"))
    terminal = switched_on(lab, updates)
    installed_by_timers(updates)
    first = boots(lab)

    edited(terminal, window=window(-60))
    assert "opens" in terminal.type(REBOOT), "outside the window"
    assert boots(lab) == first
    edited(terminal, window=window(5))
    planned = terminal.type(DRY_RUN)
    for number, node in enumerate(WORKERS[:2], 1):
        assert f"{number}. {node.name}: required by {FIRMWARE}; drained for at most 300 s" in planned
    assert boots(lab) == first
    assert f"required by {FIRMWARE}" in terminal.run(DOCTOR).stdout

    stays = one_that_stays(images(lab.layout)["e2e/agnhost"])
    for name in ("api", "api-canary"):
        scaled(lab, NAMESPACE, name, 2)
    try:
        for item in stays:
            lab.cluster.apply(item)
        scaled(lab, "default", "stays", 1)
        edited(terminal, drain_seconds=5)
        with Lease(lab.cluster, KUBE_SYSTEM, REBOOT_LEASE, "reboot of nodes").held():
            second = terminal.run(REBOOT)
        assert second.returncode == 2
        assert "reboot of nodes: process" in second.stdout
        assert boots(lab) == first

        spec = load_spec(lab.layout)
        with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
            began = time.monotonic()
            stopped = terminal.run(REBOOT)
            seconds = [time.monotonic() - began]
            print(stopped.stdout)
            assert stopped.returncode == 1
            assert (
                f"node {STOPPED_AT.name}: still has pods after its drainSeconds, 5, so it was not rebooted"
                in stopped.stdout
            )
            assert "The disruption budget stays needs 1 healthy pods and has 1 currently" in stopped.stdout
            after = boots(lab)
            assert {name for name in after if after[name] != first[name]} == {WORKERS[0].name}
            assert not nodes(lab)[STOPPED_AT.name]["spec"].get("unschedulable")

            lab.cluster.delete(stays[1])
            edited(terminal, drain_seconds=300)
            began = time.monotonic()
            print(terminal.type(REBOOT))
            seconds.append(time.monotonic() - began)
        print(f"reboot of two workers: {' and '.join(f'{one:.0f} s' for one in seconds)}, requests {dict(requests)}")
        assert requests.pop("answered") > 1000
        assert requests == {}
    finally:
        for item in reversed(stays):
            lab.cluster.delete(item)
    last = boots(lab)
    assert {name for name in last if last[name] != first[name]} == {node.name for node in WORKERS[:2]}
    assert last[WORKERS[0].name] == after[WORKERS[0].name], "not once more"
    assert not any(marks(lab).values())
    assert "no node must be rebooted" in terminal.type(REBOOT)


def marks(lab: Lab) -> dict[str, list[str]]:
    """What `vds reboot` has left on each node."""
    found = {}
    for name, node in nodes(lab).items():
        left = {**node["metadata"].get("annotations", {}), **node["metadata"]["labels"]}
        found[name] = sorted({labels.CORDONED, labels.REBOOTING} & left.keys())
        found[name] += [labels.EXCLUDED] if left.get(labels.EXCLUDED) == "rebooting" else []
        found[name] += ["unschedulable"] if node["spec"].get("unschedulable") else []
    return found


@pytest.mark.timeout(1200)  # two control planes join, and two reboot
def test_control_planes_are_rebooted_while_every_member_of_etcd_is_healthy(three: Updates) -> None:
    """Each loss of a control plane leaves a majority: no reboot is begun while another member is down."""
    lab = three.lab

    def edit(spec: dict[str, Any]) -> None:
        changes.control_planes(spec)
        open_stack_file(spec)

    terminal = lab.terminal(lab.variant(edit), {})
    terminal.type(UP)
    first = boots(lab)
    assert len(first) == 5
    for name in ("api", "api-canary"):
        scaled(lab, NAMESPACE, name, 2)
    sick, *others = reversed(CONTROL_PLANES)
    for node in others:
        three.run(node, "touch /run/reboot-required; echo firmware >/run/reboot-required.pkgs")

    three.run(sick, f"mv {_ETCD} {_ETCD_ASIDE}")
    three.run(
        sick, "for i in $(seq 60); do [ -n \"$(crictl ps -q --name '^etcd$')\" ] || exit 0; sleep 1; done; exit 1"
    )
    try:
        refused = terminal.run(REBOOT)
        assert refused.returncode == 1
        assert "was not rebooted, because not every member of etcd is healthy" in refused.stdout
        assert sick.address in refused.stdout
    finally:
        three.run(sick, f"mv {_ETCD_ASIDE} {_ETCD}")
    assert boots(lab) == first
    assert not any(marks(lab).values())
    # Its kubelet asks its own API server, which could not answer.
    wait_until(lambda: is_ready(lab.cluster, sick), _READY_SECONDS, lambda: f"{sick.name} is not Ready")

    spec = load_spec(lab.layout)
    with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
        began = time.monotonic()
        said = terminal.type(REBOOT)
        seconds = time.monotonic() - began
    print(said)
    print(f"reboot of two control planes of three: {seconds:.0f} s, requests {dict(requests)}")
    assert requests.pop("answered") > 1000
    assert requests == {}
    last = boots(lab)
    assert {name for name in last if last[name] != first[name]} == {node.name for node in others}
    assert not any(marks(lab).values())
