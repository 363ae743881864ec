"""Pods as the API describes them, and an API that has them or has not."""

import pytest

from components.kubernetes_api import Cluster
from tests.support.api import kubeconfig, pod, serving
from vds.inspect.pods import find, running, split
from vds.shared.errors import OperationError

PODS = [pod("butikk", "api-6d5f", "osl-2"), pod("butikk", "frontend-77c", "osl-1")]


def refused(act, *arguments):
    with pytest.raises(OperationError) as caught:
        act(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("text", ["api", "/api", "butikk/", "a/b/c", "", "../secrets", "butikk/it's", "a b/c"])
def test_a_pod_without_its_namespace_is_refused(text):
    assert f"pod {text!r}: write NAMESPACE/POD" in refused(split, text)


def test_a_pod_is_found_with_its_node_and_address():
    with serving(PODS) as url:
        found = find(Cluster(kubeconfig(url)), "butikk/api-6d5f")
    assert (str(found), found.node, found.address, found.host_network) == (
        "butikk/api-6d5f",
        "osl-2",
        "10.244.1.7",
        False,
    )


def test_a_pod_that_is_not_there_names_the_nearest():
    with serving(PODS) as url:
        message = refused(find, Cluster(kubeconfig(url)), "butikk/api-6d5e")
    assert message == "pod butikk/api-6d5e does not exist: did you mean api-6d5f?"


def test_a_deployments_name_finds_its_pods():
    with serving(PODS) as url:
        assert "did you mean api-6d5f?" in refused(find, Cluster(kubeconfig(url)), "butikk/api")


def test_a_namespace_that_is_not_there_names_the_nearest():
    with serving(PODS, namespaces=["butikk", "kube-system"]) as url:
        message = refused(find, Cluster(kubeconfig(url)), "butik/api-6d5f")
    assert message == "pod butik/api-6d5f: there is no namespace butik: did you mean butikk?"


def test_an_empty_namespace_is_said():
    with serving([], namespaces=["butikk"]) as url:
        assert refused(find, Cluster(kubeconfig(url)), "butikk/api").endswith("namespace butikk has no pods")


def test_a_pod_on_no_node_or_not_running_is_refused_with_what_shows_why():
    unscheduled = pod("butikk", "api", None, phase="Pending", address=None)
    assert "is on no node yet: see `kubectl -n butikk describe pod api`" in refused(running, unscheduled)
    done = pod("butikk", "job", "osl-1", phase="Succeeded")
    assert "is not running (phase Succeeded): see `kubectl" in refused(running, done)


def test_a_pod_that_waits_for_its_init_containers_can_be_looked_into():
    assert running(pod("butikk", "api", "osl-1", phase="Pending")).node == "osl-1"


def test_a_pod_in_its_nodes_network_is_known_as_such():
    assert running(pod("kube-system", "proxy", "osl-1", host_network=True)).host_network


def test_an_api_that_refuses_names_the_secret():
    with serving(PODS, status=403) as url:
        message = refused(find, Cluster(kubeconfig(url)), "butikk/api")
    assert "refuses to list pods (403" in message
    assert "vds-platform:kubeconfig" in message


def test_an_api_that_does_not_answer_is_named():
    with serving(PODS) as url:
        pass
    message = refused(find, Cluster(kubeconfig(url)), "butikk/api")
    assert message.startswith(f"the Kubernetes API does not answer ({url}: ")
