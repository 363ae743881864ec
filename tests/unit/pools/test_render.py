"""MetalLB's objects fit its CRDs, and every advertisement selects its pool."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.charts.render import ChartSource, render
from components.gateway.model import Traefik
from components.gateway.render import cilium_class_config
from components.gateway.traefik import traefik_manifests
from components.images.model import ImageMirror, path_of
from components.pools.model import L2, Helm, MetalLbContext, MetalLbSpec, Pool
from components.pools.render import (
    CHART_IMAGES,
    address_pool,
    advertisements,
    extra_problems,
    metallb_manifests,
    metallb_values,
    network_policies,
    speaker_waits,
)
from components.stackfile.spec import PlatformSpec
from tests.support.chart_values import schema_errors, unknown_keys
from tests.support.modules import METALLB, pinned, source
from tests.support.schemas import crd_errors
from tests.support.stacks import stack

CHART = Helm(kind="helm", version="0.16.1")
SPEC = MetalLbSpec.model_validate(
    {
        "install": {"kind": "existing"},
        "pools": [
            {"name": "public", "addresses": ["192.0.2.200-192.0.2.220"], "advertisement": {"kind": "l2"}},
            {
                "name": "inside",
                "addresses": ["198.51.100.0/28", "2001:db8::/112"],
                "advertisement": {
                    "kind": "l2",
                    "interfaces": ["eth1"],
                    "nodeSelectors": [{"matchLabels": {"edge": "true"}}],
                },
                "autoAssign": False,
            },
            {
                "name": "routed",
                "addresses": ["203.0.113.0/24"],
                "advertisement": {
                    "kind": "bgp",
                    "peers": ["router"],
                    "routes": [
                        {"aggregationLength": 24},
                        {"localPreference": 200, "communities": ["64512:100", "large:64512:1:2"]},
                    ],
                    "nodeSelectors": [
                        {
                            "matchLabels": {"edge": "true"},
                            "matchExpressions": [
                                {"key": "rack", "operator": "In", "values": ["a", "b"]},
                                {"key": "drained", "operator": "DoesNotExist"},
                            ],
                        }
                    ],
                },
            },
        ],
        "peers": [
            {
                "name": "router",
                "address": "192.0.2.1",
                "peerAsn": 64512,
                "myAsn": 64513,
                "passwordSecret": "router-password",
                "port": 1179,
                "sourceAddress": "192.0.2.11",
                "keepaliveSeconds": 10,
                "bfdProfile": "fast",
                "nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": "osl-w-1"}}],
            }
        ],
        "bfdProfiles": [
            {"name": "fast", "receiveMilliseconds": 100, "echoMilliseconds": 50},
            {"name": "far", "minimumTtl": 250, "passive": True},
        ],
    }
)


@pytest.mark.parametrize("made", metallb_manifests(SPEC), ids=lambda made: f"{made['kind']}-{made['metadata']['name']}")
def test_every_object_fits_its_crd(made: dict[str, object]) -> None:
    assert crd_errors(made, METALLB, pinned("metallb")) == []


def test_every_advertisement_selects_its_pool() -> None:
    made = [item for item in metallb_manifests(SPEC) if item["kind"].endswith("Advertisement")]
    assert [(item["kind"], item["metadata"]["name"], item["spec"]["ipAddressPools"]) for item in made] == [
        ("L2Advertisement", "public", ["public"]),
        ("L2Advertisement", "inside", ["inside"]),
        ("BGPAdvertisement", "routed", ["routed"]),
        ("BGPAdvertisement", "routed-2", ["routed"]),
    ]


def test_each_route_has_its_own_length_and_communities() -> None:
    wide, narrow = (item["spec"] for item in metallb_manifests(SPEC) if item["kind"] == "BGPAdvertisement")
    assert (wide["aggregationLength"], wide.get("communities"), wide.get("localPref")) == (24, None, None)
    assert (narrow["aggregationLength"], narrow["localPref"]) == (32, 200)
    assert narrow["communities"] == ["64512:100", "large:64512:1:2"]
    assert wide["nodeSelectors"] == narrow["nodeSelectors"]
    assert wide["nodeSelectors"][0]["matchExpressions"][1] == {"key": "drained", "operator": "DoesNotExist"}


def test_a_session_has_every_setting() -> None:
    (session,) = (item["spec"] for item in metallb_manifests(SPEC) if item["kind"] == "BGPPeer")
    assert (session["peerPort"], session["sourceAddress"], session["bfdProfile"]) == (1179, "192.0.2.11", "fast")
    assert (session["holdTime"], session["keepaliveTime"]) == ("90s", "10s")
    assert session["nodeSelectors"] == [{"matchLabels": {"kubernetes.io/hostname": "osl-w-1"}}]


def test_a_pool_is_for_some_services() -> None:
    data = {
        "name": "mail",
        "addresses": ["192.0.2.240/28"],
        "advertisement": {"kind": "l2"},
        "avoidBuggyIps": True,
        "priority": 10,
        "namespaces": ["mail-prod"],
    }
    made = address_pool(Pool.model_validate(data))
    assert made["spec"]["avoidBuggyIPs"] is True
    assert made["spec"]["serviceAllocation"] == {"priority": 10, "namespaces": ["mail-prod"]}
    assert crd_errors(made, METALLB, pinned("metallb")) == []


def test_routers_come_before_what_names_them() -> None:
    kinds = [made["kind"] for made in metallb_manifests(SPEC)]
    assert kinds[:3] == ["BFDProfile", "BFDProfile", "BGPPeer"]


def test_frr_runs_only_where_somebody_speaks_bgp() -> None:
    quiet = SPEC.model_copy(update={"pools": SPEC.pools[:2]})
    assert metallb_values(SPEC, CHART, MetalLbContext())["frrk8s"] == {"enabled": True}
    assert metallb_values(quiet, CHART, MetalLbContext())["frrk8s"] == {"enabled": False}


def test_only_services_of_the_class_get_addresses_and_the_gateways_is_one() -> None:
    data = stack("lab").model_dump(by_alias=True)
    data["metallb"]["install"]["loadBalancerClass"] = "metallb.io/metallb"
    platform = PlatformSpec.model_validate(data)
    install = platform.metallb.install
    assert isinstance(install, Helm)
    values = metallb_values(platform.metallb, install, platform.metallb_context)
    assert values["loadBalancerClass"] == "metallb.io/metallb"
    gateway = platform.gateway
    assert isinstance(gateway.install, Traefik)
    made = traefik_manifests(gateway, gateway.install, platform.gateway_context)
    [service] = [item for item in made if item["kind"] == "Service"]
    assert service["spec"]["loadBalancerClass"] == "metallb.io/metallb"
    ciliums = cilium_class_config(gateway, platform.gateway_context)["spec"]["service"]
    assert ciliums["loadBalancerClass"] == "metallb.io/metallb"
    theirs = traefik_manifests(gateway, gateway.install, stack("lab").gateway_context)
    [service] = [item for item in theirs if item["kind"] == "Service"]
    assert "loadBalancerClass" not in service["spec"]


def test_the_api_server_must_reach_the_webhook_of_what_speaks_bgp() -> None:
    _, objects = chart_objects(SPEC)
    pods = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    [port] = [
        port["containerPort"]
        for pod in pods
        if pod.get("hostNetwork")
        for container in pod["containers"]
        for port in container["ports"]
        if port["name"] == "webhook"
    ]
    installed = SPEC.model_copy(update={"install": CHART})
    assert dict(installed.tcp_ports) == {7946: "MetalLB's speakers", port: "frr-k8s' webhook"}
    assert dict(SPEC.tcp_ports) == dict(installed.udp_ports) == {7946: "MetalLB's speakers"}


def test_control_planes_that_run_pods_announce_addresses() -> None:
    assert "ignoreExcludeLB" not in metallb_values(SPEC, CHART, MetalLbContext())["speaker"]
    assert metallb_values(SPEC, CHART, MetalLbContext(from_control_planes=True))["speaker"]["ignoreExcludeLB"] is True


def chart_objects(spec: MetalLbSpec) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    chart = ChartSource(str(source(METALLB, pinned("metallb")) / "charts/metallb"))
    values = metallb_values(spec, CHART, MetalLbContext())
    objects = render(chart, values, release="metallb", namespace="metallb-system", kubernetes="1.36.3").manifests
    return values, list(objects)


@pytest.mark.parametrize("pools", [SPEC.pools, SPEC.pools[:2]], ids=["bgp", "l2"])
def test_every_daemonset_of_the_chart_is_waited_for(pools: object) -> None:
    spec = SPEC.model_copy(update={"pools": pools})
    values, objects = chart_objects(spec)
    waits = speaker_waits(spec, CHART, values)
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "DaemonSet"}
    assert {(item["kind"], item["metadata"]["name"]) for item in waits} == {("DaemonSet", name) for name in made}
    assert {item["metadata"]["namespace"] for item in waits} == {"metallb-system"}
    [other, *_] = speaker_waits(spec, CHART, {**values, "loadBalancerClass": "x"})
    assert other["metadata"]["annotations"] != waits[0]["metadata"]["annotations"]


@pytest.mark.parametrize("values", [{"fullnameOverride": "x"}, {"speaker": {"enabled": False}}])
def test_what_is_waited_for_can_neither_be_renamed_nor_left_out(values: dict[str, Any]) -> None:
    install = CHART.model_copy(update={"values": values})
    [problem] = extra_problems(SPEC.model_copy(update={"install": install}), MetalLbContext())
    assert "is set by the platform" in str(problem)


def test_speakers_are_ready_soon_and_not_ready_as_late_as_by_the_charts_own_values() -> None:
    values = metallb_values(SPEC, CHART, MetalLbContext())
    chart = yaml.safe_load((source(METALLB, pinned("metallb")) / "charts/metallb/values.yaml").read_text())
    own, theirs = values["speaker"]["readinessProbe"], chart["speaker"]["readinessProbe"]
    assert own["initialDelaySeconds"] + own["periodSeconds"] < theirs["initialDelaySeconds"]
    assert own["periodSeconds"] * own["failureThreshold"] == theirs["periodSeconds"] * theirs["failureThreshold"]


def test_the_controller_keeps_the_charts_probe_since_its_webhook_listens_after_it_is_ready() -> None:
    assert "readinessProbe" not in metallb_values(SPEC, CHART, MetalLbContext()).get("controller", {})


def test_images_come_from_the_mirror_with_the_digests_that_are_pinned() -> None:
    pins = {"metallb/speaker": f"sha256:{'1' * 64}"}
    values = metallb_values(SPEC, CHART, MetalLbContext(images=ImageMirror(registry="r.example.no", pins=pins)))
    assert values["controller"]["image"] == {"repository": "r.example.no/metallb/controller"}
    assert values["speaker"]["image"] == {
        "repository": "r.example.no/metallb/speaker",
        "tag": f"v0.16.1@sha256:{'1' * 64}",
    }
    assert values["frr-k8s"]["frrk8s"]["image"] == {"repository": "r.example.no/metallb/frr-k8s"}


def test_every_image_can_be_pinned() -> None:
    pins = {path_of(origin): f"sha256:{'1' * 64}" for origin in CHART_IMAGES.values()}
    values = metallb_values(SPEC, CHART, MetalLbContext(images=ImageMirror(registry="r.example.no", pins=pins)))
    chart = ChartSource(str(source(METALLB, pinned("metallb")) / "charts/metallb"))
    made = render(chart, values, release="metallb", namespace="metallb-system", kubernetes="1.36.3").manifests
    pods = [item["spec"]["template"]["spec"] for item in made if item["kind"] in ("Deployment", "DaemonSet")]
    images = {one["image"] for pod in pods for one in (*pod["containers"], *pod.get("initContainers", ()))}
    assert len(images) == 4
    assert all(image.endswith(f"@sha256:{'1' * 64}") for image in images)


@pytest.mark.parametrize("pools", [SPEC.pools, SPEC.pools[:2]], ids=["bgp", "l2"])
def test_the_charts_values_are_keys_of_the_chart_and_fit_its_schema(pools: object) -> None:
    chart = source(METALLB, pinned("metallb")) / "charts/metallb"
    around = MetalLbContext(from_control_planes=True, images=ImageMirror(registry="r.example.no"))
    values = metallb_values(SPEC.model_copy(update={"pools": pools}), CHART, around)
    inside = values.pop("frr-k8s")
    assert unknown_keys(values, chart) == []
    assert schema_errors(values, chart) == []
    assert set(repositories(inside)) <= set(repositories(frr(chart)))


def frr(chart: Path) -> dict[str, Any]:
    """Default values of the FRR chart that is packed inside MetalLB's."""
    (packed,) = (chart / "charts").glob("frr-k8s-*.tgz")
    with tarfile.open(packed) as archive:
        member = archive.extractfile("frr-k8s/values.yaml")
        assert member
        return dict(yaml.safe_load(member))


