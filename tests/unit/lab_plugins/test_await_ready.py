from typing import Any

import pytest

from lab.plugins.kubernetes.await_ready import pending
from lab.plugins.kubernetes.jsonpath import find
from lab.plugins.resource_server import ResourceError


def _live(kind: str, status: dict[str, Any], *, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"generation": 2}, "status": status, **more}


def _conditions(name: str, status: str) -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": status, "message": "because"}]}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (_live("ConfigMap", {}), None),
        (_live("Pod", _conditions("Ready", "True")), None),
        (_live("Pod", _conditions("Ready", "False")), "condition Ready is False: because"),
        (_live("Pod", {"phase": "Succeeded"}), None),
        (_live("ResourceQuota", {}, spec={"hard": {"pods": "1"}}), "the quota controller"),
        (_live("ResourceQuota", {"hard": {"pods": "1"}}, spec={"hard": {"pods": "1"}}), None),
        (_live("Service", {}, spec={"type": "ClusterIP"}), None),
        (_live("Service", {"loadBalancer": {}}, spec={"type": "LoadBalancer"}), "no load balancer"),
        (
            _live("Service", {"loadBalancer": {"ingress": [{"ip": "192.0.2.200"}]}}, spec={"type": "LoadBalancer"}),
            None,
        ),
        (_live("Deployment", {"observedGeneration": 1}, version="apps/v1", spec={}), "has not seen"),
        (
            _live(
                "Deployment",
                {"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1},
                version="apps/v1",
                spec={"replicas": 2},
            ),
            "readyReplicas 1 of 2",
        ),
        (
            _live(
                "DaemonSet",
                {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3},
                version="apps/v1",
            ),
            None,
        ),
        (
            _live("CustomResourceDefinition", {}, version="apiextensions.k8s.io/v1"),
            "condition Established is not reported yet",
        ),
        (_live("Deployment", {}, version="example.no/v1"), None),
    ],
)
def test_a_kind_is_ready_when_its_status_says_so(live: dict[str, Any], reason: str | None) -> None:
    found = pending({}, live)
    assert found is None if reason is None else reason in str(found)


def _inputs(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {f"pulumi.com/{name}": value for name, value in annotations.items()}}}


@pytest.mark.parametrize(
    ("wait_for", "met"),
    [
        ("condition=Programmed", True),
        ("condition=Accepted", False),
        ("condition=Programmed=False", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath={.status.phase}=Gone", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.nothing}", False),
        ('["condition=Programmed", "jsonpath={.status.phase}=Running"]', True),
        ('["condition=Programmed", "jsonpath={.status.phase}=Gone"]', False),
    ],
)
def test_the_program_says_what_to_wait_for(wait_for: str, met: bool) -> None:
    live = _live("Gateway", {"phase": "Running", **_conditions("Programmed", "True")})
    assert (pending(_inputs(waitFor=wait_for), live) is None) is met


def test_a_wait_that_cannot_be_read_is_an_error_that_says_how_to_write_it() -> None:
    with pytest.raises(ResourceError, match="write condition="):
        pending(_inputs(waitFor="Ready"), {})


def test_nothing_is_awaited_where_the_program_says_so() -> None:
    assert pending(_inputs(skipAwait="true"), _live("Pod", {})) is None


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("{.a.b}", [1]),
        ("a.b", [1]),
        ("{$.list[1].x}", [3]),
        ("{.list[-1].x}", [3]),
        ("{.list[*].x}", [2, 3]),
        ('{.list[?(@.name=="two")].x}', [3]),
        ("{.labels['app.kubernetes.io/name']}", ["shop"]),
        ("{.labels.app\\.kubernetes\\.io/name}", None),
        ("{.missing.b}", []),
    ],
)
def test_a_json_path_finds_what_it_names(expression: str, values: list[Any] | None) -> None:
    document = {
        "a": {"b": 1},
        "list": [{"name": "one", "x": 2}, {"name": "two", "x": 3}],
        "labels": {"app.kubernetes.io/name": "shop"},
    }
    if values is None:
        with pytest.raises(ValueError, match="cannot read"):
            find(expression, document)
    else:
        assert find(expression, document) == values
