"""Whole programs of other networks than the committed stacks': what they declare, and in which order."""

import pytest
import yaml

from components.faults.hook import CONFLICT
from components.gateway.bundle import read_bundle
from components.stackfile.parsing import SpecError
from tests.support.bundles import crd, digest, guard, published, text
from tests.support.charts import lock, pack, pack_folder, sha256, written
from tests.support.judged import judged
from tests.support.modules import cilium_chart, metallb_chart
from tests.support.program import run_program
from tests.support.stacks import ROOT, stack, stack_data

SEEDS = sorted(path.stem for path in (ROOT / "examples").glob("seed-*.yaml"))


def seed(name):
    return yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text())["config"]["vds-platform:spec"]


def with_cni(**cni):
    data = stack_data("oslo")
    data["cni"] = {"kind": "calico", "version": "3.32.1", "install": {"kind": "helm"}, **cni}
    [charts] = [place for place in data["residency"]["places"] if place["name"] == "github-pages"]
    charts["hosts"].append("docs.tigera.io")
    return data


@pytest.mark.parametrize("name", SEEDS)
def test_an_articles_configuration_violates_no_policy(name):
    data = seed(name)
    assert judged(data["environment"], data, backend="file:///state") == []


@pytest.mark.parametrize("encapsulation", ["None", "VXLAN", "IPIP"])
def test_calicos_wireguard_violates_no_policy(encapsulation):
    assert judged("oslo", with_cni(encapsulation=encapsulation, bgp=True, encryption="wireguard")) == []


def test_calicos_endpoint_comes_before_the_operator_and_its_objects_after():
    peering = {"peers": [{"name": "rack-a", "address": "198.51.100.1", "asNumber": 64500}]}
    program = run_program("oslo", with_cni(dataplane="BPF", bgp=True, encapsulation="None", bgpPeering=peering))
    by_name = {item.name: item for item in program.resources.values()}
    endpoint, chart = by_name["cni-configmap-kubernetes-services-endpoint"], by_name["cni-calico"]
    assert endpoint.urn in chart.depends_on
    for name in ("cni-felixconfiguration-default", "cni-bgpconfiguration-default", "cni-bgppeer-rack-a"):
        assert chart.urn in by_name[name].depends_on
    kinds = {name: item.type.rpartition(":")[2] for name, item in by_name.items()}
    assert kinds["cni-felixconfiguration-default"] == "FelixConfigurationPatch", "the operator makes one as well"
    assert kinds["cni-bgpconfiguration-default"] == "BGPConfigurationPatch"
    assert kinds["cni-bgppeer-rack-a"] == "BGPPeer"


# No Go module has Calico's charts. Read and run by hand on 2026-11-26 with the charts of 3.31.7 and 3.32.1 (repository
# projectcalico/calico at these tags), Helm 3.22 and an API server 1.36.3: without the CRD chart Helm refuses the
# operator's ("no matches for kind Installation"); after it our values make Installation and APIServer, and neither
# Goldmane nor Whisker, and every field of our Installation is stored. By the engine and provider 4.25 the CRD chart's
# Release takes 8 s, an Installation right after it is accepted, and a second run changes nothing.
def test_calicos_crds_come_before_its_operator_and_that_before_the_installation():
    program = run_program("oslo", with_cni())
    by_name = {item.name: item for item in program.resources.values()}
    namespace, crds = by_name["cni-calico-namespace"], by_name["cni-calico-crds"]
    operator, rollout = by_name["cni-calico"], by_name["cni-calico-installation"]
    assert namespace.urn in crds.depends_on
    assert crds.urn in operator.depends_on
    assert operator.urn in rollout.depends_on
    wanted = {"chart": "crd.projectcalico.org.v1", "version": "v3.32.1", "namespace": "tigera-operator"}
    assert wanted.items() <= crds.inputs.items()
    assert crds.inputs["repositoryOpts"] == operator.inputs["repositoryOpts"]
    assert judged("oslo", with_cni()) == []


def test_an_older_calicos_operator_brings_its_crds():
    names = {item.name for item in run_program("oslo", with_cni(version="3.31.7")).resources.values()}
    assert "cni-calico" in names
    assert "cni-calico-crds" not in names


