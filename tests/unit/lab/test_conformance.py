"""Conformance suites: what they are told, how they are run and judged, and what is left after them."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from components.gateway.render import gateway_calls
from components.gateway.routes import redirect_route, redirects
from components.kubernetes_api import ApiError
from components.reach.model import Answer
from lab.asking import Facts
from lab.cluster import Cluster, Manifest
from lab.conformance import SUITES, cyclonus, expected, gateway_api, images, network_policy_api, runner, show
from lab.conformance.cyclonus import Pair
from lab.conformance.expected import Expected
from lab.conformance.suite import Counts, Result, Run, Suite
from lab.deploy import Deployment, Outcome
from lab.layout import REGISTRY_NAME, Layout
from lab.plugins import Plugin
from lab.processes import LabError
from lab.progress import Progress
from lab.stack_file import SPEC
from lab.toolchain import pins
from lab.toolchain.build import Tools
from tests.support.stacks import problems, stack, stack_data

IMAGES = {
    name: f"{REGISTRY_NAME}/{name}@sha256:{'0' * 64}"
    for name in ("coredns", "e2e/agnhost", "e2e/echo-basic", "library/traefik")
}
QUIET = Progress(total=1, quiet=True)


def path_of(manifest: Manifest) -> str:
    """As an API server with plain plurals has it."""
    meta = manifest["metadata"]
    scope = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"/apis/{manifest['apiVersion']}{scope}/{manifest['kind'].lower()}s/{meta['name']}"


class Fake(Cluster):
    """An API server of a few objects by their paths."""

    def __init__(self, objects: dict[str, Any]) -> None:
        self.objects = objects
        self.asked: list[tuple[str, str]] = []

    def path_of(self, manifest: Manifest) -> str:
        return path_of(manifest)

    def request(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        self.asked.append((method, path))
        if method == "PATCH":
            manager = dict(how["query"])["fieldManager"]
            fields = [{"operation": "Apply", "manager": manager}]
            self.objects[path] = {**body, "metadata": {**body["metadata"], "managedFields": fields}}
        elif method == "DELETE" and path in self.objects:
            del self.objects[path]
        elif method == "GET" and path in self.objects:
            return self.objects[path]
        elif method == "GET" and (inside := [item for key, item in self.objects.items() if key.startswith(f"{path}/")]):
            return {"items": inside}
        elif method == "GET" and path.endswith(("s", "pods")) and path.count("/") < 5:
            return {"items": []}
        else:
            raise ApiError(404, "not found")
        return {}


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **more}


# What the suites are told.


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_suite_is_a_program_of_the_second_list(suite: Suite) -> None:
    assert suite.tool in {tool.name for tool in pins.CONFORMANCE}
    assert suite.tool not in {tool.name for tool in pins.TOOLS}


def test_every_expectation_is_of_a_suite_and_has_a_reason() -> None:
    content = yaml.safe_load(expected.FILE.read_text())
    assert set(content) <= {suite.name for suite in SUITES}
    for suite in SUITES:
        known = expected.load(suite.name)
        assert all(len(reason.split()) > 3 for reason in [*known.exempt.values(), *known.failures.values()])


def test_an_expectation_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "expected.yaml"
    file.write_text("network-policy: {ignored: {a: because it is late}}")
    with pytest.raises(ValueError, match="network-policy has ignored"):
        expected.load("network-policy", file)


@pytest.fixture
def tools() -> Tools:
    names = ("traefik", "cilium-agent", *(suite.tool for suite in SUITES))
    return Tools({name: Path("/tools", name) for name in names}, {}, dict.fromkeys(names, "1.2.3"))


class Engine(Deployment):
    """An engine that only notes which values of Cilium's chart it is to deploy."""

    def __init__(self, state: Path) -> None:
        self.layout, self.exit_code = Layout(state), 0
        self.deployed: list[Any] = []
        spec = {"cni": {"install": {"values": {"own": 1}}}, "gateway": {"listeners": [{"name": "own", "port": 80}]}}
        self.listeners: list[Any] = []
        self.config_file.write_text(json.dumps({"config": {SPEC: spec}}))

    def environment(self) -> dict[str, str]:
        return {}

    def prepare(self) -> dict[str, Plugin]:
        return {}

    def recover(self) -> None:
        pass

    def run(self, operation: str, *_: str, config_file: Path | None = None, **__: Any) -> Outcome:
        assert operation == "up"
        content = yaml.safe_load((config_file or self.config_file).read_text())
        self.deployed.append(content["config"][SPEC]["cni"]["install"]["values"])
        self.listeners.append([one["port"] for one in content["config"][SPEC]["gateway"]["listeners"]])
        return Outcome(self.exit_code, output="error: refused")


