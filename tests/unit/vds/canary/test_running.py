"""A canary is taken to its last step or back, whatever happens to the process that watches it."""

import json
from typing import Any

import pytest

from components.gateway.canary.record import Record
from components.kubernetes_api import ApiError, CredentialsError, UnreachableError
from tests.support.rollouts import Rollout
from vds.canary import running
from vds.shared import lease
from vds.shared.errors import OperationError


def watched(rollout: Rollout, holder: str = "ci/1", **more: Any) -> Record:
    found = rollout.canaried
    record = running.begin(found, holder=holder, now=rollout.now(), **more)
    if record.phase in running.ENDED:
        found.set_weights(record.percent)
        return record
    return running.watch(
        found,
        holder,
        now=rollout.now,
        sleep=rollout.sleep,
        read_counters=rollout.counters,
        report=rollout.report,
    )


def test_a_good_version_gets_all_requests_step_by_step():
    rollout = Rollout()
    record = watched(rollout)
    assert (record.phase, record.percent, rollout.percent) == ("finished", 100, 100)
    assert [text.partition(":")[0] for text in rollout.said] == ["set to 5 %", "set to 25 %", "set to 100 %"]
    assert rollout.clock >= 1000 + 2 * 60, "each step was held"


def test_a_version_with_errors_is_rolled_back_at_the_next_look():
    rollout = Rollout(failing=lambda _: 0.05)
    record = watched(rollout)
    assert (record.phase, rollout.percent) == ("rolled-back", 0)
    assert record.reason == "success: worse than stable at 5 %, after 100 canary requests"
    assert rollout.clock - 1000 <= 30, "the first look only begins to count"


def test_a_slow_version_is_rolled_back():
    record = watched(Rollout(slow=lambda _: 0.9))
    assert (record.phase, record.reason) == (
        "rolled-back",
        "latency: worse than stable at 5 %, after 100 canary requests",
    )


def test_a_version_that_fails_only_under_load_is_rolled_back_in_that_step():
    rollout = Rollout(failing=lambda percent: 0.1 if percent >= 25 else 0.0)
    assert watched(rollout).reason.startswith("success: worse than stable at 25 %")
    assert rollout.percent == 0


def test_no_traffic_is_never_a_pass():
    rollout = Rollout(rate=0)
    record = watched(rollout)
    assert record.phase == "rolled-back"
    assert record.reason == "not decided after 2h: success: inconclusive, latency: inconclusive"
    assert rollout.percent == 0


