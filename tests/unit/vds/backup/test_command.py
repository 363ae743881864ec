"""`vds backup`: what it asks of which node, and when it ends with 1."""

import json
from types import SimpleNamespace

import pytest

from tests.support.backups import IDENTITY
from tests.support.bootstraps import ACCESS_KEY
from tests.support.commands import vds
from tests.support.stacks import stack
from vds.backup import command
from vds.backup.command import problems_of
from vds.backup.running import Answer
from vds.shared import ssh
from vds.shared.ssh import Run
from vds.shared.stack import Opened

NOW = 1_800_000_000
LAST = {"object": "oslo/x.age", "taken": NOW - 600, "keys": 700, "revision": 12345}


def answer(node="osl-cp-1", last=LAST, timer="active", result="success"):
    return Answer(node, {"node": node, "timer": timer, "result": result, "last": last})


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer(), answer("osl-cp-2", None)], ""),
        ([answer(timer="inactive")], "timer does not run"),
        ([answer(result="exit-code")], "last run failed (exit-code)"),
        ([answer(last={**LAST, "taken": NOW - 2 * 3600 - 1})], "120 min old"),
        ([answer(last=None)], "the newest snapshot is missing"),
        ([answer(), Answer("osl-cp-2", {}, "node osl-cp-2: no route")], "osl-cp-2: no route"),
    ],
)
def test_what_is_wrong_with_a_backup(answers, said):
    found = problems_of(answers, 60, NOW)
    assert [said in one for one in found] == ([True] if said else [])


class Nodes:
    """In place of SSH: what each node prints."""

    def __init__(self, monkeypatch, opened):
        self.printed, self.scripts, self.program = {}, {}, ""
        monkeypatch.setattr(ssh, "run_everywhere", self.run)
        monkeypatch.setattr(ssh, "private_key", lambda text: text)
        monkeypatch.setattr(command, "open_stack", lambda *_, **__: opened)

    def run(self, nodes, scripts, *_, on_output, program, **__):
        self.program = program
        self.scripts = {node.name: text for node, text in zip(nodes, scripts, strict=True)}
        for name, text in self.printed.items():
            if name in self.scripts:
                on_output(name, text.encode())
        return [Run(node.name, 0 if node.name in self.printed else 5, "no bucket") for node in nodes]


@pytest.fixture
def oslo():
    return Opened("oslo", stack("oslo"), "key", None, {"backupAccessKey": ACCESS_KEY, "backupIdentity": IDENTITY})


def test_a_check_goes_to_one_control_plane_with_the_secret_that_opens_it(monkeypatch, oslo):
    nodes = Nodes(monkeypatch, oslo)
    nodes.printed = {"osl-cp-2": json.dumps({**LAST, "restored_keys": 700, "check_seconds": 3.1})}
    done = vds("backup", "check", "-s", "oslo", "--node", "osl-cp-2")
    assert done.exit_code == 0
    assert "restored with 700 keys in 3.1 s" in done.stdout
    assert nodes.program == "python3 -I - check"
    assert list(nodes.scripts) == ["osl-cp-2"]
    assert IDENTITY in nodes.scripts["osl-cp-2"]
    assert "--node osl-w-1: is no control plane" in vds("backup", "check", "-s", "oslo", "--node", "osl-w-1").stderr


def test_a_status_asks_all_control_planes_and_sends_no_secret_that_opens_snapshots(monkeypatch, oslo):
    nodes = Nodes(monkeypatch, oslo)
    nodes.printed = {name: json.dumps(answer(name)[1]) for name in ("osl-cp-1", "osl-cp-2")}
    done = vds("backup", "status", "-s", "oslo", "--json")
    assert done.exit_code == 1, "the third did not answer, and the newest is old"
    found = json.loads(done.stdout)
    assert set(found["nodes"]) == {"osl-cp-1", "osl-cp-2", "osl-cp-3"}
    assert any("osl-cp-3: no bucket" in one for one in found["problems"])
    for text in nodes.scripts.values():
        assert IDENTITY not in text


def test_a_check_needs_its_secret_and_a_stack_its_backup(monkeypatch, oslo):
    Nodes(monkeypatch, Opened("oslo", oslo.spec, "key", None, {"backupAccessKey": ACCESS_KEY}))
    done = vds("backup", "check", "-s", "oslo")
    assert done.exit_code == 2
    assert "vds-platform:backupIdentity: is missing" in done.stderr
    spec = SimpleNamespace(bootstrap=None)
    Nodes(monkeypatch, Opened("oslo", spec, "key", None))
    assert "cluster.kind is existing" in vds("backup", "status", "-s", "oslo").stderr


def test_a_list_has_the_newest_first_and_needs_no_secret_that_opens_snapshots(monkeypatch, oslo):
    opened = Opened("oslo", oslo.spec, "key", None, {"backupAccessKey": ACCESS_KEY, "backupReaderKey": "READER:x" * 9})
    nodes = Nodes(monkeypatch, opened)
    nodes.printed = {"osl-cp-1": json.dumps({"node": "osl-cp-1", "objects": ["oslo/1.age", "oslo/2.age"]})}
    done = vds("backup", "list", "-s", "oslo")
    assert (done.exit_code, done.stdout.split()) == (0, ["oslo/2.age", "oslo/1.age"])
    assert nodes.program == "python3 -I - list"
    assert "READER:x" in nodes.scripts["osl-cp-1"]
    assert ACCESS_KEY not in nodes.scripts["osl-cp-1"]


@pytest.mark.parametrize("printed", [{"osl-cp-1": '{"node": "osl-cp-1", "objects": []}'}, {}])
def test_an_empty_bucket_and_one_that_does_not_answer_are_findings(monkeypatch, oslo, printed):
    Nodes(monkeypatch, oslo).printed = printed
    done = vds("backup", "list", "-s", "oslo", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["objects"] == []
    assert ("has no snapshot" if printed else "osl-cp-1: no bucket") in found["problems"][0]
