"""What counts as lost, and what counts as left over."""

from dataclasses import replace
from typing import Any

import pytest

from lab.chaos.holdings import Holdings, digest, lost, wrong

KEY = ("apps", "Deployment", "gateway-system/traefik")
MEMBER = frozenset({"started", "joined", "member", "set-up"})
WHOLE = Holdings(
    urns=("a", "b"),
    stated=frozenset({KEY}),
    live=frozenset({KEY}),
    releases=frozenset({"kube-system/cilium"}),
    helm={"kube-system/cilium": ["deployed"]},
    owned=frozenset({"kube-system/cilium"}),
    wanted_nodes=frozenset({"osl-w-1"}),
    nodes={"osl-w-1": "ready"},
    machines={"osl-w-1": MEMBER},
    outputs={"kubeconfig": digest("k")},
    secrets={"token": digest("t")},
    tenants={"secrets butikk/kept": "uid content"},
)


def test_a_whole_platform_has_nothing_wrong() -> None:
    assert wrong(WHOLE) == []
    assert lost(WHOLE, WHOLE) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"urns": ("a", "b", "b")}, "duplicate in the state: b"),
        ({"pending": ["creating c"]}, "half done: creating c"),
        ({"live": frozenset({KEY, ("", "Namespace", "chaos")})}, "orphan: Namespace chaos is in no state"),
        ({"live": frozenset()}, "lost: Deployment gateway-system/traefik is in the state and not in the cluster"),
        (
            {"helm": {"kube-system/cilium": ["deployed", "pending-upgrade"]}},
            "is deployed, pending-upgrade, not deployed",
        ),
        ({"helm": {}}, "Helm release kube-system/cilium is gone"),
        ({"owned": frozenset({"kube-system/cilium", "x/y"})}, "orphan: Helm release x/y is in no state"),
        ({"nodes": {"osl-w-1": "ready", "osl-w-3": "ready"}}, "orphan: Node osl-w-3 is not in the stack file"),
        ({"nodes": {"osl-w-1": "cordoned"}}, "Node osl-w-1 is cordoned"),
        ({"nodes": {}}, "Node osl-w-1 is gone"),
        ({"machines": {"osl-w-1": MEMBER, "osl-w-3": frozenset({"member"})}}, "machine osl-w-3: member"),
        ({"machines": {"osl-w-1": MEMBER - {"joined"}}}, "machine osl-w-1 lacks: joined"),
        ({"machines": {"osl-w-1": MEMBER | {"left /etc/a.new"}}}, "machine osl-w-1: left /etc/a.new"),
    ],
)
def test_what_is_left_over_or_missing_is_named(change: dict[str, Any], said: str) -> None:
    [found] = wrong(replace(WHOLE, **change))
    assert said in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"urns": ("a",)}, "resource b is gone"),
        ({"urns": ("a", "b", "c")}, "resource c is new"),
        ({"outputs": {}}, "output kubeconfig is gone"),
        ({"outputs": {"kubeconfig": "other"}}, "output kubeconfig has changed"),
        ({"secrets": {"token": "other"}}, "secret token has changed"),
        ({"tenants": {}}, "of a tenant: secrets butikk/kept is gone"),
        ({"tenants": {"secrets butikk/kept": "another-uid content"}}, "secrets butikk/kept has changed"),
    ],
)
def test_what_is_not_as_before_is_named(change: dict[str, Any], said: str) -> None:
    [found] = lost(WHOLE, replace(WHOLE, **change))
    assert said in found


def test_what_a_repair_makes_anew_is_no_loss() -> None:
    anew = replace(WHOLE, outputs={"kubeconfig": "other"}, secrets={"token": "other"})
    assert lost(WHOLE, anew, ("kubeconfig", "token")) == []
    assert lost(WHOLE, replace(WHOLE, tenants={}), ("kubeconfig",)), "never of a tenant's things"


def test_a_secret_is_compared_by_its_digest() -> None:
    assert "hunter2" not in digest("hunter2")
    assert digest("hunter2") != digest("hunter3")
