"""The command `vds reboot`: what it shows, what it begins, and how it ends."""

import json
import subprocess
from datetime import datetime

import pytest

from components.core import labels
from components.nodes.os_updates.state import OsState
from tests.support.commands import vds
from tests.support.fake_cluster import FakeCluster, node
from tests.support.stacks import stack
from vds.doctor.diagnosis import Diagnosis, GatewayFinding, NodeStatus
from vds.reboot import command
from vds.reboot.asking import Answer
from vds.shared.clock import Clock
from vds.shared.errors import IncompleteError
from vds.shared.lease import Lease
from vds.shared.stack import Opened

SPEC = stack("oslo")
OPEN, CLOSED = "2026-12-01T03:00+01:00", "2026-12-01T01:59+01:00"
"""A Tuesday; the window of oslo is open from 02:00 to 05:00 there."""


class Site:
    def __init__(self) -> None:
        self.cluster = FakeCluster(*(node(one.name, member="control-plane" in one.roles) for one in SPEC.nodes))
        self.state = {one.name: OsState("boot", 1000, "6.1") for one in SPEC.nodes}
        self.ran: list[str] = []
        self.error: Exception | None = None

    def requires(self, *names: str) -> "Site":
        for name in names:
            self.state[name] = self.state[name]._replace(reasons=("required by libc6",), since=1)
        return self

    def run(self, steps, opening, _):
        for step in steps:
            self.ran.append(step.node.name)
            if self.error:
                raise self.error
            yield step, "rebooted in 40 s" if opening is None or len(self.ran) < 3 else "left"


@pytest.fixture
def site(monkeypatch):
    made = Site()
    monkeypatch.setattr(command, "open_stack", lambda name, **_: Opened(name, SPEC, "key", "kubeconfig"))
    monkeypatch.setattr(command, "Cluster", lambda _: made.cluster)
    monkeypatch.setattr(
        command, "ask", lambda _, nodes: [Answer(one.name, made.state[one.name], "no route") for one in nodes]
    )
    monkeypatch.setattr(command, "clients", lambda *_: None)
    monkeypatch.setattr(command, "run", made.run)
    return made


@pytest.fixture
def at(monkeypatch):
    def set_time(text: str) -> None:
        monkeypatch.setattr(command, "Clock", lambda: Clock(date=lambda: datetime.fromisoformat(text).timestamp()))

    return set_time


def reboot(*words: str):
    return vds("reboot", "--stack", "oslo", *words)


def changes(site: Site) -> list[str]:
    return [method for method, _ in site.cluster.calls if method != "GET"]


def test_outside_the_window_nothing_happens(site, at):
    at(CLOSED)
    done = reboot("--json")
    site.requires("osl-w-1")
    done = reboot()
    assert done.exit_code == 0
    assert "window tue, wed, thu 02:00–05:00 Europe/Oslo: opens Tue 2026-12-01 02:00" in done.stderr
    assert "1. osl-w-1: required by libc6; drained for at most 300 s" in done.stderr
    assert (site.ran, changes(site)) == ([], [])
    assert json.loads(reboot("--json").stdout)["nodes"] == [
        {"node": "osl-w-1", "reasons": ["required by libc6"], "begun": False, "state": "required"}
    ]


def test_in_the_window_nodes_are_rebooted_and_the_lease_is_given_back(site, at):
    at(OPEN)
    site.requires("osl-w-1", "osl-w-2", "osl-cp-1")
    done = reboot("--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["window"] == {
        "open": True,
        "begins": "2026-12-01T02:00:00+01:00",
        "ends": "2026-12-01T05:00:00+01:00",
    }
    assert [(one["node"], one["state"]) for one in found["nodes"]] == [
        ("osl-w-1", "rebooted in 40 s"),
        ("osl-w-2", "rebooted in 40 s"),
        ("osl-cp-1", "left"),
    ]
    [lease] = site.cluster.leases.values()
    assert "holderIdentity" not in lease["spec"]


def test_now_ignores_the_window_and_a_dry_run_never_begins(site, at):
    at(CLOSED)
    site.requires("osl-w-1")
    assert reboot("--dry-run", "--now").exit_code == 0
    assert (site.ran, changes(site)) == ([], [])
    assert reboot("--now").exit_code == 0
    assert site.ran == ["osl-w-1"]


def test_another_process_is_at_work(site, at):
    at(OPEN)
    site.requires("osl-w-1")
    with Lease(site.cluster, "kube-system", "vds-platform-reboot", "reboot of nodes", "ci/7").held():
        done = reboot("--json")
    assert done.exit_code == 2
    [problem] = json.loads(done.stdout)["error"]["problems"]
    assert problem.startswith("reboot of nodes: process ci/7 is at work")
    assert site.ran == []


