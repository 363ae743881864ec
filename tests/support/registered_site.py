"""A real API server with what an environment publishes, and the platform team's folder of registrations."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from components.core.manifests import Manifest
from components.core.untrusted import json_value, yaml_value
from components.kubernetes_api import SERVER_SIDE_APPLY, ApiError, Cluster
from components.residency.model import Residency
from components.stackfile.registered_cluster import CONTRACTS
from components.tenancy.bundle import cluster_manifests, namespace_manifests, registered_namespace
from components.tenancy.registration.administration import administration_manifests
from components.tenancy.registration.contract import contract, contract_definition
from components.tenancy.registration.environment import environment_manifest
from components.tenancy.registration.model import Registration
from tests.support import registrations
from tests.support.api_server import api_server, as_user, controllers
from tests.support.engine import Engine
from tests.support.stacks import ROOT

ADMINISTRATORS = "tenant-administrators"
OSLO = registrations.environment(cni="flannel")  # its objects are Kubernetes' own: no other CRDs are needed
CHANGED = {"prod": {"size": "large"}, "staging": {"size": "small"}}
"""Other sizes of namespaces than a registration has by itself."""


@contextmanager
def registered_site(folder: Path) -> Iterator["Site"]:
    """Start the server, without nodes, with Kubernetes' controllers of namespaces, quotas and accounts."""
    with api_server(folder, {"engineer": ADMINISTRATORS}) as admin, controllers(folder, admin):
        yield Site(folder, admin)


class Site:
    """An empty API server with what the environment publishes, and the platform team's folder."""

    def __init__(self, folder: Path, admin: str) -> None:
        self.admin = Cluster(admin)
        self.engine = Engine(folder / "engine", "a passphrase")
        self.tenants = self.engine.project / "tenants"
        self.tenants.mkdir()
        for name in ("Pulumi.yaml", "__main__.py"):
            (self.tenants / name).write_text((ROOT / "tenants" / name).read_text())
        self.kubeconfig = folder / "engineer.kubeconfig"
        self.kubeconfig.write_text(as_user(admin, "token-engineer"))
        self.engine.environment["KUBECONFIG"] = str(self.kubeconfig)
        residency = Residency.model_validate(registrations.RESIDENCY, by_alias=True, by_name=False)
        facts = OSLO.model_dump(mode="json", by_alias=True)
        for made in (
            contract_definition(),
            *administration_manifests([ADMINISTRATORS]),
            *cluster_manifests(OSLO),
            environment_manifest(facts, residency.model_dump(mode="json", by_alias=True)),
        ):
            path, manager = self.admin.path_of(made), [("fieldManager", "environment")]
            self.admin.request("PATCH", path, made, query=manager, content_type=SERVER_SIDE_APPLY)
        self._until_there()

    def _until_there(self) -> None:
        for _ in range(30):  # a new kind is not there at once
            try:
                self.admin.request("GET", CONTRACTS)
                return
            except ApiError:
                time.sleep(1)
        raise AssertionError("the API server does not serve contracts")

    def write(self, registered: dict[str, Any]) -> None:
        """Write a registration. What the engine wrote into its file, the stack's salt, stays."""
        file = self.tenants / f"Pulumi.{registered['tenant']}.yaml"
        kept = yaml_value(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump({**kept, **yaml_value(registrations.file_text(registered))}, sort_keys=False))


def numbered(number: int) -> dict[str, Any]:
    """Two namespaces and one destination outside of the cluster."""
    tenant = f"agency-{number}"
    call = {**registrations.BUTIKK["egress"][0], "name": tenant, "hosts": [], "networks": ["198.51.100.0/24"]}
    changed = {"domains": [f"{tenant}.example.no"], "registries": [f"registry.example.no/{tenant}/"], "egress": [call]}
    return registrations.data(tenant=tenant, owner={"groups": [f"{tenant}-developers"]}, **changed)


def objects_of(registered: dict[str, Any]) -> list[Manifest]:
    """What the registration makes, in the order in which the component makes it."""
    read = Registration.model_validate(registered, by_alias=True, by_name=False)
    made = []
    for name in read.namespace_names:
        made += [registered_namespace(read, name), contract(read, name, OSLO)]
        made += namespace_manifests(read, name, OSLO)
    plain: list[Manifest] = json_value(json.dumps(made))
    return plain
