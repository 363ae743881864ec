"""Checks the gateway from outside: whether its address answers, and how long its certificate is valid.

Asks the API server whether every node is Ready, and which pods of the platform do not run, and why.
"""

import datetime
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography import x509

from components.core.names import KUBE_SYSTEM, METALLB_SYSTEM, TIGERA_OPERATOR
from components.faults.reading import node_fault, not_running
from components.gateway.model import GatewaySpec, HttpsListener, Listener
from components.kubernetes_api import Api, ApiError, Cluster, KubeconfigError, UnreachableError, get, list_items
from components.network.model import Calico, Cilium
from components.nodes.preflight.verdict import State
from components.pools.announced import announcement, owner, remedy
from components.pools.model import Helm
from components.stackfile.spec import PlatformSpec
from vds.doctor.diagnosis import GatewayFinding, no_answer

EXPIRY_DAYS = 21
"""cert-manager renews 30 days before the end of a 90-day certificate: what has 21 left was not renewed in time."""

_RENEW = "run `pulumi up`, set a new one, or see cert-manager's Certificate: whichever is `gateway.issuer`"
_SECONDS = 5
_GATEWAYS = "/apis/gateway.networking.k8s.io/v1"


def examine(spec: PlatformSpec, kubeconfig: str | None, now: datetime.datetime) -> list[GatewayFinding]:
    """All checks of the gateway. A fault is a finding and raises nothing.

    `kubeconfig` is None if the stack makes its cluster and has not done so yet.
    """
    gateway = spec.gateway
    name = f"gateway {gateway.namespace}/{gateway.name}"
    if kubeconfig is None:
        return [GatewayFinding(name, "advice", "no cluster yet", "run `pulumi up`: it makes the cluster")]
    try:
        cluster = Cluster(kubeconfig)
        live = get(cluster, f"{_GATEWAYS}/namespaces/{gateway.namespace}/gateways/{gateway.name}")
        hosts = {item.name: _hosts(item, gateway, cluster) for item in gateway.listeners if live and _address(live)}
    except (ApiError, KubeconfigError, UnreachableError) as error:
        return [no_answer(name, error)]
    if live is None:
        return [GatewayFinding(name, "fails", "it does not exist", "run `pulumi up`")]
    address = _address(live)
    if address is None:
        return [
            GatewayFinding(name, "fails", "it has no address", "see `kubectl describe gateway`, and MetalLB's pools")
        ]
    return [row for item in gateway.listeners for row in _listener(name, item, hosts[item.name], address, now)]


def _address(gateway: dict[str, Any]) -> str | None:
    addresses = (gateway.get("status") or {}).get("addresses") or []
    return str(addresses[0]["value"]) if addresses else None


def _hosts(listener: Listener, gateway: GatewaySpec, api: Api) -> list[str]:
    """Hosts whose certificate is asked for: the listener's own, or those of the routes in the cluster that it takes."""
    if not isinstance(listener, HttpsListener):
        return []
    if listener.hostname:
        return [listener.hostname]
    specs = [route.get("spec") or {} for route in list_items(api, f"{_GATEWAYS}/httproutes")]
    return sorted(
        {
            host
            for spec in specs
            for parent in spec.get("parentRefs") or ()
            if (parent.get("name"), parent.get("namespace")) == (gateway.name, gateway.namespace)
            and parent.get("sectionName") in (None, listener.name)
            for host in spec.get("hostnames") or ()
        }
    )


def _listener(
    name: str, listener: Listener, hosts: Sequence[str], address: str, now: datetime.datetime
) -> list[GatewayFinding]:
    item = f"{name}, listener {listener.name}"
    try:
        socket.create_connection((address, listener.port), timeout=_SECONDS).close()
    except OSError as error:
        measured = f"{address} port {listener.port} does not answer ({error.strerror or 'no answer in time'})"
        remedy = "run the doctor from the nodes' network, and check which node announces the address"
        return [GatewayFinding(item, "fails", measured, remedy)]
    found = [GatewayFinding(item, "ok", f"{address} port {listener.port} answers")]
    return [*found, *(certificate_finding(host, address, listener.port, now) for host in hosts)]


