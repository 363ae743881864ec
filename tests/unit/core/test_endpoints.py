"""Hosts that images, URLs and state backends name."""

import pytest

from components.core.endpoints import backend_host, image_registry, outside_of, secrets_host, url_hosts, without_secrets


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("redis", "docker.io"),
        ("library/redis:7", "docker.io"),
        ("quay.io/cilium/cilium:v1", "quay.io"),
        ("localhost/x", "localhost"),
        ("registry.example.no:5000/x@sha256:0", "registry.example.no"),
    ],
)
def test_an_image_comes_from_the_registry_that_a_runtime_would_ask(image: str, registry: str) -> None:
    assert image_registry(image) == registry


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("https://løgg.example.com/x", ["xn--lgg-0na.example.com"]),
        ("https://LØGG.example.com/x", ["xn--lgg-0na.example.com"]),
        ("https://例え。テスト/", ["xn--r8jz45g.xn--zckzah"]),
        ("https://%65vil.example.com/x", ["evil.example.com"]),
        ("https://134744072/x", ["8.8.8.8"]),
        ("https://0x08080808/x", ["8.8.8.8"]),
        ("https://2130706433/x", []),  # 127.0.0.1
        ("https://99999999999/x", ["99999999999"]),
        ("https://a@b@evil.example.com/x", ["evil.example.com"]),
        ("https://user:pw@evil.example.com/@x", ["evil.example.com"]),
        ("https://a.example.com?next=me@b", ["a.example.com"]),
        ("https://[2001:db8::1]:8443/", ["2001:db8::1"]),
        ("http://web.agency.svc:8080 http://localhost/", []),
        ("http://0.0.0.0:2379 http://[::]:80 https://0/", []),
        ("mongodb://u:p@a.example.com:27017,b.example.com:27017/x", ["a.example.com", "b.example.com"]),
        ("https://a.example.com,https://b.example.com", ["a.example.com", "b.example.com"]),
        ("kafka://[2001:db8::1]:9092,[2001:db8::2]:9092", ["2001:db8::1", "2001:db8::2"]),
        ("https://straße.example.no/", ["xn--strae-oqa.example.no"]),
    ],
)
def test_a_host_is_read_as_a_resolver_would(text: str, hosts: list[str]) -> None:
    assert url_hosts(text) == hosts


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("file://~", "localhost"),
        ("https://api.pulumi.com", "api.pulumi.com"),
        ("https://user:secret@state.example.no:8443/x", "state.example.no"),
        ("s3://bucket", "s3.amazonaws.com"),
        ("s3://bucket?region=eu-north-1&awssdk=v2", "s3.eu-north-1.amazonaws.com"),
        ("s3://bucket?endpoint=https://minio.example.no:9000", "minio.example.no"),
        ("s3://bucket?endpoint=https%3A%2F%2Fstate.example.no", "state.example.no"),
        ("s3://bucket?endpoint=https://user:secret@minio.example.no:9000/x", "minio.example.no"),
        ("s3://bucket?endpoint=%5B2001:db8::1%5D:9000", "2001:db8::1"),
        ("s3://bucket?endpoint=minio.l%C3%B8gg.no:9000", "minio.xn--lgg-0na.no"),
        ("s3://bucket?region=cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("s3://bucket?region=eu-north-1&accelerate=true", "s3-accelerate.amazonaws.com"),
        ("gs://bucket", "storage.googleapis.com"),
        ("gs://bucket?universe_domain=apis.example.eu", "storage.apis.example.eu"),
        ("gs://bucket?endpoint=storage.example.no", "storage.googleapis.com"),  # gocloud.dev knows no such parameter
        ("azblob://container?storage_account=vds", "vds.blob.core.windows.net"),
        ("azblob://c?storage_account=acc&domain=blob.core.usgovcloudapi.net", "acc.blob.core.usgovcloudapi.net"),
        ("azblob://c?storage_account=acc&domain=cdn.example.no&cdn=true", "cdn.example.no"),
        ("azblob://c?storage_account=acc&domain=localhost:10001", "localhost"),
        ("postgres://user:secret@db.example.no:5432/state", "db.example.no"),
        ("postgres://user@/state?host=db.example.no", "db.example.no"),
        ("HTTPS://Api.Example.NO:8443", "api.example.no"),
        ("https://[2001:DB8::1]:8443/x", "2001:db8::1"),
        ("https://løgg.example.no", "xn--lgg-0na.example.no"),
        ("https://[2001:db8::1", ""),
    ],
)
def test_a_state_backend_is_where_its_scheme_keeps_bytes(url: str, host: str) -> None:
    assert backend_host(url) == host


