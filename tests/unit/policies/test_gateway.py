"""Canaries and host names, wherever they stand in a route."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import kube, named_route, route
from tests.support.policy import UNKNOWN, Resource, violations

ROUTES = "gateway.networking.k8s.io/v1"


def said(*resources: Resource, policy: str) -> list[str]:
    return [found.message for found in violations(ENGINE_POLICIES, list(resources)) if found.policy == policy]


def trial(*backends: list[Any], matches: Any = (), canary: str = "") -> Resource:
    """A route whose annotation names its canary."""
    made = named_route(*backends)
    annotations = {"vds-platform.no/canary": canary} if canary else {}
    spec = {"rules": [{**made.props["spec"]["rules"][0], "matches": list(matches)}]}
    return made._replace(
        props={**made.props, "metadata": {**made.props["metadata"], "annotations": annotations}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("resource", "share"),
    [
        (named_route(["api-canary", 99], ["stable", 1]), "99 of 100"),
        (named_route(["stable", 1], ["api-canary", 49], ["b-canary", 50]), "99 of 100"),
        (named_route(["canary-shop", 10], ["canary-shop-next", 90]), "90 of 100"),
        (trial(["canary-shop", 90], ["canary-next", 10], canary="canary-shop"), "90 of 100"),
        (trial(["next", 99], ["shop", 1], canary="next"), "99 of 100"),
        (trial(["next", 100], canary="next"), "100 of 100"),
        (trial(["next", 100], canary="next", matches=[{"headers": [{"name": "trial", "value": "yes"}]}]), None),
        (trial(["canary-shop", 90], ["canary-next", 10], canary="canary-next"), None),
        (named_route(["canary-shop", 100]), None),
        (named_route(["api-canary", 1], ["stable", 99]), None),
    ],
)
def test_a_canary_is_counted_wherever_it_stands(resource: Resource, share: str | None) -> None:
    found = said(resource, policy="gateway-canary")
    assert len(found) == (share is not None)
    assert share is None or f"its canary gets {share}" in found[0]


@pytest.mark.parametrize("by", ["headers", "queryParams"])
def test_who_asks_for_the_canary_gets_it_and_everybody_else_keeps_the_ceiling(by: str) -> None:
    asked = trial(["primary", 0], ["api-canary", 100], matches=[{by: [{"name": "trial", "value": "yes"}]}])
    everybody = named_route(["primary", 100], ["api-canary", 0])
    rules = [*asked.props["spec"]["rules"], *everybody.props["spec"]["rules"]]
    both = asked._replace(props={**asked.props, "spec": {"rules": rules}})
    assert said(both, policy="gateway-canary") == []
    half = trial(["primary", 0], ["api-canary", 100], matches=[{by: [{"name": "trial"}]}, {"path": {"value": "/"}}])
    [message] = said(half, policy="gateway-canary")
    assert "its canary gets 100 of 100" in message


def bare(owner: str, gateway: Any = "public", kind: str = "HTTPRoute", name: str = "bare", **spec: Any) -> Resource:
    """A route without host names."""
    parents = [{"name": gateway, "namespace": "gateway-system"}]
    made = kube(ROUTES, kind, name, owner, spec={"parentRefs": parents, "rules": [], **spec})
    return made._replace(name=f"{owner}-{name}")


def hosted(owner: str, host: Any, **spec: Any) -> Resource:
    return bare(owner, name="hosted", hostnames=[host], **spec)


def test_a_route_without_host_names_answers_for_everybody_s() -> None:
    [message] = said(hosted("agency", "a.example.no"), bare("butikk"), policy="gateway-hostname-owner")
    assert "route 'bare' of butikk: has no hostnames, so it answers for a.example.no of agency too: write" in message
    [message] = said(hosted("butikk", "a.example.no"), bare("agency"), policy="gateway-hostname-owner")
    assert "route 'bare' of agency: has no hostnames, so it answers for a.example.no of butikk too" in message
    assert len(said(bare("agency"), bare("butikk"), policy="gateway-hostname-owner")) == 1
    assert said(hosted("agency", "a.example.no"), bare("agency"), policy="gateway-hostname-owner") == []


def test_a_route_of_another_gateway_or_another_kind_s_port_takes_nobody_s_requests() -> None:
    assert said(hosted("agency", "a.example.no"), bare("butikk", "own"), policy="gateway-hostname-owner") == []
    unknown = said(hosted("agency", "a.example.no"), bare("butikk", UNKNOWN), policy="gateway-hostname-owner")
    assert "cannot be decided at preview" in unknown[0]


def test_a_route_of_a_gateway_that_takes_one_name_answers_for_that_name() -> None:
    spec = {"listeners": [{"name": "b", "port": 443, "protocol": "HTTPS", "hostname": "b.example.no"}]}
    public = kube(ROUTES, "Gateway", "public", "gateway-system", spec=spec)
    owned = said(public, hosted("agency", "a.example.no"), bare("butikk"), policy="gateway-hostname-owner")
    assert owned == []


def test_a_patch_that_sets_no_host_names_takes_none() -> None:
    patch = bare("butikk")._replace(type=f"kubernetes:{ROUTES}:HTTPRoutePatch")
    assert said(hosted("agency", "a.example.no"), patch, policy="gateway-hostname-owner") == []
    assert said(route(1), policy="gateway-hostname-owner") == []


def test_a_route_of_the_platform_s_own_may_send_everything_on() -> None:
    assert said(hosted("agency", "a.example.no"), bare("gateway-system"), policy="gateway-hostname-owner") == []
    section = {"name": "public", "namespace": "gateway-system", "sectionName": "http"}
    other = {**section, "sectionName": "https"}
    routes = hosted("agency", "a.example.no", parentRefs=[other]), bare("butikk", parentRefs=[section])
    assert said(*routes, policy="gateway-hostname-owner") == []


OWNER = hosted("butikk", "butikk.example.no")


def claim(api: str, kind: str, owner: str = "skjema", metadata: Any = None, **spec: Any) -> Resource:
    """Another object that is for a host name."""
    return kube(api, kind, "evil", owner, spec=spec, metadata=metadata or {})


def listener(**more: Any) -> dict[str, Any]:
    return {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "x"}]}, **more}


HOST = "butikk.example.no"


@pytest.mark.parametrize(
    "other",
    [
        claim("networking.k8s.io/v1", "Ingress", rules=[{"host": HOST}]),
        claim("networking.k8s.io/v1", "Ingress", tls=[{"hosts": [HOST]}]),
        claim("traefik.io/v1alpha1", "IngressRoute", routes=[{"match": f"Host(`{HOST}`) && PathPrefix(`/`)"}]),
        claim("traefik.io/v1alpha1", "IngressRoute", routes=[{"match": f"Host(`a.example.no`, `{HOST}`)"}]),
        claim("traefik.io/v1alpha1", "IngressRouteTCP", routes=[{"match": f"HostSNI(`{HOST}`)"}]),
        claim("traefik.containo.us/v1alpha1", "IngressRoute", routes=[{"match": f'Host("{HOST}")'}]),
        claim(ROUTES, "Gateway", listeners=[listener(hostname=HOST)]),
        claim(ROUTES, "Gateway", listeners=[listener(hostname="*.example.no")]),
        claim(ROUTES, "ListenerSet", listeners=[listener(hostname=HOST)]),
        claim(ROUTES, "TLSRoute", hostnames=[HOST]),
        claim("cert-manager.io/v1", "Certificate", dnsNames=[HOST]),
        claim("cert-manager.io/v1", "Certificate", commonName="*.example.no"),
        claim("networking.istio.io/v1", "VirtualService", hosts=[HOST]),
        claim("networking.istio.io/v1", "Gateway", servers=[{"hosts": [f"skjema/{HOST}"]}]),
        claim("projectcontour.io/v1", "HTTPProxy", virtualhost={"fqdn": HOST}),
        claim("externaldns.k8s.io/v1alpha1", "DNSEndpoint", endpoints=[{"dnsName": HOST}]),
        claim(
            "v1", "Service", metadata={"annotations": {"external-dns.alpha.kubernetes.io/hostname": f"a.no, {HOST}"}}
        ),
    ],
)
def test_a_host_name_has_one_owner_by_whatever_object(other: Resource) -> None:
    [message] = said(OWNER, other, policy="gateway-hostname-owner")
    assert "'evil' of skjema: " in message
    assert "belongs to butikk too" in message
    assert said(OWNER, other._replace(provider="other"), policy="gateway-hostname-owner") == []


@pytest.mark.parametrize(
    "other",
    [
        claim("networking.k8s.io/v1", "Ingress", defaultBackend={"service": {"name": "web"}}),
        claim("networking.k8s.io/v1", "Ingress", rules=[{"http": {"paths": []}}]),
        claim("traefik.io/v1alpha1", "IngressRoute", routes=[{"match": "HostRegexp(`.*`)"}]),
        claim("traefik.io/v1alpha1", "IngressRouteTCP", routes=[{"match": "HostSNI(`*`)"}]),
        claim("networking.istio.io/v1", "VirtualService", hosts=["*"]),
    ],
)
def test_what_names_no_host_takes_those_of_others(other: Resource) -> None:
    [message] = said(OWNER, other, policy="gateway-hostname-owner")
    assert "of skjema: every host name belongs to butikk too (as butikk.example.no)" in message


def test_a_route_of_tcp_on_a_listener_of_others_takes_all_of_it() -> None:
    section = {"name": "public", "namespace": "gateway-system", "sectionName": "https"}
    owner = hosted("butikk", HOST, parentRefs=[section])
    [message] = said(owner, bare("skjema", kind="TCPRoute", parentRefs=[section]), policy="gateway-hostname-owner")
    assert "route 'bare' of skjema: has no hostnames, so it answers for butikk.example.no of butikk too" in message


@pytest.mark.parametrize(
    "other",
    [
        claim("cert-manager.io/v1", "Certificate", owner="gateway-system", dnsNames=[HOST]),
        claim("cert-manager.io/v1", "Certificate", owner="butikk", dnsNames=[HOST]),
        claim("cert-manager.io/v1", "Certificate", dnsNames=["localhost", "web.skjema.svc", "skjema.example.no"]),
        claim(ROUTES, "Gateway", owner="gateway-system", listeners=[listener(hostname=HOST)]),
        claim(
            ROUTES, "Gateway", listeners=[listener(hostname=HOST, allowedRoutes={"namespaces": {"from": "Selector"}})]
        ),
        claim(ROUTES, "Gateway", listeners=[listener()]),
        claim("networking.istio.io/v1", "VirtualService", hosts=["reviews"]),
    ],
)
def test_what_serves_a_host_name_for_its_owner_takes_it_from_nobody(other: Resource) -> None:
    assert said(OWNER, other, policy="gateway-hostname-owner") == []


def test_the_platform_may_redirect_a_host_name_and_not_take_it() -> None:
    to_https = {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]}
    redirect = hosted("gateway-system", HOST, rules=[to_https])
    assert said(OWNER, redirect, policy="gateway-hostname-owner") == []
    taking = hosted("gateway-system", HOST, rules=[{"backendRefs": [{"name": "web"}]}])
    assert len(said(OWNER, taking, policy="gateway-hostname-owner")) == 1
    assert len(said(OWNER, hosted("skjema", HOST, rules=[to_https]), policy="gateway-hostname-owner")) == 1


def test_an_unknown_host_name_hides_no_other() -> None:
    thief = claim("cert-manager.io/v1", "Certificate", dnsNames=[HOST])
    unknown = claim("networking.k8s.io/v1", "Ingress", rules=[{"host": UNKNOWN}])
    messages = said(unknown, OWNER, thief, policy="gateway-hostname-owner")
    assert len(messages) == 2
    assert any(
        "Ingress Ingress-evil: cannot be decided at preview: spec.rules.0.host is not known" in one for one in messages
    )
    assert any("Certificate 'evil' of skjema: butikk.example.no belongs to butikk too" in one for one in messages)


def public(**more: Any) -> Resource:
    return kube(ROUTES, "Gateway", "public", "gateway-system", spec={"listeners": [listener(**more)]})


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (public(allowedRoutes={"namespaces": {"from": "All"}}), "takes routes from every namespace"),
        (
            public(allowedRoutes={"namespaces": {"from": "Selector", "selector": {}}}),
            "takes routes from every namespace",
        ),
        (
            public(tls={"certificateRefs": [{"name": "x", "namespace": "butikk"}]}),
            "serves the certificate butikk/x, which a tenant can change: keep it in gateway-system",
        ),
        (
            claim(ROUTES, "Gateway", "gateway-system", allowedListeners={"namespaces": {"from": "All"}}, listeners=[]),
            "takes listeners from every namespace",
        ),
    ],
)
def test_a_shared_listener_is_for_chosen_namespaces(resource: Resource, message: str) -> None:
    [found] = said(resource, policy="gateway-attachment")
    assert message in found


def test_a_listener_of_chosen_namespaces_is_kept() -> None:
    label = {"matchExpressions": [{"key": "vds-platform.no/tenant", "operator": "Exists"}]}
    for kept in (
        public(),
        public(allowedRoutes={"namespaces": {"from": "Selector", "selector": label}}),
        public(tls={"certificateRefs": [{"name": "x", "namespace": "cert-manager"}]}),
        claim(ROUTES, "ListenerSet", "butikk", listeners=[listener(tls={"certificateRefs": [{"name": "x"}]})]),
    ):
        assert said(kept, policy="gateway-attachment") == []


def grant(owner: str, user: str, to: dict[str, Any], kind: str = "HTTPRoute") -> Resource:
    who = {"group": "gateway.networking.k8s.io", "kind": kind, "namespace": user}
    return kube("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "g", owner, spec={"from": [who], "to": [to]})


def test_a_grant_names_what_it_gives_and_no_tenant_gets_a_certificate_of_the_platform() -> None:
    [message] = said(grant("butikk", "skjema", {"group": "", "kind": "Service"}), policy="gateway-reference-grant")
    assert "lets another namespace use every Service of this one: write the name of the Service" in message
    wildcard = {"group": "", "kind": "Secret", "name": "wildcard-example-no"}
    [message] = said(grant("gateway-system", "skjema", wildcard, "Gateway"), policy="gateway-reference-grant")
    assert "gives the platform's Secret wildcard-example-no to skjema, a tenant" in message
    assert said(grant("butikk", "gateway-system", wildcard, "Gateway"), policy="gateway-reference-grant") == []
    assert said(grant("butikk", "skjema", {"kind": "Service", "name": "web"}), policy="gateway-reference-grant") == []


@pytest.mark.parametrize(("protocol", "remedy"), [("HTTP", "write protocol: HTTPS"), ("TCP", "write protocol: TLS")])
def test_the_remedy_for_plain_text_fits_the_protocol(protocol: str, remedy: str) -> None:
    [message] = said(public(protocol=protocol), policy="gateway-tls")
    assert remedy in message


def test_a_listener_of_udp_takes_no_requests_in_plain_text() -> None:
    assert said(public(protocol="UDP"), policy="gateway-tls") == []


def sent_on(**to: Any) -> Resource:
    redirect = {"type": "RequestRedirect", "requestRedirect": to}
    return hosted("butikk", HOST, rules=[{"filters": [redirect]}])


@pytest.mark.parametrize(
    ("to", "said_of_it"),
    [
        (
            {"hostname": "collect.us.example.com"},
            "bytes go to collect.us.example.com (egress), which no declared place",
        ),
        ({"hostname": UNKNOWN}, "cannot be decided at preview"),
        ({"hostname": "www.example.no"}, ""),
        ({"hostname": "EXAMPLE.no", "scheme": "https"}, ""),
        ({"scheme": "https"}, ""),
    ],
)
def test_a_route_sends_its_users_to_declared_places(to: dict[str, Any], said_of_it: str) -> None:
    config = {"residency-destinations": {"places": []}}
    found = [
        one for one in violations(ENGINE_POLICIES, [sent_on(**to)], config) if one.policy == "residency-destinations"
    ]
    assert len(found) == bool(said_of_it)
    assert all(said_of_it in one.message for one in found)
    assert all("spec.rules.0.filters.0.requestRedirect.hostname" in one.message for one in found)


def test_an_ingress_asks_no_undeclared_server_whether_a_user_may_in() -> None:
    annotations = {"nginx.ingress.kubernetes.io/auth-url": "https://login.us.example.com/check"}
    ingress = kube("networking.k8s.io/v1", "Ingress", "i", "butikk", metadata={"annotations": annotations}, spec={})
    found = violations(ENGINE_POLICIES, [ingress], {"residency-destinations": {"places": []}})
    assert any(
        "bytes go to login.us.example.com" in one.message for one in found if one.policy == "residency-destinations"
    )


def stepped(weight: int, steps: str) -> Resource:
    """A route whose canary has steps, as `vds canary` has left it."""
    made = trial(["stable", 100 - weight], ["next", weight], canary="next")
    annotations = {**made.props["metadata"]["annotations"], "vds-platform.no/canary-steps": steps}
    return made._replace(props={**made.props, "metadata": {**made.props["metadata"], "annotations": annotations}})


def test_a_canary_with_steps_may_have_the_share_of_any_of_them() -> None:
    for weight in (0, 5, 50, 100):
        assert said(stepped(weight, "5,50,100"), policy="gateway-canary") == []
    [other] = said(stepped(60, "5,50,100"), policy="gateway-canary")
    assert "its canary gets 60 of 100" in other


def test_steps_keep_the_ceiling_before_the_last_one() -> None:
    [found] = said(stepped(0, "5,60,100"), policy="gateway-canary")
    assert "its canary's steps 60 are over the ceiling of 50 %" in found
    assert said(stepped(100, "100"), policy="gateway-canary"), "one step is no trial"
