"""What cannot be read is reported at its resource, and every other resource is judged all the same."""

import pytest

from tests.support.foreign import PLACE, deployment, kube, machine, namespace, pool, record
from tests.support.policy import UNKNOWN, Resource, findings

UNREAD = (UNKNOWN, 7)
"""Not known yet; not readable."""


def called(resource: Resource, name: str) -> Resource:
    return resource._replace(name=name)


@pytest.mark.parametrize("value", UNREAD)
def test_a_pool_that_cannot_be_read_hides_no_other(value: object) -> None:
    unread = called(pool(), "unread")
    unread = unread._replace(props={**unread.props, "spec": {"addresses": value}})
    bad = called(pool("203.0.113.10-203.0.113.20", name="bad"), "bad")
    found = findings("metallb-pool-addresses", *machine("osl-2"), unread, bad)
    assert {(one.urn, one.decided) for one in found} == {(unread.urn, value == 7), (bad.urn, True)}
    assert any(": cannot be" in str(one) and one.urn == unread.urn for one in found)


def test_a_machine_that_is_not_known_yet_hides_no_other() -> None:
    unknown, abroad = machine("new", None, UNKNOWN), machine("old", None)
    found = findings("residency-place", *unknown, *abroad)
    assert {(one.urn, one.decided) for one in found} == {(unknown[1].urn, False), (abroad[1].urn, True)}
    assert any(
        "Command new-setup: cannot be decided at preview: connection.host is not known yet" in str(one) for one in found
    )


@pytest.mark.parametrize("value", UNREAD)
def test_a_namespace_without_a_readable_name_hides_no_other(value: object) -> None:
    unread = called(namespace(), "unread")
    unread = unread._replace(props={**unread.props, "metadata": value})
    twice = [called(namespace("a"), "one"), called(namespace("a"), "two")]
    found = findings("tenancy-one-bundle", unread, *twice)
    assert len(found) == 2
    assert any(one.urn == unread.urn for one in found)
    assert any("namespace 'a': is declared twice" in str(one) for one in found)


def test_an_image_that_is_not_known_yet_hides_no_other() -> None:
    images = {50: UNKNOWN, 120: UNKNOWN, 160: "docker.io/evil:latest"}
    good = f"registry.example.no/a@sha256:{'0' * 64}"
    made = [called(deployment(images.get(number, good), "agency"), f"d{number}") for number in range(200)]
    for policy in ("tenancy-images", "residency-destinations"):
        found = findings(policy, *made, places=[PLACE])
        assert {(one.urn.rpartition("::")[2], one.decided) for one in found} == {
            ("d50", False),
            ("d120", False),
            ("d160", True),
        }


def test_a_record_that_is_not_known_yet_is_named_and_nothing_is_judged_by_half_of_it() -> None:
    unknown = record(PLACE, exceptions=UNKNOWN)
    [found] = findings("residency-destinations", unknown, deployment("ghcr.io/a"), places=[])
    assert found.urn == unknown.urn
    assert str(found).startswith(
        "agency:index:Record record: cannot be decided at preview: exceptions is not known yet"
    )


def test_what_one_object_is_judged_by_is_named_where_it_cannot_be_read() -> None:
    policy = called(kube("networking.k8s.io/v1", "NetworkPolicy", "n", "one", spec=UNKNOWN), "fence")
    [one] = findings("tenancy-default-deny", namespace("one"), policy)
    assert "NetworkPolicy fence: spec is not known yet" in str(one)
    assert one.urn == namespace("one").urn


def test_a_day_that_is_not_given_is_at_fault_in_no_resource() -> None:
    excuse = {"name": "hub", "place": "registry", "until": "2026-11-21", "reason": "until the mirror is there"}
    config = {"places": [PLACE], "exceptions": [excuse], "today": None}
    [found] = findings("residency-exceptions", deployment("registry.example.no/a"), **config)
    assert str(found).startswith("the stack: cannot be decided at preview: today is not known yet")
