"""A watched cluster: every target is up, every graph has data, and a fault reaches the receiver."""

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import yaml

from components.core.manifests import manifest
from components.core.names import MONITORING_SYSTEM
from components.kubernetes_api import ApiError, PodError, UnreachableError, get
from components.monitoring.collection import ALERTMANAGER_PORT, PROMETHEUS_PORT, jobs
from components.monitoring.dashboard import panels
from components.monitoring.model import ALERT_SECRET
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from lab.asking import ask, from_host, from_pod, pods, service_address, ssh
from lab.cluster import rolled_out
from lab.graphs import Graph, svg
from lab.layout import CHECKOUT, NODES, OPERATOR, STACK, WORKERS
from lab.processes import wait_until
from lab.proof.gateway import gateway_address
from lab.proof.tenant import tenant_facts
from lab.tenants import settings
from lab.verify import images
from tests.lab.conftest import Lab
from vds.canary.counters import PROMETHEUS, ready_pods

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PLACE = "alarm-receiver"
PORT = 18080
KEY = "net.ipv4.tcp_keepalive_time"
TOKEN = "the-receivers-token"
VOLUME, CLASS, HOLDER = "/var/lib/vdslab-prometheus", "vdslab-local", WORKERS[0]
_UP_SECONDS = 150
_ALARM_SECONDS = 330  # a run of the timer each minute, two minutes of drift, and two intervals of collection


class Watched(NamedTuple):
    lab: Lab
    spec: PlatformSpec
    received: list[dict[str, Any]]
    """What the receiver was sent: the bodies of Alertmanager's webhook."""

    def ask(self, path: str) -> Any:
        """What Prometheus' HTTP API answers, through the API server's port forwarding."""
        pod, port = ready_pods(self.lab.cluster, PROMETHEUS)[0]
        return json.loads(self.lab.cluster.pod_text(MONITORING_SYSTEM, pod, port, f"/api/v1/{path}"))["data"]

    def value(self, expression: str) -> list[dict[str, Any]]:
        return list(self.ask(f"query?query={quote(expression)}")["result"])


def receiver() -> list[dict[str, Any]]:
    """A Service whose only endpoint is the operator's machine."""
    port = {"name": "web", "protocol": "TCP", "port": PORT}
    slices = manifest(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "receiver",
        namespace=PLACE,
        labels={"kubernetes.io/service-name": "receiver"},
        addressType="IPv4",
        endpoints=[{"addresses": [OPERATOR.address], "conditions": {"ready": True}}],
        ports=[port],
    )
    return [
        manifest("v1", "Namespace", PLACE),
        manifest("v1", "Service", "receiver", namespace=PLACE, spec={"ports": [{**port, "targetPort": PORT}]}),
        slices,
    ]


def deployed(lab: Lab, **settings: Any) -> PlatformSpec:
    """The lab's platform with monitoring, a receiver that asks for a token, and these settings of `monitoring`."""
    file = lab.monitored(receiver={"url": f"http://receiver.{PLACE}.svc:{PORT}/"}, **settings)
    lab.set_secret(file, ALERT_SECRET, TOKEN)
    began = time.monotonic()
    outcome = lab.deployment.run("up", config_file=file)
    print(f"\nupdate with monitoring, {', '.join(settings) or 'no more settings'}: {time.monotonic() - began:.0f} s")
    assert outcome.exit_code == 0, outcome.diagnostics
    return parse(yaml.safe_load(file.read_text())["config"]["vds-platform:spec"], base_dir=CHECKOUT)


