import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.provider.experimental import provider as sdk

from lab.plugins.kubernetes.helm import flags
from lab.plugins.kubernetes.releases import Releases
from lab.plugins.kubernetes.settings import Settings
from lab.plugins.resource_server import IncompleteError, ResourceError
from lab.plugins.values import UNKNOWN, plain, plain_map, wrap, wrap_map

URN = "urn:pulumi:lab::p::kubernetes:helm.sh/v3:Release::metallb"
RELEASE = {
    "name": "metallb",
    "namespace": "metallb-system",
    "version": 1,
    "config": {"a": 1},
    "info": {"status": "deployed"},
    "chart": {"metadata": {"name": "metallb", "version": "0.16.1", "appVersion": "v0.16.1"}},
    "manifest": "kind: ConfigMap\napiVersion: v1\nmetadata: {name: c, namespace: metallb-system}\n",
}
INPUTS = {"name": "metallb", "namespace": "metallb-system", "chart": "metallb", "values": {"a": 1}}


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A helm that notes how it was called, and answers what the test puts into `answer` and `status`."""
    program = tmp_path / "helm"
    program.write_text(
        '#!/bin/sh\nd=$(dirname "$0")\necho "$@" >> "$d/arguments"\n'
        '[ -z "$KUBECONFIG" ] || cp "$KUBECONFIG" "$d/kubeconfig"\n'
        'if [ "$1" = status ]; then cat "$d/status" 2>/dev/null || { echo "Error: release: not found" >&2; exit 1; }\n'
        'elif [ "$1 $2" = "repo add" ]; then cat > "$d/password"\n'
        'else cat > "$d/values"; [ ! -e "$d/error" ] || { cat "$d/error" >&2; exit 1; }; cat "$d/answer"; fi\n'
    )
    program.chmod(0o755)
    (tmp_path / "answer").write_text(json.dumps(RELEASE))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def _releases(kubeconfig: str | None = None) -> Releases:
    return Releases(Settings(kubeconfig=kubeconfig))


def _create(inputs: dict[str, Any], *, preview: bool = False, kubeconfig: str | None = None) -> Any:
    request = sdk.CreateRequest(URN, wrap_map(inputs), 0, preview)
    return asyncio.run(_releases(kubeconfig).create(request))


def test_a_release_is_installed_with_its_values_on_standard_input(helm: Path) -> None:
    created = _create(INPUTS)
    assert created.resource_id == "metallb-system/metallb"
    assert yaml.safe_load((helm / "values").read_text()) == {"a": 1}
    status = plain(created.properties["status"])
    assert (status["status"], status["revision"], status["version"]) == ("deployed", 1, "0.16.1")
    assert plain(created.properties["resourceNames"]) == {"ConfigMap/v1": ["metallb-system/c"]}


def test_no_secret_is_among_helms_arguments(helm: Path) -> None:
    repository = {"repo": "https://charts.example.no", "username": "u", "password": "hunter2hunter2"}
    _create({**INPUTS, "repositoryOpts": repository, "values": {"key": "topsecret"}}, kubeconfig="{users: [hush]}")
    arguments = (helm / "arguments").read_text()
    assert not any(secret in arguments for secret in ("hunter2hunter2", "topsecret", "hush"))
    assert (helm / "password").read_text() == "hunter2hunter2"
    assert (helm / "kubeconfig").read_text() == "{users: [hush]}"


def test_a_preview_does_not_call_helm(helm: Path) -> None:
    foretold = _create(INPUTS, preview=True)
    assert plain(foretold.properties["status"]) == UNKNOWN
    assert not (helm / "arguments").exists()


def test_a_failed_release_that_left_something_behind_is_recorded(helm: Path) -> None:
    (helm / "error").write_text("Error: INSTALLATION FAILED: timed out\n")
    (helm / "status").write_text(json.dumps({**RELEASE, "info": {"status": "failed"}}))
    with pytest.raises(IncompleteError, match="Release metallb-system/metallb: INSTALLATION FAILED: timed out"):
        _create(INPUTS)


def test_a_failed_release_that_left_nothing_is_an_error(helm: Path) -> None:
    (helm / "error").write_text("Error: chart not found\n")
    with pytest.raises(ResourceError, match="chart not found"):
        _create(INPUTS)


def test_a_refresh_sees_a_release_that_is_gone(helm: Path) -> None:
    request = sdk.ReadRequest(URN, "metallb-system/metallb", {}, wrap_map(INPUTS))
    assert asyncio.run(_releases().read(request)).resource_id is None


def test_a_refresh_sees_values_that_others_set(helm: Path) -> None:
    (helm / "status").write_text(json.dumps({**RELEASE, "config": {"a": 2}}))
    request = sdk.ReadRequest(URN, "metallb-system/metallb", {}, wrap_map(INPUTS))
    assert plain_map(asyncio.run(_releases().read(request)).inputs)["values"] == {"a": 2}


def test_uninstalling_what_is_gone_is_fine(helm: Path) -> None:
    (helm / "error").write_text("Error: uninstall: Release not loaded: metallb: release: not found\n")
    request = sdk.DeleteRequest(URN, "metallb-system/metallb", wrap_map(INPUTS), 0)
    asyncio.run(_releases().delete(request))
    assert "uninstall metallb -n metallb-system" in (helm / "arguments").read_text()


def test_a_release_without_helm_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ResourceError, match="helm is not on the PATH"):
        _create(INPUTS)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, ["--wait"]),
        ({"skipAwait": True}, []),
        ({"atomic": True}, ["--atomic"]),
        ({"version": "0.16.1", "skipAwait": True}, ["--version", "0.16.1"]),
        ({"createNamespace": True, "skipCrds": True, "skipAwait": True}, ["--create-namespace", "--skip-crds"]),
    ],
)
def test_inputs_of_a_release_are_flags_of_helm(inputs: dict[str, Any], expected: list[str]) -> None:
    assert flags("install", inputs) == expected


def test_a_release_without_a_name_keeps_the_one_it_got() -> None:
    request = sdk.CheckRequest(URN, {"name": wrap("metallb-12345678")}, {"chart": wrap("metallb")}, b"")
    checked = asyncio.run(_releases().check(request))
    assert plain_map(checked.inputs or {})["name"] == "metallb-12345678"
