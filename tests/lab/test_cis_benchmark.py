"""Every point of the CIS benchmark that the table says is checked, on the running cluster, and what goes with it."""

import base64
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from components.kubeadm.security.benchmark import POINTS, Argument, Behaviour, Kubelet, Mode, Point
from components.kubeadm.security.render import AUDIT_FOLDER
from components.kubernetes_api import ApiError
from lab.asking import ssh
from lab.layout import API_ADDRESS, CONTROL_PLANES, NODES, OPERATOR
from lab.processes import wait_until
from tests.lab.conftest import Lab
from tests.support.oidc import Issuer, request

pytestmark = pytest.mark.lab

FIRST = CONTROL_PLANES[0]
NAMESPACE, CANARY = "cis-benchmark", "canary-3f1c9a"
SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
DRY_RUN = [("dryRun", "All")]
_WORDS = r"""for folder in /proc/[0-9]*; do
	words=$(tr '\0' '\n' <"$folder/cmdline" 2>/dev/null) || continue
	case ${words%%
*} in NAME | */NAME) printf '%s\n' "$words"; exit ;; esac
done; exit 1"""


def run(lab: Lab, command: str, address: str = FIRST.address) -> str:
    done = ssh(lab.layout, address, command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def arguments(lab: Lab, process: str) -> dict[str, str]:
    """The arguments of a process on the first control plane."""
    words = run(lab, _WORDS.replace("NAME", process)).splitlines()[1:]
    return dict(word.removeprefix("--").partition("=")[::2] for word in words)


def status(lab: Lab, url: str) -> str:
    """The HTTP status of a request without credentials."""
    return run(lab, f"curl -sk -o /dev/null -w '%{{http_code}}' {url}")


def anonymous_requests(lab: Lab) -> None:
    endpoint = f"https://{API_ADDRESS}:6443"
    for path in ("/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"):
        assert status(lab, endpoint + path) == "200", path
    for path in ("/version", "/api", "/api/v1/secrets", "/api/v1/namespaces/kube-public/configmaps"):
        assert status(lab, endpoint + path) == "401", path


def anonymous_kubelet(lab: Lab) -> None:
    for node in NODES:
        assert status(lab, f"https://{node.address}:10250/pods") == "401"
        assert ssh(lab.layout, node.address, "curl -s -m 5 http://127.0.0.1:10255/pods").returncode == 7  # refused


def refused(lab: Lab, path: str, body: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as caught:
        lab.cluster.request("POST", path, body, query=DRY_RUN)
    assert caught.value.status == 403
    return str(caught.value)


def external_ips(lab: Lab) -> None:
    spec = {"ports": [{"port": 80}], "externalIPs": ["198.51.100.7"]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "thief"}, "spec": spec}
    assert "external IPs is denied" in refused(lab, f"/api/v1/namespaces/{NAMESPACE}/services", body)


def admission_plugins(lab: Lab) -> None:
    given = arguments(lab, "kube-apiserver")["enable-admission-plugins"].split(",")
    assert {"NodeRestriction", "EventRateLimit", "DenyServiceExternalIPs"} <= set(given)
    assert "AlwaysAdmit" not in given


def pod(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    containers = [{"name": "one", "image": "registry.lab.example.no/pause", **container}]
    metadata = {"name": "one"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


def pod_is_refused(lab: Lab, container: dict[str, Any], **spec: Any) -> None:
    said = refused(lab, f"/api/v1/namespaces/{NAMESPACE}/pods", pod(container, **spec))
    assert 'violates PodSecurity "baseline' in said


def privileged_pod(lab: Lab) -> None:
    pod_is_refused(lab, {"securityContext": {"privileged": True}})
    lab.cluster.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod({}), query=DRY_RUN)


def host_namespaces(lab: Lab) -> None:
    for name in ("hostPID", "hostIPC", "hostNetwork"):
        pod_is_refused(lab, {}, **{name: True})


def host_path(lab: Lab) -> None:
    pod_is_refused(lab, {}, volumes=[{"name": "node", "hostPath": {"path": "/etc"}}])
    pod_is_refused(lab, {"ports": [{"containerPort": 80, "hostPort": 80}]})


def etcd(certificate: str) -> str:
    return f"curl -sS --cacert /etc/kubernetes/pki/etcd/ca.crt {certificate} https://127.0.0.1:2379"


_OURS = "--cert /etc/kubernetes/pki/etcd/healthcheck-client.crt --key /etc/kubernetes/pki/etcd/healthcheck-client.key"


def secrets_in_etcd(lab: Lab) -> None:
    """Every Secret, not only ours: some are made before any test."""
    first, last = (base64.b64encode(key).decode() for key in (b"/registry/secrets/", b"/registry/secrets0"))
    answer = run(lab, f"{etcd(_OURS)}/v3/kv/range -d '{json.dumps({'key': first, 'range_end': last})}'")
    found = {
        base64.b64decode(item["key"]).decode(): base64.b64decode(item["value"]) for item in json.loads(answer)["kvs"]
    }
    assert f"/registry/secrets/{NAMESPACE}/canary" in found
    for name, value in found.items():
        assert value.startswith(b"k8s:enc:secretbox:v1:key-"), name
    assert CANARY.encode() not in b"".join(found.values())


def etcd_without_certificate(lab: Lab) -> None:
    assert "true" in run(lab, f"{etcd(_OURS)}/health")
    assert ssh(lab.layout, FIRST.address, f"{etcd('')}/health").returncode != 0
    assert arguments(lab, "etcd")["client-cert-auth"] == "true"


def etcd_authority(lab: Lab) -> None:
    files = [run(lab, f"cat /etc/kubernetes/pki/{name}.crt") for name in ("ca", "etcd/ca", "front-proxy-ca")]
    keys = {x509.load_pem_x509_certificate(file.encode()).public_key().public_bytes(*SPKI) for file in files}
    assert len(keys) == 3


def audit_log(lab: Lab) -> None:
    def recorded() -> bool:
        return bool(events(lab, "secrets", "canary", "create"))

    wait_until(recorded, 30, lambda: "the audit log has no such event")
    [event] = events(lab, "secrets", "canary", "create")
    assert event["level"] == "Metadata"
    assert not {"requestObject", "responseObject"} & set(event)
    assert ssh(lab.layout, FIRST.address, f"grep -rqF {CANARY}-value {AUDIT_FOLDER}").returncode == 1
    mode = run(lab, f"stat -c '%a %U' {AUDIT_FOLDER}/audit.log")
    assert mode.split() == ["600", "root"]


def events(lab: Lab, resource: str, name: str, verb: str) -> list[dict[str, Any]]:
    lines = ssh(lab.layout, FIRST.address, f"grep -hF '\"{name}\"' {AUDIT_FOLDER}/audit.log").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    return [
        one
        for one in found
        if one["verb"] == verb
        and one.get("objectRef", {}).get("resource") == resource
        and one["objectRef"].get("namespace") == NAMESPACE
    ]


BEHAVIOURS: dict[str, Callable[[Lab], None]] = {
    check.__name__: check
    for check in (
        anonymous_requests,
        anonymous_kubelet,
        external_ips,
        admission_plugins,
        privileged_pod,
        host_namespaces,
        host_path,
        secrets_in_etcd,
        etcd_without_certificate,
        etcd_authority,
        audit_log,
    )
}


@cache
def kubelet(lab: Lab, node: str) -> dict[str, Any]:
    """A kubelet's live configuration."""
    answer = lab.cluster.request("GET", f"/api/v1/nodes/{node}/proxy/configz")
    return dict(answer["kubeletconfig"])


def check_files(lab: Lab, wanted: Mode) -> None:
    for node in NODES if wanted.everywhere else (FIRST,):
        lines = run(lab, f"stat -c '%a %U:%G %n' {wanted.files}", node.address).splitlines()
        for line in lines:
            mode, owner, name = line.split()
            assert int(mode, 8) & ~wanted.most == 0, line
            assert owner == "root:root", line
            assert name


def check(lab: Lab, point: Point) -> None:
    match point.check:
        case Argument(process, name, value):
            assert arguments(lab, process).get(name) == value
        case Mode():
            check_files(lab, point.check)
        case Kubelet(field, value):
            for node in NODES:
                found: Any = kubelet(lab, node.name)
                for step in field.split("."):
                    found = found.get(step)
                assert found == value
        case Behaviour(name):
            BEHAVIOURS[name](lab)


@pytest.fixture
def namespace(lab: Lab) -> Any:
    """A namespace without labels, with a Secret."""
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    lab.cluster.apply(made)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}}
    wait_until(lambda: lab.cluster.get(account) is not None, 60, lambda: "the namespace has no account")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "canary", "namespace": NAMESPACE}}
    body = {**secret, "stringData": {"value": f"{CANARY}-value"}}
    lab.cluster.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", body)
    yield
    lab.cluster.delete(made)


