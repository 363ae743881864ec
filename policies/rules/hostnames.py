"""The policy of host names: who takes requests for them, by whatever object."""

from collections.abc import Iterator, Sequence

from components.core.finding import Finding
from components.gateway.model import shared
from components.gateway.rules import Claim, ownership_problems
from policies.policy import GDPR, HIGH, Namespaces, Object, Stack, policy
from policies.routes import CLAIMS, GATEWAY, NAMED_ROUTES, NO_ROUTES, claims, hosts, parents, redirects

_UNNAMED = (*NAMED_ROUTES, "gateway.networking.k8s.io:TCPRoute")
"""Routes that without host names take what their listeners take."""


@policy(
    id="gateway-hostname-owner",
    title="Every host name has one owner.",
    severity=HIGH,
    framework=GDPR,
    reference="art. 32",
    why="Who answers for another's host name reads its users' requests: by a route of any kind, by a listener of its "
    "own, or with a certificate for the name.",
    remedy="Give each host name, and each name that a wildcard covers, to one namespace.",
)
def hostname_owner(stack: Stack, settings: Namespaces) -> Iterator[Finding]:
    made: dict[str, list[Claim]] = {}
    for kind in CLAIMS:
        for found in stack.objects(kind, patches=True):
            if not _is_only_served(found, kind, settings):
                made.setdefault(found.cluster, []).extend(
                    Claim(found.namespace, found.name, host, found.urn, _word(found)) for host in claims(found, kind)
                )
    for claimed in made.values():
        yield from ownership_problems(list(dict.fromkeys(claimed)))
    yield from _unnamed(list(stack.objects(*_UNNAMED)), list(stack.objects(GATEWAY)), settings)


def _word(found: Object) -> str:
    return "route" if found.kind.endswith("Route") else found.kind


def _is_only_served(found: Object, kind: str, settings: Namespaces) -> bool:
    """Whether it is the platform's part in serving a tenant's host name."""
    if settings.may_hold_tenants(found.namespace):
        return False
    return kind in NO_ROUTES or (kind in NAMED_ROUTES and redirects(found))


def _unnamed(routes: Sequence[Object], gateways: Sequence[Object], settings: Namespaces) -> Iterator[Finding]:
    """Routes of tenants without host names: they answer for every name of their listeners, other tenants' among them.

    A route of the platform's own may do that: it is how plain requests are sent on to HTTPS."""
    for route in routes:
        if hosts(route) or not settings.may_hold_tenants(route.namespace):
            continue
        for other in routes:
            again = (
                not hosts(other) and settings.may_hold_tenants(other.namespace) and route.namespace < other.namespace
            )
            if again or other.namespace == route.namespace:
                continue
            taken = [host for host in hosts(other) or ["every host name"] if _takes(route, other, host, gateways)]
            if taken:
                yield route.finding(
                    f"has no hostnames, so it answers for {', '.join(taken)} of {other.namespace} too",
                    "write the host names that are its own",
                    subject=f"route '{route.metadata.text('name', '?')}' of {route.namespace}",
                )


def _takes(route: Object, other: Object, host: str, gateways: Sequence[Object]) -> bool:
    """Whether a route without host names gets requests for a host of another: on a listener that both attach to."""
    for parent in parents(route):
        for there in parents(other):
            sections = {parent[3], there[3]} - {""}
            if parent[:3] != there[:3] or len(sections) > 1:
                continue
            known = [made for made in gateways if (made.namespace, made.metadata.text("name")) == parent[1:3]]
            listeners = [one for made in known for one in made.spec.groups("listeners")]
            names = [one.text("hostname") or None for one in listeners if not sections or one.text("name") in sections]
            if not known or not hosts(other) or any(shared(name, host) for name in names):
                return True
    return False
