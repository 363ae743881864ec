"""The policies of the pack, and those that one resource is enough to judge."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pulumi_policy import Policy

from components.core import labels
from components.core.finding import Finding
from components.core.waivers import Waiver
from components.gateway.rules import node_port_problems, route_weight_problems
from components.nodes.rules import country_problem
from components.pools.rules import selection_problems
from components.tenancy.rules import ENFORCE, is_tenants, label_problems, pod_security_problems, rights_problems
from policies.context import today
from policies.engine import Config, Judge, each, each_component
from policies.network import NETWORK_RULES
from policies.residency import RESIDENCY_RULES
from policies.settings import ALLOWED_COUNTRIES, COUNTRIES, NAMESPACES, POD_SECURITY
from policies.stack import STACK_RULES
from policies.tenancy import TENANCY_RULES

Props = Mapping[str, Any]


def _residency(name: str, props: Props, config: Config) -> Iterator[Finding]:
    """Any component that says in which country it is, or under whose law its provider."""
    allowed = config.get("allowedCountries", ALLOWED_COUNTRIES)
    for field, what in (("country", "the machine"), ("providerCountry", "its provider")):
        if field in props:
            yield from country_problem(f"node {name}", str(props[field]), allowed, what=what)


def _plain(judge: Callable[[Props], list[Finding]]) -> Judge:
    return lambda props, _: judge(props)


def _of_tenants(judge: Callable[[Props], list[Finding]]) -> Judge:
    def judged(props: Props, config: Config) -> list[Finding]:
        name = str(props["metadata"]["name"])
        return judge(props) if is_tenants(name, platform=config.get("platformNamespaces", ())) else []

    return judged


def _where_labelled(label: str, judge: Judge) -> Judge:
    """Of a patch: what it does not say, its namespace may have from somebody else."""

    def judged(props: Props, config: Config) -> Iterable[Finding]:
        return judge(props, config) if label in (props["metadata"].get("labels") or {}) else ()

    return judged


def _pod_security(props: Props, config: Config) -> Iterator[Finding]:
    exception = config.get("exceptions", {}).get(str(props["metadata"]["name"]))
    until = Waiver.model_validate(dict(exception)).until if exception else ""
    for problem in _of_tenants(pod_security_problems)(props, config):
        if not exception:
            yield problem
        elif until < today(config):
            yield problem._replace(message=f"{problem.message}; its exception ended on {until}")


RESOURCE_RULES = [
    each_component(
        "residency",
        "Data lies in allowed countries, under the law of allowed countries.",
        judge=_residency,
        schema=COUNTRIES,
    ),
    each(
        "metallb-advertisement-selects",
        "Every advertisement selects its pools.",
        "metallb.io:L2Advertisement",
        "metallb.io:BGPAdvertisement",
        judge=_plain(selection_problems),
    ),
    each(
        "gateway-weights",
        "Some backend of every route gets traffic.",
        "gateway.networking.k8s.io:HTTPRoute",
        "gateway.networking.k8s.io:GRPCRoute",
        judge=_plain(route_weight_problems),
        patches=True,
    ),
    each(
        "gateway-no-node-port",
        "No Service opens a port on the nodes.",
        "core:Service",
        judge=_plain(node_port_problems),
        patches=True,
    ),
    each(
        "tenancy-label",
        "Every tenant's namespace carries its label.",
        "core:Namespace",
        judge=_of_tenants(label_problems),
        patches=_where_labelled(labels.TENANT, _of_tenants(label_problems)),
        schema=NAMESPACES,
    ),
    each(
        "tenancy-pod-security",
        "Every tenant's namespace enforces Pod Security `restricted`.",
        "core:Namespace",
        judge=_pod_security,
        patches=_where_labelled(ENFORCE, _pod_security),
        schema=POD_SECURITY,
    ),
    each(
        "tenancy-rights",
        "No Role lets its holder take more rights than it lists.",
        "rbac.authorization.k8s.io:Role",
        judge=_plain(rights_problems),
        patches=True,
    ),
]

RULES = [*RESOURCE_RULES, *RESIDENCY_RULES, *STACK_RULES, *NETWORK_RULES, *TENANCY_RULES]
POLICIES: list[Policy] = [rule.policy for rule in RULES]
