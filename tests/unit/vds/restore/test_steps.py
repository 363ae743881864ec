"""`vds restore`: the order of what runs on which machine, and what it refuses. Every script is taken, none is run."""

import json

import pytest

from components.kubernetes_api import ApiError
from tests.support.backups import IDENTITY
from tests.support.bootstraps import ACCESS_KEY, CA_KEY, ENCRYPTION_KEY
from tests.support.commands import vds
from tests.support.stacks import stack
from vds.restore import command
from vds.shared import ssh
from vds.shared.ssh import Run
from vds.shared.stack import Opened

SECRETS = {
    "caKey": CA_KEY,
    "encryptionKeys": ENCRYPTION_KEY,
    "backupAccessKey": ACCESS_KEY,
    "backupIdentity": IDENTITY,
}
ABOUT = {"object": "oslo/x.age", "taken": 1_800_000_000, "keys": 700, "revision": 5}


class Machines:
    """In place of SSH and of the API server."""

    def __init__(self):
        self.files = {f"osl-cp-{number}": "" for number in (1, 2, 3)}
        self.calls, self.fails, self.texts = [], "", {}

    def run_everywhere(self, nodes, scripts, *_, on_output, program, **__):
        words = program.split()
        verb = "forget" if "forget" in words else words[-1] if words[-1] != "-s" else "asking"
        names = [node.name for node in nodes]
        self.calls.append((verb, *(name[-1] for name in names)))
        self.texts |= {(verb, name): text for name, text in zip(names, scripts, strict=True)}
        for name in names:
            if "rm -f" in self.texts[verb, name] and verb == "asking":
                self.files[name] = self.files[name].replace("restored-from\n", "")
            elif verb == "asking":
                on_output(name, self.files[name].encode())
            elif verb == "restore":
                on_output(name, json.dumps(ABOUT).encode())
            elif verb == "apply" and "kubeadm init" in self.texts[verb, name]:
                self.files[name] = "joined\nstarted\n" + ("restored-from\n" if name == "osl-cp-1" else "")
        return [Run(name, 5 if verb == self.fails else 0, "it broke") for name in names]

    def request(self, method, path, body):
        name = path.split("/")[-2]
        self.calls.append((method, name[-1]))
        assert path.endswith("/status"), "labels and taints of its Node stay"
        assert body["status"]["conditions"][0]["status"] == "Unknown", (
            "kubeadm refuses the name of a Node that is Ready"
        )
        if name == "osl-cp-3":
            raise ApiError(404, "not found")


@pytest.fixture
def machines(monkeypatch):
    made = Machines()
    monkeypatch.setattr(ssh, "run_everywhere", made.run_everywhere)
    monkeypatch.setattr(ssh, "private_key", lambda text: text)
    monkeypatch.setattr(command, "Cluster", lambda _: made)
    monkeypatch.setattr(command, "open_stack", lambda *_, **__: made.opened)
    made.opened = Opened("oslo", stack("oslo"), "key", "kubeconfig", SECRETS)
    return made


EVERYTHING = [
    ("asking", "1", "2", "3"),
    ("apply", "1", "2", "3"),  # kernel settings
    ("prepare", "1", "2", "3"),
    ("write", "1", "2", "3"),  # encryption keys
    ("restore", "1"),
    ("authority", "1"),
    ("apply", "1"),
    ("PATCH", "2"),
    ("PATCH", "3"),
    ("forget", "1"),
    ("admit", "1"),
    ("upload", "1"),
    ("apply", "2"),
    ("apply", "3"),
    ("install", "1", "2", "3"),
    ("asking", "1"),  # the restore is over
]


def test_the_first_is_restored_and_the_others_join_it(machines):
    done = vds("restore", "-s", "oslo", "--yes")
    assert done.exit_code == 0, done.stderr
    assert machines.calls == EVERYTHING
    assert "what was written after that is lost" in done.stdout
    assert "run `pulumi up`" in done.stdout


