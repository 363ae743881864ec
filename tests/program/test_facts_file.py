"""A facts file stands for the nodes in a preview, and in nothing else."""

import time

import pytest

from components.existing_cluster.model import ClusterFacts
from components.nodes.preflight.facts import Survey, dump
from components.nodes.preflight.gate import PreflightError
from components.stackfile.parsing import SpecError
from tests.support.program import committed, run_program
from tests.support.stacks import existing_data, stack, stack_data
from tests.support.surveys import fit_facts

NAMES = [node.name for node in stack("oslo").nodes]


def fit(name: str) -> Survey:
    heard = ["8472/udp", "7946/udp", "arp", "pod-source"]
    wire = {"heard": dict.fromkeys(NAMES, heard), "passed": {}, "free": []}
    asked = {
        "dns_servers": {"servers": ["resolver.nordic-vds.example.no"]},
        "time_servers": {"servers": ["ntp.nordic-vds.example.no"]},
        "package_hosts": {"hosts": ["mirror.nordic-vds.example.no"]},
        "image_hosts": {"hosts": []},
    }
    return Survey(name, fit_facts(name, NAMES) | asked | {"wire": wire})


@pytest.fixture
def made(tmp_path):
    """Writes a facts file of these surveys."""

    def write(*surveys: Survey, cluster: ClusterFacts | None = None) -> str:
        file = tmp_path / "facts.json"
        kept = cluster._asdict() if cluster else None
        file.write_text(dump(surveys, environment="oslo", made_at=time.time(), cluster=kept))
        return str(file)

    return write


def said(program, words: str) -> list[str]:
    return [line for line in program.log if words in str(line)]


def test_an_update_never_judges_by_a_facts_file(made):
    file = made(*map(fit, NAMES))
    assert run_program("oslo", preview=True, factsFile=file).of("remote:Command")
    with pytest.raises(SpecError, match=r"factsFile: is for previews, .*pulumi config rm") as caught:
        run_program("oslo", factsFile=file)
    assert "nothing was changed" in str(caught.value)


def test_an_update_that_reads_no_node_says_that_nothing_was_checked():
    [line] = said(committed("oslo"), "no check of the preflight is made")
    assert "readNodes is false" in str(line)


def test_a_preview_by_a_facts_file_says_so_and_what_an_update_will_do(made):
    [line] = said(run_program("oslo", preview=True, factsFile=made()), "are judged by")
    assert "an update will refuse vds-platform:factsFile" in str(line)


def test_a_facts_file_without_a_node_says_whom_it_does_not_judge(made):
    some = run_program("oslo", preview=True, factsFile=made(*map(fit, NAMES[1:])))
    assert [NAMES[0] in str(line) for line in said(some, "is not judged")] == [True]
    assert len(said(run_program("oslo", preview=True, factsFile=made()), "is not judged")) == len(NAMES)


def test_a_node_that_was_not_read_when_the_file_was_made_stops_the_preview(made):
    file = made(Survey(NAMES[0], {}, failure="it has no python3"))
    with pytest.raises(PreflightError, match=f"node {NAMES[0]}: survey of the node it has no python3"):
        run_program("oslo", preview=True, factsFile=file)


def test_a_required_fact_that_is_not_in_the_file_stops_the_preview(made):
    short = fit(NAMES[0])._replace(facts={**fit(NAMES[0]).facts, "ports": {"unknown": "it was not asked"}})
    with pytest.raises(PreflightError, match="ports between nodes is not known: it was not asked") as caught:
        run_program("oslo", preview=True, factsFile=made(short, *map(fit, NAMES[1:])))
    assert "accept check ports in preflight.accept" in str(caught.value)
    accept = [{"check": "ports", "nodes": [NAMES[0]], "until": "2999-12-31", "reason": "opened by the provider"}]
    data = stack_data("oslo")
    data["preflight"]["accept"] = accept
    accepted = run_program("oslo", data, preview=True, factsFile=made(short, *map(fit, NAMES[1:])))
    assert said(accepted, "accepted until 2999-12-31: opened by the provider")


def test_an_existing_cluster_is_judged_by_the_file_before_the_first_change(made):
    surveys = [*map(fit, NAMES)]
    old = ClusterFacts({"version": {"version": "v1.30.2"}})
    with pytest.raises(PreflightError, match=r"cluster: Kubernetes version v1\.30\.2, limit 1\.36") as caught:
        run_program("oslo", existing_data(), preview=True, factsFile=made(*surveys, cluster=old))
    assert "cluster: nodes' names and addresses is not known" in str(caught.value), "all at once"
    without = run_program("oslo", existing_data(), preview=True, factsFile=made(*surveys))
    assert said(without, "the cluster is not judged")


def test_an_existing_cluster_that_did_not_answer_stops_the_preview_unless_it_is_accepted(made):
    file = made(*map(fit, NAMES), cluster=ClusterFacts({}, failure="the API server did not answer (no answer in time)"))
    with pytest.raises(PreflightError, match="no answer in time"):
        run_program("oslo", existing_data(), preview=True, factsFile=file)
    data = existing_data()
    data["preflight"]["accept"] = [{"check": "cluster", "until": "2999-12-31", "reason": "the runner can't reach it"}]
    assert said(run_program("oslo", data, preview=True, factsFile=file), "accepted until 2999-12-31")