def repositories(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict):
        if values.get("repository"):
            yield path
        for key, inner in values.items():
            yield from repositories(inner, (*path, key))


def test_every_image_that_the_chart_may_pull_is_known() -> None:
    chart = source(METALLB, pinned("metallb")) / "charts/metallb"
    own = set(repositories(yaml.safe_load((chart / "values.yaml").read_text())))
    assert {*own, *(("frr-k8s", *path) for path in repositories(frr(chart)))} == set(CHART_IMAGES)


def test_the_chart_refuses_what_it_does_not_know() -> None:
    chart = source(METALLB, pinned("metallb")) / "charts/metallb"
    assert unknown_keys({"speaker": {"frrr": {"enabled": False}}}, chart) == ["speaker.frrr"]
    [error] = schema_errors({"speaker": {"frr": {"enabled": "no"}}}, chart)
    assert "is not of type 'boolean'" in error


def test_addresses_are_announced_by_edge_nodes_where_there_are_any() -> None:
    l2 = [pool for pool in SPEC.pools if isinstance(pool.advertisement, L2) and not pool.advertisement.node_selectors]
    for pool in l2:
        assert "nodeSelectors" not in advertisements(pool, MetalLbContext())[0]["spec"]
        (found,) = advertisements(pool, MetalLbContext(edge=True))
        assert found["spec"]["nodeSelectors"] == [{"matchLabels": {"vds-platform.no/edge": "true"}}]
        assert crd_errors(found, METALLB, pinned("metallb")) == []
    assert l2
    assert stack("oslo").metallb_context.edge
    assert stack("oslo").gateway_context.node_selector == {"vds-platform.no/edge": "true"}


def test_the_controllers_pods_are_those_that_its_policies_select() -> None:
    made = network_policies(MetalLbContext(on_cilium=True))
    assert [item["metadata"]["name"] for item in made] == [
        "default-deny",
        "webhook",
        "controller-calls",
        "controller-api-server",
    ]
    _, objects = chart_objects(SPEC)
    pods = [item["spec"]["template"] for item in objects if item["kind"] in ("Deployment", "DaemonSet")]
    [controller] = [pod for pod in pods if not pod["spec"].get("hostNetwork")]
    assert made[1]["spec"]["podSelector"]["matchLabels"].items() <= controller["metadata"]["labels"].items()
    [port] = [item["spec"]["ports"][0] for item in objects if item["metadata"]["name"] == "metallb-webhook-service"]
    assert made[1]["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": port["targetPort"]}]}]
