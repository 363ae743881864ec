"""What a contract does not allow, and what can't work, with a remedy for people who do not know Kubernetes. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from components.agency.model import GATEWAY, AnyRoute, App, Route
from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.messages import did_you_mean
from components.core.quantities import quantity_value
from components.gateway.capabilities import route_problems as release_problems
from components.gateway.model import Route as GatewayRoute
from components.gateway.model import shared
from components.gateway.rules import canary_problems, routes_twice, steps_problems
from components.tenancy.registration.contract import ContractSpec
from components.tenancy.registration.model import SIZES

ASK = "ask the platform team to register it"
_DIGEST = re.compile(r"[^/]@sha256:[0-9a-f]{64}")


def app_problems(app: App, contract: ContractSpec) -> list[Finding]:
    """What is wrong with one app."""
    return _without_exceptions(
        chain(
            _namespace_problems(_app(app), app.namespace, contract),
            *(_image_problems(item, image, contract) for item, image in _images(app)),
            *(_egress_problems(_app(app), name, contract) for name in app.egress),
            _size_problems(app, contract),
        ),
        contract,
    )


def route_problems(route: AnyRoute, contract: ContractSpec) -> list[Finding]:
    """What is wrong with one route."""
    return _without_exceptions(
        chain(
            _namespace_problems(_route(route), route.namespace, contract),
            *(_host_problems(_route(route), host, contract) for host in route.hostnames),
            _ceiling_problems(route, contract),
            _listener_problems(route, contract),
            _capability_problems(route, contract),
        ),
        contract,
    )


def stack_problems(apps: Sequence[App], routes: Sequence[AnyRoute], contract: ContractSpec) -> list[Finding]:
    """Everything wrong with the apps and routes of one stack, also together."""
    names = {app.name for app in apps}
    return [
        *(found for app in apps for found in app_problems(app, contract)),
        *(found for route in routes for found in route_problems(route, contract)),
        *(
            Finding("agency-name", f"{kind} '{name}'", "occurs twice", "rename one of them")
            for kind, items in (("app", apps), ("route", routes))
            for name in duplicates(one.name for one in items)
        ),
        *(found for app in apps for found in _peer_problems(app, names)),
        *(found for route in routes for found in _backend_problems(route, apps)),
        *routes_twice([whole for one in routes if isinstance(whole := one.on_gateway(contract.tenant), GatewayRoute)]),
        *_quota_problems(apps, contract),
    ]


def _app(app: App) -> str:
    return f"app '{app.name}'"


def _route(route: AnyRoute) -> str:
    return f"{type(route).__name__.lower()} '{route.name}'"


def _images(app: App) -> list[tuple[str, str]]:
    return [(_app(app), app.image), *([(f"{_app(app)} canary", app.canary.image)] if app.canary else [])]


def _without_exceptions(found: Iterable[Finding], contract: ContractSpec) -> list[Finding]:
    return [one for one in found if one.rule not in contract.exceptions]


def _list(names: Sequence[str], nothing: str) -> str:
    return ", ".join(names) or nothing


def _namespace_problems(item: str, namespace: str, contract: ContractSpec) -> Iterator[Finding]:
    if namespace not in contract.namespaces:
        said = f"{namespace} is not a namespace of tenant {contract.tenant}; it has {', '.join(contract.namespaces)}"
        remedy = did_you_mean(namespace, contract.namespaces) or f"write {contract.namespaces[0]}"
        yield Finding("agency-namespace", item, said, remedy, value=namespace)


def _image_problems(item: str, image: str, contract: ContractSpec) -> Iterator[Finding]:
    if not image.startswith(contract.registries):
        said = f"image {image} is not in a registry of this tenant; the contract has {', '.join(contract.registries)}"
        yield Finding("tenancy-registry", item, said, f"push it there, or {ASK}", value=image)
    elif not _DIGEST.search(image):
        said = f"image {image} has no digest, so that what runs can change without this file"
        remedy = "write it as registry/name@sha256:…, as `docker push` prints it"
        yield Finding("tenancy-images", item, said, remedy, value=image)


def _egress_problems(item: str, name: str, contract: ContractSpec) -> Iterator[Finding]:
    names = [one.name for one in contract.egress]
    if name not in names:
        said = f"egress {name} is not a registered destination; the contract has {_list(names, 'none')}"
        yield Finding("agency-egress", item, said, did_you_mean(name, names) or ASK, value=name)


def _host_problems(item: str, host: str, contract: ContractSpec) -> Iterator[Finding]:
    bare = host.removeprefix("*.")
    if not any(bare == domain or bare.endswith(f".{domain}") for domain in contract.domains):
        said = f"{host} is not a domain of this tenant; the contract has {_list(contract.domains, 'none')}"
        yield Finding("gateway-hostname", item, said, ASK, value=host)
    elif (hosts := contract.gateway.hosts) and not any(shared(one, host) for one in hosts):
        said = f"no listener of the gateway takes {host}; yours take {', '.join(hosts)}"
        yield Finding("agency-listener", item, said, "ask the platform team to add one", value=host)


def _ceiling_problems(route: AnyRoute, contract: ContractSpec) -> Iterator[Finding]:
    if route.canary is None:
        return
    # Requests that ask for the canary by a header or a parameter may all get it.
    asked = isinstance(route, Route) and all(match.headers or match.query for match in route.matches)
    ceiling = 100 if asked else contract.canary_ceiling_percent
    percent = route.canary.percent or 0
    for found in canary_problems(_route(route), percent, 100, ceiling):
        remedy = f"write percent: {ceiling} or less, or make the canary's image the stable one"
        said = f"its canary gets {percent} %, and the contract's ceiling is {ceiling} %"
        yield found._replace(message=said, remedy=remedy, value=str(percent))
    for found in steps_problems(_route(route), getattr(route.canary, "steps", ()), ceiling):
        yield found._replace(message=found.message.replace("the ceiling", "the contract's ceiling"))


def _listener_problems(route: AnyRoute, contract: ContractSpec) -> Iterator[Finding]:
    listeners = contract.gateway.listeners
    if not listeners:
        said = f"the gateway has no listener for {', '.join(route.hostnames)}, so nothing answers"
        yield Finding("agency-listener", _route(route), said, "ask the platform team to add one")
    elif route.listener not in (None, *listeners):
        said = f"listener {route.listener} is not one of this tenant's; the contract has {', '.join(listeners)}"
        remedy = did_you_mean(str(route.listener), listeners) or "remove it"
        yield Finding("agency-listener", _route(route), said, remedy, value=str(route.listener))


def _capability_problems(route: AnyRoute, contract: ContractSpec) -> Iterator[Finding]:
    """What only Cilium's gateway does, which is the one without pods, and what a release of Gateway API has."""
    yield from release_problems(_route(route), route.on_gateway(contract.tenant), contract.versions.gateway_api)
    if not isinstance(route, Route):
        if not contract.gateway.streams:
            said = "this gateway holds each request back until it is whole (gateway.limits.bodyMebibytes)"
            yield Finding("agency-capability", _route(route), said, "ask the platform team to remove that limit")
        return
    counted = route.canary is not None and bool(route.canary.steps) and route.canary.counted_by_traefik
    if counted and not contract.gateway.counts_requests:
        said = "its canary has steps, and this gateway counts no requests: only the platform's own Traefik does"
        remedy = "write source: probe at each gate, or percent in place of steps"
        yield Finding("agency-capability", _route(route), said, remedy)
    if not contract.gateway.data_plane_namespace:
        return
    for name in ("mirror", "timeouts"):
        if getattr(route, name) is not None:
            said = f"has {name}, and this environment's gateway is not Cilium's, which is the one that has them"
            yield Finding("agency-capability", _route(route), said, "remove it")