def a_run(tools: Tools, cluster: Cluster, report: Path, known: Expected | None = None) -> Run:
    return Run(cluster, stack("lab"), tools, Engine(report.parent), report, known or Expected())


def test_the_gateway_suite_tests_what_the_class_says_it_supports_without_what_is_exempt(
    tools: Tools, tmp_path: Path
) -> None:
    features = [{"name": name} for name in ("Gateway", "HTTPRoute", "GatewayPort8080")]
    path = "/apis/gateway.networking.k8s.io/v1/gatewayclasses/platform"
    cluster = Fake({path: named("platform", status={"supportedFeatures": features})})
    known = Expected(exempt={"GatewayPort8080": "nobody listens there"})
    told = gateway_api.SUITE.arguments(a_run(tools, cluster, tmp_path / "r.yaml", known))
    assert "--gateway-class=platform" in told
    assert "--supported-features=Gateway,HTTPRoute" in told
    assert "--version=v1.2.3" in told
    assert f"--report-output={tmp_path}/r.yaml" in told


def test_a_class_that_names_no_feature_is_said_and_not_taken_for_one_without_any() -> None:
    with pytest.raises(LabError, match="gateway class platform names no supported feature"):
        gateway_api.supported(named("platform"))


@pytest.mark.parametrize(
    ("suite", "namespace", "its_own"),
    [
        (gateway_api.SUITE, "gateway-conformance-infra", True),
        (gateway_api.SUITE, "gateway-api-routes-allowed-ns", True),
        (gateway_api.SUITE, "gateway-system", False),
        (cyclonus.SUITE, "y-2", True),
        (cyclonus.SUITE, "xy", False),
        (network_policy_api.SUITE, "network-policy-conformance-gryffindor", True),
        (network_policy_api.SUITE, "butikk", False),
    ],
)
def test_a_suite_knows_its_own_namespaces_from_the_platform_s(suite: Suite, namespace: str, its_own: bool) -> None:
    assert bool(runner.re.fullmatch(suite.namespaces, namespace)) is its_own


# Images.


def test_images_are_named_by_the_last_part_and_are_the_test_images_and_coredns() -> None:
    assert set(images.substitutes(IMAGES)) == {"agnhost", "echo-basic", "coredns"}


def test_the_policy_puts_every_image_in_its_place_by_digest() -> None:
    policy, binding = images.manifests(images.substitutes(IMAGES), sctp=True)
    expression = policy["spec"]["mutations"][0]["jsonPatch"]["expression"]
    assert all(IMAGES[name] in expression for name in ("coredns", "e2e/agnhost", "e2e/echo-basic"))
    assert "SERVE_SCTP" not in expression
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]


def test_without_sctp_its_servers_idle_because_they_would_end_at_once() -> None:
    policy, _ = images.manifests(images.substitutes(IMAGES), sctp=False)
    assert "['/agnhost', 'pause']" in policy["spec"]["mutations"][0]["jsonPatch"]["expression"]


