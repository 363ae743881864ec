"""The Network Policy API conformance tests: ClusterNetworkPolicy, for administrators of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from lab.cluster import Manifest
from lab.conformance.suite import Result, Run, Suite, go_test, implementation, read_profiles
from lab.processes import wait_until

_CRD = "config/crd/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"
_PROJECT = "https://cilium.io/"
_SERVED_SECONDS = 30


def _arguments(run: Run) -> list[str]:
    return [
        *go_test("TestConformanceProfiles"),
        "--conformance-profiles=ClusterNetworkPolicy",
        "--supported-features=ClusterNetworkPolicy",  # standard channel; all others are experimental
        f"--report-output={run.report}",
        f"--additional-info={_PROJECT}",
        *implementation("cilium", _PROJECT, run.tools.version("cilium-agent")),
    ]


def _read(text: str) -> Result:
    return read_profiles(text, ("standard", "experimental"))


@contextmanager
def _prepared(run: Run) -> Iterator[None]:
    """Install the API's CRD where the platform has none; its objects go with it."""
    crd = yaml.safe_load((run.tools.module_dir("network-policy-api") / _CRD).read_text())
    if run.cluster.get(crd):
        yield
        return
    run.cluster.apply(crd)
    try:
        wait_until(lambda: _is_served(run.cluster.get(crd)), _SERVED_SECONDS, lambda: "the API's CRD is not served")
        yield
    finally:
        run.cluster.delete(crd)


def _is_served(crd: Manifest | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


SUITE = Suite(
    name="network-policy-api",
    tool="policy-conformance",
    report="network-policy-api.yaml",
    minutes=30,
    namespaces=r"network-policy-conformance-.+",
    arguments=_arguments,
    read=_read,
    prepared=_prepared,
)
