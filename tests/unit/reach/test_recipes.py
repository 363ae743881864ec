# ruff: noqa: E501 (a recipe is a table)
"""The public recipes for network policies (github.com/ahmetb/kubernetes-network-policy-recipes): which calls they let
through, and which they stop."""

from typing import NamedTuple

import pytest

from components.reach.model import Answer
from tests.support.reach_clusters import namespace, pod, policies, verdict

CLUSTER = [
    namespace("default"),
    namespace("other", team="operations"),
    namespace("prod", purpose="production"),
    pod("default/web", role="server"),
    pod("default/shop", role="client"),
    pod("other/monitor", type="monitoring"),
    pod("other/guest"),
    pod("prod/job"),
    pod("default/db", role="server"),
]
OUTSIDE = "203.0.113.7"
WEB = "podSelector: {matchLabels: {app: web}}"


class Recipe(NamedTuple):
    number: str
    spec: str
    let_through: tuple[str, ...]
    stopped: tuple[str, ...]


RECIPES = [
    Recipe("01 nothing calls web", f"{WEB}\npolicyTypes: [Ingress]\ningress: []",
           ("default/web → default/shop",), ("default/shop → default/web", "other/guest → default/web", f"{OUTSIDE} → default/web")),
    Recipe("02 only clients call web", f"{WEB}\ningress: [{{from: [{{podSelector: {{matchLabels: {{role: client}}}}}}]}}]",
           ("default/shop → default/web",), ("default/db → default/web", "other/guest → default/web")),
    Recipe("02a everybody calls web", f"{WEB}\ningress: [{{}}]",
           ("default/shop → default/web", "other/guest → default/web", f"{OUTSIDE} → default/web"), ()),
    Recipe("03 nothing is called in a namespace", "podSelector: {}\ningress: []",
           ("default/shop → other/guest",), ("default/shop → default/web", "other/guest → default/db")),
    Recipe("04 no other namespace calls", "podSelector: {}\ningress: [{from: [{podSelector: {}}]}]",
           ("default/shop → default/web",), ("other/guest → default/web", "prod/job → default/db", f"{OUTSIDE} → default/web")),
    Recipe("05 all namespaces call", f"{WEB}\ningress: [{{from: [{{namespaceSelector: {{}}}}]}}]",
           ("default/shop → default/web", "other/guest → default/web", "prod/job → default/web"), (f"{OUTSIDE} → default/web",)),
    Recipe("06 one namespace calls",
           f"{WEB}\ningress: [{{from: [{{namespaceSelector: {{matchLabels: {{purpose: production}}}}}}]}}]",
           ("prod/job → default/web",), ("default/shop → default/web", "other/guest → default/web")),
    Recipe("07 some pods of another namespace call",
           f"{WEB}\ningress: [{{from: [{{namespaceSelector: {{matchLabels: {{team: operations}}}}, "
           "podSelector: {matchLabels: {type: monitoring}}}]}]",
           ("other/monitor → default/web",), ("other/guest → default/web", "prod/job → default/web", "default/shop → default/web")),
    Recipe("08 outside calls", f"{WEB}\ningress: [{{from: []}}]", (f"{OUTSIDE} → default/web", "other/guest → default/web"), ()),
    Recipe("09 one port", f"{WEB}\ningress: [{{ports: [{{port: 5000}}], from: [{{podSelector: {{matchLabels: {{role: client}}}}}}]}}]",
           (), ("default/shop → default/web", "other/guest → default/web")),
    Recipe("10 several selectors",
           f"{WEB}\ningress: [{{from: [{{podSelector: {{matchLabels: {{app: db}}}}}}, {{podSelector: {{matchLabels: {{app: shop}}}}}}]}}]",
           ("default/db → default/web", "default/shop → default/web"), ("other/guest → default/web",)),
    Recipe("11 an application calls nobody", f"{WEB}\npolicyTypes: [Egress]\negress: []",
           ("default/shop → default/web",), ("default/web → default/shop", f"default/web → {OUTSIDE}")),
    Recipe("12 a namespace calls nobody", "podSelector: {}\npolicyTypes: [Egress]",
           ("other/guest → default/web",), ("default/shop → default/web", f"default/db → {OUTSIDE}")),
    Recipe("14 no call leaves the cluster", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{namespaceSelector: {}}]}]",
           ("default/shop → other/guest", "default/web → default/db"), (f"default/web → {OUTSIDE}",)),
]  # fmt: skip


def ask(recipe: Recipe, call: str, port: str = "80/TCP") -> Answer:
    source, _, target = call.partition(" → ")
    found = policies(recipe.spec)
    one = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": found[0]}
    return verdict([*CLUSTER, one], source, target, port, addresses=[OUTSIDE]).answer


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.number)
def test_a_recipe_lets_through_and_stops_what_its_page_says(recipe: Recipe) -> None:
    calls = dict.fromkeys(recipe.let_through, Answer.YES) | dict.fromkeys(recipe.stopped, Answer.NO)
    assert {call: ask(recipe, call) for call in calls} == calls


def test_the_recipe_of_one_port_lets_that_port_through() -> None:
    (recipe,) = [one for one in RECIPES if one.number.startswith("09")]
    assert ask(recipe, "default/shop → default/web", "5000/TCP") is Answer.YES
    assert ask(recipe, "default/shop → default/web", "5000/UDP") is Answer.NO
    assert ask(recipe, "other/guest → default/web", "5000/TCP") is Answer.NO


def test_without_a_policy_everything_is_let_through() -> None:
    assert verdict(CLUSTER, "other/guest", "default/db").answer is Answer.YES
