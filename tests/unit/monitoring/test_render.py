"""The objects of a watched cluster: valid configuration, least rights, and nothing that a tenant reaches."""

import json
from pathlib import Path

import pytest

from components.monitoring.collection import configuration, jobs, namespaces
from components.monitoring.render import monitoring_manifests, network_policies
from components.monitoring.rules import monitoring_advice
from components.stackfile.parsing import parse
from policies.engine import ENGINE_POLICIES
from tests.support.monitoring import parts, run_promtool, watched
from tests.support.policy import Resource, violations
from tests.support.stacks import ROOT, problems, stack, stack_data

RECEIVER = {"url": "https://alarms.example.no/vds"}


def objects(**monitoring):
    spec, context = parts(watched(**monitoring))
    return {
        (one["kind"], one["metadata"]["name"], one["metadata"].get("namespace", "")): one
        for one in monitoring_manifests(spec, context)
    }


@pytest.mark.parametrize("name", ["oslo", "lab"])
def test_promtool_takes_the_configuration(name: str, tmp_path: Path) -> None:
    spec, context = parts(watched(name))
    files = next(
        one["data"]
        for one in monitoring_manifests(spec, context)
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "prometheus"
    )
    for file in ("token", "ca.crt"):
        (tmp_path / file).write_text("x")
    for file, text in files.items():
        own = text.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path))
        (tmp_path / file).write_text(own.replace("/etc/prometheus", str(tmp_path)))
    done = run_promtool("check", "config", "prometheus.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_there_is_not_collected() -> None:
    _, oslo = parts(watched("oslo"))
    _, lab = parts(watched("lab"))
    assert "hubble" in jobs(oslo)
    assert "hubble" not in jobs(oslo._replace(hubble=False))
    assert {"cilium", "traefik", "metallb", "kubelet", "api-server", "coredns", "node-exporter"} <= set(jobs(lab))
    data = stack_data("oslo")
    data["metallb"]["install"] = {"kind": "existing"}
    assert "metallb-system" in namespaces(oslo)
    assert "metallb-system" not in namespaces(oslo._replace(metallb=False))
    assert "traefik" not in jobs(oslo._replace(gateway_namespace=""))


def test_targets_of_the_gateway_carry_the_namespace_that_a_canary_asks_for() -> None:
    _, context = parts(watched())
    [job] = [one for one in configuration(context)["scrape_configs"] if one["job_name"] == "traefik"]
    assert job["kubernetes_sd_configs"][0]["namespaces"] == {"names": ["gateway-system"]}
    assert {"__address__": "$1:8082", "namespace": "$1"}.items() <= {
        one.get("target_label"): one.get("replacement") for one in job["relabel_configs"]
    }.items()


def test_only_prometheus_has_a_token_and_rights_and_they_only_read() -> None:
    made = objects()
    for (kind, name, _), item in made.items():
        if kind in ("DaemonSet", "Deployment", "StatefulSet"):
            pod = item["spec"]["template"]["spec"]
            assert pod["automountServiceAccountToken"] is (name == "prometheus"), name
        if kind in ("ClusterRole", "Role"):
            assert {verb for rule in item["rules"] for verb in rule["verbs"]} <= {"get", "list", "watch"}
            assert "secrets" not in json.dumps(item["rules"])
        if kind in ("ClusterRoleBinding", "RoleBinding"):
            assert item["subjects"] == [
                {"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring-system"}
            ]


def test_nothing_reaches_them_but_prometheus_and_named_readers() -> None:
    spec, context = parts(watched(readers=["grafana"]))
    rules = {
        one["metadata"]["name"]: one["spec"].get("ingress", [])
        for one in network_policies(spec, context)
        if one["kind"] == "NetworkPolicy" and "Ingress" in one["spec"]["policyTypes"]
    }
    assert rules["default-deny"] == []
    peers = [peer for rule in rules.values() for one in rule for peer in one["from"]]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "grafana"}}} in peers
    assert all("namespaceSelector" not in peer or "grafana" in str(peer) for peer in peers)


def test_without_a_receiver_alertmanager_calls_nothing_and_sends_nothing() -> None:
    made = objects()
    assert "egress" not in made["NetworkPolicy", "alertmanager-calls", "monitoring-system"]["spec"]
    text = made["ConfigMap", "alertmanager", "monitoring-system"]["data"]["alertmanager.yml"]
    assert "webhook" not in text


