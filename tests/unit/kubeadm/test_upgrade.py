"""Whether nodes may be upgraded, and what a preview says about it."""

import pytest

from components.core.versions import parse
from components.kubeadm.upgrade import gate
from components.kubeadm.upgrade.reading import NodeVersions
from components.kubeadm.upgrade.reading import parse as parse_versions
from components.kubeadm.upgrade.rules import KUBELET_MINORS, Running, joining_problems, skew_problems, steps
from components.nodes.preflight.gate import PreflightError
from components.stackfile.parsing import parse as parse_stack
from tests.support.bootstraps import bootstrap, bootstrap_data
from tests.support.golden import assert_golden
from tests.support.stacks import ROOT

PACKAGES = {
    "containerd": "2.2.1-0ubuntu1~24.04.1",
    "cri-tools": "1.36.0-1.1",
    "kubeadm": "1.36.3-1.1",
    "kubectl": "1.36.3-1.1",
    "kubelet": "1.36.3-1.1",
    "kubernetes-cni": "1.8.0-1.1",
}


def member(version: str = "1.36.3", *, server: bool = False, **packages: str) -> NodeVersions:
    own = dict.fromkeys(("kubeadm", "kubectl", "kubelet"), f"{version}-1.1")
    return NodeVersions(
        member=True, packages=PACKAGES | own | packages, api_server=version if server else "", asked=server
    )


def fleet(version: str = "1.36.2", **other: NodeVersions) -> dict[str, NodeVersions]:
    found = {node.name: member(version, server="control-plane" in node.roles) for node in bootstrap().nodes}
    return found | {name.replace("_", "-"): said for name, said in other.items()}


def rules_of(wanted: str, servers: dict[str, str], kubelets: dict[str, str] | None = None) -> list[str]:
    return [one.rule for one in skew_problems(wanted, Running(servers, kubelets or {}))]


@pytest.mark.parametrize("wanted", ["1.36.3", "1.36.4", "1.37.0"])
def test_a_patch_and_one_minor_are_allowed(wanted):
    assert rules_of(wanted, {"cp": "1.36.3"}, {"cp": "1.36.3-1.1", "w": "v1.36.3"}) == []


@pytest.mark.parametrize("found", [{"cp": "1.36.4"}, {"cp": "1.36.3", "cp2": "1.37.0"}])
def test_no_way_leads_back(found):
    [problem] = skew_problems("1.36.3", Running(found, {}))
    newest = max(found.values(), key=parse)
    assert (problem.rule, problem.subject, problem.value) == ("upgrade-down", "cluster.kubernetesVersion", "1.36.3")
    assert problem.remedy == f"write {newest} or a newer version: kubeadm can't go back"


def test_a_minor_is_not_left_out():
    [problem] = skew_problems("1.36.3", Running({"cp": "1.34.8"}, {"cp": "1.34.8"}))
    assert problem.rule == "upgrade-step"
    assert problem.message == "1.36.3 is 2 minors newer than 1.34.8, and kubeadm upgrades by one"
    assert problem.remedy == "write a version of 1.35 first"


def test_a_run_that_stopped_between_two_control_planes_may_go_on():
    """The first kubelet is then newer than the other API servers, as kubeadm's own procedure has it."""
    assert rules_of("1.36.3", {"cp": "1.36.3", "cp2": "1.35.9"}, {"cp": "1.36.3", "cp2": "1.35.9", "w": "1.35.9"}) == []


def test_an_old_kubelet_is_named_before_anything_moves():
    old = 36 - KUBELET_MINORS
    assert rules_of("1.36.3", {"cp": "1.35.9"}, {"w": f"1.{old}.1"}) == []
    [problem] = skew_problems("1.36.3", Running({"cp": "1.35.9"}, {"w": f"1.{old - 1}.1-1.1"}))
    assert problem.message == "the kubelet of w is 1.32.1, more than 3 minors older than 1.36.3"


def test_nodes_do_not_join_between_two_minors():
    new = {"osl_w_2": NodeVersions()}
    assert joining_problems(bootstrap(), fleet("1.36.2", **new)) == []
    [problem] = joining_problems(bootstrap(), fleet("1.35.9", **new))
    assert problem.message == "osl-w-2 would join while API servers of 1.35.9 and 1.36.3 run"
    assert joining_problems(bootstrap(), {"osl-cp-1": NodeVersions()}) == [], "a cluster that is made"


def test_the_plan_has_every_member_that_is_behind_in_the_order_of_the_upgrade():
    assert steps(bootstrap(), fleet("1.36.3")) == []
    assert steps(bootstrap(), {}) == []
    planned = steps(bootstrap(), fleet("1.36.2", osl_cp_1=member(server=True), osl_w_2=NodeVersions()))
    assert [step.node for step in planned] == ["osl-cp-2", "osl-cp-3", "osl-w-1"]


def test_a_node_whose_upgrade_was_not_finished_is_in_the_plan_with_all_packages_there():
    [step] = steps(bootstrap(), fleet("1.36.3", osl_cp_2=member(server=True)._replace(unfinished=True)))
    assert str(step) == "osl-cp-2: an upgrade was begun and not finished; drained for at most 300 s"


@pytest.fixture
def logged(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(gate.pulumi.log, "info", lines.append)
    monkeypatch.setattr(gate.pulumi.log, "warn", lines.append)
    return lines


def test_a_preview_shows_the_plan(logged):
    spec = parse_stack(bootstrap_data(), base_dir=ROOT)
    found = fleet("1.36.2", osl_w_1=member("1.36.2", containerd="2.2.0-1"))
    del found["osl-w-2"]
    behind = gate.require_upgradable(spec.bootstrap, spec.cni, found)
    assert list(behind) == ["osl-cp-1", "osl-cp-2", "osl-cp-3", "osl-w-1"]
    assert_golden("upgrade-plan.txt", "".join(f"{line}\n" for line in logged))


def test_nothing_is_said_of_nodes_that_are_as_the_stack_file_says(logged):
    spec = parse_stack(bootstrap_data(), base_dir=ROOT)
    assert gate.require_upgradable(spec.bootstrap, spec.cni, fleet("1.36.3")) == {}
    assert gate.require_upgradable(None, spec.cni, {}) == {}
    assert logged == []


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_planned(logged):
    data = bootstrap_data()
    data["cni"]["runningVersion"] = "1.19.6"
    spec = parse_stack(data, base_dir=ROOT)
    with pytest.raises(PreflightError) as caught:
        gate.require_upgradable(spec.bootstrap, spec.cni, fleet("1.34.8", osl_w_2=NodeVersions()))
    assert [one.rule for one in caught.value.problems] == ["upgrade-step", "upgrade-join", "upgrade-cni"]
    assert "nothing was changed" in str(caught.value)
    assert logged == []


@pytest.mark.parametrize(
    "printed",
    [
        "hello",
        "package installed kubelet",
        "package installed kubelet 1.36.3-1.1\npackage installed kubelet 1.36.4-1.1",
        "api-server $(reboot)",
        "api-server 1.36.3\napi-server 1.36.4",
    ],
)
def test_another_answer_about_versions_is_no_answer(printed):
    with pytest.raises(ValueError, match="is not understood"):
        parse_versions(printed)
