"""docs/howto/first-environment.md as a shell script, and what the lab has in another place than a customer."""

from collections.abc import Mapping

from tests.support import howtos

PAGE = "first-environment"
STACK = "first"
IMAGE = "registry.k8s.io/e2e-test-images/agnhost"
"""Of the first application. The lab has the same program under another name."""
TAG = "AGNHOST"
"""Stands for the digest of the lab's image, which every build of the lab knows."""

SUBSTITUTIONS: Mapping[str, str] = {
    "make .venv/ready": "test -x .venv/bin/vds",  # the test has an environment
    "198.51.100.": "192.0.2.",  # the lab's network: the rest of each address is the same
    "https://pkgs.k8s.io/core:/stable:/": "https://packages.lab.example.no/",
    "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.1/standard-install.yaml": (
        "file://$LAB/gateway-api.yaml"
    ),
    # The lab has no S3 storage: its state is a folder.
    "curl -fsS --config - --aws-sigv4 aws:amz:no-1:s3 --request PUT https://state.example.no/vds-state": (
        "{ cat > /dev/null; mkdir state; }"
    ),
    "'s3://vds-state?endpoint=state.example.no&region=no-1&s3ForcePathStyle=true'": '"file://$PWD/state"',
    "--state=state.example.no": "--state=localhost",
    "https://registry.k8s.io/v2/e2e-test-images/agnhost/manifests/2.53": (
        f"https://registry.lab.example.no/v2/e2e/agnhost/manifests/{TAG}"
    ),
    "registry.k8s.io/e2e-test-images/": "registry.lab.example.no/e2e/",
}
"""What the test types instead of what is on the page. Everything else is typed word for word."""

CLOSED_NETWORK = (
    "cluster.cgroupV1",
    "cluster.kubernetesVersion",
    "cluster.images",
    "cluster.packages",
    "charts",
    "cni.devices",
    "cni.hubble",
    "cni.install",
    "cni.l7Proxy",
    "cni.version",
    "gateway.install",
    "images",
    "metallb.install",
    "preflight",
    "residency.exceptions",
    "residency.places",
)
"""Settings of the stack file that the test takes from the lab's own after `vds init`: a closed network with registry,
charts and packages of its own, and the versions that it builds. A setting that the lab's file lacks is taken out."""

NODE_SETTINGS = ("machine",)
"""The same for each node: what kind of machine it is."""

AFTER_INIT = ".venv/bin/vds validate"
"""The block before which these settings are written."""
UP = "pulumi up"
REGISTER = ".venv/bin/vds tenant new"
SETTINGS = 'cat > "$HOME/butikk/Pulumi.prod.yaml"'
REQUESTS = "for request in"
AGENCY_BACK = "(\n  export KUBECONFIG="
WAY_BACK = "pulumi state unprotect"
"""Blocks, by how they begin. The last two are the way back."""


def blocks() -> list[str]:
    """The page's shell blocks, in order, as they are printed. Other blocks show output, or are for other clusters."""
    return howtos.blocks(PAGE)


def typed(block: str) -> str:
    """A block as the test types it."""
    return howtos.typed(block, SUBSTITUTIONS)
