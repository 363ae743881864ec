"""The policy pack, run by the real engine on programs that know nothing of this project, refuses at preview."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.charts.render import ChartSource
from lab.deploy import Outcome, read_outcome
from lab.layout import CHECKOUT
from lab.processes import command
from tests.lab.conftest import Lab
from tests.support.chart_repositories import fill
from tests.support.stacks import stack

pytestmark = pytest.mark.lab

PROGRAMS = Path(__file__).parent / "programs"
EXPECTED: dict[str, list[dict[str, str]]] = yaml.safe_load((PROGRAMS / "expected.yaml").read_text())


def preview(lab: Lab, program: str, folder: Path) -> Outcome:
    """`pulumi preview --policy-pack policies` of a copy of the program, in a backend of its own."""
    project = folder / program
    shutil.copytree(PROGRAMS / program, project, ignore=shutil.ignore_patterns("Pulumi.t.yaml"))
    settings = yaml.safe_load((project / "Pulumi.yaml").read_text())
    settings["runtime"]["options"]["virtualenv"] = str(CHECKOUT / ".venv")
    (project / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (folder / "backend").mkdir()
    environment = {
        **lab.deployment.environment(),
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "KUBECONFIG": str(lab.layout.kubeconfig),
    }
    events = folder / "events"

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [str(lab.deployment.engine), "--non-interactive", "--color", "never", *arguments]
        on_laptop = command(words, part="op", resolver=lab.layout.resolver)
        return subprocess.run(on_laptop, cwd=project, env=environment, capture_output=True, text=True, timeout=120)

    assert pulumi("stack", "init", "t").returncode == 0
    own = PROGRAMS / program / "pack.json"
    config = own if own.exists() else PROGRAMS / "pack.json"
    pack = ["--policy-pack", str(CHECKOUT / "policies"), "--policy-pack-config", str(config)]
    done = pulumi("preview", "--stack", "t", *pack, "--event-log", str(events))
    return read_outcome(done.returncode, events, done.stdout + done.stderr)


def test_every_program_has_an_expectation() -> None:
    assert {p.name for p in PROGRAMS.iterdir() if p.is_dir()} == set(EXPECTED)


@pytest.mark.parametrize("program", sorted(EXPECTED))
def test_the_pack_says_of_a_foreign_program(lab: Lab, tmp_path: Path, program: str) -> None:
    outcome = preview(lab, program, tmp_path)
    expected = EXPECTED[program]
    # Every program uses the kubeconfig of the machine, which the pack can't judge: it says so, as advice.
    advice = {v["policy"] for v in outcome.violations if v["level"] != "mandatory"}
    assert advice <= {"cluster-shown"}, outcome.output
    seen: list[dict[str, Any]] = [v for v in outcome.violations if v["level"] == "mandatory"]
    assert {v["policy"] for v in seen} == {e["policy"] for e in expected}, outcome.output
    for want in expected:
        assert any(want["message"] in v["message"] for v in seen if v["policy"] == want["policy"]), seen
    assert bool(outcome.exit_code) == bool(expected), outcome.output
    assert outcome.policy_packs


@pytest.fixture
def charts_of_oslo(tmp_path: Path) -> Path:
    """A cache that has the charts where `helm pull` would put them. Named before `lab`, from where no module proxy and
    no chart repository can be reached."""
    fill(tmp_path, [ChartSource.of(chart.name, chart.version, chart.source) for chart in stack("oslo").wanted_charts])
    return tmp_path


def test_the_production_example_keeps_every_policy_under_the_real_engine(
    charts_of_oslo: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**lab.deployment.environment(), "XDG_CACHE_HOME": str(charts_of_oslo)}
    monkeypatch.setattr(lab.deployment, "environment", lambda: environment)
    oslo = yaml.safe_load((CHECKOUT / "Pulumi.oslo.yaml").read_text())["config"]["vds-platform:spec"]
    [state] = [place for place in oslo["residency"]["places"] if place["name"] == "state"]
    state["hosts"].append("localhost")  # the lab keeps its state in a folder

    def edit(spec: dict[str, Any]) -> None:
        own = {"environment": spec["environment"]}
        # The lab has the keys of these two.
        authority, issuer = spec["cluster"]["caCertificate"], spec["gateway"]["issuer"]
        spec.clear()
        spec.update(oslo | own)
        spec["cluster"]["caCertificate"], spec["gateway"]["issuer"] = authority, issuer

    file = lab.variant(edit)
    lab.set_secret(file, "backupAccessKey", "an-id:a-secret-key")  # a preview does not call the bucket
    # Its servers are made up: nothing is asked of them.
    outcome = lab.deployment.run("preview", "--config", "vds-platform:readNodes=false", config_file=file)
    assert outcome.exit_code == 0, outcome.output
    assert [violation for violation in outcome.violations if violation["level"] == "mandatory"] == []
    assert len(outcome.policies_passed) > 20
