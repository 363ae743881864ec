"""The gateway as somebody outside meets it: does its address answer, and how long is its certificate good."""

from __future__ import annotations

import datetime
import socket
import ssl
from typing import Any

from cryptography import x509

from components.gateway.model import GatewaySpec, HttpsListener
from components.nodes.preflight.verdict import State
from components.stackfile.spec import PlatformSpec
from vds.doctor.diagnosis import EdgeFinding
from vds.shared.errors import OperationError
from vds.shared.kubernetes import ApiError, Cluster, UnreachableError, found

EXPIRY_DAYS = 21
"""cert-manager renews 30 days before the end of a 90-day certificate: what has 21 left was not renewed in time."""

_SECONDS = 5
_GATEWAYS = "/apis/gateway.networking.k8s.io/v1"


def examine(spec: PlatformSpec, kubeconfig: str | None, now: datetime.datetime) -> list[EdgeFinding]:
    """Everything about the gateway that can be seen from here. What is wrong is a finding, never an error.

    `kubeconfig` None: the stack makes its cluster, and has not yet.
    """
    gateway = spec.gateway
    name = f"gateway {gateway.namespace}/{gateway.name}"
    if kubeconfig is None:
        return [EdgeFinding(name, "advice", "no cluster yet", "`pulumi up` makes it of the nodes")]
    try:
        there = found(Cluster(kubeconfig), f"{_GATEWAYS}/namespaces/{gateway.namespace}/gateways/{gateway.name}")
    except OperationError:  # its text is a command's
        said = "the stack's kubeconfig is none"
        return [EdgeFinding(name, "unknown", said, "set the kubeconfig anew, from the cluster's administrator")]
    except (ApiError, UnreachableError) as error:
        said = f"the cluster could not be asked ({error})"
        return [EdgeFinding(name, "unknown", said, "bring the API server up, or correct the stack's kubeconfig")]
    except (AttributeError, TypeError, ValueError):
        said = "what answers for the cluster is no API server"
        return [EdgeFinding(name, "unknown", said, "correct the server of the stack's kubeconfig")]
    if there is None:
        return [EdgeFinding(name, "fails", "it is not there", "`pulumi up` makes it")]
    address = _address(there)
    if address is None:
        return [EdgeFinding(name, "fails", "it has no address", "see `kubectl describe gateway`, and MetalLB's pools")]
    return [finding for listener in gateway.listeners for finding in _listener(name, gateway, listener, address, now)]


def _address(there: dict[str, Any]) -> str | None:
    addresses = (there.get("status") or {}).get("addresses") or []
    return str(addresses[0]["value"]) if addresses else None


def _listener(
    name: str, gateway: GatewaySpec, listener: Any, address: str, now: datetime.datetime
) -> list[EdgeFinding]:
    item = f"{name}, listener {listener.name}"
    try:
        socket.create_connection((address, listener.port), timeout=_SECONDS).close()
    except OSError as error:
        said = f"{address} port {listener.port} does not answer ({error.strerror or 'no answer in time'})"
        return [EdgeFinding(item, "fails", said, "ask from the nodes' segment; see which node announces the address")]
    found = [EdgeFinding(item, "ok", f"{address} port {listener.port} answers")]
    if isinstance(listener, HttpsListener):
        hosts = sorted({r.hostname for r in gateway.routes if r.listener in (None, listener.name)})
        found += [certificate_finding(host, address, listener.port, now) for host in hosts]
    return found


def certificate_finding(host: str, address: str, port: int, now: datetime.datetime) -> EdgeFinding:
    """How long the certificate that a host is served with is good; who signed it is not judged here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # expired ones must be seen too
    try:
        with (
            socket.create_connection((address, port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host.replace("*", "any", 1)) as secured,
        ):
            encoded = secured.getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(encoded or b"")
    except (OSError, ValueError) as error:
        return EdgeFinding(host, "fails", f"no TLS at {address} port {port} ({error})", "see the listener's Secret")
    days = (certificate.not_valid_after_utc - now).days
    if days < 0:
        return EdgeFinding(host, "fails", f"its certificate ended {-days} days ago", "see cert-manager's Certificate")
    state: State = "ok" if days >= EXPIRY_DAYS else "advice"
    remedy = "" if state == "ok" else "it should have been renewed: see cert-manager's Certificate"
    return EdgeFinding(host, state, f"its certificate is good for {days} days more (limit {EXPIRY_DAYS})", remedy)
