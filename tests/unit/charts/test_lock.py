"""Which bytes a chart is: what the lock refuses, and what a folder of packed charts may not be."""

import pytest

from components.charts.lock import ChartLock, lock_problems, lock_text, read_lock
from components.charts.reference import chart_name, reference
from components.stackfile.installed_charts import from_mirror, wanted_charts
from components.stackfile.parsing import parse
from components.stackfile.referenced_files import chart_problems
from tests.support.charts import lock, pack, sha256, written
from tests.support.stacks import ROOT, problems, stack, stack_data

CILIUM = "1.20.2"
DIGEST = "0" * 64


def oslo(mirror):
    return parse(stack_data("oslo") | {"charts": {"mirror": mirror}}, base_dir=ROOT)


@pytest.mark.parametrize(
    ("repository", "chart", "repo"),
    [
        ("https://helm.cilium.io/", "cilium", "https://helm.cilium.io/"),
        ("oci://registry.example.no/charts/", "oci://registry.example.no/charts/cilium", None),
        ("mirror/charts", "mirror/charts/cilium-1.20.2.tgz", None),
    ],
)
def test_a_chart_is_named_as_helm_finds_it(repository, chart, repo):
    assert reference("cilium", CILIUM, repository) == (chart, repo)
    assert chart_name(chart) == "cilium"


def test_calicos_packed_chart_keeps_its_v_and_its_dash():
    made = reference("tigera-operator", "v3.32.1", "mirror")
    assert made.chart == "mirror/tigera-operator-v3.32.1.tgz"
    assert chart_name(made.chart) == "tigera-operator"


def test_every_chart_of_a_stack_is_wanted_from_the_mirror_and_read_at_its_maker():
    wanted = oslo({"kind": "oci", "registry": "oci://registry.example.no/charts"}).wanted_charts
    assert [chart.name for chart in wanted] == ["cilium", "metallb"]
    assert {chart.source for chart in wanted} == {"oci://registry.example.no/charts"}
    assert all(chart.origin.startswith("https://") for chart in wanted)


@pytest.mark.parametrize(
    ("version", "names"),
    [("3.31.7", ["tigera-operator"]), ("3.32.1", ["tigera-operator", "crd.projectcalico.org.v1"])],
)
def test_calicos_chart_of_crds_is_wanted_where_the_operators_has_none(version, names):
    data = stack_data("oslo") | {"cni": {"kind": "calico", "version": version, "install": {"kind": "helm"}}}
    wanted = parse(data, base_dir=ROOT).wanted_charts
    assert [chart.name for chart in wanted] == [*names, "metallb"]
    assert {chart.version for chart in wanted[:-1]} == {f"v{version}"}
    for chart in wanted[:-1]:
        assert chart_name(reference(chart.name, chart.version, "mirror").chart) == chart.name


def test_without_a_mirror_nothing_moves():
    spec = stack("oslo")
    assert from_mirror(spec, None) == {}
    assert all(chart.source == chart.origin for chart in wanted_charts(spec, None))


def test_the_lab_takes_its_charts_from_a_registry_as_a_closed_network_does():
    wanted = {chart.name: chart.source for chart in stack("lab").wanted_charts}
    assert wanted == dict.fromkeys(("cilium", "metallb"), "oci://registry.lab.example.no/charts")


def test_a_repository_beside_the_mirror_is_refused():
    data = stack_data("oslo") | {"charts": {"mirror": {"kind": "folder", "path": "mirror"}}}
    data["cni"]["install"] = {"kind": "helm", "repository": "https://charts.example.no"}
    assert problems(data) == [
        "cni.install.repository: https://charts.example.no beside charts.mirror, which every chart comes from: "
        "take one of them out"
    ]


@pytest.mark.parametrize("mirror", [{"kind": "oci", "registry": "https://x"}, {"kind": "folder", "path": "oci://x"}])
def test_a_mirror_of_the_other_kind_is_refused(mirror):
    [problem] = problems(stack_data("oslo") | {"charts": {"mirror": mirror}})
    assert problem.startswith("charts.mirror.")


