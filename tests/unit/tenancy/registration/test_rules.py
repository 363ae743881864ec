"""What is wrong with a registration, by itself, beside others and in its environment."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from components.stackfile.registration import claims, content_problems, problems_of, read_registration
from components.tenancy.registration.rules import Claim, environment_problems, removed_namespaces
from tests.support import registrations
from tests.support.registrations import data, environment, file_text, known, registration

TODAY = date(2026, 11, 26)


def said(*others: Claim, **changes: Any) -> list[str]:
    return [str(one) for one in content_problems(registration(**changes), others, TODAY, known())]


def egress(**changes: Any) -> list[dict[str, Any]]:
    return [{**registrations.BUTIKK["egress"][0], **changes}]


def test_a_sound_registration_has_no_problem():
    assert said() == []


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ("butikk.example.no", "butikk.example.no belongs to tenant 'bank' too: a host name has one owner"),
        ("api.butikk.example.no", "butikk.example.no belongs to tenant 'bank' too (as api.butikk.example.no)"),
        ("example.no", "butikk.example.no belongs to tenant 'bank' too (as example.no)"),
    ],
)
def test_a_host_name_has_one_owner(theirs: str, words: str):
    (problem,) = said(Claim("bank", ("bank-prod",), (theirs,)))
    assert words in problem


def test_a_domain_that_only_ends_alike_is_another():
    assert said(Claim("bank", ("bank-prod",), ("min-butikk.example.no",))) == []


def test_two_tenants_do_not_make_one_namespace():
    """`a` with `b-c` and `a-b` with `c` both make a-b-c."""
    (problem,) = said(Claim("butikk-prod", ("butikk-prod",), ()))
    assert "butikk-prod belongs to tenant 'butikk-prod'" in problem


def test_the_own_contract_in_the_cluster_is_no_other_tenant():
    assert said(Claim("butikk", ("butikk-prod", "butikk-staging"), ("butikk.example.no",))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tenant": "kube-tools"}, "tenant: is the name of a namespace that is the platform's own"),
        ({"tenant": "cert", "namespaces": {"manager": {"size": "small"}}}, "cert-manager is a namespace of"),
        ({"tenant": "gateway", "namespaces": {"system": {"size": "small"}}}, "gateway-system is a namespace of"),
        ({"namespaces": {"a" * 60: {"size": "small"}}}, "has 67 characters, at most 63"),
        ({"domains": ["no"]}, "no is no name below a domain"),
        ({"domains": ["butikk.no"]}, "no listener of the gateway takes butikk.no (they have *.example.no)"),
        ({"domains": ["butikk.example.no"] * 2}, "butikk.example.no occurs twice"),
        ({"canaryCeilingPercent": 60}, "60 is more than the environment's ceiling of 50: write at most 50"),
        ({"egress": egress(hosts=["*.com"])}, "*.com is no name below a domain"),
        ({"egress": egress(hosts=["kube-dns.kube-system.svc"])}, "is no name below a domain"),
        ({"egress": egress(hosts=[], networks=["0.0.0.0/0"])}, "0.0.0.0/0 is wider than /8"),
        ({"egress": egress(hosts=[], networks=["169.254.169.254/32"])}, "is no network of another machine"),
        ({"egress": egress(hosts=[], networks=["10.244.3.0/24"])}, "has addresses of the cluster's pods"),
        ({"egress": egress(hosts=[], networks=["10.0.0.0/8"])}, "has addresses of the cluster's Services"),
        ({"egress": egress(hosts=[], networks=["192.0.2.11/32"])}, "has addresses of the cluster's nodes"),
        ({"egress": egress() * 2}, "egress[vipps]: occurs twice"),
    ],
)
def test_what_the_cluster_cannot_give_is_refused(changes: dict[str, Any], words: str):
    assert words in "\n".join(said(**changes))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"enforcesPolicies": False}, "cilium of environment oslo enforces no NetworkPolicy"),
        ({"versions": {"kubernetes": "1.29.9"}}, "Kubernetes 1.29.9 of environment oslo refuses nothing"),
    ],
)
def test_an_environment_that_isolates_nothing_takes_no_tenant(facts: dict[str, Any], words: str):
    (problem,) = environment_problems(registration(), environment(**facts))
    assert (problem.subject, words in problem.message) == ("tenant", True)


# --- residency -------------------------------------------------------------------------------------------


def exception(**changes: Any) -> dict[str, Any]:
    made = {"name": "moves", "rule": "residency-destinations", "egress": "vipps", "until": "2027-01-31"}
    return {**made, "reason": "moves to a Norwegian company in January", **changes}


def test_a_country_that_is_not_allowed_is_refused():
    (problem,) = said(egress=egress(country="SE"))
    assert "egress[vipps]: bytes go to api.vipps.no (egress): place 'vipps' is in SE, allowed: NO" in problem


def test_an_entity_under_foreign_law_is_refused_wherever_its_servers_are():
    (problem,) = said(egress=egress(entityCountry="US"))
    assert "under the law of US" in problem


def test_an_exception_with_a_date_lets_it_through_until_then():
    assert said(egress=egress(country="SE"), exceptions=[exception()]) == []
    ended = said(egress=egress(country="SE"), exceptions=[exception(until="2026-11-25")])
    assert any("is in SE" in one and "exception 'moves' ended on 2026-11-25" in one for one in ended)
    assert any("exceptions[moves].until: ended on 2026-11-25" in one for one in ended)


def test_a_registration_says_nothing_else_than_the_record_of_the_environment():
    """The record has the place in the US; the registration calls it Norwegian, with an exception of its own."""
    problems = said(egress=egress(hosts=["a.analytics.example.com"]), exceptions=[exception()])
    assert "place 'analytics' is in US" in problems[0]
    assert "controlled by Analytics Inc" in problems[1]


def test_a_registry_is_in_the_record():
    (problem,) = said(registries=["registry.other.example.com/butikk/"])
    assert "registry.other.example.com (image-registry), which no declared place holds" in problem


# --- form ------------------------------------------------------------------------------------------------


def form(**changes: Any) -> list[str]:
    file = read_registration(Path("tenants/Pulumi.butikk.yaml"), file_text(data(**changes)))
    return [str(one) for one in problems_of(file, (), TODAY, known())]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"registries": ["registry.example.no/butikk"]}, "write registry.example.no/butikk/"),
        ({"registries": ["https://registry.example.no/butikk"]}, "write registry.example.no/butikk/"),
        ({"registries": ["butikk/"]}, "write host and folders"),
        ({"owner": {"groups": ["system:masters"]}}, "is one of the cluster's own groups"),
        ({"namespaces": {"prod": {"size": "huge"}}}, "'small', 'medium' or 'large'"),
        ({"domain": ["x.example.no"]}, "did you mean domains?"),
        ({"egress": egress(country=False)}, "write a country as two capital letters"),
        ({"exceptions": [exception(egress=None)]}, "egress goes with rule residency-destinations"),
        ({"exceptions": [exception(egress="mail")]}, "is for egress 'mail', which is not registered"),
        ({"tenant": "butik"}, "butik, but the stack is butikk"),
    ],
)
def test_a_mistake_is_shown_with_file_and_line(changes: dict[str, Any], words: str):
    problems = form(**changes)
    assert words in "\n".join(problems)
    assert all(one.startswith("tenants/Pulumi.butikk.yaml:") for one in problems)


def test_claims_are_of_one_environment():
    files = [
        read_registration(Path("Pulumi.butikk.yaml"), file_text()),
        read_registration(Path("Pulumi.bank.yaml"), file_text(data(tenant="bank"), environment="bergen")),
    ]
    assert [one.tenant for one in claims(files, "oslo")] == ["butikk"]


def test_a_namespace_that_left_the_registration_is_named_and_not_deleted():
    (problem,) = removed_namespaces(registration(), ["butikk-prod", "butikk-staging", "butikk-old"])
    assert "butikk-old is in the cluster" in str(problem)
    assert "vds tenant retire butikk --namespace butikk-old" in problem.remedy
