"""The gateway's components: CRDs, GatewayClass, Gateway, redirects to HTTPS, and the data plane."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply, apply_chart
from components.core.manifests import Manifest, secured_namespace
from components.core.names import child, token
from components.gateway.bundle import Bundle, taken_over
from components.gateway.cert_manager import cert_manager_values, certificates, dns_key_secret, issuer
from components.gateway.certificates import tls_secret
from components.gateway.issuers import NAMESPACE, ByCertManager, CertManager, asks_the_gateway
from components.gateway.listener_sets import listener_sets
from components.gateway.model import GatewayContext, GatewaySpec, Traefik
from components.gateway.render import (
    cert_manager_policies,
    cilium_class_config,
    gateway,
    gateway_class,
    gateway_policies,
)
from components.gateway.routes import redirect_route, redirects
from components.gateway.signing import KeyPair
from components.gateway.traefik import traefik_manifests


class GatewayCrds(pulumi.ComponentResource):
    """Gateway API's CRDs. They stay when the component is deleted, because a CRD's deletion deletes all routes."""

    version: pulumi.Output[str]
    """Version of the bundle."""

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        *,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """The bundle's admission policy comes after the CRDs, which it checks from then on."""
        super().__init__(token("GatewayCrds"), name)
        kept = pulumi.ResourceOptions(
            parent=self, provider=provider, depends_on=list(depends_on), retain_on_delete=True
        )
        crds = [apply(child(name, "crd", item["metadata"]["name"]), item, kept) for item in bundle.crds]
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=crds, retain_on_delete=True)
        for item in bundle.guards:
            apply(child(name, item["kind"].lower(), item["metadata"]["name"]), taken_over(item), after)
        self.version = pulumi.Output.from_input(bundle.version)
        self.register_outputs({"version": self.version})


class _GatewayObject(pulumi.CustomResource):
    """The Gateway, with its status: the SDK's class for custom resources has none."""

    status: pulumi.Output[Any]

    def __init__(self, name: str, item: Manifest, opts: pulumi.ResourceOptions) -> None:
        super().__init__(f"kubernetes:{item['apiVersion']}:{item['kind']}", name, {**item, "status": None}, opts)


class Gateway(pulumi.ComponentResource):
    """One Gateway for all tenants."""

    address: pulumi.Output[str]
    """The Gateway's address. Unknown at a preview that makes it, unless the stack file has it."""
    dns: pulumi.Output[dict[str, str]]
    """The DNS records to make: host name of a listener for HTTPS → address."""

    def __init__(
        self,
        name: str,
        spec: GatewaySpec,
        context: GatewayContext,
        *,
        certificates: Mapping[str, pulumi.Output[KeyPair]] | None = None,
        dns_key: pulumi.Output[str] | None = None,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
        pools: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Gateway API's CRDs must be in the cluster before.

        `certificates`: by name of the Secret that a listener asks for, where the stack brings it. `dns_key`: the TSIG
        key of the ACME solver. `pools`: where the Service's address comes from; what does not need the address is made
        while they are.
        """
        super().__init__(token("Gateway"), name)
        self._name, self._spec, self._context, self._provider = name, spec, context, provider
        before: list[pulumi.Resource] = list(depends_on)
        issuers = self._issuer(before, dns_key)
        namespace = self._namespace(before)
        secrets = [
            self._apply(("certificate", secret), _tls_secret(secret, spec.namespace, pair), namespace or before)
            for secret, pair in sorted((certificates or {}).items())
        ]
        needs = [*(namespace or before), *secrets, *issuers, *self._data_plane(namespace, pools)]
        late = asks_the_gateway(spec.issuer)
        ordered = [] if late else self._certificates(needs)
        needs = [*needs, *ordered]
        if context.by_cilium:
            needs.append(self._apply(("class-config",), cilium_class_config(spec, context), needs))
        made = self._apply(("class",), gateway_class(spec, context), needs)
        options = self._options([made, *needs, *pools])
        entrance = _GatewayObject(child(name, "gateway"), gateway(spec, context), options)
        for item in listener_sets(spec, context):
            self._apply(("listeners", item["metadata"]["name"]), item, [entrance])
        sent_on = [
            self._apply(("redirect", listener.name), redirect_route(listener, spec), [entrance])
            for listener in redirects(spec)
        ]
        if late:
            self._certificates([entrance, *sent_on, *issuers])
        self.address = _address(spec, entrance)
        names = sorted({listener.hostname for listener in spec.https if listener.hostname})
        self.dns = self.address.apply(lambda address: dict.fromkeys(names, address))
        self.register_outputs({"address": self.address, "dns": self.dns})

    def _options(self, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, provider=self._provider, depends_on=list(depends_on))

    def _apply(
        self, role: tuple[str, ...], item: Manifest, depends_on: Sequence[pulumi.Resource]
    ) -> pulumi.CustomResource:
        return apply(child(self._name, *role), item, self._options(depends_on))

    def _issuer(self, before: Sequence[pulumi.Resource], dns_key: pulumi.Output[str] | None) -> list[pulumi.Resource]:
        """cert-manager with its issuer, which has an account when it is ready."""
        install = self._spec.issuer
        if not isinstance(install, CertManager):
            return []
        namespace = self._apply(("issuer-namespace",), secured_namespace(NAMESPACE), before)
        for item in cert_manager_policies(self._context):
            self._apply(("issuer-policy", item["metadata"]["name"]), item, [namespace])
        values = cert_manager_values(install, self._context)
        own = child(self._name, "issuer", "chart")
        chart = apply_chart(own, install.chart, values, self._options([namespace]))
        needs: list[pulumi.Resource] = [chart]
        if dns_key is not None:
            made = dns_key_secret("")
            data = dns_key.apply(lambda known: dns_key_secret(known)["data"])
            needs.append(self._apply(("issuer-dns-key",), {**made, "data": data}, [namespace]))
        return [self._apply(("issuer",), issuer(self._spec, install.acme), needs)]

    def _namespace(self, before: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The gateway's namespace; empty where somebody else runs the data plane, and has made it."""
        if not isinstance(self._spec.install, Traefik) and not self._context.by_cilium:
            return []
        return [self._apply(("namespace",), secured_namespace(self._spec.namespace), before)]

    def _data_plane(
        self, namespace: Sequence[pulumi.Resource], pools: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        spec, runs = self._spec, list[pulumi.Resource]()
        if isinstance(spec.install, Traefik):
            for item in gateway_policies(spec, self._context):
                self._apply(("policy", item["metadata"]["name"]), item, namespace)
            for item in traefik_manifests(spec, spec.install, self._context):
                needs = [*namespace, *runs, *(pools if item["kind"] == "Service" else ())]
                runs.append(self._apply(("traefik", item["kind"].lower()), item, needs))
        return runs

    def _certificates(self, depends_on: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        if not isinstance(self._spec.issuer, ByCertManager):
            return []
        return [
            self._apply(("certificate", item["metadata"]["name"]), item, depends_on)
            for item in certificates(self._spec)
        ]


def _address(spec: GatewaySpec, entrance: _GatewayObject) -> pulumi.Output[str]:
    if spec.address is not None:
        return pulumi.Output.from_input(str(spec.address))
    return entrance.status.apply(lambda status: str(status["addresses"][0]["value"]) if status else "")


def _tls_secret(name: str, namespace: str, pair: pulumi.Output[KeyPair]) -> Manifest:
    """The Secret. Its data are secret outputs; everything else is known at preview."""
    made = tls_secret(name, namespace, KeyPair("", ""))
    return {**made, "data": pair.apply(lambda known: tls_secret(name, namespace, known)["data"])}
