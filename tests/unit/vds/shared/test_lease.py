"""A Lease: one process at a time, and the next one after it has ended or been silent."""

from typing import Any

import pytest

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