def test_an_empty_lock_refuses_nothing_until_it_is_enforced():
    wanted = stack("oslo").wanted_charts
    assert lock_problems(ChartLock(), wanted) == []
    found = lock_problems(ChartLock(enforce=True), wanted)
    assert str(found[0]) == (
        f"cni.version: chart cilium {CILIUM} is not in charts.lock.yaml, which is enforced: "
        "run `vds charts lock`, or correct the version"
    )
    assert len(found) == 2


def test_another_version_of_a_pinned_chart_is_refused_and_names_the_command():
    problem, other = lock_problems(lock(("cilium", "1.18.2", DIGEST)), stack("oslo").wanted_charts)
    assert "is not in charts.lock.yaml, which is enforced" in str(other), "a lock with entries names every chart"
    assert str(problem) == (
        f"cni.version: chart cilium {CILIUM} is not in charts.lock.yaml, which has 1.18.2: "
        "run `vds charts lock`, or correct the version"
    )


def test_two_stacks_may_pin_two_versions_of_one_chart():
    wanted = stack("oslo").wanted_charts
    others = [(chart.name, chart.version, DIGEST) for chart in wanted if chart.name != "cilium"]
    assert lock_problems(lock(("cilium", "1.18.2", DIGEST), ("cilium", CILIUM, DIGEST), *others), wanted) == []


def test_a_lock_is_written_sorted_and_read_back():
    made = lock(("traefik", "41.3.0", DIGEST), ("cilium", "1.18.12", DIGEST), ("cilium", "1.18.2", DIGEST))
    found, wrong = read_lock(lock_text(made))
    assert wrong == []
    assert [(item.name, item.version) for item in found.charts] == [
        ("cilium", "1.18.2"),
        ("cilium", "1.18.12"),
        ("traefik", "41.3.0"),
    ]
    assert lock_text(found) == lock_text(made)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("charts: [", "line 1 is not YAML: correct it"),
        ("charts: [{name: cilium, version: 1.18.12, repository: https://x, sha256: beef}]", "has the wrong form"),
        ("enforced: true", "is not a setting here"),
    ],
)
def test_a_broken_lock_is_said_with_its_place(text, said):
    _, [problem] = read_lock(text)
    assert said in str(problem)
    assert str(problem).startswith("charts.lock.yaml")


def test_one_release_twice_is_refused():
    _, [problem] = read_lock(lock_text(lock(("cilium", CILIUM, DIGEST), ("cilium", CILIUM, DIGEST))))
    assert str(problem) == f"charts.lock.yaml: cilium {CILIUM} occurs twice: remove one of them"


def test_the_shipped_lock_is_as_the_command_writes_it():
    text = (ROOT / "charts.lock.yaml").read_text()
    found, wrong = read_lock(text)
    assert wrong == []
    assert lock_text(found) == text


def a_mirror(folder):
    wanted = stack("oslo").wanted_charts
    return {chart.name: pack(folder / "mirror", chart.name, chart.version, {}) for chart in wanted}


def test_a_folders_charts_are_compared_with_the_lock(tmp_path):
    files = a_mirror(tmp_path)
    spec = oslo({"kind": "folder", "path": "mirror"})
    pinned = [(chart.name, chart.version, sha256(files[chart.name])) for chart in spec.wanted_charts]
    written(tmp_path, lock(*pinned, enforce=True))
    assert chart_problems(spec.wanted_charts, base_dir=tmp_path) == []
    files["metallb"].write_bytes(files["metallb"].read_bytes() + b"\0")
    [problem] = chart_problems(spec.wanted_charts, base_dir=tmp_path)
    assert str(problem).startswith("metallb.install.version: 'mirror/metallb-0.16.1.tgz' has SHA-256 ")
    assert "it is not the chart of https://charts.example.no" in problem.message


def test_a_chart_that_the_folder_lacks_is_refused_without_a_lock_too(tmp_path):
    a_mirror(tmp_path)["cilium"].unlink()
    [problem] = chart_problems(oslo({"kind": "folder", "path": "mirror"}).wanted_charts, base_dir=tmp_path)
    assert str(problem) == (
        f"cni.version: 'mirror/cilium-{CILIUM}.tgz' can't be read (No such file or directory): "
        "put the chart archive there, or correct charts.mirror.path"
    )
