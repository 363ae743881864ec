import re

import pytest

from lab.plugins.kubernetes.manifests import (
    force_new,
    group_changed,
    is_patch,
    same_place,
    type_parts,
    unique_name,
    with_name,
    without_nothing,
)
from lab.plugins.kubernetes.settings import other_cluster, problems, settings

NONE: frozenset[str] = frozenset()


def test_a_type_is_an_api_version_and_a_kind() -> None:
    assert type_parts("kubernetes:core/v1:ConfigMap") == ("v1", "ConfigMap")
    assert type_parts("kubernetes:cilium.io/v2:CiliumNetworkPolicy") == ("cilium.io/v2", "CiliumNetworkPolicy")


def test_a_patch_is_told_from_a_kind_whose_name_ends_like_one() -> None:
    assert is_patch("kubernetes:core/v1:ConfigMapPatch", {"kind": "ConfigMap"})
    assert not is_patch("kubernetes:example.no/v1:EnvoyPatch", {"kind": "EnvoyPatch"})


def test_an_object_without_a_name_gets_a_unique_one_and_says_so() -> None:
    named = with_name({"kind": "ConfigMap"}, {}, "settings")
    assert re.fullmatch(r"settings-[0-9a-f]{8}", named["metadata"]["name"])
    assert named["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}


def test_a_resource_name_that_no_object_can_have_is_not_mended_the_official_plugin_does_not_either() -> None:
    assert unique_name("Settings_Of shop").startswith("Settings_Of shop-")


def test_a_unique_name_is_kept_when_the_program_runs_again() -> None:
    first = with_name({"kind": "ConfigMap"}, {}, "settings")
    assert with_name({"kind": "ConfigMap"}, first, "settings") == first


def test_a_name_that_the_program_gives_is_left_alone() -> None:
    manifest = {"metadata": {"name": "mine"}}
    assert with_name(manifest, {}, "settings") is manifest


def test_a_unique_name_of_a_long_resource_is_still_a_name() -> None:
    assert len(unique_name("x" * 400)) <= 253


@pytest.mark.parametrize(
    ("kind", "path", "new_object"),
    [
        (("v1", "ConfigMap"), ("metadata", "name"), True),
        (("v1", "ConfigMap"), ("metadata", "labels", "a"), False),
        (("v1", "ConfigMap"), ("data", "a"), True),
        (("v1", "Service"), ("spec", "clusterIP"), True),
        (("v1", "Service"), ("spec", "ports", 0, "port"), False),
        (("v1", "Pod"), ("spec", "containers", 0, "command"), True),
        (("v1", "Service"), ("spec", "type"), False),
        (("v1", "Pod"), ("spec", "containers", 0, "image"), True),
        (("v1", "Pod"), ("spec", "tolerations", 0), False),
        (("v1", "PersistentVolumeClaim"), ("spec", "resources", "requests", "storage"), False),
        (("v1", "PersistentVolumeClaim"), ("spec", "storageClassName"), True),
        (("batch/v1", "Job"), ("spec", "parallelism"), True),
        (("apps/v1", "Deployment"), ("spec", "selector", "matchLabels", "a"), True),
        (("apps/v1", "Deployment"), ("spec", "replicas"), False),
        (("rbac.authorization.k8s.io/v1", "RoleBinding"), ("roleRef", "name"), True),
        (("example.no/v1", "ConfigMap"), ("data", "a"), False),
    ],
)
def test_what_needs_a_new_object_is_what_the_official_plugin_says(
    kind: tuple[str, str], path: tuple[str | int, ...], new_object: bool
) -> None:
    manifest = {"apiVersion": kind[0], "kind": kind[1]}
    assert force_new(manifest, path, mutable=NONE) is new_object


def test_config_maps_change_in_place_where_the_provider_allows_it() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap"}
    mutable = settings({"enableConfigMapMutable": "true"}).mutable
    assert not force_new(manifest, ("data", "a"), mutable=mutable)
    assert force_new({**manifest, "immutable": True}, ("data", "a"), mutable=mutable)


def test_another_version_is_the_same_object_but_another_group_is_not() -> None:
    old = {"apiVersion": "apps/v1beta1", "kind": "Deployment"}
    assert not group_changed(old, {"apiVersion": "apps/v1", "kind": "Deployment"})
    assert group_changed(old, {"apiVersion": "extensions/v1", "kind": "Deployment"})


def test_the_old_object_must_go_first_only_where_the_new_one_takes_its_place() -> None:
    old = {"metadata": {"name": "a", "namespace": "shop"}}
    assert same_place(old, {"metadata": {"name": "a", "namespace": "shop"}})
    assert not same_place(old, {"metadata": {"name": "b", "namespace": "shop"}})


def test_nulls_are_not_sent_because_server_side_apply_takes_them_for_values() -> None:
    assert without_nothing({"a": None, "b": [{"c": None}]}) == {"b": [{}]}


def test_only_the_cluster_identifier_decides_whether_it_is_another_cluster() -> None:
    old = {"clusterIdentifier": "oslo", "kubeconfig": "{}"}
    assert other_cluster(old, {"clusterIdentifier": "oslo", "kubeconfig": "changed"}) is None
    assert other_cluster(old, {"clusterIdentifier": "bergen", "kubeconfig": "{}"}) == "clusterIdentifier"


def test_without_an_identifier_the_address_decides() -> None:
    def kubeconfig(server: str, user: str) -> str:
        return (
            "{current-context: c, contexts: [{name: c, context: {cluster: x, user: " + user + "}}], "
            "clusters: [{name: x, cluster: {server: '" + server + "'}}]}"
        )

    old = {"kubeconfig": kubeconfig("https://192.0.2.10:6443", "a")}
    assert other_cluster(old, {"kubeconfig": kubeconfig("https://192.0.2.10:6443", "b")}) is None
    assert other_cluster(old, {"kubeconfig": kubeconfig("https://192.0.2.11:6443", "a")}) == "kubeconfig"


def test_what_the_stand_in_cannot_do_is_refused_and_what_does_not_matter_is_ignored() -> None:
    inputs = {"enableServerSideApply": "false", "renderYamlToDirectory": "out", "suppressHelmHookWarnings": "true"}
    assert sorted(problems(inputs)) == ["enableServerSideApply", "renderYamlToDirectory"]