def test_each_secret_goes_where_it_is_needed_and_nowhere_else(machines):
    vds("restore", "-s", "oslo", "--yes")
    key_line = CA_KEY.splitlines()[1]
    assert {place for place, text in machines.texts.items() if IDENTITY in text} == {("restore", "osl-cp-1")}
    assert {place for place, text in machines.texts.items() if key_line in text} == {("authority", "osl-cp-1")}
    holders = {verb for (verb, _), text in machines.texts.items() if ENCRYPTION_KEY in text}
    assert holders == {"write"}


def test_a_control_plane_that_lives_is_never_restored_over(machines):
    machines.files["osl-cp-2"] = "joined\nstarted\n"
    done = vds("restore", "-s", "oslo", "--yes")
    assert done.exit_code == 2
    assert "osl-cp-2 still in the cluster" in done.stderr
    assert "Write osl-cp-2 before osl-cp-1 in the stack file" in done.stderr
    assert machines.calls == EVERYTHING[:1], "nothing but questions"


def test_a_run_that_broke_off_continues_where_it_was(machines):
    machines.fails = "upload"
    done = vds("restore", "-s", "oslo", "--yes")
    assert done.exit_code == 1
    assert "node osl-cp-1: upload: it broke" in done.stderr
    assert "it continues from there" in done.stderr
    machines.fails, machines.calls = "", []
    done = vds("restore", "-s", "oslo", "--yes", "--json")
    assert done.exit_code == 0
    assert ("restore", "1") not in machines.calls, "what was written since is not lost"
    assert ("authority", "1") not in machines.calls
    assert machines.calls[-4:-1] == [("apply", "2"), ("apply", "3"), ("install", "1", "2", "3")]


def test_lost_ones_join_those_that_live_and_nothing_is_restored(machines):
    """With no secret that a snapshot needs."""
    machines.files |= {"osl-cp-1": "joined\nstarted\n", "osl-cp-3": "joined\nstarted\n"}
    machines.opened = Opened(
        "oslo", stack("oslo"), "key", "k", {"encryptionKeys": ENCRYPTION_KEY, "backupAccessKey": ACCESS_KEY}
    )
    done = vds("restore", "-s", "oslo", "--yes")
    assert done.exit_code == 0, done.stderr
    assert machines.calls == [
        ("asking", "1", "2", "3"),
        ("apply", "2"),
        ("prepare", "2"),
        ("write", "2"),
        ("PATCH", "2"),
        ("forget", "1"),
        ("admit", "1"),
        ("upload", "1"),
        ("apply", "2"),
        ("install", "1", "2", "3"),
        ("asking", "1"),
    ]
    assert "lost" not in done.stdout


@pytest.mark.parametrize("given", ["n\n", ""])
def test_nothing_is_changed_before_a_yes(machines, given):
    machines.files |= {"osl-cp-1": "joined\nstarted\n", "osl-cp-3": "joined\nstarted\n"}
    done = vds("restore", "-s", "oslo", stdin=given)
    assert done.exit_code == 1
    assert "error: not confirmed: nothing was changed" in done.stderr
    assert "Make osl-cp-2 control planes again, in the cluster that runs?" in done.stderr
    assert machines.calls == EVERYTHING[:1]


def test_a_restore_that_is_done_is_not_begun_again(machines):
    assert vds("restore", "-s", "oslo", "--yes").exit_code == 0
    machines.calls = []
    done = vds("restore", "-s", "oslo", "--yes")
    assert done.exit_code == 2
    assert "none is lost, and nothing was changed" in done.stderr
    assert machines.calls == EVERYTHING[:1]
    machines.files["osl-cp-2"], machines.calls = "", []
    assert vds("restore", "-s", "oslo", "--yes").exit_code == 0
    assert ("restore", "1") not in machines.calls, "months later, with another that is lost"


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_said_before_any_machine_is_changed(machines, name):
    machines.opened = Opened("oslo", stack("oslo"), "key", "k", {k: v for k, v in SECRETS.items() if k != name})
    done = vds("restore", "-s", "oslo", "--yes")
    assert done.exit_code == 2
    assert f"vds-platform:{name}: is missing" in done.stderr
    assert machines.calls in ([], EVERYTHING[:1])
