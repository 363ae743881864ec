"""Nodes and pods as the API server has them."""

from collections.abc import Sequence
from typing import Any

from components.kubernetes_api import ApiError
from tests.support.stacks import stack
from vds.doctor.gateway import examine_running, rows

LAB = stack("lab")
ADDRESS = "192.0.2.200"
SERVICE = {
    "metadata": {"namespace": "g", "name": "t"},
    "status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}},
}
STATUSES = "/apis/metallb.io/v1beta1/servicel2statuses"


class Cluster:
    """Ready nodes and no pods, apart from what a test puts there."""

    def __init__(self) -> None:
        ready = {"type": "Ready", "status": "True"}
        self.nodes: dict[str, Any] = {node.name: {"status": {"conditions": [ready]}} for node in LAB.nodes}
        self.pods: dict[str, list[Any]] = {}
        self.others: dict[str, Any] = {
            "/apis/gateway.networking.k8s.io/v1/namespaces/gateway-system/gateways/public": {
                "status": {"addresses": [{"value": ADDRESS}]}
            },
            "/api/v1/services": {"items": [SERVICE]},
            STATUSES: {"items": [{"status": {"node": "osl-w-1", "serviceName": "t", "serviceNamespace": "g"}}]},
            "/apis/metallb.io/v1beta1/servicebgpstatuses": {"items": []},
            "/api/v1/nodes": {"items": []},
        }

    def request(self, _method: str, path: str, _body: Any = None, *, query: Sequence[tuple[str, str]] = ()) -> Any:
        if path in self.others:
            return self.others[path]
        words = path.split("/")
        if words[-2] == "nodes":
            if words[-1] not in self.nodes:
                raise ApiError(404, "not found")
            return self.nodes[words[-1]]
        assert query in ((), [("fieldSelector", "type=Warning")])
        return {"items": self.pods.get(words[-2], []) if words[-1] == "pods" else []}


def test_a_cluster_in_which_everything_runs() -> None:
    found = rows(LAB, Cluster())
    assert [(row.item, row.state) for row in found] == [("cluster", "ok"), (f"address {ADDRESS}", "ok")]
    assert found[1].measured == "announced by osl-w-1"


def test_an_address_that_no_node_announces_fails() -> None:
    cluster = Cluster()
    cluster.others[STATUSES] = {"items": []}
    _, row = rows(LAB, cluster)
    assert (row.state, row.measured) == ("fails", f"no node announces {ADDRESS}")
    assert "nodeSelectors" in row.remedy


def test_a_node_that_is_not_ready_or_not_there_fails_with_the_kubelets_reason() -> None:
    cluster = Cluster()
    said = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "cni plugin not initialized"}
    cluster.nodes["osl-w-1"] = {"status": {"conditions": [said]}}
    del cluster.nodes["osl-w-2"]
    first, second, _ = rows(LAB, cluster)
    assert (first.item, first.state) == ("node osl-w-1", "fails")
    assert first.measured == "not Ready: KubeletNotReady: cni plugin not initialized"
    assert (second.item, second.measured) == ("node osl-w-2", "it is not in the cluster")


def test_pods_of_every_namespace_of_the_platform_are_looked_at() -> None:
    for namespace in ("kube-system", "metallb-system", "gateway-system"):
        cluster = Cluster()
        waits = {
            "name": "c",
            "image": "sha256:5c71a8d6",
            "ready": False,
            "state": {"waiting": {"reason": "ErrImagePull"}},
        }
        status = {"phase": "Pending", "containerStatuses": [waits]}
        meta = {"namespace": namespace, "name": "p"}
        spec = {"nodeName": "osl-w-1", "containers": [{"name": "c", "image": "example.no/c:1"}]}
        cluster.pods[namespace] = [{"metadata": meta, "spec": spec, "status": status}]
        row, _ = rows(LAB, cluster)
        assert (row.item, row.state) == (f"pod {namespace}/p on osl-w-1", "fails")
        assert row.measured == "container c, image example.no/c:1: ErrImagePull"


def test_without_a_cluster_nothing_is_asked_and_a_kubeconfig_that_is_none_is_unknown() -> None:
    assert examine_running(LAB, None) == []
    [row] = examine_running(LAB, "no kubeconfig")
    assert row.state == "unknown"
