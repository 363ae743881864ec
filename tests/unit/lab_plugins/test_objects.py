import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import pytest
from pulumi.provider.experimental import provider as sdk

from lab.plugins.kubernetes.errors import ApiError, UnreachableError, api_error
from lab.plugins.kubernetes.objects import Objects
from lab.plugins.kubernetes.settings import Settings
from lab.plugins.resource_server import DiffRequest, IncompleteError, ResourceError
from lab.plugins.values import UNKNOWN, plain, plain_map, wrap_map
from tests.unit.lab_plugins.fake_cluster import FakeCluster

T = TypeVar("T")
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"a": "1"},
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login", "namespace": "shop"},
    "stringData": {"password": "hunter2hunter2"},
}


def _urn(manifest: dict[str, Any], suffix: str = "") -> str:
    version = manifest["apiVersion"]
    group = version if "/" in version else f"core/{version}"
    return f"urn:pulumi:lab::p::kubernetes:{group}:{manifest['kind']}{suffix}::settings"


class Life:
    """One resource, driven as the engine drives it."""

    def __init__(self, cluster: FakeCluster, settings: Settings | None = None) -> None:
        self.cluster = cluster
        self.stopped = asyncio.Event()
        self.objects = Objects(cluster, settings or Settings(), self.stopped)  # type: ignore[arg-type]

    def check(self, new: dict[str, Any], old: dict[str, Any] | None = None, suffix: str = "") -> sdk.CheckResponse:
        request = sdk.CheckRequest(_urn(new, suffix), wrap_map(old or {}), wrap_map(new), b"")
        return _run(self.objects.check(request))

    def create(self, inputs: dict[str, Any], *, preview: bool = False, suffix: str = "", timeout: float = 0) -> Any:
        request = sdk.CreateRequest(_urn(inputs, suffix), wrap_map(inputs), timeout, preview)
        return _run(self.objects.create(request))

    def update(self, state: Any, inputs: dict[str, Any], *, preview: bool = False) -> Any:
        request = sdk.UpdateRequest(_urn(inputs), "id", state, wrap_map(inputs), 0, [], preview)
        return _run(self.objects.update(request))

    def diff(self, old: dict[str, Any], new: dict[str, Any], suffix: str = "") -> sdk.DiffResponse:
        request = DiffRequest(_urn(new, suffix), "id", wrap_map(old), wrap_map(new), [])
        request.old_inputs = wrap_map(old)
        return _run(self.objects.diff(request))

    def read(self, resource_id: str, state: Any, inputs: dict[str, Any]) -> sdk.ReadResponse:
        request = sdk.ReadRequest(_urn(inputs or CONFIG_MAP), resource_id, state, wrap_map(inputs))
        return _run(self.objects.read(request))

    def delete(self, state: Any, manifest: dict[str, Any], suffix: str = "", timeout: float = 0) -> None:
        _run(self.objects.delete(sdk.DeleteRequest(_urn(manifest, suffix), "id", state, timeout)))


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def life() -> Life:
    return Life(FakeCluster())


def test_an_object_without_a_namespace_gets_the_providers() -> None:
    life = Life(FakeCluster(), Settings(namespace="shop"))
    checked = life.check({**CONFIG_MAP, "metadata": {"name": "a"}})
    assert plain_map(checked.inputs or {})["metadata"]["namespace"] == "shop"


