"""A Lease: one process at a time, and the next one after it has ended or been silent."""

from typing import Any

import pytest

from components.core import labels
from components.kubernetes_api import ApiError, Cluster
from tests.support.api_server import api_server
from tests.support.fake_cluster import FakeCluster
from vds.shared import lease
from vds.shared.clock import Clock
from vds.shared.errors import OperationError
from vds.shared.lease import SECONDS, Lease


class Time:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0
        self.clock = Clock(date=lambda: self.now)


def pair():
    cluster, time = FakeCluster(), Time()
    first, second = (Lease(cluster, "kube-system", "x", "reboot of nodes", f"ci/{n}", time.clock) for n in (1, 2))
    return cluster, time, first, second


def test_a_second_process_is_refused_until_the_first_has_ended():
    _, _, first, second = pair()
    with first.held():
        with pytest.raises(
            OperationError, match="reboot of nodes: process ci/1 is at work: wait until it ends, or 120 s"
        ):
            second.take()
        first.take()
    second.take()


def test_a_process_that_is_silent_loses_it_and_stops():
    _, time, first, second = pair()
    first.take()
    time.now += SECONDS - 1
    first.renew()
    time.now += SECONDS - 1
    with pytest.raises(OperationError):
        second.take()
    time.now += 1
    second.take()
    first.renew()
    with pytest.raises(OperationError, match="process ci/2 has taken over"):
        first.require()
    first.give_back()
    second.renew()
    second.require()


def test_two_that_begin_at_the_same_moment():
    cluster, _, first, second = pair()
    cluster.busy = [0, 409]
    with pytest.raises(OperationError, match="another process has begun just now"):
        first.take()
    second.take()


def test_an_api_server_that_does_not_answer_costs_nothing_before_the_time_is_up():
    cluster, _, first, _ = pair()
    first.take()
    cluster.unreachable = [True]
    first.renew()
    first.require()
    cluster.unreachable = [True]
    first.give_back()


def test_a_process_of_this_machine_that_has_ended_is_not_waited_for():
    cluster, time, first, second = pair()
    first.holder = f"{lease.identity().rpartition('/')[0]}/4194305"  # larger than the largest process id of Linux
    first.take()
    second.take()
    first.holder = lease.identity()
    time.now += SECONDS
    first.take()
    with pytest.raises(OperationError):
        second.take()
    cluster.leases[first.path]["spec"]["renewTime"] = "soon"
    second.take()


def test_a_process_of_another_container_with_the_same_host_name_and_number_is_another(monkeypatch: Any):
    own = lease.identity()
    monkeypatch.setattr(lease.Path, "readlink", lambda _: "pid:[1]")
    assert lease.identity() != own
    assert lease.lives(own), "nothing is known of it, so it may be alive"
    assert lease.lives(own.rpartition("/")[0] + "/4194305")


def test_a_real_api_server_takes_it_and_keeps_two_processes_apart(tmp_path):
    with api_server(tmp_path) as kubeconfig:
        api = Cluster(kubeconfig)
        first, second = (Lease(api, "kube-system", "vds-platform-reboot", "reboot of nodes", f"ci/{n}") for n in (1, 2))
        with first.held():
            first.renew()
            first.require()
            with pytest.raises(OperationError, match="process ci/1 is at work"):
                second.take()
        with second.held():
            second.require()
        stale = api.request("GET", first.path)
        first.take()
        with pytest.raises(ApiError) as caught:
            second._write(stale, "ci/2")
        assert caught.value.status == 409
        # A Node's marks: one patch takes an annotation and a label away, and says nothing if there is none.
        path = "/api/v1/nodes/osl-w-1"
        marks = {"annotations": {labels.REBOOTING: "boot"}, "labels": {labels.EXCLUDED: "rebooting"}}
        made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "osl-w-1", **marks}}
        api.request("POST", "/api/v1/nodes", made)
        gone = {"annotations": {labels.REBOOTING: None}, "labels": {labels.EXCLUDED: None}}
        for _ in range(2):
            api.request("PATCH", path, {"metadata": gone})
        left = api.request("GET", path)["metadata"]
        assert not left.get("annotations")
        assert labels.EXCLUDED not in (left.get("labels") or {})
