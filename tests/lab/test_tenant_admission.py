"""What a real API server takes and refuses in a tenant's namespace."""

import pytest

from components.core import labels
from components.core.manifests import manifest
from components.kubernetes_api import ApiError, Cluster
from components.tenancy.admission import admission_binding, admission_policy
from lab.processes import wait_until
from tests.support.api_server import api_server

pytestmark = pytest.mark.lab

POD = {"containers": [{"name": "a", "image": "a"}], "automountServiceAccountToken": False}
PORTS = [{"port": 80}]
SERVICES, SECRETS, PODS = "services", "secrets", "pods"
BUDGETS = "poddisruptionbudgets"
CASES = [
    (SERVICES, {"spec": {"ports": PORTS}}, ""),
    (SERVICES, {"spec": {"ports": PORTS, "externalIPs": ["198.51.100.10"]}}, "spec.externalIPs takes the traffic"),
    (SERVICES, {"spec": {"type": "ExternalName", "externalName": "db.example.no"}}, ""),
    (SERVICES, {"spec": {"type": "ExternalName", "externalName": "store.butikk.svc.cluster.local"}}, ""),
    (
        SERVICES,
        {"spec": {"type": "ExternalName", "externalName": "store.skjema.svc"}},
        "a Service of another namespace",
    ),
    (SECRETS, {"type": "Opaque"}, ""),
    (SECRETS, {"type": "kubernetes.io/service-account-token"}, "a token that never ends"),
    (PODS, {"spec": POD}, ""),
    (PODS, {"spec": {**POD, "nodeName": "cp-1"}}, "spec.nodeName passes by the scheduler"),
    (PODS, {"spec": {**POD, "tolerations": [{"operator": "Exists"}]}}, "tolerates control planes"),
    (PODS, {"spec": {**POD, "tolerations": [{"key": "gpu", "operator": "Exists"}]}}, ""),
    (BUDGETS, {"spec": {"selector": {}, "minAvailable": 1}}, ""),
    (BUDGETS, {"spec": {"selector": {}, "maxUnavailable": 0}}, "no node can be drained"),
    (BUDGETS, {"spec": {"selector": {}, "minAvailable": "100%"}}, "no node can be drained"),
]
KINDS = {SERVICES: "Service", SECRETS: "Secret", PODS: "Pod", BUDGETS: "PodDisruptionBudget"}


VERSIONS = {BUDGETS: "policy/v1"}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with api_server(tmp_path_factory.mktemp("admission")) as kubeconfig:
        yield Cluster(kubeconfig)


def refusal(api, resource, body, namespace="butikk"):
    """What the API server says of the object, which it does not keep; nothing if it takes it."""
    made = manifest(VERSIONS.get(resource, "v1"), KINDS[resource], "x", namespace=namespace, **body)
    if body.get("type", "").endswith("token"):
        made["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    try:
        api.request("POST", api.path_of(made).rpartition("/")[0], made, query=[("dryRun", "All")])
    except ApiError as error:
        return str(error)
    return ""


def test_the_api_server_refuses_what_reaches_beyond_a_tenant(api):
    made = [admission_policy(), admission_binding(), manifest("v1", "Namespace", "other")]
    made.append(manifest("v1", "Namespace", "butikk", labels={labels.TENANT: "butikk"}))
    made += [manifest("v1", "ServiceAccount", "default", namespace=name) for name in ("butikk", "other")]
    for item in made:
        api.request("POST", api.path_of(item).rpartition("/")[0], item)
    chosen = {"spec": {**POD, "nodeName": "cp-1"}}
    # The API server reads new policies after a moment.
    wait_until(lambda: bool(refusal(api, PODS, chosen)), 60, lambda: "no pod is refused")
    for resource, body, message in CASES:
        said = refusal(api, resource, body)
        assert message in said, (resource, body)
        assert bool(said) == bool(message), (resource, body, said)
        assert refusal(api, resource, body, "other") == "", "no tenant's namespace"