def test_a_node_that_does_not_answer_stops_before_anything_and_is_a_finding_of_a_dry_run(site, at):
    at(OPEN)
    site.requires("osl-w-1")
    site.state["osl-cp-2"] = None
    done = reboot()
    assert done.exit_code == 1
    assert "error: node osl-cp-2: no route: start it, or repair its SSH server" in done.stderr
    assert "error: nothing was begun" in done.stderr
    assert site.ran == []
    assert reboot("--dry-run").exit_code == 1


def test_a_failure_ends_with_one(site, at):
    at(OPEN)
    site.requires("osl-w-1", "osl-w-2")
    site.error = IncompleteError("node osl-w-1: has booted again and is not well")
    done = reboot()
    assert (done.exit_code, site.ran) == (1, ["osl-w-1"])
    assert "error: node osl-w-1: has booted again and is not well" in done.stderr
    assert "holderIdentity" not in next(iter(site.cluster.leases.values()))["spec"]


def test_a_node_that_an_earlier_run_began_with_is_a_finding_outside_the_window(site, at):
    at(CLOSED)
    site.cluster.nodes["osl-w-2"]["metadata"]["annotations"] = {labels.REBOOTING: "boot"}
    done = reboot()
    assert done.exit_code == 1
    assert "1. osl-w-2: an earlier run began with it and stopped, so it may be cordoned" in done.stderr


def test_a_stack_without_a_window_is_wrong_use(site, monkeypatch):
    plain = SPEC.model_copy(update={"os_updates": None})
    monkeypatch.setattr(command, "open_stack", lambda name, **_: Opened(name, plain, "key", "kubeconfig"))
    done = reboot()
    assert done.exit_code == 2
    assert "osUpdates is missing: write the window" in done.stderr


def test_an_api_server_that_does_not_answer(site, at):
    at(OPEN)
    site.cluster.unreachable = [True]
    done = reboot()
    assert done.exit_code == 2
    assert "the cluster does not answer (https://192.0.2.10:6443: no answer in time)" in done.stderr


def test_what_the_doctor_calls_a_failure():
    rows = [GatewayFinding("node osl-w-1, Cilium", "fails", "routing"), GatewayFinding("gateway", "ok", "answers")]
    found = command.failing(
        Diagnosis(
            (NodeStatus("osl-w-1", "drifted", ("swap is on",)), NodeStatus("osl-w-2", "converged")), (), tuple(rows)
        )
    )
    assert found == {"node osl-w-1 settings": "drifted: swap is on", "node osl-w-1 Cilium": "routing"}


CRICTL = """#!/bin/sh
case $1 in
ps)
	case "$*" in
	*'--label io.kubernetes.pod.namespace=kube-system'*) cat "$(dirname "$0")/etcd" ;;
	*) echo theirs ;;
	esac
	;;
exec)
	[ "$2 $3" = 'c0ffee etcdctl' ] || exit 9
	case "$*" in *' endpoint health --cluster --write-out json') ;; *) exit 9 ;; esac
	cat "$(dirname "$0")/members"
	echo '{"level":"warn","msg":"retrying"}' >&2
	exit 1
	;;
esac
"""


WELL = '{"endpoint":"https://192.0.2.11:2379","health":true,"took":"11ms"}'
ILL = '{"endpoint":"https://192.0.2.13:2379","health":false,"took":"5s","error":"context deadline exceeded"}'


@pytest.mark.parametrize(
    ("etcd", "members", "status"),
    [("c0ffee", f"[{WELL},{ILL}]", 0), ("c0ffee", "", 1), ("", "", 1)],
    ids=["a member is down", "no majority", "its own is down"],
)
def test_every_member_of_etcd_is_asked_in_the_container_of_the_control_plane(tmp_path, etcd, members, status):
    (tmp_path / "crictl").write_text(CRICTL)
    (tmp_path / "crictl").chmod(0o755)
    (tmp_path / "etcd").write_text(etcd)
    (tmp_path / "members").write_text(members)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-s"], input=command._ETCD, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (status, members)
    assert ("its etcd does not run" in done.stderr) == (not etcd)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (f"[{WELL}]", ""),
        (f"[{WELL},{ILL}]", "https://192.0.2.13:2379: context deadline exceeded"),
        ("null", "etcdctl's answer can't be read: null"),
        ("[]", "etcdctl's answer can't be read: []"),
        ("", "etcdctl's answer can't be read: "),
    ],
)
def test_members_of_etcd_that_are_not_healthy_are_named(said, problem):
    assert command.unhealthy(said) == problem


@pytest.mark.parametrize("same", [True, False])
def test_a_node_that_has_booted_already_does_not_boot_again(tmp_path, same):
    (tmp_path / "systemd-run").write_text('#!/bin/sh\necho "$*" >"$(dirname "$0")/said"\n')
    (tmp_path / "systemd-run").chmod(0o755)
    (tmp_path / "boot_id").write_text("one\n")
    text = command._REBOOT.format(boot="one" if same else "two")
    text = text.replace("/proc/sys/kernel/random/boot_id", str(tmp_path / "boot_id"))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["sh", "-s"], input=text, env=environment, check=True, text=True)
    assert (tmp_path / "said").exists() == same
