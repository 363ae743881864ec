"""What a real API server takes and refuses in a registered namespace, of its owner, its CI, and of an insider who has
every right in it but those of the platform. The same rules without a cluster give the same verdicts."""

from itertools import product

import pytest
import yaml

from components.core.manifests import manifest
from components.kubernetes_api import ApiError, Cluster
from components.tenancy.admission_check import contract_problems, subject_of
from components.tenancy.admission_policies import admission_manifests
from components.tenancy.admission_rules import IDS, KINDS
from components.tenancy.bundle import namespace_manifests, registered_namespace
from components.tenancy.registration.contract import contract, contract_definition
from components.tenancy.rights import roles_manifests
from lab.processes import wait_until
from tests.support.api_server import api_server, as_user
from tests.support.bundles import published
from tests.support.escapes import ALLOWED, ATTEMPTS, CONTAINER, IMAGE, NAMESPACE, claim, deployment, obj, pod, policy
from tests.support.registrations import BUTIKK, environment, registration

BANK = {**BUTIKK, "tenant": "bank", "domains": ["bank.example.no"], "owner": {"groups": ["bank-developers"]}}
PEOPLE = {
    "owner": "butikk-developers",
    "forge:butikk/app:main": "machines",
    "insider": "insiders",
    "nobody": "nobodies",
}
GROUPS_OF_CONTROLLERS = '"system:serviceaccounts,system:serviceaccounts:kube-system"'
CONTROLLERS = {
    f"system:serviceaccount:kube-system:{name}-controller": GROUPS_OF_CONTROLLERS
    for name in ("endpointslice", "ephemeral-volume", "namespace", "replicaset", "statefulset")
} | {"system:kube-scheduler": '"system:authenticated"'}
CONTRACT = contract(registration(), NAMESPACE, environment())["spec"]
GROUPS = (
    "",
    "apps",
    "batch",
    "cilium.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "gateway.networking.k8s.io",
    "networking.k8s.io",
)
MORE = ("policy", "projectcalico.org", "rbac.authorization.k8s.io", "traefik.io")
BUSYBOX = f"docker.io/library/busybox@sha256:{'a' * 64}"
SCHEMALESS = (
    ("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy"),
    ("cilium.io", "v2", "ciliumlocalredirectpolicies", "CiliumLocalRedirectPolicy"),
    ("projectcalico.org", "v3", "networkpolicies", "NetworkPolicy"),
    ("traefik.io", "v1alpha1", "ingressroutes", "IngressRoute"),
)


def post(api, item, **query):
    api.request("POST", api.path_of(item).rpartition("/")[0], item, query=list(query.items()))


def refusal(api, item):
    """What the API server says of the object, which it does not keep; nothing if it takes it."""
    try:
        post(api, item, dryRun="All")
    except ApiError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    with api_server(tmp_path_factory.mktemp("registered"), PEOPLE | CONTROLLERS) as kubeconfig:
        admin = Cluster(kubeconfig)
        prepare(admin)
        known = {name: Cluster(as_user(kubeconfig, f"token-{name}")) for name in PEOPLE | CONTROLLERS}
        token = admin.request(
            "POST",
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/ci/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )["status"]["token"]
        yield {"admin": admin, "ci": Cluster(as_user(kubeconfig, token)), **known}


