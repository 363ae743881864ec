"""The doctor's command: what it refuses before it looks, what it prints where, and how it ends."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from components.existing_cluster.checks import CHECKS
from components.existing_cluster.model import ClusterFacts
from components.nodes.preflight.verdict import CheckResult
from components.nodes.reading import Fleet
from components.nodes.settings.drift import UnreachableNode
from components.nodes.settings.readback import Readback
from tests.support.stacks import stack
from tests.support.tools import Tools
from vds.doctor import command
from vds.doctor.diagnosis import GatewayFinding
from vds.main import application
from vds.shared.errors import OperationError
from vds.shared.stack import Opened

SPEC = stack("oslo")
FINE = (GatewayFinding("gateway", "ok", "answers"),)


def reading(verdict: str) -> Readback:
    return Readback("n", "6.1", False, "2026-11-21T00:00:00Z", (), {}, {}, {}, verdict)


@pytest.fixture
def readings(monkeypatch):
    """Sets what every node answers and what the gateway is, and returns the list of readings."""
    made = []

    def answer(reading, gateway=FINE, cluster=(), running=FINE):
        def read(*_words, **_options):
            made.append(reading)
            return Fleet({node.name: reading for node in SPEC.nodes})

        monkeypatch.setattr(command, "open_stack", lambda name, **_: Opened(name, SPEC, "key", "kubeconfig"))
        monkeypatch.setattr(command, "read_fleet", read)
        monkeypatch.setattr(command, "examine", lambda *_: gateway)
        monkeypatch.setattr(command, "read_cluster", lambda _: ClusterFacts({}))
        monkeypatch.setattr(command, "cluster_findings", lambda *_: cluster)
        monkeypatch.setattr(command, "examine_running", lambda *_: running)
        monkeypatch.setattr(command, "examine_agents", lambda _: [])
        monkeypatch.setattr(command, "examine_certificates", lambda _: [])
        monkeypatch.setattr(command, "examine_backups", lambda _: [])
        monkeypatch.setattr(command, "examine_os_updates", lambda _: [])
        return made

    return answer


def run(*words: str, stack: str = "oslo"):
    return CliRunner().invoke(application(), ["doctor", "--stack", stack, *words])


WRONG = (GatewayFinding("node osl-w-1, Cilium", "fails", "routing is native, wanted tunnel vxlan", "run it"),)
DARK = (GatewayFinding("gateway", "unknown", "the cluster could not be asked", "bring it up"),)


@pytest.mark.parametrize(
    ("reading", "gateway", "running", "status"),
    [
        (reading("converged"), FINE, FINE, 0),
        (reading("drifted"), FINE, FINE, 1),
        (reading("converged"), DARK, FINE, 1),
        (reading("converged"), FINE, DARK, 1),
        (reading("converged"), FINE, WRONG, 1),
        (UnreachableNode("could not be reached"), DARK, DARK, 2),
    ],
)
def test_the_exit_status_says_whether_it_is_well_or_could_not_be_seen(readings, reading, gateway, running, status):
    readings(reading, gateway, running=running)
    done = run("--json")
    assert done.exit_code == status, done.output
    assert json.loads(done.stdout)["converged"] is (status == 0)


@pytest.mark.parametrize(
    ("row", "plain", "strict"),
    [
        (CheckResult("", CHECKS[-1], "ok", "2 of 2 ready"), 0, 0),
        (CheckResult("", CHECKS[-1], "advice", "1 of 2 ready"), 0, 1),
        (CheckResult("", CHECKS[0], "unknown", "the API server did not answer"), 1, 1),
    ],
)
def test_advice_counts_if_it_is_strict_and_what_could_not_be_made_always(readings, row, plain, strict):
    readings(reading("converged"), cluster=[row])
    assert (run("--json").exit_code, run("--json", "--strict").exit_code) == (plain, strict)
    assert json.loads(run("--json").stdout)["cluster"][row.check.id]["state"] == row.state
    assert row.measured in run().stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--watch", "--disk"), "leave out"),
        (("--watch", "--json"), "leave out"),
        (("--yes",), "--yes goes with --fix"),
        (("--facts", "/no/such/folder/facts.json"), "name a file in a folder"),
        (("--facts", "/dev/null"), "name a file in a folder"),
        (("--facts", "/"), "name a file in a folder"),
    ],
)
def test_wrong_use_is_said_before_any_node_is_asked(readings, words, said):
    made = readings(reading("converged"))
    error = run(*words).exception
    assert isinstance(error, OperationError)
    assert said in str(error)
    assert made == []


def test_a_facts_file_is_whole_and_nothing_else_is_left_beside_it(readings, tmp_path):
    readings(reading("converged"))
    (tmp_path / "facts.json").write_text("old")
    assert run("--facts", str(tmp_path / "facts.json")).exit_code == 0
    assert json.loads((tmp_path / "facts.json").read_text())["environment"] == "oslo"
    assert os.listdir(tmp_path) == ["facts.json"]  # noqa: PTH208


@pytest.fixture
def engine(tmp_path, monkeypatch):
    tools = Tools(tmp_path / "bin")
    tools.add("pulumi", "echo what the engine says")
    monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
    return tools


@pytest.mark.parametrize("name", ["oslo", "acme/oslo", "acme/vds-platform/oslo"])
def test_fix_names_the_node_of_a_stack_in_an_organisation(engine, name):
    command._fix(name, ["osl-w-1"], None, yes=True)
    [words] = engine.words("pulumi")
    [target] = [after for word, after in pairwise(words) if word == "--target"]
    assert target == ("urn:pulumi:oslo::vds-platform::vds-platform:index:Node$command:remote:Command::osl-w-1-setup")
    assert words[words.index("--stack") + 1] == name
    assert words[words.index("--policy-pack") + 1] == "policies", "an update without the pack enforces nothing"


def test_what_the_engine_says_does_not_follow_the_json(engine):
    text = "from vds.doctor import command; command._fix('oslo', ['osl-w-1'], None, yes=True, quiet=True)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "what the engine says\n")