def test_pods_get_the_lab_s_images_only_while_the_suites_run() -> None:
    class Serving(Fake):
        def request(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
            if method == "POST":
                assert how["query"] == [("dryRun", "All")]
                return {"spec": {"containers": [{"image": IMAGES["e2e/agnhost"]}]}}
            return super().request(method, path, body, **how)

    cluster = Serving({})
    with images.substituted(cluster, IMAGES):
        assert len(cluster.objects) == 2
    assert not cluster.objects


@pytest.mark.parametrize(
    ("image", "reason", "found"),
    [
        ("x/y:1", "ImagePullBackOff", True),
        ("x/y:1", "ContainerCreating", False),
        (IMAGES["e2e/agnhost"], "ErrImagePull", False),  # the registry was busy; it is asked again
    ],
)
def test_an_image_that_the_lab_does_not_have_is_found(image: str, reason: str, found: bool) -> None:
    pod = {"status": {"containerStatuses": [{"image": image, "state": {"waiting": {"reason": reason}}}]}}
    assert images.unknown([pod, {"status": {}}]) == ({image} if found else set())


# What is set aside, and put back.


def test_a_redirect_is_set_aside_and_put_back_as_it_was_by_whom_it_was(tmp_path: Path) -> None:
    gateway = stack("lab").gateway
    route = redirect_route(redirects(gateway)[0], gateway)
    live = {**route, "metadata": {**route["metadata"], "uid": "1", "resourceVersion": "7"}}
    status = {"operation": "Apply", "manager": "somebody", "subresource": "status"}
    live["metadata"]["managedFields"] = [status, {"operation": "Apply", "manager": "pulumi"}]
    cluster = Fake({path_of(route): live})
    file = tmp_path / "aside.json"
    gateway_api.set_aside(cluster, stack("lab"), file)
    assert not cluster.objects
    gateway_api.put_back(cluster, Engine(tmp_path), file)
    again = cluster.objects[path_of(route)]
    assert again["metadata"].pop("managedFields") == [{"operation": "Apply", "manager": "pulumi"}]
    assert again == route
    assert not file.exists()


def test_what_a_killed_run_set_aside_is_known_to_the_next(tmp_path: Path) -> None:
    gateway = stack("lab").gateway
    route = redirect_route(redirects(gateway)[0], gateway)
    calls = gateway_calls(gateway, stack("lab").gateway_context)
    cluster = Fake({path_of(item): item for item in (route, *calls)})
    file = tmp_path / "aside.json"
    gateway_api.set_aside(cluster, stack("lab"), file)
    assert not cluster.objects
    gateway_api.put_back(cluster, Engine(tmp_path), file)  # by the next run, before it sets anything aside
    assert len(cluster.objects) == 1 + len(calls) == 3
    gateway_api.set_aside(cluster, stack("lab"), file)
    assert len(json.loads(file.read_text())) == 3


def test_the_gateway_has_the_suites_ports_only_during_the_suite(tools: Tools, tmp_path: Path) -> None:
    class_path = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
    gateway = stack("lab").gateway
    route = redirect_route(redirects(gateway)[0], gateway)
    cluster = Fake({path_of(route): route, f"{class_path}/platform": named("platform")})
    run = a_run(tools, cluster, tmp_path / "r.yaml")
    assert isinstance(run.deployment, Engine)
    with gateway_api.SUITE.prepared(run):
        assert run.deployment.listeners == [[80, 8080, 8090, 8443, 8883]]
        assert path_of(route) not in cluster.objects
    assert run.deployment.listeners[1:] == [[80]]
    assert path_of(route) in cluster.objects
    file = tmp_path / gateway_api.ASIDE
    assert not file.exists()

    left = gateway_api.SUITE.prepared(run)
    left.__enter__()  # and killed
    gateway_api.put_back(cluster, run.deployment, file)
    assert run.deployment.listeners[-1] == [80]
    assert path_of(route) in cluster.objects


def test_the_lab_may_have_the_suites_ports() -> None:
    data = stack_data("lab")
    text = yaml.safe_dump({"config": {SPEC: data}})
    opened = yaml.safe_load(gateway_api.with_ports(text, stack("lab").gateway))["config"][SPEC]
    assert problems(opened) == []


CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "clusternetworkpolicies.policy.networking.k8s.io"},
    "status": {"conditions": [{"type": "Established", "status": "True"}]},
}
ON_TOP = {"own": 1, **network_policy_api._VALUES}


@pytest.fixture
def policies(tmp_path: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Fake, Engine]:
    """A run of ClusterNetworkPolicy's suite, on a cluster that lacks its CRD."""
    file = tmp_path / network_policy_api._CRD
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(CRD))
    monkeypatch.setattr(Tools, "module_dir", lambda *_: tmp_path)
    monkeypatch.setattr(network_policy_api, "agents_follow", lambda _: None)
    cluster = Fake({})
    run = a_run(tools, cluster, tmp_path / "r.yaml")
    assert isinstance(run.deployment, Engine)
    return run, cluster, run.deployment


