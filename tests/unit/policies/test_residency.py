"""Every field of a program that names a destination is found."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from components.images.model import ImageMirror
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext
from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, deployment, kube, record, release
from tests.support.policy import UNKNOWN, Resource, violations
from tests.support.stacks import stack


def said(*resources: Resource, **config: Any) -> list[str]:
    """Findings of residency-destinations in a foreign program that declares one place."""
    settings = {"places": [PLACE], **config}
    found = violations(ENGINE_POLICIES, list(resources), {"residency-destinations": settings})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def values(**inner: Any) -> Resource:
    """A chart from a declared place with these values."""
    return release(
        "oci://registry.example.no/charts/app", {"global": {"imageRegistry": "registry.example.no"}, **inner}
    )


def network_policy(direction: str, peers: str, cidr: str) -> Resource:
    spec = {direction: [{peers: [{"ipBlock": {"cidr": cidr}}]}]}
    return kube("networking.k8s.io/v1", "NetworkPolicy", "out", "a", spec=spec)


ACME = {"acme": {"server": "https://acme-v02.api.letsencrypt.org/d"}}
FQDN = {"egress": [{"toFQDNs": [{"matchName": "api.example.com"}]}]}


HIDDEN = [
    (values(sidecar={"image": {"repository": "gcr.io/tracer/agent"}}), "values.sidecar.image.repository", "gcr.io"),
    (values(proxy={"image": "redis:7"}), "values.proxy.image", "docker.io"),
    (values(initImage="ghcr.io/x/init:1"), "values.initImage", "ghcr.io"),
    (
        values(**{"global": {"imageRegistry": "mirror.example.com:5000"}}),
        "values.global.imageRegistry",
        "mirror.example",
    ),
    (
        values(sentry={"dsn": "https://key@o1.ingest.sentry.io/2"}),
        "values.sentry.dsn",
        "o1.ingest.sentry.io (telemetry)",
    ),
    (values(loki={"url": "http://logs.example.com:3100"}), "values.loki.url", "logs.example.com (telemetry)"),
    (values(metrics={"endpoint": "otlp.example.com:4317"}), "values.metrics.endpoint", "otlp.example.com (telemetry)"),
    (
        values(config="# see https://docs.example.com\nremote_write:\n  - url: https://push.example.com/api"),
        "values.config",
        "push.example.com",
    ),
    (
        values(extra={"pods": [{"containers": [{"image": "gcr.io/x"}]}]}),
        "values.extra.pods.0.containers.0.image",
        "gcr.io",
    ),
    (
        kube(
            "batch/v1",
            "CronJob",
            "backup",
            "a",
            spec={"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"image": "ghcr.io/b"}]}}}}},
        ),
        "CronJob a/backup: spec.jobTemplate.spec.template.spec.containers.0.image",
        "ghcr.io",
    ),
    (
        kube(
            "cert-manager.io/v1",
            "ClusterIssuer",
            "le",
            spec=ACME,
        ),
        "ClusterIssuer le: spec.acme.server",
        "acme-v02.api.letsencrypt.org (acme)",
    ),
    (
        kube(
            "cilium.io/v2",
            "CiliumNetworkPolicy",
            "out",
            "a",
            spec=FQDN,
        ),
        "CiliumNetworkPolicy a/out: spec.egress.0.toFQDNs.0.matchName",
        "api.example.com (egress)",
    ),
    (
        network_policy("egress", "to", "8.8.8.0/24"),
        "spec.egress.0.to.0.ipBlock.cidr",
        "8.8.8.0/24 (egress)",
    ),
    (
        network_policy("egress", "to", "0.0.0.0/0"),
        "spec.egress.0.to.0.ipBlock.cidr",
        "0.0.0.0/0 (egress)",
    ),
    (
        kube("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": ".:53 {\n  forward . 1.1.1.1 10.0.0.1\n}"}),
        "ConfigMap kube-system/coredns: data.Corefile",
        "1.1.1.1 (dns)",
    ),
    (
        kube("v1", "ConfigMap", "chrony", "kube-system", data={"chrony.conf": "server time.example.com iburst"}),
        "ConfigMap kube-system/chrony: data.chrony.conf",
        "time.example.com (time)",
    ),
    (
        deployment("registry.example.no/a", dnsConfig={"nameservers": ["9.9.9.9"]}),
        "spec.template.spec.dnsConfig.nameservers",
        "9.9.9.9 (dns)",
    ),
    (
        kube("storage.k8s.io/v1", "StorageClass", "fast", provisioner="ebs.csi.aws.com"),
        "StorageClass fast: provisioner",
        "ebs.csi.aws.com (storage)",
    ),
    (
        kube("velero.io/v1", "BackupStorageLocation", "b", "velero", spec={"provider": "aws"}),
        "BackupStorageLocation velero/b: spec.provider",
        "aws (backup)",
    ),
    (
        kube("v1", "Service", "db", "a", spec={"type": "ExternalName", "externalName": "db.example.com"}),
        "Service a/db: spec.externalName",
        "db.example.com (egress)",
    ),
    (
        kube("metallb.io/v1beta1", "IPAddressPool", "p", "metallb-system", spec={"addresses": ["203.0.113.0/28"]}),
        "IPAddressPool metallb-system/p: spec.addresses.0",
        "203.0.113.0/28 (addresses)",
    ),
]


@pytest.mark.parametrize(("resource", "where", "what"), HIDDEN, ids=[where for _, where, _ in HIDDEN])
def test_a_place_that_nobody_declared_is_named_with_where_it_stands(resource: Resource, where: str, what: str) -> None:
    [message] = said(resource)
    assert where in message
    assert f"bytes go to {what}" in message
    assert "residency.places" in message


@pytest.mark.parametrize(
    "resource",
    [
        values(url="http://api.agency.svc:8080", host="db", address="10.0.0.5", endpoint="127.0.0.1:4317"),
        values(address="0.0.0.0:8200", url="http://0.0.0.0:2379", peer={"url": "http://[::]:80"}),
        values(note="https is good", replicas=3, empty="", nothing=None),
        kube("gateway.networking.k8s.io/v1", "HTTPRoute", "r", "a", spec={"hostnames": ["a.example.com"], "rules": []}),
        kube("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": ".:53 {\n  forward . /etc/resolv.conf\n}"}),
        kube("storage.k8s.io/v1", "StorageClass", "local", provisioner="kubernetes.io/no-provisioner"),
        network_policy("ingress", "from", "0.0.0.0/0"),
        values(password=UNKNOWN, replicas=UNKNOWN),
    ],
)
def test_what_stays_in_the_cluster_or_comes_in_needs_no_place(resource: Resource) -> None:
    assert said(resource) == []


@pytest.mark.parametrize("field", ["image", "url", "registry"])
def test_a_chart_value_that_would_name_a_place_and_is_unknown_is_undecided(field: str) -> None:
    [message] = said(values(part={field: UNKNOWN}))
    assert f"values.part.{field}: cannot be decided at preview" in message


def test_a_chart_that_cannot_be_had_is_undecided_and_says_the_command() -> None:
    [message] = said(release("oci://registry.example.no/charts/nowhere", {}))
    assert "cannot be decided at preview: the chart nowhere 1.18.2 is not available here" in message
    assert "helm pull oci://registry.example.no/charts/nowhere --version 1.18.2 --destination" in message


def test_images_that_only_the_chart_names_are_judged() -> None:
    messages = said(release("oci://registry.example.no/charts/cilium", {}))
    assert any("DaemonSet" in one and "bytes go to quay.io (image-registry)" in one for one in messages)
    assert said(release("oci://registry.example.no/charts/app", {})) == []


def test_an_image_of_a_hook_is_judged_too() -> None:
    [message] = said(release("oci://registry.example.no/charts/app", {"migration": "ghcr.io/somebody/migrate:1"}))
    assert "bytes go to ghcr.io (image-registry)" in message


def test_a_chart_is_judged_by_the_images_that_its_objects_name_and_not_by_those_of_what_is_off() -> None:
    lab = stack("lab")
    mirror = ImageMirror(registry="registry.example.no")
    ours = cilium_values(lab.cni, lab.network, ChartContext("lab", images=mirror))
    chart = release("oci://registry.example.no/charts/cilium", ours)
    chart = chart._replace(props={**chart.props, "version": "1.20.2"})
    assert said(chart) == []
    del ours["operator"]["image"]["repository"]
    del ours["nodeinit"]["image"]["repository"]  # off
    [message] = said(chart)
    assert "Release cni: Deployment kube-system/cilium-operator" in message
    assert "bytes go to quay.io" in message


def test_a_part_of_a_chart_that_values_turn_on_brings_its_images() -> None:
    spire = {"authentication": {"enabled": True, "mutual": {"spire": {"enabled": True}}}}
    messages = " ".join(said(release("oci://registry.example.no/charts/cilium", spire)))
    for registry in ("quay.io", "ghcr.io", "docker.io"):
        assert f"bytes go to {registry} (image-registry)" in messages


def test_a_kind_of_somebody_else_s_that_is_called_chart_is_judged() -> None:
    spec = {"image": "ghcr.io/app"}
    for kind in ("Chart", "ConfigGroup", "Directory"):
        [message] = said(kube("example.no/v1", kind, "c", "a", spec=spec))
        assert f"{kind} a/c: spec.image: bytes go to ghcr.io" in message
    for api, kind in (("yaml/v2", "ConfigGroup"), ("yaml", "ConfigFile"), ("kustomize/v2", "Directory")):
        assert said(Resource(f"kubernetes:{api}:{kind}", {"spec": spec}, "c", component=True)) == []


def test_an_image_that_is_mounted_comes_from_somewhere_too() -> None:
    volumes = [{"name": "model", "image": {"reference": "ghcr.io/model:1", "pullPolicy": "Always"}}]
    pod = kube("v1", "Pod", "p", "a", spec={"containers": [], "volumes": volumes})
    [message] = said(pod)
    assert "Pod a/p: spec.volumes.0.image.reference: bytes go to ghcr.io (image-registry)" in message
    found = violations(ENGINE_POLICIES, [pod])
    assert "Pod a/p: runs an image of ghcr.io by tag" in str([v for v in found if v.policy == "tenancy-images"])


def test_a_chart_that_the_program_takes_apart_is_judged_by_its_objects() -> None:
    chart = Resource("kubernetes:helm.sh/v3:Chart", {}, "app", component=True)
    assert said(chart) == []
    [message] = said(chart, deployment("ghcr.io/app"))
    assert "bytes go to ghcr.io" in message


@pytest.mark.parametrize("encoded", [False, True])
def test_a_host_in_a_secret_is_judged_and_shown_by_its_hash(encoded: bool) -> None:
    url = "postgres://me:hunter2@db.example.com/x"
    field, value = ("data", b64encode(url.encode()).decode()) if encoded else ("stringData", url)
    secret = kube("v1", "Secret", "db", "a", **{field: {"DSN": value}})
    [message] = said(secret)
    digest = sha256(b"db.example.com").hexdigest()[:16]
    assert f"Secret a/db: {field}.DSN: bytes go to sha256:{digest} (egress)" in message
    assert "hunter2" not in message
    assert "db.example" not in message
    assert said(secret, places=[{**PLACE, "hosts": ["db.example.com"], "purposes": ["egress"]}]) == []


def test_a_key_store_in_a_secret_names_no_host() -> None:
    assert said(kube("v1", "Secret", "s", "a", data={"store.jks": b64encode(bytes(range(256))).decode()})) == []


def test_a_place_is_used_only_for_what_it_is_declared_for() -> None:
    [message] = said(values(loki={"url": "https://registry.example.no"}))
    assert "for telemetry, and place 'registry' is declared for image-registry, chart-repository" in message


def test_location_and_control_are_judged_apart() -> None:
    american = {**PLACE, "entity": "Cloud Inc.", "entityCountry": "US"}
    [message] = said(deployment("registry.example.no/a"), places=[american])
    assert "controlled by Cloud Inc., under the law of US, in whichever country it is; allowed: NO" in message
    abroad = {**PLACE, "country": "SE"}
    [message] = said(deployment("registry.example.no/a"), places=[abroad])
    assert "place 'registry' is in SE, allowed: NO" in message
    assert said(deployment("registry.example.no/a"), places=[american], allowedCountries=["NO", "US"]) == []


def test_what_the_auditor_says_of_a_host_counts_more_than_what_the_program_says() -> None:
    ours = record({**PLACE, "country": "SE"})
    assert said(ours, deployment("registry.example.no/a")) == []
    [message] = said(record(PLACE), deployment("registry.example.no/a"), places=[{**PLACE, "country": "SE"}])
    assert "is in SE" in message


def test_a_wildcard_of_the_auditor_s_counts_more_than_a_name_of_the_program_s() -> None:
    wide = {**PLACE, "name": "wide", "hosts": ["*.example.no"], "country": "SE"}
    [message] = said(record(PLACE), deployment("registry.example.no/a"), places=[wide])
    assert "place 'wide' is in SE" in message
    network = {**PLACE, "name": "net", "hosts": [], "networks": ["8.8.0.0/16"], "country": "US", "purposes": ["egress"]}
    narrow = {**network, "name": "mine", "networks": ["8.8.8.0/24"], "country": "NO"}
    [message] = said(record(narrow), network_policy("egress", "to", "8.8.8.0/24"), places=[network])
    assert "place 'net' is in US" in message


def test_a_program_excuses_its_own_places_and_not_the_auditor_s() -> None:
    abroad = {**PLACE, "country": "SE"}
    excuse = {"name": "mine", "place": "registry", "until": "2027-01-01", "reason": "because I say that it is fine"}
    assert said(record(abroad, exceptions=[excuse]), deployment("registry.example.no/a"), places=[]) == []
    [message] = said(record(exceptions=[excuse]), deployment("registry.example.no/a"), places=[abroad])
    assert "is in SE" in message
    assert said(record(), deployment("registry.example.no/a"), places=[abroad], exceptions=[excuse]) == []


def backends(*resources: Resource, **config: Any) -> list[str]:
    found = violations(ENGINE_POLICIES, list(resources), {"residency-state": {"places": [], **config}})
    return [violation.message for violation in found if violation.policy == "residency-state"]


def test_what_a_program_says_of_its_state_does_not_hide_where_the_engine_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = {**PLACE, "hosts": ["state.example.no"], "purposes": ["state", "secrets"]}
    claimed = record(store, stateBackend="https://state.example.no", secretsProvider="passphrase")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.pulumi.com")
    messages = backends(claimed, stateBackend="")
    assert ["bytes go to api.pulumi.com (state)" in message for message in messages] == [True]
    messages = backends(claimed, stateBackend="s3://bucket")
    assert [message.partition(" (state)")[0].rpartition(" ")[2] for message in messages] == [
        "s3.amazonaws.com",
        "api.pulumi.com",
    ]
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://user:hunter2@state.example.no")
    assert backends(claimed, stateBackend="") == []


def test_a_secrets_provider_that_the_pack_knows_is_judged_beside_the_one_that_is_claimed() -> None:
    claimed = record({**PLACE, "hosts": ["localhost"], "purposes": ["state"]}, secretsProvider="passphrase")
    [message] = backends(claimed, stateBackend="file:///x", secretsProvider="gcpkms://projects/p")
    assert "bytes go to cloudkms.googleapis.com (secrets)" in message


def test_the_ci_runner_that_gets_the_secrets_is_at_a_declared_place() -> None:
    own = {**PLACE, "hosts": ["norway"], "purposes": ["ci"]}

    def of(*labels: str) -> list[str]:
        rows = [{"label": label, "seen_in": ".github/workflows/up.yml, job up"} for label in labels]
        state = {**PLACE, "name": "state", "hosts": ["localhost"], "purposes": ["state"]}
        return backends(record(own, state, ciRunners=rows))

    assert of("norway") == []
    [hosted] = of("ubuntu-24.04")
    assert "up.yml, job up" in hosted
    assert "bytes go to ubuntu-24.04 (ci), which no declared place holds" in hosted
    [unknown] = of("")
    assert "which CI runner gets the stack's secrets is not known" in unknown
    own["country"] = "SE"
    [abroad] = of("norway")
    assert "is in SE, allowed: NO" in abroad
    own.update(country="NO", purposes=["dns"])
    [other] = of("norway")
    assert "is declared for dns" in other


def test_namespaces_of_xml_are_no_places() -> None:
    icon = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><path/></svg>'
    assert said(kube("v1", "ConfigMap", "icons", "a", data={"logo.svg": icon})) == []
    linked = icon.replace("<path/>", '<image href="https://cdn.example.com/x.png"/>')
    [message] = said(kube("v1", "ConfigMap", "icons", "a", data={"logo.svg": linked}))
    assert "bytes go to cdn.example.com" in message


def test_a_policy_that_lets_call_anybody_says_so_of_everywhere() -> None:
    for rule in ({}, {"ports": [{"port": 443}]}, {"to": []}):
        spec = {"podSelector": {}, "egress": [rule]}
        [message] = said(kube("networking.k8s.io/v1", "NetworkPolicy", "out", "a", spec=spec))
        assert "NetworkPolicy a/out: spec.egress.0: bytes go to 0.0.0.0/0 (egress)" in message
    for entity in ("world", "all"):
        spec = {"endpointSelector": {}, "egress": [{"toEntities": [entity]}]}
        [message] = said(kube("cilium.io/v2", "CiliumNetworkPolicy", "out", "a", spec=spec))
        assert "bytes go to 0.0.0.0/0 (egress)" in message
    inside = {"egress": [{"to": [{"podSelector": {}}]}], "ingress": [{}]}
    assert said(kube("networking.k8s.io/v1", "NetworkPolicy", "in", "a", spec=inside)) == []


def test_a_name_counts_before_a_wildcard_over_it() -> None:
    wide = {**PLACE, "name": "wide", "hosts": ["*.example.no"], "country": "SE"}
    assert said(deployment("registry.example.no/a"), places=[wide, PLACE]) == []
    [message] = said(deployment("other.example.no/a"), places=[wide, PLACE])
    assert "place 'wide' is in SE" in message


def test_no_message_shows_a_password_or_a_path() -> None:
    [message] = said(values(sink={"url": "https://user:hunter2@sink.example.com/token/hunter3"}))
    assert "hunter" not in message
    assert "sink.example.com" in message


def test_a_record_that_cannot_be_read_is_refused_and_not_a_crash() -> None:
    [message] = said(record({"name": "half"}))
    assert message.startswith(
        "agency:index:Record record: cannot be judged: record places[half].country: is missing: add it"
    )
    assert "places[half].entityCountry: is missing: add it" in message
    assert "correct the field" in message