def prepare(admin):
    """The cluster as the platform and two registrations leave it, without controllers: the test does their part."""
    for text in published("1.5.1").split("\n---\n"):
        for item in yaml.safe_load_all(text):
            if item and item["kind"] == "CustomResourceDefinition":
                item.pop("status", None)
                post(admin, item)
    for group, version, plural, kind in SCHEMALESS:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        names = {"plural": plural, "kind": kind, "singular": kind.lower()}
        spec = {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        }
        post(admin, manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", spec=spec))
    post(admin, contract_definition())
    for item in (*admission_manifests("1.36.3"), *roles_manifests()):
        post(admin, item)
    for tenant in (registration(), registration(**BANK)):
        for name in tenant.namespace_names:
            post(admin, registered_namespace(tenant, name))
            made = [contract(tenant, name, environment()), manifest("v1", "ServiceAccount", "default", namespace=name)]
            for item in (*made, *namespace_manifests(tenant, name, environment(cni="flannel"))):
                # A new kind is served after a moment.
                wait_until(lambda item=item: not attempt(admin, item), 60, lambda item=item: attempt(admin, item))
                if item["kind"] == "ResourceQuota":
                    used = dict.fromkeys(item["spec"]["hard"], "0")
                    status = {"status": {"hard": item["spec"]["hard"], "used": used}}
                    admin.request("PATCH", f"{admin.path_of(item)}/status", status)
    rules = [{"apiGroups": [*GROUPS, *MORE], "resources": ["*"], "verbs": ["*"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "insider"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "insiders"}
    for item in (
        manifest("rbac.authorization.k8s.io/v1", "Role", "insider", namespace=NAMESPACE, rules=rules),
        manifest(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "insider",
            namespace=NAMESPACE,
            roleRef=role,
            subjects=[subject],
        ),
    ):
        post(admin, item)
    # The API server reads new policies after a moment.
    wait_until(lambda: bool(refusal(admin, deployment(priorityClassName="x"))), 60, lambda: "no policy is in force")


def attempt(api, item):
    try:
        post(api, item)
    except ApiError as error:
        return "" if error.status == 409 else f"{item['kind']}: {error}"
    return ""


def judged(item):
    return {found.rule for found in contract_problems(item, CONTRACT, namespace=NAMESPACE)}


def test_the_api_server_takes_what_an_app_needs_from_its_owner_and_its_ci(users):
    for item in ALLOWED:
        for name in ("owner", "ci", "forge:butikk/app:main"):
            assert refusal(users[name], item) == "", (name, item)
        assert judged(item) == set(), item


@pytest.mark.parametrize("attempted", ATTEMPTS, ids=lambda one: f"{one.source}: {one.manifest['kind']}"[:70])
def test_what_leaves_a_namespace_is_refused(users, attempted):
    for name in ("owner", "ci"):
        assert refusal(users[name], attempted.manifest), name
    said = refusal(users["insider"], attempted.manifest)
    assert attempted.rule in said
    if attempted.rule in {*IDS, "tenancy-protected"}:
        assert attempted.rule in judged(attempted.manifest)
    else:
        assert not judged(attempted.manifest)


def test_every_rule_is_tried():
    assert {attempted.rule for attempted in ATTEMPTS} >= IDS


def test_a_namespace_without_a_contract_takes_nothing(users):
    admin = users["admin"]
    empty = registered_namespace(registration(tenant="late"), "late-prod")
    post(admin, empty)
    assert "no params found" in refusal(
        admin, obj("apps/v1", "Deployment", namespace="late-prod", **{}) | {"spec": deployment()["spec"]}
    )


def test_what_a_registration_made_stays_as_it_is(users):
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/default-deny"
    for name in ("owner", "ci", "insider"):
        for method, body in (
            ("DELETE", None),
            ("PATCH", {"metadata": {"labels": {"vds-platform.no/registered": None}}}),
            ("PATCH", {"spec": {"policyTypes": ["Egress"]}}),
        ):
            # It also allows what no tenant may write, which is another reason to refuse a change.
            reason = "tenancy-protected" if method == "DELETE" else "tenancy-(protected|network-policy)"
            with pytest.raises(ApiError, match=reason):
                users[name].request(method, path, body)
    users["admin"].request("PATCH", path, {"metadata": {"annotations": {"by": "the platform"}}})


def controller(users, name):
    return users[f"system:serviceaccount:kube-system:{name}-controller"]


def test_kubernetes_own_controllers_do_their_part(users):
    labels = {"vds-platform.no/registered": "true"}
    post(users["admin"], policy(metadata={"name": "passing", "labels": labels}))
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/passing"
    controller(users, "namespace").request("DELETE", path)
    written = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.244.1.9"]}]}
    assert refusal(controller(users, "endpointslice"), obj("discovery.k8s.io/v1", "EndpointSlice", **written)) == ""
    assert refusal(controller(users, "replicaset"), obj("v1", "Pod", spec=pod())) == ""


def test_a_controller_makes_no_pod_that_its_owner_could_not_make(users):
    evil = obj("v1", "Pod", spec=pod(containers=[{**pod()["containers"][0], "image": BUSYBOX}]))
    assert "tenancy-registry" in refusal(controller(users, "replicaset"), evil)


@pytest.mark.parametrize("name", ["statefulset", "ephemeral-volume"])
@pytest.mark.parametrize(
    ("chosen", "rule"),
    [
        (claim(volumeName="pv-of-bank"), "tenancy-volume-name"),
        (claim(selector={"matchLabels": {"of": "bank"}}), "tenancy-volume-name"),
        (claim(metadata={"annotations": {"volume.kubernetes.io/selected-node": "cp-1"}}), "tenancy-volume-node"),
    ],
)
def test_a_controller_makes_no_volume_that_its_owner_could_not_choose(users, name, chosen, rule):
    """A StatefulSet, and a pod with an ephemeral volume, have templates of claims, which are not judged themselves."""
    assert rule in refusal(controller(users, name), chosen)


def test_a_quota_counts_objects(users):
    path = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas/tenant/status"

    def used(number, expected):
        users["admin"].request("PATCH", path, {"status": {"used": {"count/configmaps": number}}})
        said = lambda: refusal(users["owner"], obj("v1", "ConfigMap"))  # noqa: E731
        # The API server reads a quota again after a moment.
        wait_until(lambda: ("exceeded quota: tenant" in said()) is expected, 60, lambda: f"{number}: {said()}")

    try:
        used("100", True)
    finally:
        used("0", False)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, [{"name": "ndots", "value": "2"}]),
        ({"searches": ["example.no"]}, [{"name": "ndots", "value": "2"}]),
        ({"options": [{"name": "edns0"}]}, [{"name": "edns0"}, {"name": "ndots", "value": "2"}]),
        ({"options": [{"name": "ndots", "value": "1"}]}, [{"name": "ndots", "value": "1"}]),
    ],
)
def test_a_pod_that_says_no_ndots_gets_two(users, config, expected):
    item = obj("v1", "Pod", spec=pod(**({"dnsConfig": config} if config else {})))
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    made = users["insider"].request("POST", path, item, query=[("dryRun", "All")])
    assert made["spec"]["dnsConfig"]["options"] == expected