@pytest.mark.parametrize("there_before", [True, False])
def test_the_crd_goes_after_the_suite_unless_it_was_there(
    policies: tuple[Run, Fake, Engine], there_before: bool
) -> None:
    run, cluster, _ = policies
    cluster.objects |= {path_of(CRD): CRD} if there_before else {}
    with network_policy_api.SUITE.prepared(run):
        assert cluster.objects
    assert bool(cluster.objects) is there_before


def test_cilium_has_cluster_network_policies_only_during_their_suite(policies: tuple[Run, Fake, Engine]) -> None:
    run, _, engine = policies
    with network_policy_api.SUITE.prepared(run):
        assert engine.deployed == [ON_TOP]
    assert engine.deployed == [ON_TOP, {"own": 1}]
    network_policy_api.put_back(run.cluster, engine, run.report.with_name(network_policy_api.ON))
    assert len(engine.deployed) == 2


def test_cluster_network_policies_of_a_killed_run_are_switched_off_by_the_next(
    policies: tuple[Run, Fake, Engine],
) -> None:
    run, cluster, engine = policies
    left = network_policy_api.SUITE.prepared(run)
    left.__enter__()  # and killed
    assert cluster.objects
    network_policy_api.put_back(cluster, engine, run.report.with_name(network_policy_api.ON))
    assert engine.deployed[-1] == {"own": 1}
    assert not cluster.objects


def test_where_the_lab_s_own_values_are_not_deployed_the_next_run_tries_again(
    policies: tuple[Run, Fake, Engine],
) -> None:
    run, cluster, engine = policies
    with pytest.raises(LabError, match="pulumi up failed:\nerror: refused"), network_policy_api.SUITE.prepared(run):
        engine.exit_code = 1
    assert run.report.with_name(network_policy_api.ON).exists()
    assert cluster.objects  # agents that still watch the API must find it


# Reports.

PROFILES = """
kind: ConformanceReport
profiles:
- name: GATEWAY-HTTP
  core: {result: failure, statistics: {Failed: 1, Passed: 32, Skipped: 1}, failedTests: [A], skippedTests: [S]}
  extended: {result: success, statistics: {Failed: 0, Passed: 20, Skipped: 0}, supportedFeatures: [X]}
- name: GATEWAY-GRPC
  core: {result: failure, statistics: {Failed: 2, Passed: 11, Skipped: 0}, failedTests: [A, B]}
"""


def test_a_report_by_profiles_is_read_level_by_level() -> None:
    found = gateway_api.SUITE.read(PROFILES)
    assert found.groups["GATEWAY-HTTP core"] == Counts(32, 1, 1)
    assert found.groups["GATEWAY-GRPC core"] == Counts(11, 2)
    assert "GATEWAY-GRPC extended" not in found.groups
    assert (found.failed, found.skipped) == ({"A", "B"}, {"S"})


def test_a_report_of_policies_has_other_levels() -> None:
    text = PROFILES.replace("core:", "standard:").replace("extended:", "experimental:")
    assert set(network_policy_api.SUITE.read(text).groups) >= {"GATEWAY-HTTP standard", "GATEWAY-HTTP experimental"}


def cases(**of_first: Any) -> dict[str, Any]:
    """A report of two cases, of which the second is about SCTP; `of_first`: what is found in the first one's step."""
    found = {"tried": 4, "wrong": [], "differ": [], "undecided": [], **of_first}
    fine = {"tried": 2, "wrong": [], "differ": [], "undecided": []}
    rows = [{"name": "1: a", "tags": [], "steps": [found, fine]}, {"name": "2: b", "tags": ["sctp"], "steps": [fine]}]
    return {"protocols": ["TCP", "UDP"], "cases": rows}