def test_every_point_that_is_checked_holds(lab: Lab, namespace: None) -> None:
    wrong = {}
    for point in POINTS:
        try:
            check(lab, point)
        except AssertionError as error:
            wrong[f"{point.number} {point.title}"] = re.sub(r"\s+", " ", str(error))[:300]
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.mark.nightly
def test_a_changed_setting_reaches_the_running_control_plane_and_a_user_of_the_identity_provider_comes_in(
    lab: Lab,
) -> None:
    with Issuer(OPERATOR.address, 8443) as issuer:

        def edit(spec: dict[str, Any]) -> None:
            spec["cluster"]["security"] = {
                "auditLog": {"maxAgeDays": 7},
                "identityProviders": [
                    {"issuer": issuer.url, "audiences": ["kubernetes"], "caCertificate": issuer.authority}
                ],
            }

        try:
            outcome = lab.deployment.run("up", config_file=lab.variant(edit))
            assert outcome.exit_code == 0, outcome.diagnostics
            assert arguments(lab, "kube-apiserver")["audit-log-maxage"] == "7"
            server = f"https://{API_ADDRESS}:6443"

            def answer(token: str, path: str) -> int:
                return request(lab.layout, server + path, token)

            kari = issuer.token("kari", ["butikk-developers"])
            own = "/api/v1/namespaces/butikk-prod/pods"
            wait_until(lambda: answer(kari, own) == 200, 60, lambda: f"a user's token is answered {answer(kari, own)}")
            assert answer(kari, "/api/v1/namespaces/kube-system/secrets") == 403
            assert answer(issuer.token("mallory", ["system:masters"]), "/api") == 401
            assert answer(issuer.token("kari", [], audience="another"), "/api") == 401
            assert answer(issuer.token("kari", [], key="another"), "/api") == 401
        finally:
            lab.restore()
    assert arguments(lab, "kube-apiserver")["audit-log-maxage"] == "30"
