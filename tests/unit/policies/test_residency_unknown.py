"""What nobody knows yet may be a whole group of fields: then nobody knows what stands in it."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, kube, release
from tests.support.policy import UNKNOWN, Resource, violations

APP = "oci://registry.example.no/charts/app"


def said(*resources: Resource, **config: Any) -> list[str]:
    settings = {"places": [PLACE], **config}
    found = violations(ENGINE_POLICIES, list(resources), {"residency-destinations": settings})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def policy(spec: Any, kind: str = "NetworkPolicy") -> Resource:
    api = "networking.k8s.io/v1" if kind == "NetworkPolicy" else "cilium.io/v2"
    return kube(api, kind, "out", "a", spec=spec)


def workload(pod: Any) -> Resource:
    return kube("apps/v1", "Deployment", "web", "a", spec={"template": {"spec": pod}})


GROUPS = [
    (kube("v1", "Pod", "p", "a", spec=UNKNOWN), "Pod a/p: spec: "),
    (kube("v1", "Pod", "p", "a", spec={"containers": UNKNOWN}), "spec.containers: "),
    (kube("v1", "Pod", "p", "a", spec={"containers": [UNKNOWN]}), "spec.containers.0: "),
    (kube("apps/v1", "Deployment", "d", "a", spec={"template": UNKNOWN}), "spec.template: "),
    (kube("batch/v1", "CronJob", "c", "a", spec={"jobTemplate": UNKNOWN}), "spec.jobTemplate: "),
    (workload({"initContainers": UNKNOWN}), "spec.template.spec.initContainers: "),
    (workload({"ephemeralContainers": UNKNOWN}), "spec.template.spec.ephemeralContainers: "),
    (workload({"volumes": UNKNOWN}), "spec.template.spec.volumes: "),
    (workload({"dnsConfig": UNKNOWN}), "spec.template.spec.dnsConfig: "),
    (workload({"containers": [{"env": UNKNOWN}]}), "spec.template.spec.containers.0.env: "),
    (
        workload({"containers": [{"env": [{"name": "DATABASE_URL", "value": UNKNOWN}]}]}),
        "spec.template.spec.containers.0.env.0.value: ",
    ),
    (
        workload({"initContainers": [{"env": [{"name": "DB_HOST", "value": UNKNOWN}]}]}),
        "initContainers.0.env.0.value: ",
    ),
    (release(APP, {"extraEnv": [{"name": "API_URL", "value": UNKNOWN}]}), "values.extraEnv.0.value: "),
    (release(APP, {"database": UNKNOWN}), "values.database: "),
    (release(APP, {"ingress": {"hostname": UNKNOWN}}), "values.ingress.hostname: "),
    (kube("v1", "ConfigMap", "c", "a", data={"DB_HOST_NAME": UNKNOWN}), "data.DB_HOST_NAME: "),
    (policy({"egress": UNKNOWN}), "spec.egress: "),
    (policy({"egress": [{"to": UNKNOWN}]}), "spec.egress.0.to: "),
    (policy({"egress": [{"to": [{"ipBlock": UNKNOWN}]}]}), "spec.egress.0.to.0.ipBlock: "),
    (policy({"egress": [{"toFQDNs": UNKNOWN}]}, "CiliumNetworkPolicy"), "spec.egress.0.toFQDNs: "),
    (policy({"egress": [{"toFQDNs": [UNKNOWN]}]}, "CiliumNetworkPolicy"), "spec.egress.0.toFQDNs.0: "),
    (policy({"egress": [{"toCIDR": UNKNOWN}]}, "CiliumNetworkPolicy"), "spec.egress.0.toCIDR: "),
    (kube("cilium.io/v2", "CiliumNetworkPolicy", "out", "a", specs=UNKNOWN), "specs: "),
    (kube("v1", "ConfigMap", "c", "a", data=UNKNOWN), "ConfigMap a/c: data: "),
    (kube("v1", "ConfigMap", "c", "a", data={"app.yaml": UNKNOWN}), "ConfigMap a/c: data.app.yaml: "),
    (release(APP, {"hubble": UNKNOWN}), "Release cni: values.hubble: "),
    (release(APP, {"hubble": {"relay": UNKNOWN}}), "values.hubble.relay: "),
    (Resource("kubernetes:helm.sh/v3:Release", {"chart": APP, "values": UNKNOWN}, "cni"), "Release cni: values: "),
    (
        Resource("kubernetes:helm.sh/v3:Release", {"chart": APP, "repositoryOpts": UNKNOWN}, "cni"),
        "Release cni: repositoryOpts: ",
    ),
    (kube("metallb.io/v1beta1", "IPAddressPool", "p", "m", spec=UNKNOWN), "IPAddressPool m/p: spec: "),
    (kube("cilium.io/v2", "CiliumLoadBalancerIPPool", "p", spec={"blocks": UNKNOWN}), "spec.blocks.0: "),
    (kube("cilium.io/v2", "CiliumLoadBalancerIPPool", "p", spec={"blocks": [UNKNOWN]}), "spec.blocks.0: "),
    (kube("v1", "PersistentVolume", "v", spec={"csi": UNKNOWN}), "spec.csi: "),
    (kube("cert-manager.io/v1", "ClusterIssuer", "le", spec={"acme": UNKNOWN}), "spec.acme: "),
]


@pytest.mark.parametrize(("resource", "where"), GROUPS, ids=[where for _, where in GROUPS])
def test_a_group_that_nobody_knows_yet_is_undecided(resource: Resource, where: str) -> None:
    [message] = said(resource)
    assert where in message
    assert "cannot be decided at preview" in message


def test_values_files_that_the_provider_has_not_read_are_undecided() -> None:
    props = {"chart": APP, "version": "1.0.0", "values": {}, "valueYamlFiles": [UNKNOWN]}
    [message] = said(Resource("kubernetes:helm.sh/v3:Release", props, "cni"))
    assert "Release cni: chart: cannot be decided at preview: valueYamlFiles.0 is not known yet" in message
    props["valueYamlFiles"] = []
    assert said(Resource("kubernetes:helm.sh/v3:Release", props, "cni")) == []


@pytest.mark.parametrize(
    "resource",
    [
        kube("v1", "Secret", "s", "a", data=UNKNOWN),
        kube("v1", "Secret", "s", "a", data={"username": UNKNOWN}, stringData={"config.yaml": UNKNOWN}),
        release(APP, {"adminPassword": UNKNOWN, "replicaCount": UNKNOWN, "tls": {"caKey": UNKNOWN}, "mtu": UNKNOWN}),
        workload({"containers": [{"image": "registry.example.no/a", "resources": UNKNOWN, "ports": UNKNOWN}]}),
        policy({"ingress": UNKNOWN, "egress": []}),
        kube("v1", "ConfigMap", "c", "a", data={"password": UNKNOWN, "DB_NAME": UNKNOWN, "DB_USER": UNKNOWN}),
        release(APP, {"serviceAccount": {"name": UNKNOWN}, "nameOverride": UNKNOWN, "fullnameOverride": UNKNOWN}),
        release(APP, {"persistence": dict.fromkeys(("storageClass", "existingClaim", "size"), UNKNOWN)}),
        release(APP, {"auth": dict.fromkeys(("username", "user", "database"), UNKNOWN), "count": UNKNOWN}),
        release(APP, {"resources": {"limits": {"memory": UNKNOWN, "cpu": UNKNOWN}}}),
        release(APP, {"auth": dict.fromkeys(("client_id", "clientId", "vpcId", "projectID", "uid"), UNKNOWN)}),
        release(APP, {"rbac": {"create": UNKNOWN}, "serviceAccount": {"create": UNKNOWN}}),
        release(APP, dict.fromkeys(("nodeSelector", "tolerations", "affinity", "resources"), UNKNOWN)),
        kube("v1", "ConfigMap", "c", "a", data=dict.fromkeys(("client_id", "vpcId", "nodeSelector"), UNKNOWN)),
        release(APP, {"podAnnotations": {"checksum/config": UNKNOWN}, "commonLabels": UNKNOWN}),
        release(APP, {"env": [{"name": "DB_PASSWORD", "value": UNKNOWN}, {"name": "DB_NAME", "value": UNKNOWN}]}),
        workload({"containers": [{"env": [{"name": "LOG_LEVEL", "value": UNKNOWN}]}]}),
    ],
)
def test_what_can_hold_no_place_may_be_unknown(resource: Resource) -> None:
    assert said(resource) == []


def test_a_secret_s_address_that_nobody_knows_yet_is_undecided_as_any() -> None:
    [message] = said(kube("v1", "Secret", "s", "a", stringData={"username": UNKNOWN, "host": UNKNOWN}))
    assert "Secret a/s: stringData.host: cannot be decided at preview" in message


def test_an_object_without_known_metadata_is_judged_all_the_same() -> None:
    pod = Resource(
        "kubernetes:core/v1:Pod", {"metadata": UNKNOWN, "spec": {"containers": [{"image": "ghcr.io/x"}]}}, "p"
    )
    [message] = said(pod)
    assert "Pod p: spec.containers.0.image: bytes go to ghcr.io" in message
