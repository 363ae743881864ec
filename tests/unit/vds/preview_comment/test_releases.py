"""The change of a Release is the change of its objects."""

from dataclasses import replace
from typing import Any

from policies.releases import RELEASE_TYPE
from vds.preview_comment.change_lines import change_blocks
from vds.preview_comment.difference import diff_lines
from vds.preview_comment.events import Change, Preview
from vds.preview_comment.releases import with_objects
from vds.preview_comment.report import StackReport


def update(old: dict[str, Any], new: dict[str, Any], **more: Any) -> Change:
    base = {"chart": "app", "version": "1.0.0", "repositoryOpts": {"repo": "https://charts.example.no"}}
    there = {**base, "namespace": "agency", **more}
    urn = f"urn:pulumi:s::p::{RELEASE_TYPE}::web"
    return Change(urn, RELEASE_TYPE, "update", old={**there, "values": old}, new={**there, "values": new})


def test_the_diff_is_of_objects_and_only_of_those_that_differ() -> None:
    lines = diff_lines(with_objects(update({"replicaCount": 2}, {"replicaCount": 5})))
    assert lines == (
        '- ["Deployment agency/app"].spec.replicas: 2',
        '+ ["Deployment agency/app"].spec.replicas: 5',
    )


def test_a_value_that_nothing_reads_stays_a_change_of_values() -> None:
    change = update({}, {"replicaCountt": 5})
    assert with_objects(change) == change


def test_a_chart_that_cannot_be_rendered_shows_its_values() -> None:
    for more in ({"chart": "nowhere"}, {"version": ""}):
        change = update({"a": 1}, {"a": 2}, **more)
        assert with_objects(change) == change


def test_a_release_of_a_new_chart_shows_what_runs_differently_and_no_chart_label() -> None:
    change = update({}, {}, chart="cilium", namespace="kube-system")
    change = Change(
        change.urn,
        change.kind,
        "update",
        old={**change.old, "version": "1.18.2"},
        new={**change.new, "version": "1.18.11"},
    )
    lines = diff_lines(with_objects(change))
    assert any(line.startswith('- ["DaemonSet kube-system/cilium"].spec.template.spec') for line in lines)
    assert not any("helm.sh/chart" in line for line in lines)
    assert not any("BEGIN" in line for line in lines)


def test_secrets_are_masked() -> None:
    values = {"securityContext": {"password": "correct-horse"}}
    change = update(values, {"securityContext": {"password": "battery-staple"}})
    text = str(with_objects(change))
    lines = diff_lines(with_objects(update({}, values)))
    assert "correct-horse" not in text or with_objects(change) == change
    assert "correct-horse" not in str(lines)
    assert any("hidden" in line for line in lines)


def test_a_hidden_value_that_changes_beside_others_is_named() -> None:
    change = replace(update({"replicaCount": 2}, {"replicaCount": 5}), secrets=("values.auth.password",))
    assert "! values.auth.password: changes, and is hidden" in diff_lines(with_objects(change))


def test_other_resources_stay_as_they_are() -> None:
    change = Change("urn:pulumi:s::p::kubernetes:core/v1:ConfigMap::a", "kubernetes:core/v1:ConfigMap", "update")
    assert with_objects(change) is change


def test_the_comment_names_the_object() -> None:
    changes = (with_objects(update({"replicaCount": 2}, {"replicaCount": 5})),)
    report = StackReport("oslo", touched_by=("x",), preview=Preview(changes=changes))
    text = "".join(block.text for block in change_blocks(report))
    assert "Deployment agency/app" in text
