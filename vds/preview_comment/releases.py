"""What changes in a Helm Release: the objects that its chart makes, not its values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.charts.releases import inside
from components.core.manifests import label
from policies.releases import RELEASE_TYPE, versions
from vds.preview_comment.events import Change
from vds.preview_comment.masking import masked

_CHART_LABEL = "helm.sh/chart"  # changes in every object with every release of a chart, and nothing reads it


def with_objects(change: Change) -> Change:
    """An update of a Release with its objects as the two sides, masked, and only those that differ.

    The change itself where its chart can't be rendered, or where every object stays as it is. Values are masked before
    they are rendered: an object that has a secret of the program shows the mask.
    """
    if change.op not in ("update", "replace") or change.kind != RELEASE_TYPE:
        return change
    old, new = _objects(change.name, change.old), _objects(change.name, change.new)
    if old is None or new is None or old == new:
        return change
    differ = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return replace(
        change,
        old={key: body for key, body in old.items() if key in differ},
        new={key: body for key, body in new.items() if key in differ},
    )


def _objects(name: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    found = inside(name, inputs, versions())
    if found.problem:
        return None
    return {label(item): _shown(item) for item in found.objects}


def _shown(body: Mapping[str, Any]) -> Any:
    return masked(_without_chart_label(body), kind=f":{body['kind']}")


def _without_chart_label(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_chart_label(inner) for key, inner in value.items() if key != _CHART_LABEL}
    return [_without_chart_label(item) for item in value] if isinstance(value, list) else value
