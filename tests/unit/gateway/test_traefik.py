"""Traefik's own objects: least rights, the strictest Pod Security, and no request lost when a pod goes."""

import json
from ipaddress import IPv4Address
from typing import Any

import pytest

from components.gateway.model import GatewayContext, GatewaySpec, Limits, Traefik
from components.gateway.traefik import traefik_manifests
from components.images.model import ImageMirror
from components.stackfile.parsing import parse
from tests.support.policy import findings
from tests.support.stacks import ROOT, problems, stack, stack_data

INSTALL = Traefik(kind="traefik", version="3.7.9", replicas=3)
DIGEST = f"sha256:{'a' * 64}"


def made(images: ImageMirror | None = None, spec: GatewaySpec | None = None) -> dict[str, dict[str, Any]]:
    around = GatewayContext(images=images)
    return {item["kind"]: item for item in traefik_manifests(spec or stack("oslo").gateway, INSTALL, around)}


def pod() -> dict[str, Any]:
    return dict(made()["Deployment"]["spec"]["template"]["spec"])


def test_every_object_stands_in_the_gateways_namespace_or_in_none() -> None:
    for kind, item in made().items():
        cluster_wide = kind.startswith("ClusterRole")
        assert item["metadata"].get("namespace") == (None if cluster_wide else "gateway-system")


def test_its_rights_are_reading_and_the_status_of_what_it_serves() -> None:
    for rule in made()["ClusterRole"]["rules"]:
        assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]
        if set(rule["verbs"]) - {"get", "list", "watch"}:
            assert rule["verbs"] == ["update"]
            assert all(resource.endswith("/status") for resource in rule["resources"])


