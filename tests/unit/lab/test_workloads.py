"""The workloads of the lab."""

from lab.workloads import echo, probes

IMAGES = {name: f"registry.example.no/{name}@sha256:{'0' * 64}" for name in ("e2e/agnhost",)}


def test_every_pod_of_the_lab_is_restricted_and_has_its_image_by_digest() -> None:
    made = [*probes(IMAGES), *echo("echo", "osl-w-1", "192.0.2.219", IMAGES)]
    pods = [m["spec"]["template"]["spec"] for m in made if m["kind"] in ("Deployment", "DaemonSet")]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "@sha256:" in pod["containers"][0]["image"]


def test_the_service_outside_has_no_node_port() -> None:
    services = [m for m in echo("echo", "osl-w-1", "192.0.2.219", IMAGES) if m["kind"] == "Service"]
    assert [s["spec"]["allocateLoadBalancerNodePorts"] for s in services] == [False]
