"""Pods of tenants, wherever a template has them, and other objects that reach beyond a namespace."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import deployment, kube, namespace, service
from tests.support.policy import UNKNOWN, Resource, violations

EVIL = {"hostNetwork": True, "containers": [{"name": "a", "image": "docker.io/evil:latest"}]}
DIGEST = "quay.io/agency/web@sha256:" + "0" * 64
ROLLOUT, KNATIVE = "argoproj.io/v1alpha1", "serving.knative.dev/v1"


def said(*resources: Resource, config: dict[str, dict[str, Any]] | None = None) -> dict[str, str]:
    """Message by policy, of all that is said but for residency."""
    found = violations(ENGINE_POLICIES, list(resources), config)
    return {one.policy: one.message for one in found if not one.policy.startswith("residency")}


def items(kind: str, *found: dict[str, Any], api: str = "v1") -> Resource:
    group, _, version = api.rpartition("/")
    props = {"apiVersion": api, "kind": kind, "metadata": {}, "items": list(found)}
    return Resource(f"kubernetes:{group or 'core'}/{version}:{kind}", props, "l")


def item(kind: str, spec: dict[str, Any], api: str = "", owner: str = "butikk") -> dict[str, Any]:
    written = {"apiVersion": api, "kind": kind} if api else {}
    return {**written, "metadata": {"name": "d", "namespace": owner}, "spec": spec}


@pytest.mark.parametrize(
    "resource",
    [
        kube("apps/v1", "Deployment", "w", "butikk", spec={"template": {"spec": EVIL}}),
        kube("v1", "Pod", "w", "butikk", spec=EVIL),
        kube("v1", "PodTemplate", "w", "butikk", template={"spec": EVIL}),
        kube("batch/v1", "CronJob", "w", "butikk", spec={"jobTemplate": {"spec": {"template": {"spec": EVIL}}}}),
        kube(ROLLOUT, "Rollout", "w", "butikk", spec={"template": {"spec": EVIL}}),
        kube(KNATIVE, "Service", "w", "butikk", spec={"template": {"spec": EVIL}}),
        kube("ray.io/v1", "RayCluster", "w", "butikk", spec={"workerGroupSpecs": [{"template": {"spec": EVIL}}]}),
        kube(
            "kubeflow.org/v1", "PyTorchJob", "w", "butikk", spec={"replicas": {"Master": {"template": {"spec": EVIL}}}}
        ),
        items("DeploymentList", item("Deployment", {"template": {"spec": EVIL}}, "apps/v1"), api="apps/v1"),
        items("DeploymentList", item("", {"template": {"spec": EVIL}}), api="apps/v1"),
        items("List", item("Rollout", {"template": {"spec": EVIL}}, ROLLOUT)),
        items("PodList", item("Pod", EVIL)),
    ],
)
def test_pods_are_judged_wherever_a_template_has_them(resource: Resource) -> None:
    found = said(resource)
    assert "by tag, which its owner can move" in found["tenancy-images"]
    assert "has hostNetwork" in found["network-no-host"]
    own = {"tenancy-label": {"platformNamespaces": ["butikk"]}}
    assert said(resource, config=own) == {}


def test_a_list_is_its_items() -> None:
    ports = item("Service", {"type": "NodePort", "ports": [{"port": 80}]}, "v1")
    assert set(said(items("List", ports))) == {"gateway-no-node-port"}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}}
    assert "tenancy-default-deny" in said(items("List", space))
    assert said(items("List", item("Service", {"type": "ClusterIP"}, "v1"))) == {}


def test_a_custom_resource_without_pods_is_no_workload() -> None:
    schema = {"properties": {"containers": {"type": "array"}}, "template": {"data": {"a": "b"}}, "containers": "two"}
    assert said(kube("example.com/v1", "Thing", "t", "butikk", spec=schema)) == {}
    assert said(kube("example.com/v1", "Thing", "t", "butikk", spec=UNKNOWN)) == {}
    image = {"template": {"spec": {"containers": [{"image": UNKNOWN}]}}}
    assert "cannot be decided" in said(kube(ROLLOUT, "Rollout", "w", "butikk", spec=image))["tenancy-images"]


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        (DIGEST, True),
        ("quay.io/agency/web:1@sha256:" + "0" * 64, True),
        ("quay.io/agency/web@sha512:" + "0" * 128, True),
        ("evil.example.com/@sha256:/x:latest", False),
        ("evil.example.com/x@sha256:0", False),
        ("evil.example.com/x@sha256:" + "0" * 64 + ":latest", False),
    ],
)
def test_a_digest_is_all_of_one(image: str, kept: bool) -> None:
    assert ("tenancy-images" not in said(deployment(image, "butikk"))) == kept


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        ({"nodeName": "cp-1"}, "has nodeName cp-1"),
        ({"tolerations": [{"operator": "Exists"}]}, "tolerates every taint"),
        ({"tolerations": [{"operator": "Exists", "effect": "NoSchedule"}]}, "tolerates every taint"),
        (
            {"tolerations": [{"key": "node-role.kubernetes.io/control-plane"}]},
            "tolerates node-role.kubernetes.io/control-p",
        ),
        ({"tolerations": [{"key": "node-role.kubernetes.io/master", "operator": "Exists"}]}, "tolerates node-role"),
        ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, ""),
        ({"tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]}, ""),
    ],
)
def test_a_tenant_s_pod_stays_off_control_planes(pod: dict[str, Any], message: str) -> None:
    found = said(deployment(DIGEST, "butikk", **pod))
    assert set(found) == ({"tenancy-control-plane"} if message else set())
    assert message in "".join(found.values())
    assert said(deployment(DIGEST, "kube-system", **pod)) == {}


@pytest.mark.parametrize("owner", ["default", "kube-public"])
@pytest.mark.parametrize(
    ("pod", "what"),
    [
        ({"hostPID": True}, "hostPID"),
        ({"hostIPC": True}, "hostIPC"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "a hostPath"),
        ({"initContainers": [{"image": DIGEST, "securityContext": {"privileged": True}}]}, "privileged"),
    ],
)
def test_a_namespace_without_pod_security_holds_no_pod_that_takes_its_node(
    owner: str, pod: dict[str, Any], what: str
) -> None:
    assert (
        f"has {what}, and no level of Pod Security forbids it in {owner}"
        in said(deployment(DIGEST, owner, **pod))["tenancy-node-access"]
    )
    assert said(deployment(DIGEST, "butikk", **pod)) == {}  # its Pod Security refuses it
    assert said(deployment(DIGEST, "kube-system", **pod)) == {}


@pytest.mark.parametrize(
    ("version", "kept"), [("latest", True), ("v1.0", False), ("v1.24", False), ("v1.34", True), ("1.34", False)]
)
def test_an_old_version_of_pod_security_checks_less(version: str, kept: bool) -> None:
    found = said(namespace(**{"pod-security.kubernetes.io/enforce-version": version}))
    assert ("tenancy-pod-security" not in found) == kept
    assert kept or f"enforce-version: {version}, which checks less" in found["tenancy-pod-security"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("store.skjema.svc.cluster.local", False),
        ("store.skjema.svc", False),
        ("store.skjema.svc.cluster.local.", False),
        ("kubernetes.default.svc", False),
        ("store.agency.svc.cluster.local", True),
        ("store.databases.svc", True),
        ("store.example.no", True),
    ],
)
def test_a_service_is_no_name_for_another_tenant_s(name: str, kept: bool) -> None:
    config = {"tenancy-label": {"platformNamespaces": ["databases"]}}
    found = said(service(type="ExternalName", externalName=name), config=config)
    assert ("tenancy-external-name" not in found) == kept


@pytest.mark.parametrize(
    "spec",
    [
        {"addresses": [{"type": "IPAddress", "value": "198.51.100.10"}]},
        {"infrastructure": {"annotations": {"metallb.io/loadBalancerIPs": "198.51.100.10"}}},
    ],
)
def test_a_gateway_of_a_tenant_chooses_no_address(spec: dict[str, Any]) -> None:
    made = {"gatewayClassName": "platform", "listeners": [], **spec}
    api = "gateway.networking.k8s.io/v1"
    assert (
        "chooses or shares an address"
        in said(kube(api, "Gateway", "g", "skjema", spec=made))["tenancy-load-balancer-address"]
    )
    assert said(kube(api, "Gateway", "g", "gateway-system", spec=made)) == {}


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"maxUnavailable": 0}, False),
        ({"maxUnavailable": "0%"}, False),
        ({"minAvailable": "100%"}, False),
        ({"minAvailable": 1}, True),
        ({"maxUnavailable": "25%"}, True),
    ],
)
def test_a_budget_lets_some_pod_go(spec: dict[str, Any], kept: bool) -> None:
    budget = kube("policy/v1", "PodDisruptionBudget", "b", "agency", spec=spec)
    assert (said(budget) == {}) == kept
