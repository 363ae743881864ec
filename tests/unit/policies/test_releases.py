"""What is inside a Helm Release is judged like an object of the program."""

from pathlib import Path
from typing import Any

import pytest

from components.charts import releases
from components.charts.releases import NOT_KNOWN_YET, inside
from components.core.unknown import UNKNOWN
from policies.engine import ENGINE_POLICIES
from policies.releases import versions
from tests.support.charts import lock, pack, written
from tests.support.foreign import fence, namespace, network_policy
from tests.support.policy import UNKNOWN as UNKNOWN_TEXT
from tests.support.policy import Reported, Resource, violations

DIGEST = "@sha256:" + "0" * 64


def shop(values: Any = None, **more: Any) -> Resource:
    props = {
        "chart": "shop",
        "version": "1.0.0",
        "repositoryOpts": {"repo": "https://charts.example.no"},
        "namespace": "agency",
        "values": values or {},
        **more,
    }
    return Resource("kubernetes:helm.sh/v3:Release", props, "web")


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def said(*resources: Resource, **config: Any) -> list[Reported]:
    return violations(ENGINE_POLICIES, list(resources), config)


def test_a_release_that_keeps_the_policies_passes() -> None:
    assert said(shop()) == []


@pytest.mark.parametrize(
    ("values", "policy", "message"),
    [
        (
            {"service": {"type": "NodePort", "ports": [{"nodePort": 30080}]}},
            "gateway-no-node-port",
            "Release web, Service agency/app: type NodePort opens 30080 on every node to the internet",
        ),
        (
            {"service": {"type": "LoadBalancer"}},
            "gateway-no-node-port",
            "Release web, Service agency/app: type LoadBalancer opens each of its ports on every node as well",
        ),
        ({"hostNetwork": True}, "network-no-host", "Release web, Deployment agency/app: has hostNetwork"),
        (
            {"image": "ghcr.io/shop/web:latest"},
            "tenancy-images",
            "Release web, Deployment agency/app: runs an image of ghcr.io by tag",
        ),
        ({"migration": "ghcr.io/shop/web:latest"}, "tenancy-images", "Release web, Job agency/migrate: runs an image"),
        ({"migration": f"ghcr.io/shop/web{DIGEST}"}, "residency-destinations", "bytes go to ghcr.io (image-registry)"),
    ],
)
def test_what_the_chart_makes_of_the_values_is_judged(values: Any, policy: str, message: str) -> None:
    found = [one for one in said(shop(values)) if one.policy == policy]
    assert len(found) == 1
    assert message in found[0].message
    assert found[0].mandatory


def test_policies_of_the_stack_count_what_a_release_makes() -> None:
    tenant = [namespace(), network_policy(), *fence()]
    [quota] = [one.policy for one in said(*(one for one in tenant if "ResourceQuota" not in one.type), shop())]
    assert quota == "tenancy-quota"
    assert said(*tenant, shop()) == []


def test_a_value_that_decides_and_is_not_known_is_undecided_and_named() -> None:
    [found] = [one for one in said(shop({"service": UNKNOWN_TEXT})) if one.policy == "charts-rendered"]
    assert "cannot be decided at preview: values.service is not known yet" in found.message
    assert found.mandatory


@pytest.mark.parametrize("name", ["password", "replicaCount", "podLabels", "existingSecret"])
def test_a_value_that_is_only_copied_may_be_unknown(name: str) -> None:
    assert said(shop({name: UNKNOWN_TEXT})) == []


LABELLED = """apiVersion: v1
kind: Namespace
metadata:
  name: agency
  labels:
    {{- toYaml .Values.labels | nindent 4 }}
"""