def test_a_cluster_wide_object_gets_no_namespace(life: Life) -> None:
    checked = life.check({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert plain_map(checked.inputs or {})["metadata"] == {"name": "shop"}


def test_a_kind_that_is_yet_to_be_defined_can_be_checked(life: Life) -> None:
    widget = {"apiVersion": "example.no/v1", "kind": "Widget", "metadata": {"name": "w"}}
    assert plain_map(life.check(widget).inputs or {})["metadata"]["namespace"] == "default"


def test_the_state_has_what_the_official_plugin_compares_with_when_it_takes_over(life: Life) -> None:
    created = life.create({**CONFIG_MAP, "immutable": None})
    assert plain(created.properties["__inputs"]) == CONFIG_MAP
    assert plain(created.properties["__initialApiVersion"]) == "v1"
    secret = life.create(SECRET).properties["__inputs"].value
    assert isinstance(secret, Mapping)
    assert secret["stringData"].is_secret
    changed = {**CONFIG_MAP, "data": {"a": "2"}}
    assert plain(life.update(created.properties, changed).properties["__inputs"]) == changed


def test_what_a_secret_holds_is_secret_even_if_the_program_did_not_say_so(life: Life) -> None:
    checked = life.check(SECRET)
    assert (checked.inputs or {})["stringData"].is_secret
    created = life.create(SECRET)
    assert created.properties["stringData"].is_secret


def test_a_patch_must_name_what_it_patches(life: Life) -> None:
    checked = life.check({"apiVersion": "v1", "kind": "ConfigMap"}, suffix="Patch")
    assert [failure.property for failure in checked.failures or []] == ["metadata.name"]


def test_an_unreachable_cluster_is_an_error_before_anything_is_called_unchanged(life: Life) -> None:
    life.cluster.unreachable = True
    with pytest.raises(UnreachableError):
        life.check(CONFIG_MAP)


def test_unchanged_inputs_cost_no_request(life: Life) -> None:
    assert life.diff(CONFIG_MAP, CONFIG_MAP).changes is False
    assert life.cluster.requests == 0


def test_a_changed_label_is_an_update_and_a_changed_name_a_replacement(life: Life) -> None:
    labelled = {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "labels": {"a": "b"}}}  # type: ignore[dict-item]
    assert life.diff(CONFIG_MAP, labelled).replaces == []
    renamed = {**CONFIG_MAP, "metadata": {"name": "other", "namespace": "shop"}}
    answer = life.diff(CONFIG_MAP, renamed)
    assert answer.replaces == ["metadata.name"]
    assert answer.delete_before_replace is False


def test_a_replacement_of_the_same_name_deletes_the_old_object_first(life: Life) -> None:
    answer = life.diff(CONFIG_MAP, {**CONFIG_MAP, "data": {"a": "2"}})
    assert answer.replaces == ["data.a"]
    assert answer.delete_before_replace is True


def test_the_preview_of_a_replacement_does_not_stumble_over_the_old_object(life: Life) -> None:
    life.create(CONFIG_MAP)
    changed = {**CONFIG_MAP, "data": {"a": "2"}}
    life.diff(CONFIG_MAP, changed)
    assert plain_map(life.create(changed, preview=True).properties)["data"] == {"a": "2"}


def test_what_only_the_server_calls_immutable_is_an_error_at_preview_as_with_the_official_plugin(life: Life) -> None:
    created = life.create(CONFIG_MAP)
    changed = {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "labels": {"a": "b"}}}  # type: ignore[dict-item]
    life.cluster.refusal = ApiError(422, "Invalid", "Invalid value: field is immutable", [])
    assert life.diff(CONFIG_MAP, changed).replaces == []
    with pytest.raises(ResourceError, match="field is immutable"):
        life.update(created.properties, changed, preview=True)


def test_an_unknown_value_is_a_change_that_asks_the_cluster_nothing(life: Life) -> None:
    new = {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "labels": {"a": UNKNOWN}}}  # type: ignore[dict-item]
    assert life.diff(CONFIG_MAP, new).changes is True
    assert life.cluster.requests == 0


def test_an_object_that_exists_already_is_not_taken_over(life: Life) -> None:
    life.create(CONFIG_MAP)
    for preview in (True, False):
        with pytest.raises(ResourceError, match=r"ConfigMap shop/settings: already exists.*ConfigMapPatch"):
            life.create(CONFIG_MAP, preview=preview)


def test_a_preview_asks_for_a_dry_run_and_knows_what_only_the_real_object_has(life: Life) -> None:
    foretold = life.create(CONFIG_MAP, preview=True)
    assert life.cluster.objects == {}
    assert [dry_run for _, _, _, dry_run in life.cluster.applied] == [True]
    assert plain_map(foretold.properties)["metadata"]["uid"] == UNKNOWN
    assert plain(foretold.properties["status"]) == UNKNOWN


@pytest.mark.parametrize(
    "manifest",
    [
        {**CONFIG_MAP, "metadata": {"name": "a", "namespace": "not-yet"}},
        {**CONFIG_MAP, "apiVersion": "example.no/v1"},
        {**CONFIG_MAP, "data": {"a": UNKNOWN}},
    ],
    ids=["namespace yet to be made", "kind yet to be defined", "unknown value"],
)
def test_a_preview_falls_back_to_the_inputs_where_the_cluster_cannot_be_asked(
    life: Life, manifest: dict[str, Any]
) -> None:
    foretold = plain_map(life.create(manifest, preview=True).properties)
    assert foretold["data"] == manifest["data"]


def test_a_missing_namespace_is_an_error_when_it_counts(life: Life) -> None:
    with pytest.raises(ResourceError, match="not found"):
        life.create({**CONFIG_MAP, "metadata": {"name": "a", "namespace": "not-yet"}})