def rights(api, namespace):
    """All that RBAC gives somebody in a namespace and in the cluster: verb, group, resource and name."""
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", asked)["status"]
    assert not status["incomplete"]
    return {
        (verb, group, resource, name)
        for rule in status["resourceRules"]
        for verb, group, resource, name in product(
            rule["verbs"], rule["apiGroups"], rule["resources"], rule.get("resourceNames") or [""]
        )
    }


READING = {"get", "list", "watch"}
EVERYBODY = {"selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews"}
"""What system:basic-user gives everybody."""
WRITTEN = {
    *("configmaps", "cronjobs", "deployments", "grpcroutes", "horizontalpodautoscalers", "httproutes", "jobs"),
    *(
        "leases",
        "networkpolicies",
        "persistentvolumeclaims",
        "poddisruptionbudgets",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    *("statefulsets", "tlsroutes"),
}


@pytest.mark.parametrize("who", ["owner", "ci", "forge:butikk/app:main"])
def test_rights_are_those_of_the_list_and_end_at_the_tenants_namespaces(users, who):
    for namespace in ("bank-prod", "kube-system", "default"):
        assert {resource for _, _, resource, _ in rights(users[who], namespace)} == EVERYBODY
    found = rights(users[who], NAMESPACE)
    writes = {verb: {resource for said, _, resource, _ in found if said == verb} for verb in {row[0] for row in found}}
    people = {"pods/portforward", "serviceaccounts/token"} if who == "owner" else set()
    assert writes["create"] == WRITTEN | EVERYBODY | people
    assert writes["update"] == writes["patch"] | {"leases"} == WRITTEN
    assert writes["delete"] == WRITTEN | {"pods"}
    assert {verb for verb, _, resource, _ in found if resource == "leases"} == {"get", "create", "update", "delete"}
    assert set(writes) == {*READING, "create", "update", "patch", "delete"}
    assert {name for _, _, _, name in found} == ({"", "ci"} if who == "owner" else {""})
    assert not [row for row in found if "*" in row]


_EVICTION = manifest("policy/v1", "Eviction", "web", namespace=NAMESPACE)
_APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
_ROUTES = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes"
FORBIDDEN = [
    ("a pod's budget is passed by", "POST", f"/api/v1/namespaces/{NAMESPACE}/pods/web/eviction", _EVICTION),
    ("kubectl debug", "PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/web/ephemeralcontainers", {"spec": {}}),
    ("kubectl attach", "POST", f"/api/v1/namespaces/{NAMESPACE}/pods/web/attach", None),
    ("a pod says that it is ready", "PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/web/status", {"status": {}}),
    ("scale", "PATCH", f"{_APPS}/deployments/web/scale", {"spec": {"replicas": 9}}),
    ("a pod on every node", "POST", f"{_APPS}/daemonsets", manifest("apps/v1", "DaemonSet", "x", spec={})),
    ("a route says that it is accepted", "PATCH", f"{_ROUTES}/web/status", {"status": {}}),
    ("a lease of the control plane", "GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", None),
    (
        "an event that hides others",
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/events",
        {"metadata": {"name": "x"}, "involvedObject": {"namespace": NAMESPACE}},
    ),
    ("a namespace without its finalizer", "PUT", f"/api/v1/namespaces/{NAMESPACE}/finalize", {"spec": {}}),
    (
        "devices with the rights of an administrator (DRA)",
        "POST",
        f"/apis/resource.k8s.io/v1/namespaces/{NAMESPACE}/resourceclaims",
        manifest("resource.k8s.io/v1", "ResourceClaim", "x", namespace=NAMESPACE, spec={"devices": {}}),
    ),
    ("the proxy of a pod", "GET", f"/api/v1/namespaces/{NAMESPACE}/pods/web/proxy/", None),
    ("the proxy of a Service", "GET", f"/api/v1/namespaces/{NAMESPACE}/services/web/proxy/", None),
    ("CVE-2022-46167 (Capsule)", "PATCH", f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"labels": {"x": "y"}}}),
    ("CVE-2024-39690 (Capsule)", "PATCH", "/api/v1/namespaces/kube-system", {"metadata": {"labels": {"x": "y"}}}),
    (
        "CVE-2025-55205 (Capsule)",
        "PATCH",
        "/api/v1/namespaces/default",
        {"metadata": {"labels": {"vds-platform.no/tenant": "butikk"}}},
    ),
    (
        "CVE-2026-22872 (Capsule)",
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "x", rules=[]),
    ),
    (
        "CVE-2026-65835 (Capsule)",
        "POST",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        manifest("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "x", webhooks=[]),
    ),
    ("CVE-2023-46254 (capsule-proxy)", "GET", "/api/v1/namespaces", None),
    (
        "cozystack/cozystack#4164",
        "GET",
        "/api/v1/namespaces/bank-prod/secrets",
        None,
    ),
    (
        "cozystack/cozystack#4172",
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/pods/web/exec",
        None,
    ),
    ("own", "GET", "/api/v1/nodes", None),
    ("own", "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", None),
    (
        "own",
        "PATCH",
        f"/apis/vds-platform.no/v1/namespaces/{NAMESPACE}/contracts/contract",
        {"spec": {"domains": ["bank.example.no"]}},
    ),
    (
        "own",
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ),
    (
        "CVE-2020-8554 by status",
        "PATCH",
        f"/api/v1/namespaces/{NAMESPACE}/services/web/status",
        {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}},
    ),
    (
        "own",
        "PATCH",
        f"/api/v1/namespaces/{NAMESPACE}/resourcequotas/tenant",
        {"spec": {"hard": {"pods": "9999"}}},
    ),
    (
        "own",
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/pods/web/binding",
        {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "web"},
            "target": {"kind": "Node", "name": "cp-1"},
        },
    ),
    (
        "own",
        "POST",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        manifest(
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            "x",
            spec={"request": "", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
        ),
    ),
]