@pytest.mark.parametrize(
    ("provider", "backend", "host"),
    [
        ("", "file://~", None),
        ("passphrase", "https://api.pulumi.com", None),
        ("", "https://api.pulumi.com", "api.pulumi.com"),
        ("awskms://alias/key?region=eu-west-1", "file://~", "kms.eu-west-1.amazonaws.com"),
        ("awskms://alias/k?endpoint=kms.example.no", "file://~", "kms.example.no"),
        ("awskms://alias/k?endpoint=https%3A%2F%2Fkms.example.no%3A8443", "file://~", "kms.example.no"),
        ("awskms:///arn:aws:kms:eu-north-1:1:key/x", "file://~", "kms.eu-north-1.amazonaws.com"),
        ("awskms://alias/k?region=eu%2Dnorth-1", "file://~", "kms.eu-north-1.amazonaws.com"),
        ("", "HTTPS://api.example.no", "api.example.no"),
        ("https://api.pulumi.com", "https://api.pulumi.com", "api.pulumi.com"),  # as the state has it for `service`
        ("gcpkms://projects/p/key", "file://~", "cloudkms.googleapis.com"),
        ("azurekeyvault://mine.vault.azure.net/keys/k", "file://~", "mine.vault.azure.net"),
        ("hashivault://key", "file://~", "hashivault"),
    ],
)
def test_who_can_open_the_secrets_is_a_place_of_its_own(provider: str, backend: str, host: str | None) -> None:
    assert secrets_host(provider, backend) == host


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("0.0.0.0", None),  # noqa: S104 - the address is what is judged
        ("::", None),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("0.0.0.0/1", "0.0.0.0/1"),
        ("10.0.0.0/7", "10.0.0.0/7"),
        ("10.1.2.3/16", None),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("9.9.9.9", "9.9.9.9"),
        ("resolver.example.com", "resolver.example.com"),
        ("db.agency.svc", None),
    ],
)
def test_a_network_stays_inside_only_with_all_of_its_addresses(text: str, outside: str | None) -> None:
    assert outside_of(text) == outside


def test_urls_in_comments_and_inside_the_cluster_are_nobodys() -> None:
    text = "# https://docs.example.com\nto: http://loki.logging.svc:3100\nand: https://push.example.com/a?b=c"
    assert url_hosts(text) == ["push.example.com"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@state.example.no:8443/x#hunter2", "https://state.example.no:8443/x"),
        ("s3://b?endpoint=https://me:hunter2@minio.example.no:9000", "s3://b?endpoint=https://minio.example.no:9000"),
        ("s3://b?region=eu-north-1&awssdk=v2&token=hunter2", "s3://b?region=eu-north-1"),
        ("postgres://u@/state?host=db.example.no&password=hunter2", "postgres:///state?host=db.example.no"),
        ("awskms:///arn:aws:kms:eu-north-1:1:key/x", "awskms:///arn:aws:kms:eu-north-1:1:key/x"),
        ("file://~", "file://~"),
        ("passphrase", "passphrase"),
        ("me:hunter2@registry.example.no/x?hunter2#hunter2", "registry.example.no/x"),
        ("192.0.2.10", "192.0.2.10"),
    ],
)
def test_a_url_is_shown_without_secrets_and_names_the_same_host(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
    assert backend_host(shown) == backend_host(url)
