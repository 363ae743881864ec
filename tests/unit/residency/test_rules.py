"""Where bytes go, read from what fields and surroundings say."""

from pathlib import Path
from typing import Any

import pytest

from components.core.endpoints import backend_host, image_registry, outside_of, secrets_host, url_hosts
from components.residency.model import Residency
from components.residency.rules import residency_problems
from components.residency.state_store import state_store
from tests.support.stacks import problems, stack_data


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
        ("gs://bucket", "storage.googleapis.com"),
        ("azblob://container?storage_account=vds", "vds.blob.core.windows.net"),
        ("postgres://user:secret@db.example.no:5432/state", "db.example.no"),
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


def test_the_backend_is_read_in_the_engines_own_order(tmp_path: Path) -> None:
    assert state_store(tmp_path, "oslo", {}).backend == ""
    (tmp_path / "Pulumi.yaml").write_text("name: x\nbackend:\n  url: s3://state\n")
    (tmp_path / "Pulumi.oslo.yaml").write_text("secretsprovider: awskms://alias/k?region=eu-north-1\n")
    store = state_store(tmp_path, "oslo", {})
    assert store == ("s3://state", "awskms://alias/k?region=eu-north-1")
    assert state_store(tmp_path, "oslo", {"PULUMI_BACKEND_URL": "file://~"}).backend == "file://~"
    (tmp_path / "Pulumi.oslo.yaml").write_text("encryptionsalt: v1:x\n")
    assert state_store(tmp_path, "oslo", {}).secrets_provider == "passphrase"


def test_a_password_in_the_backends_url_goes_no_further(tmp_path: Path) -> None:
    store = state_store(tmp_path, "oslo", {"PULUMI_BACKEND_URL": "https://me:hunter2@state.example.no/x"})
    assert store.backend == "https://state.example.no/x"


PLACE: dict[str, Any] = {
    "name": "hub",
    "hosts": ["docker.io"],
    "country": "US",
    "entity": "Docker Inc.",
    "entityCountry": "US",
    "purposes": ["image-registry"],
}
EXCEPTION = {"name": "e", "place": "hub", "until": "2026-12-31", "reason": "until the mirror is there"}


def said(**residency: Any) -> list[str]:
    spec = Residency.model_validate({"allowedCountries": ["NO"], **residency})
    return [str(problem) for problem in residency_problems(spec)]


def test_a_place_abroad_needs_an_exception() -> None:
    located, controlled = said(places=[PLACE])
    assert "residency place 'hub': place 'hub' is in US, allowed: NO" in located
    assert "is controlled by Docker Inc., under the law of US" in controlled
    assert said(places=[PLACE], exceptions=[EXCEPTION]) == []


def test_an_exception_for_no_place_and_a_host_at_two_places_are_refused() -> None:
    assert "is for place 'hub', which is not one of none" in said(exceptions=[EXCEPTION])[0]
    home = {**PLACE, "name": "home", "country": "NO", "entityCountry": "NO"}
    assert any("both have docker.io" in line for line in said(places=[home, {**home, "name": "again"}]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until": "2026-02-30"}, "write a date in quotes, as in '2027-06-30'"),
        ({"reason": "short"}, "has the wrong length"),
    ],
)
def test_an_exception_has_a_day_that_exists_and_a_reason(change: dict[str, str], message: str) -> None:
    data = stack_data("oslo")
    data["residency"]["exceptions"][0] |= change
    [problem] = problems(data)
    assert message in problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": ["198.51.100.1/24"]}, "write a network without host bits"),
        ({"hosts": ["https://x.example.no"]}, "write a host without scheme or port"),
        ({"hosts": [], "networks": []}, "it has neither hosts nor networks"),
    ],
)
def test_a_place_is_written_as_what_is_reached_there(change: dict[str, Any], message: str) -> None:
    data = stack_data("lab")
    data["residency"]["places"][0] |= change
    assert any(message in problem for problem in problems(data))
