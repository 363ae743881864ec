"""A new agency: from nothing to a canary behind HTTPS, with one registration, one template and two updates.

The platform team has the rights of an administrator of tenants, the agency those of its CI; neither has a secret of the
environment.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.layout import CHECKOUT, REGISTRY_NAME
from lab.processes import wait_until
from lab.proof.binomial import SIGNIFICANCE, binomial_p
from lab.proof.gateway import gateway_address, until_served
from lab.verify import images, load_spec
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

TENANT, HOST = "nyetat", "nyetat.example.no"
_PLATFORM = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "KUBECONFIG")
_ADMINISTRATOR = "vds-platform-tenant-administrator"
_RBAC = "rbac.authorization.k8s.io"
_REQUESTS = 400
_PERCENT = 10


class Desk:
    """A folder with a kubeconfig and a state of its own."""

    def __init__(self, lab: Lab, folder: Path, kubeconfig: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "state").mkdir()
        key = folder / "own.kubeconfig"
        key.write_text(kubeconfig)
        kept = {name: value for name, value in lab.deployment.environment().items() if name not in _PLATFORM}
        self.environment = {
            **kept,
            "PYTHONPATH": str(CHECKOUT),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "its own",
            "KUBECONFIG": str(key),
        }

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """What a program prints that may not fail."""
        done = subprocess.run(
            words,
            cwd=cwd or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def vds(self, *words: str) -> str:
        return self.run(sys.executable, "-m", "vds", "tenant", *words)


def with_token(lab: Lab, token: str) -> str:
    made = yaml.safe_load(lab.layout.kubeconfig.read_text())
    made["users"][0]["user"] = {"token": token}
    return json.dumps(made)


@pytest.fixture
def platform_team(lab: Lab, tmp_path: Path) -> Iterator[Desk]:
    """An account with the ClusterRole of administrators of tenants, and the project in a copy."""
    account = {"kind": "ServiceAccount", "name": "registers", "namespace": "default"}
    for binding, kind, namespace in (
        ("clusterrolebindings", "ClusterRole", ""),
        ("rolebindings", "Role", "namespaces/kube-system/"),
    ):
        path = f"/apis/{_RBAC}/v1/{namespace}{binding}"
        bound = {"apiGroup": _RBAC, "kind": kind, "name": _ADMINISTRATOR}
        lab.cluster.request("POST", path, {"metadata": {"name": "registers"}, "roleRef": bound, "subjects": [account]})
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    lab.cluster.request("POST", accounts, {"metadata": {"name": "registers"}})
    answer = lab.cluster.request("POST", f"{accounts}/registers/token", {"spec": {"expirationSeconds": 3600}})
    desk = Desk(lab, tmp_path / "platform-team", with_token(lab, str(answer["status"]["token"])))
    for name in ("Pulumi.yaml", "__main__.py"):
        (desk.folder / "tenants").mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / "tenants" / name, desk.folder / "tenants" / name)
    (desk.folder / ".venv").symlink_to(sys.prefix)
    (desk.folder / "policies").symlink_to(CHECKOUT / "policies")
    try:
        yield desk
    finally:
        for namespace in (f"{TENANT}-prod", f"{TENANT}-staging"):
            remove(lab, f"/api/v1/namespaces/{namespace}")
        remove(lab, f"/apis/{_RBAC}/v1/clusterrolebindings/registers")
        remove(lab, f"/apis/{_RBAC}/v1/namespaces/kube-system/rolebindings/registers")
        remove(lab, f"{accounts}/registers")


def remove(lab: Lab, path: str) -> None:
    """Delete an object and wait until it is gone; nothing if it never was."""
    from components.kubernetes_api import ApiError, get

    if get(lab.cluster, path) is None:
        return
    try:
        lab.cluster.request("DELETE", path)
    except ApiError as error:
        if error.status != 404:
            raise
    wait_until(lambda: get(lab.cluster, path) is None, 120, lambda: f"{path} is still there")


def test_a_new_agency_goes_from_nothing_to_a_canary_behind_https(lab: Lab, platform_team: Desk, tmp_path: Path) -> None:
    found = images(lab.layout)
    project = tmp_path / "agency-project"
    platform_team.vds(
        *("new", TENANT, "--environment", "lab", "--group", "nyetat-developers", "--domain", HOST),
        *("--registry", f"{REGISTRY_NAME}/e2e/", "--namespace", "prod=small", "--namespace", "staging=small"),
        *("--agency", str(project), "--language", "python", "--repository", "https://git.example.no/vds-platform.git"),
    )
    platform_team.vds("up", TENANT)
    key = platform_team.vds("kubeconfig", TENANT, "--for", "ci", "--namespace", f"{TENANT}-prod")

    agency = Desk(lab, tmp_path / "agency", key)
    (project / ".venv").symlink_to(sys.prefix)
    (project / "Pulumi.yaml").write_text(
        f"name: {TENANT}\nruntime: {{ name: python, options: {{ virtualenv: .venv }} }}\n"
    )
    image = found["e2e/echo-basic"]
    app: dict[str, Any] = {
        "namespace": f"{TENANT}-prod",
        "image": image,
        "port": 8080,
        "replicas": 1,
        "user": 65534,
        "cpu": "10m",
        "memory": "64Mi",
        "disk": "16Mi",
        "env": {"HTTP_PORT": "8080", "POD_NAME": "app-0-0"},
        "canary": {"image": image, "env": {"POD_NAME": "app-canary-0-0"}},
    }
    site = {"namespace": f"{TENANT}-prod", "hostnames": [HOST], "app": "app", "canary": {"percent": _PERCENT}}
    settings = {f"{TENANT}:apps": {"app": app}, f"{TENANT}:routes": {"site": site}}
    (project / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": settings}))
    agency.run("pulumi", "stack", "init", "prod", "--no-select", cwd=project)
    agency.run("pulumi", "up", "--stack", "prod", "--yes", "--non-interactive", cwd=project)

    question = {
        "ask": "split",
        "address": gateway_address(lab.cluster, load_spec(lab.layout)),
        "port": 443,
        "hostname": HOST,
        "path": "/",
        "authority": str(lab.layout.authority),
    }
    answer = until_served(question, {"app", "app-canary"}, _REQUESTS)
    assert not answer["failures"]
    assert binomial_p(answer["counts"]["app-canary"], _REQUESTS, _PERCENT / 100) > SIGNIFICANCE
