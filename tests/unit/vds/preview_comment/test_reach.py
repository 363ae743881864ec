"""What the comment says on who reaches whom."""

import copy
import json
from typing import Any

from components.agency.render import app_manifests
from components.core.labels import TENANT
from components.tenancy.bundle import namespace_manifests, registered_namespace
from components.tenancy.registration.contract import contract_spec
from tests.support.agency import app
from tests.support.reach_clusters import namespace, pod
from tests.support.registrations import environment, registration
from vds.preview_comment.events import Change, Preview
from vds.preview_comment.masking import SECRET, UNKNOWN
from vds.preview_comment.reach import of_changes
from vds.preview_comment.render import comment
from vds.preview_comment.report import StackReport, document_of, loaded, saved


def change(old: Any, new: Any) -> Change:
    item = new or old
    api = item["apiVersion"] if "/" in item["apiVersion"] else f"core/{item['apiVersion']}"
    kind = f"kubernetes:{api}:{item['kind']}"
    op = "create" if not old else "delete" if not new else "same" if old == new else "update"
    name = json.dumps([item["kind"], item["metadata"]["name"], str(item["metadata"].get("namespace"))])
    return Change(f"urn:pulumi:s::p::{kind}::{name}", kind, op, old=old or {}, new=new or {})


def bundle() -> list[Any]:
    """Two tenants, each with a frontend and a database."""
    made: list[Any] = []
    for tenant in ("butikk", "bank"):
        name, known = f"{tenant}-prod", environment(cni="flannel")
        registered = registration(tenant=tenant, domains=[f"{tenant}.example.no"], egress=[])
        given = contract_spec(registered, name, known)
        made += [registered_namespace(registered, name), *namespace_manifests(registered, name, known)]
        for app_name in ("frontend", "database"):
            made += app_manifests(app(name=app_name, namespace=name, port=5432), given)
    return made


def policy(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def opened(side: str, tenant: str, tier: str, peer: str) -> dict[str, Any]:
    field = "from" if side == "ingress" else "to"
    rule = {field: [{"namespaceSelector": {"matchLabels": {TENANT: peer}}}], "ports": [{"port": 5432}]}
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": tier}},
        "policyTypes": [side.title()],
        side: [rule],
    }
    return policy(f"{tenant}-prod", f"open-{tier}", spec)


def test_a_rule_that_opens_a_tenant_to_another_is_said() -> None:
    out, into = opened("egress", "butikk", "frontend", "bank"), opened("ingress", "bank", "database", "butikk")
    same = [change(item, item) for item in bundle()]
    assert of_changes(same) == ()
    assert of_changes([*same, change(None, out)]) == ()  # the other side does not let it in
    assert of_changes([*same, change(out, out), change(None, into)]) == (
        "this change lets butikk-prod/frontend reach bank-prod/database at 5432/TCP",
    )
    assert of_changes([*same, change(out, out), change(into, None)]) == ()


def test_pods_of_the_stack_are_compared_by_their_own_labels() -> None:
    spaces = [change(one, one) for one in (namespace("a"), namespace("b"))]
    one, other = pod("a/x"), pod("b/y")
    closed = policy("b", "closed", {"podSelector": {}})
    removed = [*spaces, change(one, one), change(other, other), change(closed, None)]
    assert "this change lets a/x reach b/y at all ports" in of_changes(removed)


def test_a_value_that_is_hidden_or_not_known_yet_is_undecided() -> None:
    for hidden in (SECRET, UNKNOWN):
        spaces = [change(one, one) for one in (namespace("a"), namespace("b"))]
        pods = [change(one, one) for one in (pod("a/x"), pod("b/y"))]
        peer = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": hidden}}}
        old = policy("b", "p", {"podSelector": {}})
        new = copy.deepcopy(old)
        new["spec"]["ingress"] = [{"from": [peer]}]
        assert "this change leaves undecided whether a/x reaches b/y at all ports" in of_changes(
            [*spaces, *pods, change(old, new)]
        )


def test_the_comment_and_the_document_have_the_pairs() -> None:
    text = "this change lets butikk/frontend reach bank/db at 5432/TCP"
    report = StackReport("oslo", ("x",), Preview(complete=True), reach=(text,))
    assert f"### Who reaches whom\n\n- {text}" in comment([report])
    assert comment([report]).splitlines()[1].startswith("## ⚠️")
    assert document_of([report])[0]["reach"] == [text]
    assert loaded(saved([report]).encode()) == (report,)
