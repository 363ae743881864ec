"""Gateway API's CRDs: which file is a bundle, and what it may not do to the ones in a cluster."""

import copy

import pytest

from components.gateway.bundle import BundleError, read_bundle
from components.gateway.crd_rules import bundle_problems, crd_problems
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.nested import flatten
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext
from components.stackfile.parsing import SpecError, parse
from tests.support.bundles import crd, digest, guard, published, text
from tests.support.cilium_trials import trial
from tests.support.stacks import stack, stack_data

SERVED, STORED = {"served": True, "storage": False}, {"served": True, "storage": True}


def test_a_bundle_is_its_crds_and_its_admission_policy_without_status():
    found = read_bundle(text(guard(), crd("tcproutes"), crd("gateways"), guard("ValidatingAdmissionPolicyBinding")))
    assert (found.version, found.channel) == ("1.6.1", "standard")
    assert [item["spec"]["names"]["plural"] for item in found.crds] == ["gateways", "tcproutes"]
    assert [item["kind"] for item in found.guards] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    for item in found.crds:
        assert "status" not in item
        assert "creationTimestamp" not in item["metadata"]


@pytest.mark.parametrize("release", ["1.5.1", "1.6.1"])
def test_the_published_bundles_are_read_whole(release):
    found = read_bundle(published(release))
    assert (found.version, found.channel) == (release, "standard")
    assert len(found.crds) == {"1.5.1": 8, "1.6.1": 10}[release]
    assert len(found.guards) == 2


def test_the_standard_channel_has_every_kind_without_which_ciliums_controller_does_not_start():
    """`RequiredGVKs` of operator/pkg/gateway-api/helpers/schemes.go, 1.20.2. In 1.18.2 TLSRoute, then of the
    experimental channel only, is not required (cell.go, `optionalGVKs`)."""
    required = "gatewayclasses gateways httproutes grpcroutes tlsroutes referencegrants backendtlspolicies"
    served = {
        item["spec"]["names"]["plural"]
        for item in read_bundle(published("1.6.1")).crds
        if any(version["name"] == "v1" and version["served"] for version in item["spec"]["versions"])
    }
    assert set(required.split()) <= served


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a YAML file of Kubernetes objects"),
        ("just: text", "is not a YAML file of Kubernetes objects"),
        ("", "has no CustomResourceDefinition"),
        (text(crd(), {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}), "has objects besides"),
        (text(crd(group="cilium.io")), r"has objects besides .*httproutes.cilium.io"),
        (
            text(crd(), crd("gateways", "v1.5.1")),
            r"has several releases or channels \(v1.5.1 standard, v1.6.1 standard\)",
        ),
        (text(crd(release="v1.6.0-rc.1")), "use a release, not a candidate"),
        (text(crd(channel="nightly")), "use a file of the standard or the experimental channel"),
    ],
)
def test_another_file_is_refused_and_said(content, said):
    with pytest.raises(BundleError, match=said):
        read_bundle(content)


def test_a_newer_release_over_an_older_one_is_fine():
    assert crd_problems(crd(release="v1.5.1"), crd()) == []
    assert list(bundle_problems([crd(release="v1.5.1"), crd("others")], read_bundle(text(crd())))) == []


def test_the_published_releases_follow_each_other_and_not_the_other_way_round():
    old, new = read_bundle(published("1.5.1")), read_bundle(published("1.6.1"))
    assert list(bundle_problems(old.crds, new)) == []
    assert len(list(bundle_problems(new.crds, old))) == len(old.crds)


def test_a_downgrade_is_refused_by_number_and_not_by_letter():
    [problem] = crd_problems(crd(release="v1.10.0"), crd(release="v1.9.0"))
    assert str(problem) == (
        "CustomResourceDefinition httproutes.gateway.networking.k8s.io: has release v1.10.0, and v1.9.0 is older: "
        "objects would lose fields: use v1.10.0 or newer"
    )


def test_experimental_over_standard_is_refused_and_the_way_back_is_not():
    [problem] = crd_problems(crd(), crd(channel="experimental"))
    assert "is of the standard channel" in problem.message
    assert crd_problems(crd(channel="experimental"), crd()) == []


