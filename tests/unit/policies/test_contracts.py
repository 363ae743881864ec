"""The pack and the API server say the same of what an agency's program makes in a registered namespace."""

from components.tenancy.admission_rules import IDS
from components.tenancy.registration.contract import contract
from tests.support.escapes import ALLOWED, ATTEMPTS, NAMESPACE, from_namespaces, obj, pod
from tests.support.policy import UNKNOWN, findings, of_manifest
from tests.support.registrations import environment, registration

CONTRACT = contract(registration(), NAMESPACE, environment())["spec"]
CONTRACTS = {"contracts": {NAMESPACE: CONTRACT}}
TENANTS = {"tenants": {"butikk": ["butikk-prod", "butikk-staging"], "bank": ["bank-prod"]}}


def test_the_pack_takes_what_the_api_server_takes():
    assert findings("tenancy-contract", *ALLOWED, **CONTRACTS) == []
    assert findings("tenancy-isolation", *ALLOWED, **TENANTS) == []


def test_the_pack_refuses_every_attempt_by_the_rule_that_the_api_server_names():
    tried = [attempted for attempted in ATTEMPTS if attempted.rule in {*IDS, "tenancy-protected"}]
    found = findings("tenancy-contract", *(attempted.manifest for attempted in tried), **CONTRACTS)
    for index, attempted in enumerate(tried):
        urn = of_manifest(attempted.manifest, index).urn
        assert [one for one in found if one.urn == urn and f"({attempted.rule})" in one.message], attempted


def test_another_namespace_is_not_judged():
    assert findings("tenancy-contract", ATTEMPTS[0].manifest, contracts={"bank-prod": CONTRACT}) == []


def test_a_registered_exception_excuses_one_rule():
    attempted = next(one.manifest for one in ATTEMPTS if one.rule == "tenancy-node-selector")
    excused = {**CONTRACT, "exceptions": ["tenancy-node-selector"]}
    assert findings("tenancy-contract", attempted, **CONTRACTS)
    assert findings("tenancy-contract", attempted, contracts={NAMESPACE: excused}) == []


def test_what_no_rule_reads_may_be_unknown():
    container = {**pod()["containers"][0], "env": [{"name": "A", "value": UNKNOWN}]}
    known = obj("v1", "Pod", spec=pod(containers=[container]))
    assert findings("tenancy-contract", of_manifest(known), **CONTRACTS) == []
    unknown = obj("v1", "Pod", spec=pod(containers=[{**container, "image": UNKNOWN}]))
    [found] = findings("tenancy-contract", of_manifest(unknown), **CONTRACTS)
    assert not found.decided


def test_a_namespace_of_another_tenant_stays_another():
    for name in ("bank-prod", "bank"):
        peer = from_namespaces(matchLabels={"kubernetes.io/metadata.name": name})
        assert findings("tenancy-isolation", peer, **TENANTS)