def test_another_configuration_is_another_pod() -> None:
    def checksum(**monitoring):
        return objects(**monitoring)["StatefulSet", "prometheus", "monitoring-system"]["spec"]["template"]["metadata"]

    assert checksum() == checksum(retentionDays=3)  # an argument, which changes the pod by itself
    assert checksum() != checksum(thresholds={"gatewayMilliseconds": 300})


def test_images_come_from_the_mirror_with_their_pins() -> None:
    data = stack_data("lab")
    digest = f"sha256:{'a' * 64}"
    data["images"]["pins"] = {"prometheus/node-exporter": digest}
    spec, context = parts(parse(data | {"monitoring": {}}, base_dir=ROOT))
    images = [
        one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in monitoring_manifests(spec, context)
        if one["kind"] in ("DaemonSet", "Deployment", "StatefulSet")
    ]
    assert f"registry.lab.example.no/prometheus/node-exporter:v1.12.1@{digest}" in images
    assert all(one.startswith("registry.lab.example.no/prometheus/") for one in images)


@pytest.mark.parametrize("name", ["oslo", "lab"])
def test_the_pack_takes_every_object(name: str) -> None:
    spec, context = parts(watched(name))
    found = []
    for number, made in enumerate(monitoring_manifests(spec, context)):
        api = made["apiVersion"] if "/" in made["apiVersion"] else f"core/{made['apiVersion']}"
        found.append(Resource(f"kubernetes:{api}:{made['kind']}", made, name=f"r{number}"))
    judged = [one for one in violations(ENGINE_POLICIES, found) if one.mandatory]
    assert [one for one in judged if not one.policy.startswith("residency")] == []


def test_a_receiver_must_be_declared_and_encrypted() -> None:
    data = stack_data("oslo") | {"monitoring": {"receiver": RECEIVER}}
    [said] = problems(data)
    assert "bytes go to alarms.example.no (telemetry), which no declared place holds" in said
    data["residency"]["places"].append(
        {
            "name": "alarms",
            "hosts": ["alarms.example.no"],
            "country": "NO",
            "entity": "Nordic Alarm AS",
            "entityCountry": "NO",
            "purposes": ["telemetry"],
        }
    )
    assert problems(data) == []
    data["monitoring"] = {"receiver": {"url": "http://alarms.example.no/vds"}}
    assert any("is called without encryption" in said for said in problems(data))
    data["monitoring"] = {"receiver": {"url": "http://relay.alarms.svc:8080/vds"}}  # data stays in the cluster
    assert problems(data) == []
    data["monitoring"] = {"receiver": {"url": "https://user:secret@alarms.example.no/vds"}}
    assert problems(data)
    assert "secret" not in str(problems(data))


def test_a_volume_has_room_for_more_than_what_is_kept() -> None:
    data = stack_data("oslo") | {
        "monitoring": {"retentionGibibytes": 10, "storage": {"className": "local-path", "gibibytes": 10}}
    }
    assert any("not smaller than" in said for said in problems(data))


def test_a_volume_can_be_added_and_grow() -> None:
    """The claim is an object of its own: the API server refuses to change the templates of a StatefulSet."""
    made = objects(storage={"className": "local-path", "gibibytes": 20})
    claim = made["PersistentVolumeClaim", "prometheus-local-path", "monitoring-system"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "20Gi"}}
    with_volume = made["StatefulSet", "prometheus", "monitoring-system"]["spec"]
    without = objects()["StatefulSet", "prometheus", "monitoring-system"]["spec"]
    data = {one["name"]: one for one in with_volume["template"]["spec"]["volumes"]}["data"]
    assert data == {"name": "data", "persistentVolumeClaim": {"claimName": "prometheus-local-path"}}
    # The template of pods alone may differ.
    assert {key: value for key, value in with_volume.items() if key != "template"} == {
        key: value for key, value in without.items() if key != "template"
    }


def test_open_ports_of_nodes_are_advice_unless_a_firewall_closes_them() -> None:
    spec = watched()
    assert any(one.rule == "monitoring-open" for one in spec.advice)
    assert spec.node_firewall is None
    assert monitoring_advice(spec.monitoring, firewall=True) == []
    ports = {need.port for need in spec.node_requirements.ports}
    assert {9100, 9962, 9965} <= ports
    without = stack("oslo")
    assert not {9100, 9962, 9965} & {need.port for need in without.node_requirements.ports}