def _size_problems(app: App, contract: ContractSpec) -> Iterator[Finding]:
    limits = SIZES[contract.size][1]
    for field, value, most in (
        ("cpuLimit", app.cpu_limit, limits.max_cpu),
        ("memory", app.memory, limits.max_memory),
        ("disk", app.disk, limits.max_ephemeral_storage),
    ):
        if quantity_value(value) > quantity_value(most):
            said = f"{field} {value} is more than a pod of a {contract.size} namespace may have, {most}"
            yield Finding("agency-size", _app(app), said, f"write {most} or less", value=value)
    if quantity_value(app.cpu) > quantity_value(app.cpu_limit):
        said = f"cpu {app.cpu} is more than cpuLimit {app.cpu_limit}"
        yield Finding("agency-size", _app(app), said, "write a larger cpuLimit", value=app.cpu)


def _peer_problems(app: App, names: set[str]) -> Iterator[Finding]:
    for field, wanted in (("callers", [*app.callers]), ("calls", [call.app for call in app.calls])):
        for name in wanted:
            if name not in names and not (field == "callers" and name == GATEWAY):
                said = f"{field} has {name}, which is not an app of this stack; it has {', '.join(sorted(names))}"
                yield Finding(
                    "agency-app", _app(app), said, did_you_mean(name, sorted(names)) or "remove it", value=name
                )


