"""Registrations on a real API server, by the real engine, with the rights of an administrator of tenants."""

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError, Cluster, get
from components.residency.model import Residency
from components.stackfile.registered_cluster import CONTRACTS
from components.tenancy.bundle import cluster_manifests
from components.tenancy.registration.administration import administration_manifests
from components.tenancy.registration.contract import contract_definition
from components.tenancy.registration.environment import environment_manifest
from lab.processes import wait_until
from tests.support import registrations
from tests.support.api_server import api_server, as_user, controllers
from tests.support.commands import Result, vds
from tests.support.engine import Engine
from tests.support.registrations import data, environment, file_text
from tests.support.stacks import ROOT

pytestmark = pytest.mark.lab

USERS = {"engineer": "tenant-administrators", "developer": "butikk-developers", "stranger": "bank-developers"}
ENVIRONMENT = environment(cni="flannel")  # its objects are Kubernetes' own: this API server has no other CRDs
PROD = "/api/v1/namespaces/butikk-prod"


class Site:
    """The platform team's folder, and the API server."""

    def __init__(self, folder: Path, admin: str) -> None:
        self.admin = Cluster(admin)
        self.kubeconfig = admin
        self.engine = Engine(folder / "engine", "passphrase")
        self.tenants = self.engine.project / "tenants"
        self.tenants.mkdir()
        for name in ("Pulumi.yaml", "__main__.py"):
            (self.tenants / name).write_text((ROOT / "tenants" / name).read_text())
        self.as_engineer = folder / "engineer.kubeconfig"
        self.as_engineer.write_text(as_user(admin, "token-engineer"))
        residency = Residency.model_validate(registrations.RESIDENCY, by_alias=True, by_name=False)
        facts = ENVIRONMENT.model_dump(mode="json", by_alias=True)
        for made in (
            contract_definition(),
            *administration_manifests(["tenant-administrators"]),
            *cluster_manifests(ENVIRONMENT),
            environment_manifest(facts, residency.model_dump(mode="json", by_alias=True)),
        ):
            path = self.admin.path_of(made)
            self.admin.request(
                "PATCH", path, made, query=[("fieldManager", "environment")], content_type=SERVER_SIDE_APPLY
            )

        # A new kind is not there at once.
        wait_until(lambda: get(self.admin, CONTRACTS) is not None, 60, lambda: "the API server has no contracts")

    def of(self, user: str) -> Cluster:
        return Cluster(as_user(self.kubeconfig, f"token-{user}"))

    def vds(self, *words: str) -> Result:
        """A command as the engineer types it, in the project's folder."""
        here = Path.cwd()
        os.chdir(self.engine.project)
        try:
            with mock.patch.dict(os.environ, {**self.engine.environment, "KUBECONFIG": str(self.as_engineer)}):
                return vds("tenant", *words)
        finally:
            os.chdir(here)

    def register(self, **changes: Any) -> None:
        by_address = {**registrations.BUTIKK["egress"][0], "hosts": [], "networks": ["198.51.100.0/24"]}
        registered = data(**{"egress": [by_address], **changes})
        (self.tenants / f"Pulumi.{registered['tenant']}.yaml").write_text(file_text(registered))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("registered")
    with api_server(folder, USERS) as kubeconfig, controllers(folder, kubeconfig):
        made = Site(folder, kubeconfig)
        made.register()
        done = made.vds("up", "butikk")
        assert done.exit_code == 0, done.stderr
        yield made


def test_a_registration_makes_its_namespaces_with_a_contract(site: Site) -> None:
    for namespace, size in (("butikk-prod", "medium"), ("butikk-staging", "small")):
        found = site.admin.request("GET", f"/apis/vds-platform.no/v1/namespaces/{namespace}/contracts/contract")
        assert found["spec"]["size"] == size
        assert found["spec"]["gateway"]["address"] == "192.0.2.200"
        policies = site.admin.request("GET", f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")
        assert "default-deny" in {one["metadata"]["name"] for one in policies["items"]}
    listed = site.vds("list", "--json")
    (row,) = json.loads(listed.stdout)
    assert (row["tenant"], row["state"]) == ("butikk", "registered")


def test_the_owner_works_in_the_namespaces_and_a_stranger_does_not(site: Site) -> None:
    path = f"{PROD}/configmaps"
    assert site.of("developer").request("GET", path)["items"] is not None
    for user, refused in (("stranger", path), ("developer", "/api/v1/namespaces/kube-system/configmaps")):
        with pytest.raises(ApiError) as caught:
            site.of(user).request("GET", refused)
        assert caught.value.status == 403


def test_an_administrator_of_tenants_writes_in_registered_namespaces_only(site: Site) -> None:
    engineer = site.of("engineer")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "all"}}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}}
    attempts: list[tuple[str, str, Any]] = [
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles", {**role, "rules": rules}),
        ("POST", "/api/v1/namespaces", namespace),
        ("DELETE", "/api/v1/namespaces/default", None),
        ("PATCH", "/api/v1/namespaces/default", {"metadata": {"labels": {"vds-platform.no/registered": "true"}}}),
        ("PATCH", "/api/v1/namespaces/butikk-prod", {"metadata": {"labels": {"vds-platform.no/registered": None}}}),
        ("POST", "/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "x"}}),
        ("POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", {"spec": {}}),
        ("GET", "/api/v1/namespaces/kube-system/secrets", None),
        ("GET", f"{PROD}/secrets", None),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {**role, "kind": "ClusterRole", "rules": rules}),
    ]
    for method, path, body in attempts:
        with pytest.raises(ApiError) as caught:
            engineer.request(method, path, body)
        assert caught.value.status == 403, f"{method} {path}: {caught.value}"