def test_every_object_keeps_its_own_field_manager(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    life.update(state, CONFIG_MAP)
    (_, first, _, _), (_, second, _, _) = life.cluster.applied
    assert first == second
    assert first.startswith("pulumi-kubernetes-")


def test_fields_of_others_are_taken_only_where_the_program_says_so(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    forced = {"name": "settings", "namespace": "shop", "annotations": {"pulumi.com/patchForce": "true"}}
    life.update(state, {**CONFIG_MAP, "metadata": forced})
    assert [force for _, _, force, _ in life.cluster.applied] == [False, True]


def test_a_conflict_names_the_owner_the_field_and_the_remedy(life: Life) -> None:
    body = (
        b'{"message": "Apply failed with 1 conflict", "reason": "Conflict", "details": {"causes": [{"reason": '
        b'"FieldManagerConflict", "field": ".data.a", "message": "conflict with \\"kubectl-edit\\" using v1"}]}}'
    )
    state = life.create(CONFIG_MAP).properties
    life.cluster.refusal = api_error(409, body)
    with pytest.raises(ResourceError, match=r'"kubectl-edit" using v1 owns data.a.*patchForce'):
        life.update(state, CONFIG_MAP)


def test_an_error_about_a_secret_does_not_repeat_it(life: Life) -> None:
    life.cluster.refusal = ApiError(422, "Invalid", 'Invalid value: "hunter2hunter2"', [])
    inputs = life.check(SECRET).inputs or {}
    with pytest.raises(ResourceError) as caught:
        _run(life.objects.create(sdk.CreateRequest(_urn(SECRET), inputs, 0, False)))
    assert "hunter2" not in str(caught.value)


def test_managed_fields_are_not_kept_in_the_state(life: Life) -> None:
    state = plain_map(life.create(CONFIG_MAP).properties)
    assert "managedFields" not in state["metadata"]
    assert state["metadata"]["uid"]


def test_an_object_that_does_not_become_ready_is_recorded_with_the_reason(life: Life) -> None:
    deployment = {**CONFIG_MAP, "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}
    with pytest.raises(IncompleteError) as caught:
        life.create(deployment, timeout=0.1)
    assert caught.value.resource_id == "shop/settings"
    assert "not ready after" in caught.value.reasons[0]
    assert plain_map(caught.value.outputs)["metadata"]["uid"]


def test_an_interrupted_wait_ends_at_once(life: Life) -> None:
    life.stopped.set()
    deployment = {**CONFIG_MAP, "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}
    with pytest.raises(IncompleteError, match="interrupted"):
        life.create(deployment)


def test_a_refresh_sees_drift_in_what_the_program_set(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    (live,) = life.cluster.objects.values()
    live["data"] = {"a": "by hand", "b": "of others"}
    assert plain_map(life.read("shop/settings", state, CONFIG_MAP).inputs)["data"] == {"a": "by hand"}


def test_a_refresh_of_what_did_not_change_changes_nothing(life: Life) -> None:
    state = life.create(SECRET).properties
    answer = life.read("shop/login", state, SECRET)
    assert plain_map(answer.inputs) == SECRET
    assert answer.inputs["stringData"].is_secret


def test_a_refresh_of_what_is_gone_says_that_it_is_gone(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    life.cluster.objects.clear()
    assert life.read("shop/settings", state, CONFIG_MAP).resource_id is None


def test_an_import_knows_only_type_and_id(life: Life) -> None:
    life.create(CONFIG_MAP)
    answer = life.read("shop/settings", {}, {})
    assert answer.resource_id == "shop/settings"
    assert plain_map(answer.inputs) == CONFIG_MAP


def test_a_deletion_waits_until_the_object_is_gone(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    life.cluster.lingers = 2
    life.delete(state, CONFIG_MAP)
    assert life.cluster.objects == {}


def test_a_deletion_that_a_finalizer_holds_up_names_it(life: Life) -> None:
    held = {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "finalizers": ["example.no/hold"]}}  # type: ignore[dict-item]
    state = life.create(held).properties
    life.cluster.lingers = 1000
    with pytest.raises(ResourceError, match="finalizers example"):
        life.delete(state, held, timeout=0.1)


def test_deleting_what_is_gone_is_fine(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    life.cluster.objects.clear()
    life.delete(state, CONFIG_MAP)


def test_another_object_of_the_same_name_is_not_deleted(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    (live,) = life.cluster.objects.values()
    live["metadata"] = {**live["metadata"], "uid": "another's"}
    life.delete(state, CONFIG_MAP)
    assert life.cluster.objects


def test_deleting_in_an_unreachable_cluster_is_an_error_unless_the_provider_allows_it(life: Life) -> None:
    state = life.create(CONFIG_MAP).properties
    life.cluster.unreachable = True
    with pytest.raises(UnreachableError):
        life.delete(state, CONFIG_MAP)
    Life(life.cluster, Settings(delete_unreachable=True)).delete(state, CONFIG_MAP)


def test_a_deleted_patch_gives_up_its_fields_and_leaves_the_object(life: Life) -> None:
    state = life.create(CONFIG_MAP, suffix="Patch").properties
    life.delete(state, CONFIG_MAP, suffix="Patch")
    manifest, manager, _, _ = life.cluster.applied[-1]
    assert manifest == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    assert manager == life.cluster.applied[0][1]
    assert life.cluster.objects