SOURCES = ["prometheus", "probe"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("failing", [0.0, 0.05])
def test_gates_of_every_source_are_judged_alike(source: str, failing: float):
    rollout = sourced(source, failing=lambda _: failing)
    whole, looks = rollout.counters, [0]

    def of_this_look(after: float) -> Any:
        """Probes have no counters: each look has its own requests."""
        found, looks[0] = whole(after), looks[0] + 1
        if source == "probe":
            rollout.seen = {"stable": [0.0] * 3, "canary": [0.0] * 3}
        return found

    rollout.counters = of_this_look  # type: ignore[method-assign]
    record = watched(rollout)
    assert record.phase == ("rolled-back" if failing else "finished")
    assert f"{source} success: {'worse' if failing else 'equivalent'}" in record.reason
    assert rollout.percent == (0 if failing else 100)


def sourced(source: str, **more: Any) -> Rollout:
    probe = {"probe": {"path": "/healthz"}} if source == "probe" else {}
    return Rollout(gates=[{"kind": "success", "source": source}], **probe, **more)


@pytest.mark.parametrize("source", SOURCES)
def test_what_does_not_answer_is_inconclusive_and_ends_at_the_plans_limit_with_the_reason(source: str):
    rollout = sourced(source)
    rollout.counters = lambda _after=0.0: {source: {"": "no answer in time"}}  # type: ignore[method-assign,assignment,dict-item,misc]
    record = watched(rollout)
    assert (record.phase, rollout.percent) == ("rolled-back", 0)
    assert record.reason == f"not decided after 2h: {source} success: inconclusive (no answer in time)"
    assert rollout.clock >= 1000 + 7200


def test_a_source_says_what_it_has_counted_after_the_gateway_has_the_new_share():
    rollout, asked = Rollout(), []
    whole = rollout.counters

    def counters(after: float) -> Any:
        asked.append(after)
        return whole(after)

    rollout.counters = counters  # type: ignore[method-assign]
    record = watched(rollout)
    assert asked[0] == 1002.0
    assert len(set(asked)) == 2, "one moment for each step"
    assert record.phase == "finished"


def test_a_rollout_that_has_ended_begins_anew_only_when_asked():
    rollout = Rollout(failing=lambda _: 0.05)
    first = watched(rollout)
    again = watched(rollout)
    assert (again.phase, again.reason, again.since) == (first.phase, first.reason, first.since)
    rollout.failing = lambda _: 0.0
    assert watched(rollout, again=True).phase == "finished"
    assert watched(rollout).phase == "finished", "a CI job that runs twice changes nothing"
    running.abort(rollout.canaried, rollout.now())
    assert rollout.percent == 0
    assert rollout.canaried.read() is None, "the next start begins anew"


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the process runs after it."""


def until_killed(rollout: Rollout, moment: int, *, done: bool) -> bool:
    """Whether the process was killed: at its write of this number, before or after it is done."""
    whole = rollout.api.request

    def request(method: str, *words: Any, **more: Any) -> Any:
        if method != "GET" and rollout.api.writes + 1 == moment:
            if done:
                whole(method, *words, **more)
            raise Killed
        return whole(method, *words, **more)

    rollout.api.request = request  # type: ignore[method-assign]
    try:
        watched(rollout)
    except Killed:
        return True
    finally:
        rollout.api.request = whole  # type: ignore[method-assign]
    return False


@pytest.mark.parametrize("failing", [0.0, 0.05])
@pytest.mark.parametrize("done", [False, True])
def test_a_process_that_is_killed_at_any_write_leaves_a_share_that_the_next_one_goes_on_with(
    failing: float, done: bool
):
    """`done`: the write was done, and the process never heard of it."""
    for moment in range(1, 100):
        rollout = Rollout(failing=lambda percent: failing if percent >= 25 else 0.0)
        if not until_killed(rollout, moment, done=done):
            break
        assert rollout.percent in (0, 5, 25, 100)
        rollout.sleep(31)
        record = watched(rollout, "ci/2")
        assert record.phase == ("rolled-back" if failing else "finished")
        assert rollout.percent == record.percent == (0 if failing else 100)
    assert 10 < moment < 99


def test_by_hand_the_process_that_watches_goes_on_from_there():
    rollout = Rollout()
    sleep, happened = rollout.sleep, []

    def by_hand(pause: float) -> None:
        sleep(pause)
        if len(happened) == 0:
            happened.append(running.pause(rollout.canaried, rollout.now()).phase)
        elif rollout.clock > 1400 and len(happened) == 1:
            assert rollout.percent == 5, "a paused canary stays"
            happened.append(str(running.promote(rollout.canaried, rollout.now()).percent))
        elif rollout.clock > 1800:
            assert rollout.percent == 25
            running.abort(rollout.canaried, rollout.now())

    rollout.sleep = by_hand  # type: ignore[method-assign]
    record = watched(rollout)
    assert happened == ["paused", "25"]
    assert (record.phase, record.reason, rollout.percent) == ("rolled-back", "by hand", 0)


def test_a_paused_canary_that_is_bad_is_rolled_back():
    rollout = Rollout()
    sleep = rollout.sleep

    def by_hand(pause: float) -> None:
        sleep(pause)
        if rollout.clock < 1020:
            running.pause(rollout.canaried, rollout.now())
            rollout.failing = lambda _: 0.05

    rollout.sleep = by_hand  # type: ignore[method-assign]
    assert watched(rollout).phase == "rolled-back"


def test_one_process_at_a_time():
    rollout = Rollout()
    running.begin(rollout.canaried, holder="ci/1", now=1000.0)
    with pytest.raises(OperationError, match="process ci/1 watches it: wait 30 s if that process is dead"):
        running.begin(rollout.canaried, holder="ci/2", now=1000.0)
    assert running.begin(rollout.canaried, holder="ci/2", now=1031.0).reason == "resumed"
    with pytest.raises(OperationError, match="process ci/2 has it now"):
        running.watch(
            rollout.canaried,
            "ci/1",
            now=rollout.now,
            sleep=rollout.sleep,
            read_counters=rollout.counters,
            report=rollout.report,
        )


def test_a_process_of_this_machine_that_has_ended_need_not_be_waited_for():
    assert lease.lives(lease.identity())
    host = lease.identity().rpartition("/")[0]
    assert not lease.lives(f"{host}/4194305"), "larger than the largest process id of Linux"
    assert not lease.lives(f"{host}/{10**30}")
    assert lease.lives("another-host/4194305")


def test_weights_that_somebody_changes_are_set_again():
    rollout = Rollout()
    sleep = rollout.sleep
    running_weights = []

    def changed(pause: float) -> None:
        running_weights.append(rollout.percent)
        if len(running_weights) == 2:
            rollout.canaried.set_weights(0)
        sleep(pause)

    rollout.sleep = changed  # type: ignore[method-assign]
    assert watched(rollout).phase == "finished"
    assert rollout.said.count("set to 5 %: started with 5 %") == 2


def test_a_pod_that_can_not_be_read_is_counted_at_a_later_look():
    rollout = Rollout(failing=lambda _: 0.05)
    counters, looks = rollout.counters, []

    def sometimes(_after: float) -> Any:
        looks.append(1)
        return {"gateway": {"uid-1": "pod traefik-1: no answer in time"}} if 2 <= len(looks) <= 4 else counters()

    rollout.counters = sometimes  # type: ignore[method-assign]
    record = watched(rollout)
    assert record.phase == "rolled-back"
    assert "can't be read: pod traefik-1: no answer in time" in rollout.said
    assert record.evidence == {} or len(looks) == 5


def test_a_cluster_that_does_not_answer_ends_nothing_for_a_while():
    rollout = Rollout()
    whole, failed = rollout.api.request, []

    def request(*words: Any, **more: Any) -> Any:
        if 1020 <= rollout.clock <= 1200:
            failed.append(1)
            raise ApiError(503, "leader changed")
        return whole(*words, **more)

    rollout.api.request = request  # type: ignore[method-assign]
    assert watched(rollout).phase == "finished"
    assert failed


def test_a_route_with_other_backends_is_not_touched():
    rollout = Rollout()
    found = rollout.canaried
    [path] = [path for path in rollout.api.objects if "/httproutes/" in path]
    live = rollout.api.objects[path]
    live["spec"]["rules"][0]["backendRefs"][1]["name"] = "other"
    with pytest.raises(OperationError, match="has the backends api-stable, other, and not a stable version with"):
        found.set_weights(5)
    live["metadata"]["annotations"]["vds-platform.no/canary"] = "other"
    with pytest.raises(OperationError, match="had the backends api-stable, api-canary and has api-stable, other by"):
        found.set_weights(5)
    assert rollout.percent == 0


def test_a_share_that_the_api_server_refuses_ends_the_rollout_at_once():
    rollout = Rollout()
    whole = rollout.api.request

    def request(method: str, path: str, body: Any = None, **more: Any) -> Any:
        if method == "PATCH" and body["spec"]["rules"][0]["backendRefs"][1]["weight"] > 5:
            raise ApiError(403, "a canary gets more of the requests than the contract's canaryCeilingPercent")
        return whole(method, path, body, **more)

    rollout.api.request = request  # type: ignore[method-assign]
    record = watched(rollout)
    assert (record.phase, rollout.percent) == ("rolled-back", 0)
    assert record.reason.startswith("the API server refuses 25 % (a canary gets more")
    assert rollout.clock < 1000 + 120, "it is not tried for hours"


DAMAGES: list[dict[str, Any]] = [
    {"phase": "x"},
    {"percent": 101},
    {"percent": -1},
    {"percent": "50"},
    {"began": 10**400},
    {"reason": "x" * 300_000},
    {"evidence": {"success": {"limits": {"failed": [[1e308] * 6]}}}},
    {"counters": {"uid": []}},
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: next(iter(damage)))
def test_a_damaged_record_is_not_guessed_at(damage: dict[str, Any]):
    rollout = Rollout()
    running.begin(rollout.canaried, holder="ci/1", now=1000.0)
    [path] = [path for path in rollout.api.objects if "/leases/" in path]
    annotations = rollout.api.objects[path]["metadata"]["annotations"]
    good = json.loads(annotations["vds-platform.no/canary-progress"])
    annotations["vds-platform.no/canary-progress"] = json.dumps(good | damage)
    with pytest.raises(OperationError, match=r"kubectl delete lease canary\.api --namespace butikk"):
        rollout.canaried.read()


def test_without_a_rollout_there_is_nothing_to_promote():
    rollout = Rollout()
    for change in (running.promote, running.pause):
        with pytest.raises(OperationError, match="has not begun: run `vds canary start api --namespace butikk`"):
            change(rollout.canaried, 1000.0)


def test_a_records_text_can_not_speak_to_a_terminal():
    rollout = Rollout()
    running.begin(rollout.canaried, holder="ci/1", now=1000.0)
    [path] = [path for path in rollout.api.objects if "/leases/" in path]
    annotations = rollout.api.objects[path]["metadata"]["annotations"]
    good = json.loads(annotations["vds-platform.no/canary-progress"])
    annotations["vds-platform.no/canary-progress"] = json.dumps(good | {"reason": "a\u001b[2Jb\nc"})
    held = rollout.canaried.read()
    assert held is not None
    assert "\x1b" not in held.record.reason
    assert "\n" not in held.record.reason


# --- what others do to it ------------------------------------------------------------------------------------


def path_of(rollout: Rollout, kind: str) -> str:
    [path] = [path for path in rollout.api.objects if f"/{kind}/" in path]
    return path


def refusing(rollout: Rollout, method: str, error: Exception, *, when: Any) -> list[float]:
    """Requests of this method fail while `when(body)` is true; the times at which they did."""
    whole, failed = rollout.api.request, []

    def request(asked: str, path: str, body: Any = None, **more: Any) -> Any:
        if asked == method and when(body):
            failed.append(rollout.clock)
            raise error
        return whole(asked, path, body, **more)

    rollout.api.request = request  # type: ignore[method-assign]
    return failed


@pytest.mark.parametrize("error", [ApiError(503, "leader changed"), UnreachableError("no answer in time")])
def test_a_rollback_is_not_left_while_the_route_can_not_be_written(error: Exception):
    rollout = Rollout(failing=lambda _: 0.05)
    failed = refusing(
        rollout,
        "PATCH",
        error,
        when=lambda body: body["spec"]["rules"][0]["backendRefs"][1]["weight"] == 0 and rollout.clock < 1090,
    )
    record = watched(rollout)
    assert len(failed) > 1
    assert (record.phase, rollout.percent) == ("rolled-back", 0)
    held = rollout.canaried.read()
    assert held is not None
    assert held.holder == "", "given back when the route had its weights"


def test_a_canary_whose_record_is_removed_has_no_share():
    rollout = Rollout()
    sleep = rollout.sleep

    def removed(pause: float) -> None:
        sleep(pause)
        if rollout.percent == 25:
            rollout.api.objects.pop(path_of(rollout, "leases"), None)

    rollout.sleep = removed  # type: ignore[method-assign]
    record = watched(rollout)
    assert (record.phase, record.percent, record.reason) == ("rolled-back", 0, "its record is gone")
    assert rollout.percent == 0
    assert rollout.canaried.read() is None


def test_a_route_that_is_removed_ends_the_rollout_with_a_remedy():
    rollout = Rollout()
    sleep = rollout.sleep

    def removed(pause: float) -> None:
        sleep(pause)
        rollout.api.objects.clear()

    rollout.sleep = lambda pause: sleep(pause) if rollout.clock < 1020 else removed(pause)  # type: ignore[method-assign]
    with pytest.raises(OperationError, match="is not in the cluster: correct the name, or run `pulumi up`"):
        watched(rollout)


def test_a_route_that_is_made_anew_gets_no_share_of_the_old_ones_canary():
    rollout = Rollout()
    found = rollout.canaried
    live = rollout.api.objects[path_of(rollout, "httproutes")]
    live["metadata"]["uid"] = "new"
    assert found.set_weights(5) is True, "a manifest has no UID"
    found = rollout.canaried
    live = rollout.api.objects[path_of(rollout, "httproutes")]
    live["metadata"]["uid"] = "newer"
    with pytest.raises(OperationError, match="was removed and made anew, so its canary has no share: run `vds canary"):
        found.set_weights(25)
    assert rollout.percent == 5


def test_requests_with_two_shares_are_not_one_window():
    """Somebody sends everything to the stable version between two looks; what was counted then is left out."""
    rollout = Rollout(failing=lambda _: 0.05)
    sleep, happened, evidence = rollout.sleep, [], []

    def changed(pause: float) -> None:
        if rollout.clock >= 1002 and not happened:
            happened.append(rollout.clock)
            rollout.canaried.set_weights(0)
        sleep(pause)
        held = rollout.canaried.read()
        evidence.append(held.record.evidence if held else {})

    rollout.sleep = changed  # type: ignore[method-assign]
    record = watched(rollout)
    assert happened
    assert [bool(one) for one in evidence[:4]] == [False, False, False, False]
    assert record.reason == "success: worse than stable at 5 %, after 100 canary requests"


def test_credentials_that_are_refused_end_it_after_the_time_that_a_process_may_be_silent():
    rollout = Rollout()
    failed = refusing(rollout, "GET", CredentialsError("refuses the kubeconfig"), when=lambda _: rollout.clock > 1020)
    with pytest.raises(OperationError, match=r"does not answer \(refuses the kubeconfig\)"):
        watched(rollout)
    assert 20 <= failed[-1] - failed[0] <= 30


def test_by_hand_is_tried_again_beside_the_process_that_watches():
    rollout = Rollout()
    running.begin(rollout.canaried, holder="ci/1", now=1000.0)
    beside = [1, 1]

    def written(_: int) -> None:
        if beside:
            beside.pop()
            found = rollout.canaried
            held = found.read()
            assert held is not None
            found.write(held.record, held, holder="ci/1", now=1001.0)

    rollout.api.before = written
    running.abort(rollout.canaried, 1002.0)
    held = rollout.canaried.read()
    assert held is not None
    assert (held.record.phase, held.holder, rollout.percent) == ("rolled-back", "ci/1", 0)


@pytest.mark.parametrize("spec", [
    {"renewTime": "9999-12-31T23:59:59.000000Z", "leaseDurationSeconds": 2**31 - 1},
    {"renewTime": "2026-01-01T00:00:00Z", "leaseDurationSeconds": 30},
    {"leaseDurationSeconds": 30},
])  # fmt: skip
def test_a_lease_that_is_held_for_ever_can_be_taken_and_ended(spec: dict[str, Any]):
    rollout = Rollout()
    running.begin(rollout.canaried, holder="ci/1", now=1000.0)
    rollout.api.objects[path_of(rollout, "leases")]["spec"] = {"holderIdentity": "someone/1", **spec}
    held = rollout.canaried.read()
    assert held is not None
    assert not rollout.canaried.watched(held, 1000.0)
    running.pause(rollout.canaried, 1000.0)
    assert running.begin(rollout.canaried, holder="ci/2", now=1000.0).reason == "resumed"
    running.abort(rollout.canaried, 1001.0)
    assert rollout.percent == 0