def test_labels_that_are_not_known_are_undecided_where_a_policy_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They counted as none."""
    monkeypatch.chdir(tmp_path)
    packed = pack(tmp_path, "labelled", "1.0.0", {"a.yaml": LABELLED}, "labels: {}\n")
    found = said(shop({"labels": UNKNOWN_TEXT}, chart=packed.name, version="", repositoryOpts={}))
    assert any("labels is not known yet" in one.message for one in found)


def test_a_value_that_is_copied_to_what_a_policy_reads_is_undecided_there() -> None:
    found = said(shop({"image": "registry.example.no/app", "service": {"type": "NodePort", "ports": []}}))
    assert {one.policy for one in found} == {"gateway-no-node-port", "tenancy-images"}
    values = {"service": {"type": "ClusterIP"}, "metrics": {"enabled": UNKNOWN_TEXT}}
    assert said(shop(values)) == []


SWITCHED = """{{ if not .Values.isolation.enabled }}
apiVersion: v1
kind: Pod
metadata: { name: open }
spec: { hostNetwork: true }
{{ end }}
{{ if and .Values.a.enabled (not .Values.b.enabled) }}
apiVersion: v1
kind: Pod
metadata: { name: both }
{{ end }}
"""


@pytest.mark.parametrize(
    ("unknown", "named"),
    [
        (("isolation",), "values.isolation.enabled"),
        (("c",), ""),
        (("a",), "values.a.enabled"),
        (("a", "c"), "values.a.enabled"),
        (("a", "b"), "values.b.enabled"),
        (("c", "d", "e", "f"), "values.c.enabled"),
    ],
)
def test_a_switch_that_is_not_known_is_tried_on_and_off(
    unknown: tuple[str, ...], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    off = "".join(f"{name}: {{ enabled: {name == 'isolation'} }}\n" for name in ("isolation", *"abcdef")).lower()
    packed = pack(tmp_path, "switched", "1.0.0", {"a.yaml": SWITCHED}, off)
    values = {name: {"enabled": UNKNOWN} for name in unknown}
    found = inside("a", {"chart": packed.name, "values": values}, versions())
    assert found.problem == (f"{named} is not known yet" if named else "")
    assert found.decided is not bool(named)


def test_files_of_values_are_read_below_the_values(tmp_path: Path) -> None:
    class File:
        path = str(tmp_path / "values.yaml")

    Path(File.path).write_text("hostNetwork: true\nreplicaCount: 7\n")
    props = {**shop().props, "valueYamlFiles": [File()], "values": {"replicaCount": 2}}
    found = inside("web", props, versions())
    assert not found.problem
    deployment = next(item for item in found.objects if item["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["template"]["spec"]["hostNetwork"] is True


@pytest.mark.parametrize(
    ("change", "problem", "decided"),
    [
        ({"valueYamlFiles": 5}, "valueYamlFiles is not a list", True),
        ({"valueYamlFiles": [5]}, "valueYamlFiles.0 is not known yet", False),
        ({"values": 5}, "values is not a group of values", True),
        ({"values": deep(2000)}, "has values that are too many levels deep", True),
        ({"chart": "shop\0"}, "chart has a character that is not printed", True),
        ({"namespace": "\ud800"}, "namespace has a character that is not printed", True),
        ({"name": "a\x1b"}, "name has a character that is not printed", True),
        ({"name": {"a": None}}, "name is not text", True),
        ({"version": 5}, "version is not text", True),
        ({"repositoryOpts": ["x"]}, "repositoryOpts.repo is not text", True),
        ({"chart": "nowhere"}, "the chart nowhere 1.0.0 is not available here", False),
        ({"chart": UNKNOWN}, "chart is not known yet", False),
        ({"version": None}, "shop has no version", False),
        ({"chart": "https://a:b@charts.invalid/shop.tgz?sig=abc", "version": None}, "shop.tgz has no version", False),
        ({"repositoryOpts": UNKNOWN}, "repositoryOpts.repo is not known yet", False),
        ({"values": UNKNOWN}, "values is not known yet", False),
        ({"namespace": UNKNOWN}, "namespace is not known yet", False),
        ({"postrender": "kustomize"}, "postrender changes what the chart makes", False),
        ({"valueYamlFiles": ["x"]}, "valueYamlFiles.0 is not known yet", False),
        ({"chart": ""}, "names no chart", True),
        ({"values": {"replicaCount": "{{"}}, "the chart shop 1.0.0 refuses its values", True),
    ],
)
def test_why_a_release_cannot_be_judged(change: Any, problem: str, decided: bool) -> None:
    found = inside("web", {**shop().props, **change}, versions())
    assert problem in found.problem
    assert found.decided is decided
    assert found.remedy
    assert found.objects == ()


def test_a_refusal_of_what_stands_for_an_unknown_value_is_undecided() -> None:
    found = inside(
        "cni", {**shop().props, "chart": "cilium", "version": "1.20.2", "values": {"MTU": UNKNOWN}}, versions()
    )
    assert not found.problem  # a number stands for it
    values = {"cluster": {"name": UNKNOWN}}
    found = inside("cni", {**shop().props, "chart": "cilium", "version": "1.20.2", "values": values}, versions())
    assert found.problem == "" or not found.decided


def test_namespaces_are_filled_in_where_an_object_can_have_one() -> None:
    props = {**shop().props, "chart": "cilium", "version": "1.20.2", "namespace": "kube-system"}
    found = inside("cni", props, versions())
    kinds = {item["kind"]: item["metadata"].get("namespace") for item in found.objects}
    assert kinds["DaemonSet"] == "kube-system"
    assert kinds["ClusterRole"] is None


def test_a_chart_for_older_clusters_is_rendered_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packed = pack(tmp_path, "old", "1.0.0", {"a.yaml": "kind: A\napiVersion: v1\nmetadata: { name: a }\n"})
    assert not inside("a", {"chart": packed.name}, ("1.36.0", "1.30.0")).problem


def test_other_bytes_than_the_lock_names_are_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packed = pack(tmp_path, "own", "1.0.0", {"a.yaml": "kind: A\napiVersion: v1\nmetadata: { name: a }\n"})
    written(tmp_path, lock(("own", "1.0.0", "0" * 64)))
    releases._rendered.cache_clear()
    found = inside("a", {"chart": packed.name}, versions())
    assert "charts.lock.yaml says 0000" in found.problem
    assert found.decided
    (tmp_path / "charts.lock.yaml").write_text("charts: [")
    releases._rendered.cache_clear()
    found = inside("a", {"chart": packed.name}, versions())
    assert not found.decided


def test_the_text_for_unknown_values_is_marked_in_objects() -> None:
    found = inside(
        "web",
        {**shop().props, "values": {"image": "r.example.no/a", "migration": "a", "x": {"tag": UNKNOWN}}},
        versions(),
    )
    assert not found.problem
    assert NOT_KNOWN_YET not in str(found.objects)


def test_a_name_is_never_an_option_of_helm(tmp_path: Path) -> None:
    """`--post-renderer` starts a program."""
    program, proof = tmp_path / "program", tmp_path / "it-ran"
    program.write_text(f"#!/bin/sh\ntouch {proof}\ncat\n")
    program.chmod(0o755)
    found = inside("web", {**shop().props, "name": f"--post-renderer={program}"}, versions())
    assert "refuses its values" in found.problem
    assert not proof.exists()
    inside("web", {**shop().props, "chart": f"--post-renderer={program}"}, versions())
    assert not proof.exists()