def test_calicos_own_objects_wait_for_its_api_server_and_that_for_its_rollout():
    """The Release waits for the operator only, which has then just begun."""
    program = run_program("oslo", with_cni(encryption="wireguard"))
    by_name = {item.name: item for item in program.resources.values()}
    chart, rollout, served = (
        by_name[name] for name in ("cni-calico", "cni-calico-installation", "cni-calico-apiserver")
    )
    assert chart.urn in rollout.depends_on
    assert rollout.urn in served.depends_on
    assert served.urn in by_name["cni-felixconfiguration-default"].depends_on
    for mark, kind in ((rollout, "Installation"), (served, "APIServer")):
        assert mark.type == f"kubernetes:operator.tigera.io/v1:{kind}Patch"
        assert mark.inputs["metadata"] == {"name": "default", "annotations": {"pulumi.com/waitFor": "condition=Ready"}}


def test_a_calico_that_says_nothing_of_its_rollout_is_not_waited_for():
    """The operator has conditions on its objects since Calico 3.25."""
    program = run_program("oslo", with_cni(version="3.24.6"))
    assert not [item for item in program.resources.values() if item.type.endswith("Patch") and "tigera" in item.type]


def test_of_somebody_elses_network_nothing_is_declared_and_all_of_it_is_said():
    data = stack_data("oslo")
    data["cni"] = {
        "kind": "unmanaged",
        "name": "kube-router",
        "podMtu": 1480,
        "layers": ["ipip"],
        "serviceProxy": "ipvs",
        "networkPolicies": True,
    }
    program = run_program("oslo", data)
    (cni,) = program.of("vds-platform:index:Cni")
    assert not [item for item in program.resources.values() if item.parent == cni.urn]
    assert program.outputs["network"]["podMtu"] == 1480
    assert program.outputs["network"]["dataPath"].startswith("kube-router, installed by somebody else")


def test_pools_by_cilium_need_no_metallb():
    data = stack_data("oslo")
    data["metallb"]["install"] = {"kind": "cilium"}
    data["gateway"]["install"] = {"kind": "existing"}
    program = run_program("oslo", data)
    (metallb,) = program.of("vds-platform:index:MetalLb")
    made = {item.type.rpartition(":")[2] for item in program.resources.values() if item.parent == metallb.urn}
    assert made == {"CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy"}
    (chart,) = [item for item in program.of("Release") if item.name == "cni-cilium"]
    assert chart.inputs["values"]["l2announcements"] == {"enabled": True}


def test_a_mode_whose_days_are_counted_is_said_at_preview():
    data = stack_data("oslo")
    data["cni"]["serviceProxy"] = "ipvs"
    assert any("IPVS mode is deprecated" in line for line in run_program("oslo", data).log)


@pytest.fixture
def folder_of_charts(tmp_path, monkeypatch):
    """A project's folder with every chart of Oslo, packed, pinned and mirrored."""
    pinned = []
    sources = {"cilium": cilium_chart(stack("oslo").cni.version), "metallb": metallb_chart()}
    for chart in stack("oslo").wanted_charts:
        file = pack_folder(tmp_path / "mirror", sources[chart.name], chart.name, chart.version)
        pinned.append((chart.name, chart.version, sha256(file)))
    written(tmp_path, lock(*pinned, enforce=True))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folders_charts_are_installed_from_their_files_and_nobody_is_asked_for_them(folder_of_charts):
    data = stack_data("oslo") | {"charts": {"mirror": {"kind": "folder", "path": "mirror"}}}
    releases = {item.inputs["name"]: item.inputs for item in run_program("oslo", data).of("helm.sh/v3:Release")}
    assert {name: release["chart"] for name, release in releases.items()} == {
        "cilium": ".charts/cilium-1.20.2.tgz",
        "metallb": ".charts/metallb-0.16.1.tgz",
    }, "the lock names them: what was compared is what is deployed"
    assert not any("repositoryOpts" in release for release in releases.values())
    assert judged("oslo", data) == []


def test_a_packed_chart_that_is_another_one_declares_nothing(folder_of_charts):
    pack(folder_of_charts / "mirror", "cilium", "1.20.2", {"extra.yaml": "# somebody's\n"})
    data = stack_data("oslo") | {"charts": {"mirror": {"kind": "folder", "path": "mirror"}}}
    with pytest.raises(SpecError) as caught:
        run_program("oslo", data)
    assert "it is not the chart of" in str(caught.value)