@pytest.mark.parametrize(("source", "method", "path", "body"), FORBIDDEN)
def test_other_requests_are_forbidden(users, source, method, path, body):
    for name in ("owner", "ci", "nobody"):
        with pytest.raises(ApiError, match="forbidden") as refused:
            users[name].request(method, path, body)
        assert refused.value.status == 403


def test_the_owner_gets_a_token_of_the_ci_account_and_of_no_other(users):
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/ci/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    assert users["owner"].request("POST", path, asked)["status"]["token"]
    with pytest.raises(ApiError, match="forbidden"):
        users["ci"].request("POST", path, asked)


@pytest.mark.parametrize(("seconds", "refused"), [(86_400, False), (86_401, True), (10 * 365 * 86_400, True)])
def test_a_token_that_works_for_years_is_refused(users, seconds, refused):
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/ci/token"
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    for name in ("owner", "admin"):
        if refused:
            with pytest.raises(ApiError, match="tenancy-token-lifetime"):
                users[name].request("POST", path, asked)
        else:
            assert users[name].request("POST", path, asked)["status"]["token"]


def test_a_node_that_the_scheduler_has_chosen_stays_on_the_claim(users):
    item = claim()
    item["metadata"]["name"] = "data"
    post(users["owner"], item)
    path = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/data"
    chosen = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "osl-w-1"}}}
    with pytest.raises(ApiError, match="tenancy-volume-node"):
        users["owner"].request("PATCH", path, chosen)
    users["system:kube-scheduler"].request("PATCH", path, chosen)
    users["owner"].request("PATCH", path, {"metadata": {"labels": {"a": "b"}}})
    users["admin"].request("DELETE", path)