def certificate_finding(host: str, address: str, port: int, now: datetime.datetime) -> GatewayFinding:
    """How long the certificate of a host is valid. Its signature is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # expired ones must be read too
    try:
        with (
            socket.create_connection((address, port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host.replace("*", "any", 1)) as secured,
        ):
            encoded = secured.getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(encoded or b"")
    except (OSError, ValueError) as error:
        return GatewayFinding(host, "fails", f"no TLS at {address} port {port} ({error})", "see the listener's Secret")
    days = (certificate.not_valid_after_utc - now).days
    if days < 0:
        return GatewayFinding(host, "fails", f"its certificate expired {-days} days ago", _RENEW)
    state: State = "ok" if days >= EXPIRY_DAYS else "advice"
    remedy = "" if state == "ok" else _RENEW
    return GatewayFinding(host, state, f"its certificate is valid for {days} more days (limit {EXPIRY_DAYS})", remedy)


_CILIUM_PODS = "app.kubernetes.io/part-of=cilium"
_CALICO_SYSTEM = "calico-system"


def examine_running(spec: PlatformSpec, kubeconfig: str | None) -> list[GatewayFinding]:
    """What does not run; one good row where everything does. A fault is a finding and raises nothing.

    `kubeconfig` is None if the stack makes its cluster and has not done so yet.
    """
    if kubeconfig is None:
        return []
    try:
        return rows(spec, Cluster(kubeconfig))
    except (ApiError, KubeconfigError, UnreachableError) as error:
        return [no_answer("cluster", error)]


def rows(spec: PlatformSpec, api: Api) -> list[GatewayFinding]:
    """The same. Raises ApiError, UnreachableError."""
    found = [*_nodes(spec, api), *_pods(spec, api)]
    good = [GatewayFinding("cluster", "ok", "every node is Ready, and every pod of the platform runs")]
    return [*(found or good), *_announcement(spec, api)]


def _nodes(spec: PlatformSpec, api: Api) -> Iterator[GatewayFinding]:
    for node in spec.nodes:
        if fault := node_fault(api, node.name):
            see = "see `journalctl -u kubelet` there; run `pulumi up` if it has not joined"
            yield GatewayFinding(fault.item, "fails", fault.says, see)


def _pods(spec: PlatformSpec, api: Api) -> Iterator[GatewayFinding]:
    for namespace, labels in _namespaces(spec):
        for fault in not_running(api, namespace, labels=labels):
            see = f"see `kubectl -n {namespace} describe` and `logs` of it"
            yield GatewayFinding(fault.item, "fails", fault.says, see)


def _announcement(spec: PlatformSpec, api: Api) -> Iterator[GatewayFinding]:
    by = owner(spec.metallb)
    if by is None:  # the gateway's own row says whether the address answers
        return
    found = announcement(api, spec.gateway.namespace, spec.gateway.name, by)
    item = f"address {found.address}" if found.address else "gateway's address"
    if found.reason:
        yield GatewayFinding(item, "fails", found.reason, remedy(api, by))
    else:
        yield GatewayFinding(item, "ok", f"announced by {', '.join(found.nodes or ())}")


def _namespaces(spec: PlatformSpec) -> Iterator[tuple[str, str]]:
    """Where the platform has pods, with a label selector where others have some too."""
    if spec.bootstrap:
        yield KUBE_SYSTEM, ""
    elif isinstance(spec.cni, Cilium):
        yield KUBE_SYSTEM, _CILIUM_PODS
    if isinstance(spec.cni, Calico):
        yield from ((TIGERA_OPERATOR, ""), (_CALICO_SYSTEM, ""))
    if isinstance(spec.metallb.install, Helm):
        yield METALLB_SYSTEM, ""
    if spec.gateway.pods_namespace and spec.gateway.pods_namespace not in (KUBE_SYSTEM, METALLB_SYSTEM):
        yield spec.gateway.pods_namespace, ""
