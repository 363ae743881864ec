"""The gateway's components: CRDs, GatewayClass, Gateway, routes, and the data plane."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.apply import apply
from components.core.manifests import Manifest
from components.core.names import child, token
from components.gateway.bundle import Bundle, taken_over
from components.gateway.certificates import KeyPair, tls_secret
from components.gateway.model import GatewaySpec, Traefik
from components.gateway.render import gateway, gateway_class, gateway_namespace, http_route, redirect_route, redirects
from components.gateway.traefik import traefik_manifests
from components.images.model import ImageMirror


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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """The bundle's admission policy comes after the CRDs, which it checks from then on."""
        super().__init__(token("GatewayCrds"), name, None, opts)
        kept = pulumi.ResourceOptions(
            parent=self, provider=provider, depends_on=list(depends_on), retain_on_delete=True
        )
        crds = [apply(child(name, "crd", item["metadata"]["name"]), item, kept) for item in bundle.crds]
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=crds, retain_on_delete=True)
        for item in bundle.guards:
            apply(child(name, item["kind"].lower(), item["metadata"]["name"]), taken_over(item), after)
        self.version = pulumi.Output.from_input(bundle.version)
        self.register_outputs({"version": self.version})


class Gateway(pulumi.ComponentResource):
    """One Gateway for all tenants, with their routes."""

    hostnames: pulumi.Output[list[str]]
    """Host names of all routes, sorted."""

    def __init__(
        self,
        name: str,
        spec: GatewaySpec,
        *,
        images: ImageMirror | None = None,
        certificates: Mapping[str, pulumi.Output[KeyPair]] | None = None,
        provider: kubernetes.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
        pools: Sequence[pulumi.Resource] = (),
        tenants: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`tenants`: whose namespaces routes go into. Gateway API's CRDs must be in the cluster before.

        `certificates`: by name of the Secret that a listener asks for, where the stack brings it. `pools`: where the
        Service's address comes from; what does not need the address is made while they are.
        """
        ceiling = {"canaryCeilingPercent": spec.canary_ceiling_percent}  # the canary policy uses it
        super().__init__(token("Gateway"), name, ceiling, opts)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        runs: list[pulumi.Resource] = []
        if isinstance(spec.install, Traefik):
            namespace = apply(child(name, "namespace"), gateway_namespace(spec), options)
            for item in traefik_manifests(spec, spec.install, images):
                needs = [namespace, *runs, *(pools if item["kind"] == "Service" else ())]
                after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=needs)
                runs.append(apply(child(name, "traefik", item["kind"].lower()), item, after))
            options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace])
        secrets = [
            apply(child(name, "certificate", secret), _tls_secret(secret, spec.namespace, pair), options)
            for secret, pair in sorted((certificates or {}).items())
        ]
        options = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[*runs, *secrets]))
        made = apply(child(name, "class"), gateway_class(spec), options)
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[made, *secrets, *pools])
        made = apply(child(name, "gateway"), gateway(spec), after)
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[made])
        for listener in redirects(spec):
            apply(child(name, "redirect", listener.name), redirect_route(listener, spec), after)
        after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[made, *tenants])
        for route in spec.routes:
            apply(child(name, "route", f"{route.tenant}-{route.name}"), http_route(route, spec), after)
        self.hostnames = pulumi.Output.from_input(sorted({route.hostname for route in spec.routes}))
        self.register_outputs({**ceiling, "hostnames": self.hostnames})


def _tls_secret(name: str, namespace: str, pair: pulumi.Output[KeyPair]) -> Manifest:
    """The Secret. Its data are secret outputs; everything else is known at preview."""
    made = tls_secret(name, namespace, KeyPair("", ""))
    return {**made, "data": pair.apply(lambda known: tls_secret(name, namespace, known)["data"])}
