"""The Network Policy API conformance tests: ClusterNetworkPolicy, for administrators of a cluster."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from components.core.untrusted import yaml_value
from lab.cluster import Cluster, Manifest, condition
from lab.conformance.suite import Result, Run, Suite, go_test, implementation, read_profiles
from lab.data_paths import agents_follow
from lab.deploy import Deployment
from lab.processes import LabError, wait_until
from lab.stack_file import SPEC

_CRD = "config/crd/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"
_PROJECT = "https://cilium.io/"
_SERVED_SECONDS = 30
# The stack files set neither. By Cilium's documentation the API is off by default, and conforms in full only with the
# second: its CIDRs match pods and nodes too.
_VALUES = {"k8sClusterNetworkPolicy": {"enabled": True}, "policyCIDRMatchMode": ["pods", "nodes"]}
ON = "cluster-network-policy.json"
"""Kept while Cilium has the API, beside the reports: the manifests that are to be deleted then."""


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
    """Have Cilium enforce the API's objects, of which the CRD is installed first where the platform has none."""
    crd = yaml_value((run.tools.module_dir("network-policy-api") / _CRD).read_text())
    file = run.report.with_name(ON)
    made = [] if run.cluster.get(crd) else [crd]
    file.write_text(json.dumps([_named(crd) for crd in made]))
    try:
        for crd in made:
            run.cluster.apply(crd)
        wait_until(
            lambda: condition(run.cluster.get(crd) or {}, "Established") == "True",
            _SERVED_SECONDS,
            lambda: "the API's CRD is not served",
        )
        variant = run.report.with_name("Pulumi.cluster-network-policy.yaml")
        run.deployment.prepare()
        variant.write_text(switched_on(run.deployment.config_file.read_text()))
        _up(run.deployment, run.cluster, variant)
        yield
    finally:
        put_back(run.cluster, run.deployment, file)


def switched_on(stack_file: str) -> str:
    """A stack file by which Cilium has the API."""
    content = yaml_value(stack_file)
    install: dict[str, Any] = content["config"][SPEC]["cni"]["install"]
    install["values"] = {**(install.get("values") or {}), **_VALUES}
    return yaml.safe_dump(content)


def put_back(cluster: Cluster, deployment: Deployment, file: Path) -> None:
    """Deploy the lab's own stack file again, and take away what was made; fine where nothing was."""
    if not file.exists():
        return
    deployment.prepare()
    deployment.recover()
    _up(deployment, cluster)
    for manifest in json.loads(file.read_text()):
        cluster.delete(manifest)
    file.unlink()


def _up(deployment: Deployment, cluster: Cluster, config_file: Path | None = None) -> None:
    outcome = deployment.run("up", config_file=config_file)
    if outcome.exit_code:
        raise LabError(f"pulumi up failed:\n{outcome.diagnostics}")
    agents_follow(cluster)


def _named(manifest: Manifest) -> Manifest:
    return {key: manifest[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": manifest["metadata"]["name"]}}


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
