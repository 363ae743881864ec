"""What is put into a cluster: little, restricted, and unmistakably ours."""

import pytest

from vds.bench import manifests


def pod():
    return manifests.pod("loss-1", "osl-1", "r.example.no/bench", ["iperf3"], lives_seconds=99)


def test_the_namespace_is_ours_and_takes_restricted_pods_only():
    metadata = manifests.namespace("r1")["metadata"]
    assert metadata["name"].startswith("vds-platform")
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "vds-platform"
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert metadata["labels"][manifests.RUN] == "r1"


def test_a_pod_is_what_the_level_restricted_wants():
    spec = pod()["spec"]
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert not spec["automountServiceAccountToken"]
    assert "hostNetwork" not in spec


def test_a_pod_ends_by_itself_should_we_be_killed():
    assert pod()["spec"]["activeDeadlineSeconds"] == 99
    assert pod()["spec"]["restartPolicy"] == "Never"


def test_the_measured_are_not_throttled():
    assert "cpu" not in pod()["spec"]["containers"][0]["resources"]["limits"]


@pytest.mark.parametrize(
    "command",
    [
        manifests.throughput_client("10.244.2.9", 10),
        manifests.loss_client("10.244.2.9", 10, 100),
        manifests.latency_client("10.244.2.9", 10),
    ],
)
def test_a_client_leaves_its_result_where_the_pod_says(command):
    assert manifests.RESULT in command
    assert pod()["spec"]["containers"][0]["terminationMessagePath"] == manifests.RESULT


def test_udp_is_never_sent_without_a_bound():
    command = manifests.loss_client("10.244.2.9", 10, 250)
    assert command[command.index("--bitrate") + 1] == "250M"