def test_a_case_fails_by_what_is_on_the_wire_and_the_prover_is_counted_beside_it() -> None:
    result = cyclonus.SUITE.read(json.dumps(cases(wrong=["x/a to x/b at 80/TCP: stopped"], undecided=["p"])))
    assert result.groups == {"Cyclonus' default cases": Counts(1, 1), "verdicts of vds reach": Counts(7, 0, 1)}
    assert result.failed == {"1: a", "vds reach: 1: a"}


def test_a_verdict_of_the_prover_that_the_wire_contradicts_is_a_failure() -> None:
    result = cyclonus.SUITE.read(json.dumps(cases(differ=["x/a to x/b at 80/TCP: stopped"])))
    assert result.groups["verdicts of vds reach"] == Counts(7, 1)
    assert result.failed == {"vds reach: 1: a"}


def test_a_case_in_which_nothing_was_tried_has_not_passed() -> None:
    assert cyclonus.SUITE.read(json.dumps(cases(tried=0))).failed == {"1: a"}


def test_cases_about_a_protocol_that_is_not_tried_are_named() -> None:
    [left_out] = cyclonus.SUITE.read(json.dumps(cases())).skipped
    assert left_out.startswith("2: b: connections by SCTP")
    assert not cyclonus.SUITE.read(json.dumps({**cases(), "protocols": ["TCP", "UDP", "SCTP"]})).skipped


PAIRS = (Pair("x/a", "x/b", 80, "TCP"), Pair("x/b", "x/a", 80, "TCP"))


def test_three_answers_are_compared_for_each_connection() -> None:
    model, wire = dict(zip(PAIRS, (True, True), strict=True)), dict(zip(PAIRS, (True, False), strict=True))
    found = cyclonus.compared(model, wire, dict(zip(PAIRS, (Answer.NO, Answer.UNDECIDED), strict=True)))
    assert found == {
        "tried": 2,
        "wrong": ["x/b to x/a at 80/TCP: stopped"],
        "differ": ["x/a to x/b at 80/TCP: let through"],
        "undecided": ["x/b to x/a at 80/TCP"],
    }
    assert not cyclonus.compared(wire, wire, dict(zip(PAIRS, (Answer.YES, Answer.NO), strict=True)))["differ"]


