"""`vds tenant up` with the real engine, a real API server and a policy pack of the test's own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.core import labels
from components.kubernetes_api import list_items
from tests.support.registered_site import CHANGED, Site, numbered, registered_site

_PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, StackValidationPolicy

def refuse(args, report):
    for one in args.resources:
        name = one.name
        if one.resource_type == "kubernetes:core/v1:ResourceQuota" and "agency-1-" in name:
            report(f"{name} belongs to a tenant that the pack refuses")
        if one.resource_type == "vds-platform:index:Residency" and len(args.resources) < 5:
            report("the pack was shown a part of the stack")

policy = StackValidationPolicy("refused", "One tenant is refused.", refuse, EnforcementLevel.MANDATORY)
PolicyPack("own", [policy], EnforcementLevel.MANDATORY)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with registered_site(tmp_path) as made:
        pack = made.engine.project / "own"
        pack.mkdir()
        (pack / "PulumiPolicy.yaml").write_text("version: 1.0.0\nruntime: python\n")
        (pack / "__main__.py").write_text(_PACK)
        yield made


def up(site: Site, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "vds", "tenant", "up", "--json", "--policy-pack", "own", *words]
    done = subprocess.run(
        command, cwd=site.engine.project, env=site.engine.environment, capture_output=True, text=True, timeout=300
    )
    return done.returncode, json.loads(done.stdout)


def state(site: Site, tenant: str) -> Path:
    """The file of a stack's newest state."""
    return site.engine.folder / "state" / ".pulumi" / "stacks" / "vds-tenants" / f"{tenant}.json"


def deployment(site: Site, tenant: str) -> dict[str, Any]:
    return json.loads(state(site, tenant).read_text())["checkpoint"]["latest"] or {}


def quotas(site: Site, tenant: str) -> dict[str, str]:
    """Limits of the pods of a tenant, by namespace."""
    selector = [("labelSelector", f"{labels.TENANT}={tenant}")]
    found = list_items(site.admin, "/api/v1/resourcequotas", query=selector)
    return {
        one["metadata"]["namespace"]: one["spec"]["hard"]["pods"]
        for one in found
        if one["metadata"]["name"] == "tenant"
    }


def until(there: Callable[[], bool]) -> None:
    """Wait for something that comes within seconds."""
    for _ in range(1200):
        if there():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")


def test_a_violation_stops_its_tenant_before_any_change_and_no_other(site: Site) -> None:
    """One process updates all of them, one after the other, with one pack."""
    for number in range(3):
        site.write(numbered(number))
    code, said = up(site, "--all", "--parallel", "1")
    assert (code, said["updated"], list(said["failed"])) == (1, ["agency-0", "agency-2"], ["agency-1"])
    assert "belongs to a tenant that the pack refuses" in said["failed"]["agency-1"]
    assert quotas(site, "agency-1") == {}
    namespaces = {one["metadata"]["name"] for one in list_items(site.admin, "/api/v1/namespaces")}
    assert {"agency-0-prod", "agency-2-staging"} <= namespaces
    assert not {"agency-1-prod", "agency-1-staging"} & namespaces
    assert not deployment(site, "agency-1").get("resources")


def test_an_unchanged_tenant_is_judged_and_a_change_of_one_is_stopped_by_the_pack(site: Site) -> None:
    site.write(numbered(0))
    assert up(site, "agency-0")[0] == 0
    before = quotas(site, "agency-0")
    assert set(before) == {"agency-0-prod", "agency-0-staging"}
    written = state(site, "agency-0").read_bytes()
    assert up(site, "agency-0") == (0, {"updated": ["agency-0"], "skipped": [], "failed": {}})
    assert state(site, "agency-0").read_bytes() == written
    own = site.engine.project / "own" / "__main__.py"
    own.write_text(_PACK.replace("agency-1-", "agency-0-"))
    site.write({**numbered(0), "namespaces": CHANGED})
    code, said = up(site, "agency-0")
    assert (code, quotas(site, "agency-0")) == (1, before)
    assert "belongs to a tenant that the pack refuses" in said["failed"]["agency-0"]
    own.write_text("raise SystemExit(1)")
    assert up(site, "agency-0")[0] == 1  # a pack that does not start judges nothing
    own.write_text(_PACK)
    assert up(site, "agency-0")[0] == 0
    assert quotas(site, "agency-0") != before


def test_an_update_ends_by_itself_when_the_command_is_killed(site: Site) -> None:
    site.write(numbered(0))
    words = [sys.executable, "-m", "vds", "tenant", "up", "--all", "--policy-pack", "own"]
    with subprocess.Popen(words, cwd=site.engine.project, env=site.engine.environment) as running:
        locks = site.engine.folder / "state" / ".pulumi" / "locks"
        until(lambda: any(locks.rglob("*.json")))
        running.kill()
    until(lambda: set(quotas(site, "agency-0")) == {"agency-0-prod", "agency-0-staging"})
    until(lambda: not any(locks.rglob("*.json")))
    assert not deployment(site, "agency-0").get("pending_operations")
