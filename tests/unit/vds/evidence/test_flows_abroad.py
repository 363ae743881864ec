"""What an object sends abroad is in the record, and the verdict counts it; a host of a Secret is there by its hash."""

from hashlib import sha256
from typing import Any

import pytest

from tests.support.evidence import add, evidence, export


def variable(name: str, value: str) -> tuple[str, dict[str, Any]]:
    containers = [{"name": "a", "env": [{"name": name, "value": value}]}]
    return "kubernetes:apps/v1:Deployment", {"spec": {"template": {"spec": {"containers": containers}}}}


BACKUP = {"backup": {"barmanObjectStore": {"destinationPath": "s3://customers/"}}}
HASH = f"sha256:{sha256(b'db.example.com').hexdigest()[:16]}"
CASES = [
    (variable("DB_HOST", "prod.us-east-1.rds.amazonaws.com"), "egress", "prod.us-east-1.rds.amazonaws.com"),
    (variable("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.nr-data.net:4317"), "telemetry", "otlp.nr-data.net"),
    (("kubernetes:postgresql.cnpg.io/v1:Cluster", {"spec": BACKUP}), "backup", "s3.amazonaws.com"),
    (("kubernetes:core/v1:ConfigMap", {"data": {"partner": "hub.example.com"}}), "unclassified", "hub.example.com"),
    (("kubernetes:core/v1:Secret", {"stringData": {"URL": "https://db.example.com"}}), "egress", HASH),
]


@pytest.mark.parametrize(("resource", "kind", "location"), CASES, ids=[location for *_, location in CASES])
def test_what_is_sent_abroad_is_in_the_record_and_in_the_verdict(
    resource: tuple[str, dict[str, Any]], kind: str, location: str
) -> None:
    made = export("lab")
    add(made, resource[0], "x", metadata={"name": "x", "namespace": "kube-system"}, **resource[1])
    found = evidence(made, name="lab")
    assert found.verdict != "holds"
    assert (kind, location) in {(place.kind, place.location) for place in found.places}
    assert "db.example.com" not in repr(found)