def _backend_problems(route: AnyRoute, apps: Sequence[App]) -> Iterator[Finding]:
    if route.app is None:
        return
    names = sorted(app.name for app in apps)
    app = next((app for app in apps if app.name == route.app), None)
    if app is None:
        said = f"app {route.app} is not in this stack; it has {_list(names, 'none')}"
        yield Finding("agency-app", _route(route), said, did_you_mean(route.app, names) or "add it", value=route.app)
        return
    if GATEWAY not in app.callers:
        said = f"app {app.name} does not let the gateway call it; its callers are {_list(app.callers, 'none')}"
        yield Finding("agency-app", _route(route), said, f"add {GATEWAY} to the app's callers", value=app.name)
    if isinstance(route, Route) and route.mirror is not None and route.mirror.app not in names:
        said = f"mirror has app {route.mirror.app}, which is not in this stack; it has {_list(names, 'none')}"
        remedy = did_you_mean(route.mirror.app, names) or "add it"
        yield Finding("agency-app", _route(route), said, remedy, value=route.mirror.app)
    if route.canary is not None and app.canary is None:
        said = f"app {app.name} has no canary, so there is nothing that could answer these requests"
        yield Finding("agency-app", _route(route), said, "add canary: { image: … } to the app", value=app.name)


class Use(NamedTuple):
    """How much of one quota the apps of a stack need."""

    what: str
    needs: Decimal
    quota: Decimal

    def __str__(self) -> str:
        return f"{self.what}: {_number(self.what, self.needs)} of {_number(self.what, self.quota)}"


def quota_use(apps: Sequence[App], contract: ContractSpec) -> list[Use]:
    """With the pods that an update starts before it ends the old ones: one more of each version."""
    quota = SIZES[contract.size][0]
    pods = [
        (app, count + 1) for app in apps for count in (app.replicas, *([app.canary.replicas] if app.canary else []))
    ]
    return [
        Use("pods", Decimal(sum(count for _, count in pods)), Decimal(quota.pods)),
        *(
            Use(what, sum((quantity_value(each(app)) * count for app, count in pods), Decimal()), quantity_value(most))
            for what, each, most in (
                ("processor time that pods get for sure", attrgetter("cpu"), quota.requests_cpu),
                ("processor time", attrgetter("cpu_limit"), quota.limits_cpu),
                ("memory", attrgetter("memory"), quota.requests_memory),
                ("disk for temporary files", attrgetter("disk"), quota.requests_ephemeral_storage),
            )
        ),
    ]


def _quota_problems(apps: Sequence[App], contract: ContractSpec) -> Iterator[Finding]:
    for what, has, most in quota_use(apps, contract):
        if has > most:
            said = f"need {_amount(what, has)} while they are updated"
            said += f", and a {contract.size} namespace has {_amount(what, most)}"
            remedy = "lower replicas, cpu, memory or disk, or ask the platform team for a larger namespace"
            yield Finding("agency-quota", "the apps", said, remedy)


def _amount(what: str, value: Decimal) -> str:
    number = _number(what, value)
    return f"{number} of {what}" if number.endswith("MiB") else f"{number} {what}"


def _number(what: str, value: Decimal) -> str:
    mebibytes = "memory" in what or "disk" in what
    return f"{value / 1024**2:f} MiB" if mebibytes else f"{value.normalize():f}"
