"""Load-balancer addresses: pools, advertisements, MetalLB if the platform installs it, and the wait for a node that
announces the gateway's address."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes
from pulumi_command import local

from components.apply import apply, apply_chart, apply_wait
from components.charts.reference import Chart
from components.core.manifests import Manifest
from components.core.names import METALLB_SYSTEM, child, token
from components.pools.admission import ADMISSION
from components.pools.announced import ANNOUNCED, owner
from components.pools.by_cilium import cilium_pool_manifests
from components.pools.model import ByCilium, Helm, MetalLbContext, MetalLbSpec
from components.pools.render import (
    METALLB,
    address_pool,
    advertisements,
    bfd_profile,
    bgp_peer,
    metallb_namespace,
    metallb_values,
    network_policies,
    speaker_waits,
)
from components.pools.without_bgp import WITHOUT_BGP

NO_DESTINATIONS: dict[str, Any] = {"destinations": []}
"""For the residency policies: the commands call nothing but the cluster."""


class MetalLb(pulumi.ComponentResource):
    """Pools with their advertisements."""

    pools: pulumi.Output[dict[str, list[str]]]
    """Addresses of each pool, as in the stack file."""

    def __init__(
        self,
        name: str,
        spec: MetalLbSpec,
        context: MetalLbContext,
        *,
        kubeconfig: pulumi.Input[str],
        provider: kubernetes.Provider,
        runner: command.Provider,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """`depends_on`: resources that must exist before, such as the CNI, without which no controller starts.

        `runner` runs commands: the wait for MetalLB's webhook, and the removal of BGP peers.
        """
        super().__init__(token("MetalLb"), name, NO_DESTINATIONS)
        options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
        if isinstance(spec.install, Helm):
            namespace = apply(child(name, "namespace"), metallb_namespace(), options)
            after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace])
            for item in network_policies(context):
                apply(child(name, "policy", item["metadata"]["name"]), item, after)
            # Also with BGP, where it does nothing: it runs again when that changes, after an update that failed too.
            clear = pulumi.ResourceOptions(parent=self, provider=runner, depends_on=[namespace])
            stays = {"bgp": spec.speaks_bgp, "pools": [pool.name for pool in spec.pools]}
            cleared = _run(child(name, "without-bgp"), WITHOUT_BGP, stays, kubeconfig, clear)
            after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace, cleared])
            values = metallb_values(spec, spec.install, context)
            helm = spec.install
            found = Chart(METALLB, METALLB_SYSTEM, helm.version, helm.repository, helm.timeout_seconds)
            chart = apply_chart(child(name, "chart"), found, values, after)
            self._wait_for_speakers(name, spec, helm, values, chart, provider)
            about = {"manifest": address_pool(spec.pools[0])}
            after = pulumi.ResourceOptions(parent=self, provider=runner, depends_on=[chart])
            ready = _run(child(name, "webhook"), ADMISSION, about, kubeconfig, after)
            options = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[ready])
        if isinstance(spec.install, ByCilium):
            for item in cilium_pool_manifests(spec, edge=context.edge):
                apply(child(name, item["kind"].lower(), item["metadata"]["name"]), item, options)
        else:
            _by_metallb(name, spec, context, self, provider, options)
        self.pools = pulumi.Output.from_input({pool.name: [str(b) for b in pool.addresses] for pool in spec.pools})
        self.register_outputs({**NO_DESTINATIONS, "pools": self.pools})

    def _wait_for_speakers(
        self,
        name: str,
        spec: MetalLbSpec,
        helm: Helm,
        values: Mapping[str, Any],
        chart: kubernetes.helm.v3.Release,
        provider: kubernetes.Provider,
    ) -> None:
        limit = f"{helm.timeout_seconds}s"
        timeouts = pulumi.CustomTimeouts(create=limit, update=limit)
        wait = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[chart], custom_timeouts=timeouts)
        for item in speaker_waits(spec, helm, values):
            apply_wait(child(name, "pods", item["metadata"]["name"]), item, chart, wait)


def _by_metallb(
    name: str,
    spec: MetalLbSpec,
    context: MetalLbContext,
    parent: pulumi.Resource,
    provider: kubernetes.Provider,
    options: pulumi.ResourceOptions,
) -> None:
    bfd = [apply(child(name, "bfd", one.name), bfd_profile(one), options) for one in spec.bfd_profiles]
    after_bfd = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=list(bfd)))
    for peer in spec.peers:
        apply(child(name, "peer", peer.name), bgp_peer(peer), after_bfd)
    for pool in spec.pools:
        made = apply(child(name, "pool", pool.name), address_pool(pool), options)
        after = pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=[made])
        for item in advertisements(pool, context):
            apply(child(name, "advertisement", item["metadata"]["name"]), item, after)


class Announced(pulumi.ComponentResource):
    """Done when a node announces the gateway's address, and every port of it answers."""

    def __init__(
        self,
        name: str,
        spec: MetalLbSpec,
        *,
        namespace: str,
        gateway: str,
        ports: Sequence[int],
        kubeconfig: pulumi.Input[str],
        provider: command.Provider,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        """`ports`: those that must answer; none: no connection is made. `depends_on`: the Gateway.

        It is asked again when the pools, the ports or the kubeconfig are others.
        """
        super().__init__(token("Announced"), name, NO_DESTINATIONS)
        by = owner(spec)
        if by or ports:
            about = {
                "namespace": namespace,
                "gateway": gateway,
                "owner": by,
                "ports": list(ports),
                "pools": [pool.model_dump(mode="json") for pool in spec.pools],
            }
            after = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(depends_on))
            _run(child(name, "wait"), ANNOUNCED, about, kubeconfig, after)
        self.register_outputs(NO_DESTINATIONS)


def _run(
    name: str, run: str, about: Manifest, kubeconfig: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> local.Command:
    """A command of `vds`. It reads what it is about, and the kubeconfig, from standard input."""
    document = pulumi.Output.from_input(kubeconfig).apply(
        lambda text: json.dumps({**about, "kubeconfig": text}, sort_keys=True)
    )
    return local.Command(
        name,
        create=run,
        stdin=pulumi.Output.secret(document),  # type: ignore[arg-type]  # the SDK's own generic has no type
        add_previous_output_in_env=False,
        logging=local.Logging.STDERR,
        opts=opts,
    )
