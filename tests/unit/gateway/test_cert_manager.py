"""cert-manager: its real chart takes our values, its CRDs our objects, and HTTP-01 can attach."""

import base64
from typing import Any

import pytest

from components.charts.render import ChartSource, render
from components.core.manifests import Manifest
from components.gateway.cert_manager import (
    CHART_IMAGES,
    SOLVER_PORT,
    cert_manager_values,
    certificates,
    dns_key_secret,
    issuer,
)
from components.gateway.issuers import NAMESPACE, CertManager
from components.gateway.model import GatewayContext, GatewaySpec
from components.gateway.render import CA_INJECTOR, WEBHOOK, cert_manager_policies, gateway, gateway_policies
from components.gateway.routes import redirect_route, redirects
from components.images.model import ImageMirror
from tests.support.modules import CERT_MANAGER, GATEWAY_API, source, versions
from tests.support.schemas import crd_errors
from tests.support.stacks import problems, stack_data

[VERSION] = versions(CERT_MANAGER)
HTTP = {"name": "http", "port": 80, "protocol": "HTTP", "redirect": "https"}
HTTPS = {"name": "a", "port": 443, "protocol": "HTTPS", "hostname": "a.example.no", "certificateSecret": "a"}
SERVER = "https://acme.example.no/directory"
RFC2136 = {"kind": "rfc2136", "nameserver": "198.51.100.53:5353", "keyName": "vds"}
ROUTE53 = {"kind": "service", "name": "route53", "settings": {"region": "eu-north-1"}}
SOLVERS = [{"kind": "http-01"}, {"kind": "dns-01", "by": RFC2136}, {"kind": "dns-01", "by": ROUTE53}]


def spec(solver: dict[str, Any], *listeners: dict[str, Any], **fields: Any) -> GatewaySpec:
    acme = {"server": SERVER, "email": "drift@example.no", "solver": solver}
    data = {"kind": "cert-manager", "version": VERSION, "acme": acme, **fields}
    install = {"kind": "traefik", "version": "3.7.9"}
    return GatewaySpec.model_validate({"install": install, "issuer": data, "listeners": listeners or (HTTP, HTTPS)})


def installed(found: GatewaySpec) -> CertManager:
    assert isinstance(found.issuer, CertManager)
    return found.issuer


def rendered(context: GatewayContext | None = None) -> list[Manifest]:
    values = cert_manager_values(installed(spec(SOLVERS[0])), context or GatewayContext())
    chart = ChartSource(str(source(CERT_MANAGER, VERSION) / "deploy/charts/cert-manager"))
    return render(chart, values, release=NAMESPACE, namespace=NAMESPACE, kubernetes="1.36.3").manifests


def pods(objects: list[Manifest]) -> dict[str, Any]:
    kinds = ("Deployment", "Job")
    return {item["metadata"]["name"]: item["spec"]["template"] for item in objects if item["kind"] in kinds}


