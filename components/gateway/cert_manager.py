"""cert-manager: values of its chart, its issuer, and the certificates of HTTPS listeners."""

import base64
from typing import Any

from components.charts.values import merged, put, taken_problems
from components.core.finding import Finding
from components.core.labels import WAIT_FOR
from components.core.manifests import Manifest, manifest
from components.gateway.certificates import names_by_secret
from components.gateway.issuers import (
    NAMESPACE,
    Acme,
    ByCertManager,
    CertManager,
    ClusterIssuer,
    DnsService,
    Http01,
    Rfc2136,
)
from components.gateway.model import GatewayContext, GatewaySpec, HttpListener
from components.gateway.routes import parent
from components.gateway.waits import READY
from components.images.model import image_at, pin_of

API = "cert-manager.io/v1"
ISSUER = "platform"
"""Name of the platform's ClusterIssuer, and of the Secrets with its account's key and its TSIG key."""
SOLVER = {"acme.cert-manager.io/http01-solver": "true"}
"""Label of the pods that answer for HTTP-01."""
SOLVER_PORT = 8089
"""Their port (cert-manager's pkg/issuer/acme/http)."""
HTTP_PORT = 80
"""Where an ACME server asks for HTTP-01 (RFC 8555, 8.3)."""
CHART_IMAGES = {
    ("image",): "quay.io/jetstack/cert-manager-controller",
    ("webhook", "image"): "quay.io/jetstack/cert-manager-webhook",
    ("cainjector", "image"): "quay.io/jetstack/cert-manager-cainjector",
    ("acmesolver", "image"): "quay.io/jetstack/cert-manager-acmesolver",
    ("startupapicheck", "image"): "quay.io/jetstack/cert-manager-startupapicheck",
}
"""Every image of the chart, as in 1.21.2."""


def platform_values(context: GatewayContext) -> dict[str, Any]:
    """The platform's values. The chart keeps its CRDs when it is removed, because they hold all certificates."""
    values: dict[str, Any] = {
        "config": {"enableGatewayAPI": True},
        "crds": {"enabled": True, "keep": True},
        "global": {"leaderElection": {"namespace": NAMESPACE}},  # it needs no rights in kube-system
    }
    if context.images is not None:
        for path, origin in CHART_IMAGES.items():
            put(values, (*path, "repository"), image_at(context.images, origin))
            if digest := pin_of(context.images, origin):
                put(values, (*path, "digest"), digest)
    return dict(sorted(values.items()))


def cert_manager_values(install: CertManager, context: GatewayContext) -> dict[str, Any]:
    """Values of the chart, including those of the stack file."""
    return merged(platform_values(context), install.values)


def values_problems(spec: GatewaySpec, context: GatewayContext) -> list[Finding]:
    """Values of the stack file with keys that the platform sets."""
    if not isinstance(spec.issuer, CertManager):
        return []
    return taken_problems("gateway-issuer", "gateway.issuer.values", platform_values(context), spec.issuer.values)


def issuer(spec: GatewaySpec, acme: Acme) -> Manifest:
    """The ClusterIssuer. It is ready when it has an account at the ACME server."""
    body: dict[str, Any] = {
        "server": acme.server,
        "privateKeySecretRef": {"name": f"{ISSUER}-account"},
        "solvers": [_solver(spec, acme)],
    }
    if acme.email is not None:
        body["email"] = acme.email
    if acme.ca_certificate is not None:
        body["caBundle"] = _encoded(acme.ca_certificate)
    return manifest(API, "ClusterIssuer", ISSUER, annotations={WAIT_FOR: READY}, spec={"acme": body})


def dns_key_secret(key: str) -> Manifest:
    """The TSIG key, where cert-manager looks for it."""
    return manifest("v1", "Secret", f"{ISSUER}-dns", namespace=NAMESPACE, type="Opaque", data={"key": _encoded(key)})


def certificates(spec: GatewaySpec) -> list[Manifest]:
    """A Certificate for each Secret that listeners name. It is ready when the Secret has a valid certificate."""
    assert isinstance(spec.issuer, ByCertManager)  # noqa: S101  for mypy: the caller asks for no other
    name = spec.issuer.name if isinstance(spec.issuer, ClusterIssuer) else ISSUER
    return [
        manifest(
            API,
            "Certificate",
            secret,
            namespace=spec.namespace,
            annotations={WAIT_FOR: READY},
            spec={
                "secretName": secret,
                "dnsNames": hosts,
                "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": name},
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "usages": ["digital signature", "server auth"],
            },
        )
        for secret, hosts in names_by_secret(spec).items()
    ]


def solver_listener(spec: GatewaySpec) -> HttpListener | None:
    """The listener for HTTP-01: it takes routes of the gateway's namespace, where the solvers are, and every host."""
    fitting = [
        item
        for item in spec.listeners
        if isinstance(item, HttpListener) and item.port == HTTP_PORT and item.redirect and item.hostname is None
    ]
    return fitting[0] if fitting else None


def _solver(spec: GatewaySpec, acme: Acme) -> dict[str, Any]:
    if isinstance(acme.solver, Http01):
        listener = solver_listener(spec)
        to = parent(spec, listener.name if listener else None)
        # ClusterIP: by default the solver's Service opens a port on every node.
        return {"http01": {"gatewayHTTPRoute": {"parentRefs": [to], "serviceType": "ClusterIP"}}}
    by = acme.solver.by
    if isinstance(by, DnsService):
        return {"dns01": {by.name: by.settings}}
    return {"dns01": {"rfc2136": _rfc2136(by)}}


def _rfc2136(by: Rfc2136) -> dict[str, Any]:
    return {
        "nameserver": by.nameserver,
        "tsigKeyName": by.key_name,
        "tsigAlgorithm": by.algorithm,
        "tsigSecretSecretRef": {"name": f"{ISSUER}-dns", "key": "key"},
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.strip().encode()).decode()
