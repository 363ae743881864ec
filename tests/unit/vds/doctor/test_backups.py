"""The doctor says when snapshots of etcd stop coming."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.backups import spec as backup_of_cluster
from tests.support.bootstraps import bootstrap
from vds.backup.running import Answer
from vds.doctor import backups


class Opened:
    """A stack with a cluster and its backup."""

    def __init__(self, *, backup: bool = True) -> None:
        plan = bootstrap()
        cluster = plan.cluster.model_copy(update={"backup": backup_of_cluster() if backup else None})
        self.spec = SimpleNamespace(bootstrap=plan._replace(cluster=cluster))
        self.admin = object()
        self.ssh_private_key = "key"


def row(monkeypatch: pytest.MonkeyPatch, *found: dict[str, Any], now: float = 10_000.0) -> Any:
    answers = [Answer(f"osl-cp-{n}", one, "" if one else "node osl-cp-1: no route") for n, one in enumerate(found, 1)]
    monkeypatch.setattr(backups, "ask", lambda *_: answers)
    monkeypatch.setattr(backups.time, "time", lambda: now)
    [made] = backups.examine_backups(Opened())  # type: ignore[arg-type]
    return made


def said(taken: float | None, **more: str) -> dict[str, Any]:
    return {"timer": "active", "result": "success", "last": taken and {"taken": taken}, **more}


def test_a_snapshot_within_two_periods_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    good = row(monkeypatch, said(9_400), said(None), said(None))
    assert (good.state, good.measured) == ("ok", "the newest snapshot is 10 min old (limit 120 min)")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (said(10_000 - 7_260), "the newest snapshot is 121 min old"),
        (said(None), "the newest snapshot is missing"),
        (said(9_400, timer="inactive"), "its timer does not run"),
        (said(9_400, result="exit-code"), "its last run failed (exit-code)"),
    ],
)
def test_what_is_wrong_fails(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], reason: str) -> None:
    bad = row(monkeypatch, found)
    assert bad.state == "fails"
    assert reason in bad.measured


def test_without_an_answer_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert row(monkeypatch, {}, {}).state == "unknown"


def test_a_cluster_without_a_backup_is_not_asked() -> None:
    assert backups.examine_backups(Opened(backup=False)) == []  # type: ignore[arg-type]