@pytest.fixture
def watched(lab: Lab) -> Iterator[Watched]:
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.headers["Authorization"] == f"Bearer {TOKEN}"
            if known:
                received.append(body)
            self.send_response(200 if known else 401)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer((OPERATOR.address, PORT), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for item in receiver():
            lab.cluster.apply(item)
        yield Watched(lab, deployed(lab), received)
    finally:
        server.shutdown()
        server.server_close()
        lab.restore()
        lab.cluster.delete(receiver()[0])


def test_a_fault_on_a_node_is_seen_and_sent(watched: Watched) -> None:
    everything_is_collected(watched)
    every_graph_has_data(watched)
    refused_calls_are_counted_by_namespace(watched)
    what_it_costs(watched)
    a_changed_setting_reaches_the_receiver(watched)
    a_picture_is_drawn(watched)


def everything_is_collected(watched: Watched) -> None:
    context, seen = watched.spec.monitoring_context, dict[str, list[str]]()

    def all_up() -> bool:
        try:
            targets = watched.ask("targets?state=active")["activeTargets"]
        except (ApiError, PodError, UnreachableError, ValueError, IndexError) as error:
            seen.update({"Prometheus": [str(error)]})
            return False
        seen.clear()
        for one in targets:
            said = seen.setdefault(one["labels"]["job"], [])
            said.append(one["health"] if one["health"] == "up" else f"{one['scrapeUrl']}: {one['lastError']}")
        return set(seen) == set(jobs(context)) and all(set(states) == {"up"} for states in seen.values())

    began = time.monotonic()
    wait_until(all_up, _UP_SECONDS, lambda: f"{json.dumps(seen, indent=1)}, and not {jobs(context)}")
    counts = {job: len(states) for job, states in sorted(seen.items())}
    print(f"targets, all up after {time.monotonic() - began:.0f} s: {counts}")
    for job in ("cilium", "kubelet", "metallb", "node-exporter", "pods"):
        assert counts[job] == len(NODES), job
    assert counts["traefik"] == 2
    asked = f'traefik_config_reloads_total{{namespace="{watched.spec.gateway.namespace}"}}'
    assert len(watched.value(asked)) == 2, "a canary's gate asks for it"


def every_graph_has_data(watched: Watched) -> None:
    address = gateway_address(watched.lab.cluster, watched.spec)
    there, apps = pods(watched.lab.layout, watched.lab.cluster), settings.wanted(watched.lab.layout).apps
    empty: dict[str, str] = {}

    def all_have() -> bool:
        for _ in range(20):
            connection = http.client.HTTPConnection(address, 80, timeout=5)
            connection.request("GET", "/", headers={"Host": "butikk.example.no"})
            connection.getresponse().read()
            connection.close()
        assert tenant_facts(watched.lab.layout, watched.lab.cluster, apps, there)["ok"]  # with calls that are refused
        empty.clear()
        for panel in panels(watched.spec.monitoring_context):
            for expression, _ in panel.series:
                rows = watched.value(expression)
                if not rows or all(row["value"][1] == "NaN" for row in rows):
                    empty[panel.title] = expression
        return not empty

    began = time.monotonic()
    wait_until(all_have, _UP_SECONDS, lambda: f"no data: {json.dumps(empty, indent=1)}")
    print(f"every graph has data after {time.monotonic() - began:.0f} s more")


def refused_calls_are_counted_by_namespace(watched: Watched) -> None:
    """By Hubble, in the agents, which listen on no port for flow records."""
    rows = watched.value('sum by (source, destination) (hubble_drop_total{reason="POLICY_DENIED"})')
    counted = {(row["metric"]["source"], row["metric"]["destination"]): row["value"][1] for row in rows}
    print(f"packets dropped by policies, by Hubble: {counted}")
    assert int(counted[settings.NAMESPACE, settings.NAMESPACE]) > 0
    questions = [{"ask": "call", "host": node.address, "port": 4244, "within_seconds": 0} for node in NODES]
    assert [answer["answered"] for answer in ask(from_host(OPERATOR), questions)] == [False] * len(NODES)


def what_it_costs(watched: Watched) -> None:
    """The timer's runs, by what they say of themselves; node-exporter by its own counters."""
    memory = {row["metric"]["node"]: float(row["value"][1]) for row in watched.value("vds_facts_memory_bytes")}
    processor = {row["metric"]["node"]: float(row["value"][1]) for row in watched.value("vds_facts_cpu_seconds")}
    assert set(memory) == {node.name for node in NODES}
    for node in sorted(memory):
        print(f"timer on {node}: {memory[node] / 1e6:.1f} MB, {100 * processor[node] / 60:.2f} % of a core")
    assert max(memory.values()) <= 30e6
    assert max(processor.values()) / 60 <= 0.01
    for name, unit in (("process_resident_memory_bytes", 1e6), ("rate(process_cpu_seconds_total[2m])", 0.01)):
        for job in ("node-exporter", "prometheus", "alertmanager"):
            asked = name.replace("_bytes", f'_bytes{{job="{job}"}}').replace("_total[", f'_total{{job="{job}"}}[')
            rows = [float(row["value"][1]) / unit for row in watched.value(asked)]
            print(f"{job} {name}: {', '.join(f'{row:.1f}' for row in rows)} {'MB' if unit > 1 else '% of a core'}")


def a_changed_setting_reaches_the_receiver(watched: Watched) -> None:
    node, began = NODES[1], time.monotonic()
    assert ssh(watched.lab.layout, node.address, f"sysctl -w {KEY}=7200").returncode == 0

    def sent() -> list[dict[str, str]]:
        return [
            one["annotations"]
            for body in watched.received
            for one in body["alerts"]
            if one["labels"]["alertname"] == "NodeDrift" and one["status"] == "firing"
        ]

    def state() -> str:
        rows = watched.value('ALERTS or vds_node_drifted_settings or {__name__=~"alertmanager_notifications.*"}')
        return json.dumps([{**row["metric"], "value": row["value"][1]} for row in rows], indent=1)

    wait_until(lambda: bool(sent()), _ALARM_SECONDS, lambda: f"received {watched.received}; {state()}")
    assert sent()[0]["summary"] == f"Settings of {node.name} were changed by hand: 1."
    print(f"NodeDrift received {time.monotonic() - began:.0f} s after the change: {sent()[0]['summary']}")


def a_picture_is_drawn(watched: Watched) -> None:
    """Of the last ten minutes, for the guide."""
    now = time.time()
    graphs = []
    for panel in panels(watched.spec.monitoring_context):
        lines = []
        for expression, legend in panel.series:
            asked = f"query_range?query={quote(expression)}&start={now - 600:.0f}&end={now:.0f}&step=10"
            for row in watched.ask(asked)["result"]:
                name = legend
                for label, value in row["metric"].items():
                    name = name.replace("{{" + label + "}}", value)
                lines.append((name, [(float(at), float(value)) for at, value in row["values"]]))
        graphs.append(Graph(panel.title, panel.unit, lines))
    file = watched.lab.layout.state / "dashboard.svg"
    file.write_text(svg(graphs))
    print(f"picture of {sum(len(graph.lines) for graph in graphs)} series: {file}")


def volume() -> list[dict[str, Any]]:
    """A disk of one worker, for the claim of Prometheus."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [HOLDER.name]}]}
    place = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": CLASS,
        "local": {"path": VOLUME},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    late = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    return [
        manifest("storage.k8s.io/v1", "StorageClass", CLASS, **late),
        manifest("v1", "PersistentVolume", "vdslab-prometheus", spec=place),
    ]


def reader(image: str) -> dict[str, Any]:
    """A Deployment in the namespace that may query Prometheus."""
    selector = {"app.kubernetes.io/name": "reader"}
    pod = {"containers": [{"name": "reader", "image": image, "args": ["pause"]}], "terminationGracePeriodSeconds": 1}
    body = {"selector": {"matchLabels": selector}, "template": {"metadata": {"labels": selector}, "spec": pod}}
    return manifest("apps/v1", "Deployment", "reader", namespace=PLACE, spec=body)


@pytest.fixture
def disk(lab: Lab) -> Iterator[None]:
    """The volume. It outlives `watched`, whose end deletes the claim."""
    assert ssh(lab.layout, HOLDER.address, f"mkdir -p {VOLUME}").returncode == 0
    try:
        for item in volume():
            lab.cluster.apply(item)
        yield
    finally:
        for item in reversed(volume()):
            lab.cluster.delete(item)
        assert ssh(lab.layout, HOLDER.address, f"rm -rf {VOLUME}").returncode == 0


def test_samples_outlive_the_pod_on_a_volume_and_named_namespaces_read_them(disk: None, watched: Watched) -> None:
    """The volume is added to a platform that runs without one. Its claim is deleted only if somebody says so."""
    lab = watched.lab
    deployed(lab, storage={"className": CLASS, "gibibytes": 2}, readers=[PLACE])
    try:
        a_pod_finds_the_samples_of_the_one_before(watched)
        readers_alone_are_answered(watched)
    finally:
        refused = lab.deployment.run("preview", config_file=lab.monitored())
        assert refused.exit_code
        command = re.search(r"pulumi (state unprotect) '(urn:\S+prometheus-\S+)'", refused.output)
        assert command, refused.output
        lab.deployment.quietly([*command[1].split(), "--yes", "--stack", STACK, command[2]])


def a_pod_finds_the_samples_of_the_one_before(watched: Watched) -> None:
    lab = watched.lab

    def samples(at: float) -> list[dict[str, Any]]:
        try:
            return list(watched.ask(f"query?query=up&time={at:.0f}")["result"])
        except (ApiError, PodError, UnreachableError, ValueError, IndexError):
            return []

    began = time.time()
    wait_until(lambda: bool(samples(time.time())), _UP_SECONDS, lambda: "Prometheus on the volume has no samples")
    seen = time.time()
    print(f"samples on the volume after {seen - began:.0f} s")
    pod = f"/api/v1/namespaces/{MONITORING_SYSTEM}/pods/prometheus-0"
    before = lab.cluster.request("GET", pod)
    assert before["spec"]["nodeName"] == HOLDER.name
    lab.cluster.request("DELETE", pod)

    def another_has_them() -> bool:
        now = get(lab.cluster, pod)
        return now is not None and now["metadata"]["uid"] != before["metadata"]["uid"] and bool(samples(seen))

    wait_until(another_has_them, _UP_SECONDS, lambda: "the next pod has not the samples of the one before")


def readers_alone_are_answered(watched: Watched) -> None:
    lab = watched.lab
    lab.cluster.apply(reader(images(lab.layout)["e2e/agnhost"]))
    path = f"/apis/apps/v1/namespaces/{PLACE}/deployments/reader"
    wait_until(lambda: rolled_out(lab.cluster.request("GET", path)), _UP_SECONDS, lambda: "the reader does not run")
    there = pods(lab.layout, lab.cluster)
    servers = {name: service_address(lab.cluster, MONITORING_SYSTEM, name) for name in ("prometheus", "alertmanager")}

    def answered(namespace: str) -> dict[str, bool]:
        """What a pod there is answered by."""
        pod = next(pod for pod in there if pod["namespace"] == namespace)
        ports = {"prometheus": PROMETHEUS_PORT, "alertmanager": ALERTMANAGER_PORT}
        asked = [{"ask": "call", "host": servers[name], "port": port} for name, port in ports.items()]
        return {name: one["answered"] for name, one in zip(ports, ask(from_pod(pod, lab.layout), asked), strict=True)}

    assert answered(PLACE) == {"prometheus": True, "alertmanager": False}
    assert answered(settings.NAMESPACE) == {"prometheus": False, "alertmanager": False}