def test_a_token_for_ci_ends_and_works_in_one_namespace(site: Site) -> None:
    done = site.vds("kubeconfig", "butikk", "--for", "ci", "--namespace", "butikk-prod", "--minutes", "10")
    assert done.exit_code == 0, done.stderr
    ci = Cluster(done.stdout)
    assert ci.request("GET", f"{PROD}/configmaps")["items"] is not None
    with pytest.raises(ApiError):
        ci.request("GET", "/api/v1/namespaces/butikk-staging/configmaps")
    token = yaml.safe_load(done.stdout)["users"][0]["user"]["token"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = site.admin.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    assert status["user"]["username"] == "system:serviceaccount:butikk-prod:ci"


def test_a_kubeconfig_for_people_has_no_secret(site: Site) -> None:
    done = site.vds("kubeconfig", "butikk", "--oidc-issuer", "https://id.example.no")
    made = yaml.safe_load(done.stdout)
    assert made["users"][0]["user"]["exec"]["args"][:2] == ["oidc-login", "get-token"]
    assert "engineer" not in done.stdout
    assert [one["context"]["namespace"] for one in made["contexts"]] == ["butikk-prod", "butikk-staging"]


def test_a_host_name_of_another_tenant_is_refused_by_the_cluster_alone(site: Site) -> None:
    """The file of butikk is not in this checkout: its contract in the cluster says what it has."""
    own = site.tenants / "Pulumi.butikk.yaml"
    text = own.read_text()
    own.unlink()
    try:
        site.register(
            tenant="bank", domains=["api.butikk.example.no"], egress=[], registries=["registry.example.no/bank/"]
        )
        done = site.vds("up", "bank")
    finally:
        own.write_text(text)
        (site.tenants / "Pulumi.bank.yaml").unlink()
    assert done.exit_code == 1
    assert "api.butikk.example.no belongs to tenant 'butikk' too" in done.stderr
    assert get(site.admin, "/api/v1/namespaces/bank-prod") is None


def test_one_that_fails_stops_no_other_and_the_next_run_continues(site: Site) -> None:
    site.register(tenant="bank", domains=["bank.example.no"], egress=[])
    site.register(tenant="skole", domains=["skole.example.com"], egress=[])
    done = site.vds("up", "--all", "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 1
    assert said["updated"] == ["bank", "butikk"]
    assert "no listener of the gateway takes skole.example.com" in said["failed"]["skole"]
    assert "[3/3]" in done.stderr
    site.register(tenant="skole", domains=["skole.example.no"], egress=[])
    said = json.loads(site.vds("up", "--all", "--resume", "--json").stdout)
    assert (said["updated"], said["skipped"], said["failed"]) == (["skole"], ["bank", "butikk"], {})


def test_a_namespace_leaves_by_its_name_and_never_with_its_registration(site: Site) -> None:
    """Removed from the file, renamed, destroyed: refused. Suspended, exported and deleted by name: gone."""
    site.register(tenant="kart", namespaces={"prod": {"size": "small"}}, domains=["kart.example.no"], egress=[])
    assert site.vds("up", "kart").exit_code == 0
    place = "/api/v1/namespaces/kart-prod"
    site.admin.request("POST", f"{place}/configmaps", {"metadata": {"name": "kept"}, "data": {"a": "1"}})
    site.register(tenant="kart", namespaces={"live": {"size": "small"}}, domains=["kart.example.no"], egress=[])
    renamed = site.vds("up", "kart")
    assert renamed.exit_code == 1
    assert "run `vds tenant retire kart --namespace kart-prod` first" in renamed.stderr
    words = ("destroy", "--stack", "kart", "--yes", "--skip-preview", "--cwd", str(site.tenants))
    with mock.patch.dict(site.engine.environment, {"KUBECONFIG": str(site.as_engineer)}):
        destroyed = site.engine.run(*words)
    assert destroyed.returncode != 0
    policies = "/apis/networking.k8s.io/v1/namespaces/kart-prod/networkpolicies/default-deny"
    assert get(site.admin, policies), "nothing that isolates it is gone either"
    assert "was not exported" in site.vds("retire", "kart", "--delete", "kart-prod").stderr
    export = site.engine.folder / "export"
    exported = site.vds("retire", "kart", "--namespace", "kart-prod", "--export", str(export), "--json")
    assert exported.exit_code == 0, exported.stderr
    (said,) = json.loads(exported.stdout)
    assert (said["namespace"], said["folder"], said["volumes"]) == ("kart-prod", str(export / "kart-prod"), [])
    assert said["exported"] == sum(len(list(yaml.safe_load_all(file.read_text()))) for file in export.rglob("*.yaml"))
    kept = list(yaml.safe_load_all((export / "kart-prod" / "configmaps.v1.yaml").read_text()))
    assert {"a": "1"} in [one.get("data") for one in kept]
    assert (export / "kart-prod" / "configmaps.v1.yaml").stat().st_mode & 0o077 == 0
    gone = site.vds("retire", "kart", "--delete", "kart-prod", "--json")
    assert gone.exit_code == 0, gone.stderr
    assert json.loads(gone.stdout) == [{"namespace": "kart-prod", "deleted": True}]
    wait_until(lambda: get(site.admin, place) is None, 120, lambda: f"{place} is still there")
    resources = json.loads(site.engine.must("stack", "export", "--stack", "kart", "--cwd", str(site.tenants)))
    assert not [one for one in resources["deployment"]["resources"] if "kart-prod" in json.dumps(one.get("inputs"))]