@pytest.mark.parametrize("new", [{"v1": STORED}, {"v1": STORED, "v1beta1": {"served": False, "storage": False}}])
def test_a_version_that_objects_are_stored_in_is_not_dropped(new):
    live = crd(v1=STORED, v1beta1=SERVED) | {"status": {"storedVersions": ["v1beta1", "v1"]}}
    [problem] = crd_problems(live, crd(**new))
    assert "objects are stored as v1beta1, which the new CRD does not serve" in problem.message


def test_a_version_that_nothing_is_stored_in_may_go():
    live = crd(v1=STORED, v1beta1=SERVED) | {"status": {"storedVersions": ["v1"]}}
    assert crd_problems(live, crd()) == []


def test_without_a_status_the_version_that_is_written_now_counts():
    live = crd(v1beta1=STORED)
    del live["status"]
    [problem] = crd_problems(live, crd())
    assert "v1beta1" in problem.message


def test_crds_of_nobodys_release_are_taken_over():
    live = crd()
    live["metadata"].pop("annotations")
    assert crd_problems(live, crd()) == []


# --- in the stack file --------------------------------------------------------------------------------------------


def with_bundle(folder, content, **gateway):
    (folder / "gateway-api.yaml").write_text(content)
    data = stack_data("oslo")
    data["gateway"]["crds"] = {"kind": "bundle", "path": "gateway-api.yaml", "sha256": digest(content)}
    data["gateway"] |= {"install": {"kind": "existing"}, **gateway}  # Traefik has needs of its own
    return data


def refused(data, folder):
    with pytest.raises(SpecError) as caught:
        parse(data, base_dir=folder)
    return [str(problem) for problem in caught.value.problems]


def test_the_bundles_version_is_held_against_everything_that_works_with_it(tmp_path):
    content = text(crd(release="v1.4.1"))
    assert parse(with_bundle(tmp_path, content), base_dir=tmp_path).gateway.bundle_version == "1.4.1"
    data = with_bundle(tmp_path, text(crd(release="v1.6.1")))
    data["cni"] |= {"gatewayApi": True, "version": "1.18.12"}
    assert any("1.6.1" in line and "1.4.1" in line for line in refused(data, tmp_path))


def test_another_version_beside_the_bundle_is_refused(tmp_path):
    data = with_bundle(tmp_path, text(crd()), bundleVersion="1.5.1")
    assert "gateway.bundleVersion: 1.5.1, and the bundle of gateway.crds is 1.6.1: remove it" in refused(data, tmp_path)


def test_a_file_that_is_another_one_is_refused(tmp_path):
    data = with_bundle(tmp_path, text(crd()))
    (tmp_path / "gateway-api.yaml").write_text(text(crd(), crd("gateways")))
    [problem] = refused(data, tmp_path)
    assert problem.startswith("gateway.crds.path: 'gateway-api.yaml' has SHA-256 ")


def test_a_file_that_is_not_there_is_said(tmp_path):
    data = with_bundle(tmp_path, text(crd()))
    (tmp_path / "gateway-api.yaml").unlink()
    assert refused(data, tmp_path) == [
        "gateway.crds.path: 'gateway-api.yaml' can't be read (No such file or directory): correct it"
    ]


# --- the operator restarts -------------------------------------------------------------------------------------------


def values(release, bundle, gateway_api=True):
    spec = stack("oslo")
    cni = spec.cni.model_copy(update={"version": release, "gateway_api": gateway_api})
    return cilium_values(cni, spec.network, ChartContext("oslo", gateway_bundle=bundle))


@pytest.mark.parametrize("release", ["1.18.2", "1.20.2"])
def test_another_bundle_restarts_the_operator(release):
    before, after = values(release, "1.5.1"), values(release, "1.6.1")
    assert before["operator"].pop("podAnnotations") == {"vds-platform.no/gateway-api": "1.5.1"}
    changed = copy.deepcopy(after)
    assert changed["operator"].pop("podAnnotations") == {"vds-platform.no/gateway-api": "1.6.1"}
    assert before == changed
    [found] = [item for item in explain(flatten(after), trial(release)) if "podAnnotations" in str(item)]
    assert found.as_meant


@pytest.mark.parametrize(("bundle", "gateway_api"), [(None, True), ("1.6.1", False)])
def test_an_operator_that_has_no_gateways_is_left_alone(bundle, gateway_api):
    assert values("1.18.12", bundle, gateway_api)["operator"] == {"replicas": 2, "rollOutPods": True}