def test_the_pod_is_as_pod_security_restricted_wants_it() -> None:
    security = pod()["securityContext"]
    assert security["runAsNonRoot"]
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    (container,) = pod()["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert "volumes" not in pod()


def test_a_pod_that_ends_serves_until_everybody_knows_and_has_time_to_finish() -> None:
    arguments = pod()["containers"][0]["args"]
    limits = {"requestacceptgracetimeout": 15, "gracetimeout": 20}
    for name, seconds in limits.items():
        for port in (80, 443):
            assert f"--entrypoints.tcp-{port}.transport.lifecycle.{name}={seconds}s" in arguments
    assert pod()["terminationGracePeriodSeconds"] > sum(limits.values())
    spec = made()["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["replicas"] == 3


def test_replicas_stand_on_different_nodes_and_one_at_a_time_may_be_evicted() -> None:
    (spread,) = pod()["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)
    assert spread["labelSelector"]["matchLabels"] == made()["Deployment"]["spec"]["selector"]["matchLabels"]
    assert made()["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_the_service_keeps_clients_addresses_and_opens_no_port_on_nodes() -> None:
    service = made()["Service"]
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert service["spec"]["allocateLoadBalancerNodePorts"] is False
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 443]
    assert findings("gateway-no-node-port", service) == []


def test_its_image_is_the_makers_or_the_mirrors_and_pinned_where_it_is_another() -> None:
    def image(images: ImageMirror | None) -> str:
        return str(made(images)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"])

    assert image(None) == "docker.io/library/traefik:v3.7.9"
    assert image(ImageMirror(registry="r.example.no")) == "r.example.no/library/traefik:v3.7.9"
    pinned = ImageMirror(registry="r.example.no", pins={"library/traefik": DIGEST})
    assert image(pinned) == f"r.example.no/library/traefik:v3.7.9@{DIGEST}"


def test_no_listener_takes_the_port_of_the_probes() -> None:
    data = stack_data("oslo")
    data["gateway"]["listeners"][1]["port"] = 8081
    assert any("has port 8081, where Traefik answers probes" in problem for problem in problems(data))


@pytest.mark.parametrize("bundle", ["1.4.1", "1.5.1"])
def test_it_needs_crds_that_have_what_it_watches(bundle: str) -> None:
    data = stack_data("oslo")
    data["gateway"]["bundleVersion"] = bundle
    found = [problem for problem in problems(data) if "with Traefik" in problem]
    assert bool(found) is (bundle == "1.4.1")


# --- limits, a fixed address, chosen nodes ---------------------------------------------------------------


def limited(**limits: int) -> dict[str, dict[str, Any]]:
    return made(spec=stack("oslo").gateway.model_copy(update={"limits": Limits.model_validate(limits)}))


def test_the_articles_numbers_are_traefiks_words() -> None:
    found = limited(bodyMebibytes=50, connectSeconds=10, sendSeconds=120, readSeconds=120)
    pod = found["Deployment"]["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    assert "--serverstransport.forwardingtimeouts.dialtimeout=10s" in arguments
    assert "--serverstransport.forwardingtimeouts.responseheadertimeout=120s" in arguments
    for port in (80, 443):
        assert f"--entrypoints.tcp-{port}.transport.respondingtimeouts.readtimeout=120s" in arguments
        assert f"--entrypoints.tcp-{port}.http.middlewares=body-limit@file" in arguments
    (text,) = found["ConfigMap"]["data"].values()
    assert json.loads(text) == {
        "http": {"middlewares": {"body-limit": {"buffering": {"maxRequestBodyBytes": 52428800}}}}
    }
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounts == {"configuration": "/etc/traefik", "held-back": "/tmp"}  # noqa: S108
    assert f"--providers.file.filename={mounts['configuration']}/{next(iter(found['ConfigMap']['data']))}" in arguments


def test_a_request_is_offered_to_another_pod_only_if_nothing_of_it_was_sent() -> None:
    found = limited(connectSeconds=1, connectAttempts=3)
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (text,) = found["ConfigMap"]["data"].values()
    assert json.loads(text) == {"http": {"middlewares": {"other-pod": {"retry": {"attempts": 3}}}}}  # no status codes
    assert [volume["name"] for volume in pod["volumes"]] == ["configuration"]
    for port in (80, 443):
        assert f"--entrypoints.tcp-{port}.http.middlewares=other-pod@file" in pod["containers"][0]["args"]
    both = limited(bodyMebibytes=50, connectAttempts=3)["Deployment"]["spec"]["template"]["spec"]
    assert "--entrypoints.tcp-443.http.middlewares=body-limit@file,other-pod@file" in both["containers"][0]["args"]
    assert [volume["name"] for volume in both["volumes"]] == ["configuration", "held-back"]


def test_another_limit_restarts_the_pods_and_none_leaves_them_as_they_are() -> None:
    before, after = (limited(bodyMebibytes=size)["Deployment"]["spec"]["template"]["metadata"] for size in (50, 51))
    assert before["annotations"] != after["annotations"]
    assert "ConfigMap" not in made()
    assert not any("middlewares" in one or "timeouts.readtimeout" in one for one in pod()["containers"][0]["args"])


@pytest.mark.parametrize(("by_cilium", "key"), [(False, "metallb.io/loadBalancerIPs"), (True, "lbipam.cilium.io/ips")])
def test_a_fixed_address_is_asked_of_its_owner(by_cilium: bool, key: str) -> None:
    spec = stack("oslo").gateway.model_copy(update={"address": IPv4Address("198.51.100.200")})
    around = GatewayContext(addresses_by_cilium=by_cilium)
    service = {item["kind"]: item for item in traefik_manifests(spec, INSTALL, around)}["Service"]
    assert service["metadata"]["annotations"] == {key: "198.51.100.200"}


def test_its_pods_are_on_the_chosen_nodes() -> None:
    around = GatewayContext(node_selector={"vds-platform.no/edge": "true"})
    objects = {item["kind"]: item for item in traefik_manifests(stack("oslo").gateway, INSTALL, around)}
    assert objects["Deployment"]["spec"]["template"]["spec"]["nodeSelector"] == {"vds-platform.no/edge": "true"}
    assert "nodeSelector" not in pod()


@pytest.mark.parametrize(("edge", "advised"), [(0, False), (1, True), (2, False)])
def test_one_edge_node_for_two_pods_is_worth_a_word(edge: int, advised: bool) -> None:
    data = stack_data("oslo")
    workers = [node for node in data["nodes"] if node["roles"] == ["worker"]]
    for number, node in enumerate(workers):
        node["profiles"] = ["baseline", "edge"] if number < edge else ["baseline"]
    found = [str(one) for one in parse(data, base_dir=ROOT).advice if one.rule == "gateway-placement"]
    expected = "nodes: only osl-w-1 has the profile edge, so all 2 pods of the gateway are on it: give the profile to a"
    assert [line.startswith(expected) for line in found] == [True] * advised


def test_its_configuration_has_an_ending_that_it_reads() -> None:
    arguments = limited(bodyMebibytes=50)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert next(one for one in arguments if one.startswith("--providers.file")).endswith((".yaml", ".yml", ".toml"))


def test_a_change_of_a_route_waits_a_tenth_of_a_second_for_the_one_before():
    assert "--providers.providersthrottleduration=100ms" in pod()["containers"][0]["args"]