def test_pods_keep_what_the_cni_has_written_and_get_no_more(users):
    item = obj("v1", "Pod", name="marked", spec=pod())
    users["insider"].request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", item)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/marked"
    written = {"metadata": {"annotations": {"cni.projectcalico.org/podIP": "10.244.1.1/32"}}}
    users["admin"].request("PATCH", f"{path}/status", written)
    users["insider"].request("PATCH", path, {"metadata": {"labels": {"a": "b"}}})
    for more in ({"annotations": {"cni.cilium.io/mac-address": "x"}}, {"labels": {"io.kubernetes.pod.namespace": "x"}}):
        with pytest.raises(ApiError, match="tenancy-pod-metadata"):
            users["insider"].request("PATCH", path, {"metadata": more})
    users["admin"].request("DELETE", path, {"gracePeriodSeconds": 0})


def test_an_image_of_a_running_pod_is_judged_too(users):
    users["insider"].request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", obj("v1", "Pod", name="web", spec=pod()))
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/web"
    evil = {"spec": {"containers": [{"name": "web", "image": BUSYBOX}]}}
    strategic = "application/strategic-merge-patch+json"
    with pytest.raises(ApiError, match="tenancy-registry"):
        users["insider"].request("PATCH", path, evil, content_type=strategic)
    debug = {"spec": {"ephemeralContainers": [{**CONTAINER, "name": "debug", "image": BUSYBOX}]}}
    with pytest.raises(ApiError, match="tenancy-registry"):
        users["insider"].request("PATCH", f"{path}/ephemeralcontainers", debug, content_type=strategic)
    users["insider"].request("PATCH", path, {"metadata": {"labels": {"a": "b"}}})
    users["admin"].request("DELETE", path, {"gracePeriodSeconds": 0})


def test_what_was_there_before_a_contract_became_narrower_can_be_scaled_and_replaced(users):
    terms = f"/apis/vds-platform.no/v1/namespaces/{NAMESPACE}/contracts/contract"
    item = deployment(containers=[{**pod()["containers"][0], "image": BUSYBOX}])
    item["metadata"]["name"] = "old"
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/old"

    def excepted(rules, expected):
        users["admin"].request("PATCH", terms, {"spec": {"exceptions": rules}})
        # The API server reads a contract after a moment.
        wait_until(lambda: bool(refusal(users["owner"], item)) is expected, 60, lambda: refusal(users["owner"], item))

    excepted(["tenancy-registry"], False)
    post(users["owner"], item)
    excepted([], True)
    users["owner"].request("PATCH", path, {"metadata": {"annotations": {"a": "b"}}, "spec": {"replicas": 0}})
    other = [{**pod()["containers"][0], "image": f"quay.io/x@sha256:{'a' * 64}"}]
    with pytest.raises(ApiError, match="tenancy-registry"):
        users["owner"].request("PATCH", path, {"spec": {"template": {"spec": {"containers": other}}}})
    users["owner"].request("PATCH", path, {"spec": {"template": {"spec": {"containers": pod()["containers"]}}}})
    users["owner"].request("DELETE", path)


@pytest.mark.parametrize(("version", "kinds"), [("1.36.0", 2), ("1.35.4", 0), (None, 0)])
def test_a_cluster_that_serves_no_mutating_policies_gets_none(version, kinds):
    made = [item for item in admission_manifests(version) if item["kind"].startswith("Mutating")]
    assert len(made) == kinds


def test_kinds_are_found_by_group_whatever_their_version():
    assert subject_of("gateway.networking.k8s.io", "HTTPRoute")[0] == "route"
    assert subject_of("traefik.io", "Middleware")[0] == "refused"
    assert subject_of("example.no", "Pod") is None
    assert sum(len(kinds) for kinds in KINDS.values()) == len({kind[:2] for kinds in KINDS.values() for kind in kinds})
    assert IMAGE.startswith(CONTRACT["registries"][0])
    assert policy()["kind"] == "NetworkPolicy"


def test_a_policy_that_cannot_be_configured_refuses_nothing_outside_registered_namespaces(tmp_path):
    """As for a while after the start of each API server, when it does not know the kind of contracts yet."""

    def lease(namespace):
        return manifest("coordination.k8s.io/v1", "Lease", "node", namespace=namespace)

    with api_server(tmp_path) as kubeconfig:
        admin = Cluster(kubeconfig)
        for item in (*admission_manifests("1.36.3"), registered_namespace(registration(), NAMESPACE)):
            post(admin, item)
        said = "failed to find resource referenced by paramKind"
        wait_until(lambda: said in refusal(admin, lease(NAMESPACE)), 60, lambda: refusal(admin, lease(NAMESPACE)))
        assert refusal(admin, lease("kube-system")) == ""