class Kept(Fake):
    """An API server that merges labels as a merge patch does."""

    def request(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        if method == "PATCH" and "merge" in how.get("content_type", ""):
            labels = self.objects[path]["metadata"].setdefault("labels", {})
            labels |= body["metadata"]["labels"]
            for key in [key for key, value in labels.items() if value is None]:
                del labels[key]
            return {}
        if method == "PATCH":
            self.objects[path] = body
            return {}
        return super().request(method, path, body, **how)


@pytest.fixture
def case_pods(tmp_path: Path) -> tuple[cyclonus.CasePods, Kept]:
    """Two namespaces and a pod, with a label that a case left."""
    spaces = {name: {"ns": name} for name in ("x", "y")}
    objects: dict[str, Any] = {
        f"/api/v1/namespaces/{name}": named(name) | {"metadata": {"name": name, "labels": {"ns": name, "left": "1"}}}
        for name in spaces
    }
    objects["/api/v1/namespaces/x/pods/a"] = {"metadata": {"name": "a", "labels": {"pod": "a"}}}
    cluster = Kept(objects)
    made = object.__new__(cyclonus.CasePods)
    made._layout, made._cluster, made._namespaces = Layout(tmp_path), cluster, spaces
    made.there = {"x/a": {"namespace": "x", "name": "a"}}
    return made, cluster


def test_before_each_case_labels_are_those_of_the_beginning(case_pods: tuple[cyclonus.CasePods, Kept]) -> None:
    made, cluster = case_pods
    assert made.reset()
    assert cluster.objects["/api/v1/namespaces/x"]["metadata"]["labels"] == {"ns": "x"}
    assert ("DELETE", "/apis/networking.k8s.io/v1/namespaces/y/networkpolicies") in cluster.asked
    assert not made.reset()


def test_actions_of_a_case_change_the_cluster_and_say_whether_the_cni_needs_longer(
    case_pods: tuple[cyclonus.CasePods, Kept],
) -> None:
    made, cluster = case_pods
    policy = {"metadata": {"name": "base", "namespace": "x", "creationTimestamp": None}, "spec": {"podSelector": {}}}
    assert not made.change({"CreatePolicy": {"Policy": policy}, "DeletePod": None})
    assert cluster.objects["/apis/networking.k8s.io/v1/namespaces/x/networkpolicys/base"]["spec"] == policy["spec"]
    assert made.change({"SetPodLabels": {"Namespace": "x", "Pod": "a", "Labels": {"new": "1"}}})
    assert cluster.objects["/api/v1/namespaces/x/pods/a"]["metadata"]["labels"] == {"new": "1"}
    with pytest.raises(LabError, match="an action Teleport that the lab does not know"):
        made.change({"Teleport": {"Pod": "a"}})


def test_a_step_of_a_case_may_change_nothing(
    case_pods: tuple[cyclonus.CasePods, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cyclonus, "_step", lambda *_: {"tried": 1})
    row = cyclonus._case(
        case_pods[0], {"Name": "a", "Tags": [], "Steps": [{"Actions": None, "Connections": []}]}, "1: a"
    )
    assert row["steps"] == [{"tried": 1}]


def test_what_a_pod_asks_of_itself_is_left_out_of_the_model() -> None:
    rows = [
        {"From": "x/a", "To": to, "Port": 80, "Protocol": "TCP", "Allowed": to == "x/b"} for to in ("x/a", "x/b", "x/c")
    ]
    assert cyclonus.allowed({"Connections": rows}) == {PAIRS[0]: True, Pair("x/a", "x/c", 80, "TCP"): False}


def test_a_suite_that_the_lab_executes_itself_ends_with_a_report_or_has_not_run(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("")

    def execute(_: Layout, run: Run, log: Path, seconds: float, tell: Callable[[str], None]) -> None:
        tell("case 1 of 1")
        log.write_text("case 1")
        run.report.write_text(str(int(seconds)))

    facts = runner._run(Layout(tmp_path), replace(suite, execute=execute), this, QUIET)
    assert facts["groups"] == {"all": {"passed": 60, "failed": 0, "skipped": 0}}
    with pytest.raises(LabError, match="sample ended without a report"):
        runner._run(Layout(tmp_path), replace(suite, execute=lambda *_: None), this, QUIET)
    assert set(cluster.objects) == {"/api/v1/namespaces/other"}


# The judgement.

RESULT = Result({"all": Counts(3, 1)}, frozenset({"A"}))


@pytest.mark.parametrize(
    ("result", "failures", "ok"),
    [
        (RESULT, {}, False),
        (RESULT, {"A": "known"}, True),
        (RESULT, {"B": "known"}, False),
        (replace(RESULT, failed=frozenset()), {"A": "known"}, True),
        (Result({}), {}, False),
        (Result({"all": Counts(0, 0, 9)}), {}, False),
    ],
)
def test_a_failure_is_fine_only_where_it_is_expected_and_nothing_ran_is_not(
    result: Result, failures: dict[str, str], ok: bool
) -> None:
    assert runner.judged(result, Expected(failures=failures))["ok"] is ok


def test_an_expected_failure_that_passes_is_said() -> None:
    result = replace(RESULT, failed=frozenset(), skipped=frozenset({"B, in part"}))
    facts = runner.judged(result, Expected(failures={"A": "known"}))
    shown = Console(record=True, width=200, file=subprocess.io.StringIO())
    show(shown, {"s": {**facts, "version": "1", "seconds": 2, "report": "/r"}, "t": FAILED})
    text = shown.export_text()
    assert "A does not fail any more" in text
    assert "left out: B, in part" in text
    assert "did not run" in text
    assert "because [of this]" in text


FAILED: Facts = {"ok": False, "error": "because [of this]", "version": "1", "seconds": 3}


# The run itself.

SCRIPT = """#!{python}
import pathlib, sys, time
report, what = sys.argv[1:]
print("=== RUN   TestConformance/First/Part", flush=True)
if what == "waits":
    time.sleep(60)
starts = pathlib.Path(report).with_name("starts")
starts.write_text((starts.read_text() if starts.exists() else "") + "+")
if what == "conflicts" or what == "conflicts once" and starts.read_text() == "+":
    sys.exit("somebody else was there")
if what != "nothing":
    pathlib.Path(report).write_text("1")
sys.exit(1)  # as a Go test whose report has failures
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], tuple[Suite, Run, Fake]]:
    script = tmp_path / "suite"
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(0o755)

    def made(what: str) -> tuple[Suite, Run, Fake]:
        cluster = Fake({})
        suite = Suite(
            name="sample",
            tool="sample",
            report="r.yaml",
            minutes=1,
            namespaces="sample-.+",
            arguments=lambda this: [str(this.report), what],
            read=lambda text: Result({"all": Counts(int(text), 0)}),
            prepared=lambda _: prepared(cluster),
        )
        tools = Tools({"sample": script}, {}, {"sample": "1"})
        return suite, a_run(tools, cluster, tmp_path / "r.yaml"), cluster

    return made


@contextmanager
def prepared(cluster: Fake) -> Iterator[None]:
    """What a suite makes and leaves."""
    cluster.objects["/api/v1/namespaces/sample-1"] = named("sample-1")
    cluster.objects["/api/v1/namespaces/other"] = named("other")
    yield


@pytest.fixture(autouse=True)
def without_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "command", lambda argv, **_: list(argv))
    monkeypatch.setattr(runner, "_LOOK_SECONDS", 0.1)


def test_a_suite_s_report_counts_and_not_its_exit_code(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("reports")
    facts = runner._run(Layout(tmp_path), suite, this, QUIET)
    assert facts["ok"]
    assert set(cluster.objects) == {"/api/v1/namespaces/other"}
    assert "First" in (tmp_path / "r.log").read_text()


def test_a_suite_without_a_report_did_not_run_even_where_an_older_report_lies(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("nothing")
    this.report.write_text("9")
    with pytest.raises(LabError, match="sample ended without a report"):
        runner._run(Layout(tmp_path), suite, this, QUIET)
    assert set(cluster.objects) == {"/api/v1/namespaces/other"}


def test_a_suite_that_takes_too_long_is_ended_and_what_it_made_is_removed(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("waits")
    with pytest.raises(LabError, match=r"sample was ended after 0\.01 minutes"):
        runner._run(Layout(tmp_path), replace(suite, minutes=0.01), this, QUIET)
    assert set(cluster.objects) == {"/api/v1/namespaces/other"}


def test_a_suite_whose_image_is_missing_is_not_waited_for(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("waits")
    waiting = {"state": {"waiting": {"reason": "ErrImagePull"}}, "image": "x/unheard-of:1"}
    pod = {"metadata": {"namespace": "sample-1", "name": "p"}, "status": {"containerStatuses": [waiting]}}
    cluster.objects["/api/v1/pods"] = {"items": [pod]}
    with pytest.raises(LabError, match="does not have: x/unheard-of:1"):
        runner._run(Layout(tmp_path), suite, this, QUIET)


def test_a_namespace_that_is_there_already_is_not_taken_for_the_suite_s(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("reports")
    cluster.objects["/api/v1/namespaces/sample-9"] = named("sample-9")
    with pytest.raises(LabError, match="kubectl delete namespace sample-9"):
        runner._run(Layout(tmp_path), suite, this, QUIET)
    assert "/api/v1/namespaces/sample-9" in cluster.objects


def test_sigterm_ends_the_suite_and_removes_what_it_made(program: Any, tmp_path: Path) -> None:
    suite, this, cluster = program("waits")

    def look(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)  # as the command's handler does

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_require_images", look)
        with pytest.raises(SystemExit):
            runner._run(Layout(tmp_path), suite, this, QUIET)
    assert not this.report.exists()
    assert set(cluster.objects) == {"/api/v1/namespaces/other"}


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "its pods start"),
        ("=== RUN   TestConformance\n=== RUN   TestConformance/A\n=== RUN   TestConformance/A/part\n", "test 1, A"),
        ("=== RUN   TestConformance/A\n=== RUN   TestConformance/B\n", "test 2, B"),
    ],
)
def test_a_log_says_how_far_its_suite_is(log: str, said: str) -> None:
    assert runner.whereabouts(log) == said