def test_a_registrys_charts_are_asked_of_it_alone():
    data = stack_data("oslo") | {"charts": {"mirror": {"kind": "oci", "registry": "oci://registry.example.no/charts"}}}
    releases = run_program("oslo", data).of("helm.sh/v3:Release")
    assert {item.inputs["chart"] for item in releases} == {
        f"oci://registry.example.no/charts/{name}" for name in ("cilium", "metallb")
    }
    assert not any("repositoryOpts" in item.inputs for item in releases)
    found = judged("oslo", data)
    assert found, "the registry is no declared place"
    assert all("registry.example.no" in str(item) for item in found)


def with_bundle(folder, content, monkeypatch):
    (folder / "gateway-api.yaml").write_text(content)
    monkeypatch.chdir(folder)
    data = stack_data("oslo")
    data["gateway"]["crds"] = {"kind": "bundle", "path": "gateway-api.yaml", "sha256": digest(content)}
    return data


def test_gateway_apis_kinds_come_before_the_network_and_the_guard_after_them(tmp_path, monkeypatch):
    content = text(guard(release="v1.6.1"), crd("gateways", "v1.6.1"), crd("httproutes", "v1.6.1"))
    data = with_bundle(tmp_path, content, monkeypatch)
    data["cni"]["gatewayApi"] = True
    program = run_program("oslo", data)
    declared = gateway_kinds(program)
    crds = {item.urn for item in declared}
    assert len(crds) == 2
    upgraded = {item.urn: item.name for item in program.of("local:Command") if item.name.endswith("-upgrade")}
    for item in declared:
        assert [upgraded[urn] for urn in item.depends_on if urn in upgraded] == ["osl-cp-1-upgrade"]
        assert item.retained
    policies = program.of(":ValidatingAdmissionPolicy")
    [policy] = [item for item in policies if item.name.startswith("gateway-crds")]
    assert crds <= policy.depends_on
    annotations = policy.inputs["metadata"]["annotations"]
    assert annotations["pulumi.com/patchForce"] == "true", "one of an earlier life has another writer"
    releases = {item.inputs["name"]: item for item in program.of("helm.sh/v3:Release")}
    assert crds <= releases["cilium"].depends_on
    assert releases["cilium"].inputs["values"]["operator"]["podAnnotations"] == {"vds-platform.no/gateway-api": "1.6.1"}
    [gateway_class] = program.of(":GatewayClass")
    assert {item.urn for item in program.of("apps/v1:Deployment")} <= gateway_class.depends_on
    [namespace] = [item for item in program.resources.values() if item.name == "gateway-namespace"]
    assert crds <= namespace.depends_on
    assert judged("oslo", data) == []


def test_crds_of_another_version_that_a_stack_left_are_refused_with_what_to_do(tmp_path, monkeypatch):
    """The provider names fields alone. Tried with it: it takes the same version over, and refuses another one."""
    program = run_program("oslo", with_bundle(tmp_path, text(crd(), guard()), monkeypatch))
    kept = [item for item in program.resources.values() if item.retained and "gateway-crds" in item.name]
    assert len(kept) == 2
    assert {item.on_error for item in kept} == {("explain-conflict",)}
    forced = {item.type.rpartition(":")[2] for item in kept if "patchForce" in str(item.inputs["metadata"])}
    assert forced == {"ValidatingAdmissionPolicy"}, "a CRD of another version is never written over"
    assert "kubectl apply --server-side --force-conflicts" in CONFLICT


def gateway_kinds(program):
    """The CRDs of the bundle. The kind Contract is another component's."""
    return [item for item in program.of(":CustomResourceDefinition") if ":GatewayCrds$" in item.urn]


@pytest.mark.parametrize("release", ["1.5.1", "1.6.1"])
def test_what_is_declared_is_the_published_bundle_to_the_last_field(release, tmp_path, monkeypatch):
    content = published(release)
    program = run_program("oslo", with_bundle(tmp_path, content, monkeypatch))
    declared = {item.inputs["metadata"]["name"]: item.inputs["spec"] for item in gateway_kinds(program)}
    assert declared == {item["metadata"]["name"]: item["spec"] for item in read_bundle(content).crds}