def test_the_chart_brings_its_crds_and_reads_gateway_api() -> None:
    objects = rendered()
    crds = {item["metadata"]["name"]: item for item in objects if item["kind"] == "CustomResourceDefinition"}
    assert {"certificates.cert-manager.io", "clusterissuers.cert-manager.io"} <= set(crds)
    assert all(item["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for item in crds.values())
    [configuration] = [item for item in objects if item["kind"] == "ConfigMap"]
    assert "enableGatewayAPI: true" in configuration["data"]["config.yaml"]
    leases = [item for item in objects if item["kind"] == "Role" and "leaderelection" in item["metadata"]["name"]]
    assert {item["metadata"]["namespace"] for item in leases} == {NAMESPACE}


def test_its_pods_pass_pod_security_restricted() -> None:
    for pod in pods(rendered()).values():
        assert pod["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_every_image_of_the_chart_is_the_mirrors() -> None:
    digest = f"sha256:{'a' * 64}"
    pins = {path.partition("/")[2]: digest for path in CHART_IMAGES.values()}
    mirror = ImageMirror(registry="r.example.no", pins=pins)
    text = str(rendered(GatewayContext(images=mirror)))
    assert "quay.io/jetstack" not in text
    for origin in CHART_IMAGES.values():
        assert f"r.example.no/{origin.partition('/')[2]}" in text
    assert text.count(digest) == len(CHART_IMAGES)


def test_its_policies_select_its_pods() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(rendered()).items()}
    assert WEBHOOK.items() <= labels["cert-manager-webhook"].items()
    assert CA_INJECTOR.items() <= labels["cert-manager-cainjector"].items()
    names = [item["metadata"]["name"] for item in cert_manager_policies(GatewayContext(on_cilium=True))]
    assert len(set(names)) == len(names)
    [webhook] = [item for item in cert_manager_policies(GatewayContext()) if item["metadata"]["name"] == "webhook"]
    [port] = [
        port["containerPort"]
        for container in pods(rendered())["cert-manager-webhook"]["spec"]["containers"]
        for port in container["ports"]
        if port["name"] == "https"
    ]
    assert webhook["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": port}]}]


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: str(solver.get("by", solver)["kind"]))
def test_its_crds_take_issuer_and_certificates(solver: dict[str, Any]) -> None:
    found = spec(solver)
    made = [issuer(found, installed(found).acme), *certificates(found)]
    for item in made:
        assert crd_errors(item, CERT_MANAGER, VERSION) == []
        assert item["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    assert made[1]["spec"]["dnsNames"] == ["a.example.no"]
    assert made[1]["spec"]["issuerRef"]["name"] == made[0]["metadata"]["name"]


# --- HTTP-01 ---------------------------------------------------------------------------------------------


def test_the_solvers_route_can_attach() -> None:
    found = spec(SOLVERS[0])
    [solver] = issuer(found, installed(found).acme)["spec"]["acme"]["solvers"]
    http = solver["http01"]["gatewayHTTPRoute"]
    assert http["serviceType"] == "ClusterIP"
    [parent] = http["parentRefs"]
    entrance = gateway(found, GatewayContext())
    assert (parent["name"], parent["namespace"]) == (entrance["metadata"]["name"], entrance["metadata"]["namespace"])
    [listener] = [one for one in entrance["spec"]["listeners"] if one["name"] == parent["sectionName"]]
    # The challenge, and so its route, is in the Certificate's namespace.
    [certificate] = certificates(found)
    assert listener["allowedRoutes"]["namespaces"]["from"] == "Same"
    assert certificate["metadata"]["namespace"] == entrance["metadata"]["namespace"]
    assert (listener["port"], "hostname" in listener) == (80, False)
    # Its match is a whole path, which goes before the redirect's prefix.
    [redirect] = redirect_route(redirects(found)[0], found)["spec"]["rules"]
    assert redirect["matches"][0]["path"] == {"type": "PathPrefix", "value": "/"}


def test_the_gateway_waits_for_an_address_only_where_certificates_need_it_first() -> None:
    waits = [
        gateway(spec(solver), GatewayContext())["metadata"]["annotations"]["pulumi.com/waitFor"] for solver in SOLVERS
    ]
    assert ["Programmed" in wait for wait in waits] == [False, True, True]


def test_traefik_reaches_the_solver_and_nobody_else_does() -> None:
    made = {
        item["metadata"]["name"]: item for item in gateway_policies(spec(SOLVERS[0]), GatewayContext(on_cilium=True))
    }
    [rule] = made["acme-solver"]["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": SOLVER_PORT}]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "traefik"}}}]
    out = made["gateway-calls"]["spec"]["egress"]
    assert {"to": [{"podSelector": made["acme-solver"]["spec"]["podSelector"]}], "ports": rule["ports"]} in out
    without = [item["metadata"]["name"] for item in gateway_policies(spec(SOLVERS[1]), GatewayContext())]
    assert without == ["default-deny", "gateway"]


def said(solver: dict[str, Any], *listeners: dict[str, Any], **fields: Any) -> list[str]:
    data = stack_data("oslo")
    acme = {"server": SERVER, "solver": solver}
    made = {"kind": "cert-manager", "version": VERSION, "acme": acme, **fields}
    data["gateway"] |= {"issuer": made, "listeners": list(listeners or (HTTP, HTTPS))}
    return problems(data)


def test_what_could_never_be_ordered_is_refused() -> None:
    assert [said(solver) for solver in SOLVERS] == [[], [], []]
    (wildcard,) = said(SOLVERS[0], HTTP, {**HTTPS, "hostname": "*.example.no"})
    assert "*.example.no is a wildcard, and ACME servers issue those with dns-01 only" in wildcard
    assert said(SOLVERS[1], HTTP, {**HTTPS, "hostname": "*.example.no"}) == []
    (closed,) = said(SOLVERS[0], HTTPS)
    assert "asks on port 80, and no listener there takes every host and redirects: add { name: http" in closed
    (old,) = said(SOLVERS[0], version="1.14.0")
    assert "gateway.issuer.version: 1.14.0 is older than 1.15" in old
    (taken,) = said(SOLVERS[0], values={"crds": {"keep": False}, "replicaCount": 2})
    assert "gateway.issuer.values: crds.keep is set by the platform" in taken


def test_the_tsig_key_is_where_the_issuer_says() -> None:
    found = spec(SOLVERS[1])
    secret = dns_key_secret("c2VjcmV0\n")
    assert base64.b64decode(secret["data"]["key"]) == b"c2VjcmV0"
    [solver] = issuer(found, installed(found).acme)["spec"]["acme"]["solvers"]
    reference = solver["dns01"]["rfc2136"]["tsigSecretSecretRef"]
    assert (secret["metadata"]["name"], next(iter(secret["data"]))) == (reference["name"], reference["key"])
    assert secret["metadata"]["namespace"] == NAMESPACE


def test_gateways_of_every_issuer_fit_the_crds() -> None:
    for solver in SOLVERS:
        assert crd_errors(gateway(spec(solver), GatewayContext()), GATEWAY_API, "1.6.1") == []
