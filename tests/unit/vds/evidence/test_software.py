"""The SBOM of a stack lists its charts and images, is valid CycloneDX, and says what it does not list."""

import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from tests.support.evidence import add, entry, evidence, export
from tests.support.export import SIGNATURE
from vds.evidence.model import Evidence
from vds.evidence.software import sbom

LAB, OSLO = evidence(), evidence(name="oslo")


def document(found: Evidence) -> Any:
    return json.loads(sbom(found))


def not_listed(found: Evidence) -> str:
    [note] = document(found)["metadata"]["properties"]
    assert note["name"] == "vds-platform:not-listed"
    return str(note["value"])


def test_it_is_valid_by_the_schema_and_the_same_bytes_for_the_same_state() -> None:
    for found in (LAB, OSLO):
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom(found).decode()) is None
    assert sbom(OSLO) == sbom(OSLO)


def test_charts_and_images_of_a_stack_are_in_it() -> None:
    found = {(one["type"], one["name"]) for one in document(OSLO)["components"]}
    charts = {name for kind, name in found if kind == "application"}
    assert charts >= {"cilium", "metallb"}
    images = {name for kind, name in found if kind == "container"}
    assert {"cilium/cilium", "library/traefik", "kube-apiserver"} <= images
    assert "packages of the nodes' operating system" in not_listed(OSLO)
    assert "CoreDNS, etcd and pause" in not_listed(OSLO)
    assert "CoreDNS" not in not_listed(LAB) or LAB.makes_cluster


def test_an_image_of_another_object_is_in_it_with_its_digest() -> None:
    made = export()
    digest = "sha256:" + "a" * 64
    containers = [{"name": "a", "image": f"registry.example.no/team/app:1.2@{digest}"}]
    add(made, "kubernetes:apps/v1:Deployment", "a", spec={"template": {"spec": {"containers": containers}}})
    [app] = [one for one in document(evidence(made))["components"] if one["name"].endswith("team/app")]
    assert app["version"] == digest
    assert PackageURL.from_string(app["purl"]).version == digest


def test_what_is_encrypted_or_cannot_be_rendered_is_said_to_be_missing() -> None:
    made = export()
    secret = {**SIGNATURE, "ciphertext": "x"}
    containers = [{"name": "a", "image": secret}]
    add(made, "kubernetes:apps/v1:Deployment", "hidden", spec={"template": {"spec": {"containers": containers}}})
    chart = "oci://registry.example.no/charts/nowhere"
    add(made, "kubernetes:helm.sh/v3:Release", "far", chart=chart, version="1.0.0")
    found = evidence(made)
    assert "images of Deployment hidden: encrypted in the state" in not_listed(found)
    assert "images of Release far: " in not_listed(found)
    assert "nowhere" in {one["name"] for one in document(found)["components"]}


def test_a_password_of_a_repository_is_not_in_it() -> None:
    made = export()
    opts = {"repo": "https://ada:TOKEN@charts.example.com/x"}
    add(made, "kubernetes:helm.sh/v3:Release", "extra", chart="extra", version="1", repositoryOpts=opts)
    add(made, "kubernetes:helm.sh/v3:Release", "other", chart="oci://ada:TOKEN@charts.example.com/x", version="1")
    assert b"TOKEN" not in sbom(evidence(made))


def test_an_object_of_another_form_than_kubernetes_takes_stops_nothing() -> None:
    made = export()
    for number, spec in enumerate((5, {"template": 3}, {"template": {"spec": {"containers": {"a": 1}}}})):
        add(made, "kubernetes:apps/v1:Deployment", f"odd{number}", spec=spec)
    entry(made, "odd0")["inputs"]["metadata"] = 7
    assert "images of Deployment odd2" in not_listed(evidence(made))
