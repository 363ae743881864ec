"""What a measurement puts into the cluster: one namespace, and pods in it that each run one command.

A pod leaves its result as its termination message: the API server has it then, and no connection to the pod is needed,
its log or its node.
"""

from collections.abc import Sequence
from pathlib import Path

from components.core import labels
from components.core.manifests import Manifest, manifest, secured_namespace

NAMESPACE = "vds-platform-bench"
"""One for every cluster: two measurements at a time would measure each other."""
RUN = f"{labels.PREFIX}bench-run"
"""Label of the namespace: which run made it, so that no other's is deleted."""
ACCOUNT = "bench"

IPERF_PORT = 5201  # iperf3's own
PINGER_PORT = 5202
RESULT = "/run/vds-platform-bench-result"
"""The termination message's file. Not the default below /dev, which is the machine's own in the lab."""

_PINGER = Path(__file__).with_name("pinger.py").read_text(encoding="utf-8")
_USER = 65534  # user nobody in every image


def namespace(run: str) -> Manifest:
    """The namespace, at the strictest level that Pod Security has."""
    return secured_namespace(NAMESPACE, labels={**labels.managed(bench="network"), RUN: run})


def account() -> Manifest:
    """A service account of its own: `default` comes only some time after its namespace."""
    return manifest("v1", "ServiceAccount", ACCOUNT, namespace=NAMESPACE, automountServiceAccountToken=False)


def pod(name: str, node: str, image: str, command: Sequence[str], *, lives_seconds: int) -> Manifest:
    """A pod of one command on that node; after `lives_seconds` its kubelet ends it, whatever became of us.

    Memory is limited, CPU is not: a throttled iperf3 would measure its quota.
    """
    return manifest(
        "v1",
        "Pod",
        name,
        namespace=NAMESPACE,
        labels=labels.managed(bench="network"),
        spec={
            "restartPolicy": "Never",
            "activeDeadlineSeconds": lives_seconds,
            "terminationGracePeriodSeconds": 1,
            "serviceAccountName": ACCOUNT,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # By the node's name, which no label can change, and also onto a cordoned or tainted node.
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _only(node)}},
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "bench",
                    "image": image,
                    "command": list(command),
                    "terminationMessagePath": RESULT,
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 (the pod's, not ours)
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}],  # iperf3 keeps its send buffer there
        },
    )


def iperf_server() -> list[str]:
    """The command that waits for iperf3 clients."""
    return ["iperf3", "--server", "--port", str(IPERF_PORT)]


def throughput_client(server: str, seconds: int) -> list[str]:
    """TCP, one stream, as fast as it goes."""
    return _iperf_client(server, seconds)


def loss_client(server: str, seconds: int, megabits: int) -> list[str]:
    """UDP at a rate that the path should carry: without a bound, loss says how fast the sender is."""
    return [*_iperf_client(server, seconds), "--udp", "--bitrate", f"{megabits}M"]


def _iperf_client(server: str, seconds: int) -> list[str]:
    # Without intervals (0) its JSON has 3 kB and fits the termination message.
    words = ["--time", str(seconds), "--interval", "0", "--connect-timeout", "5000", "--json", "--logfile", RESULT]
    return ["iperf3", "--client", server, "--port", str(IPERF_PORT), *words]


def pinger_server() -> list[str]:
    """The command that answers small requests."""
    return ["python3", "-c", _PINGER, "serve", str(PINGER_PORT)]


def latency_client(server: str, seconds: int) -> list[str]:
    """The command that times small requests, one at a time."""
    return ["python3", "-c", _PINGER, "ask", server, str(PINGER_PORT), str(seconds), RESULT]


def _only(node: str) -> Manifest:
    return {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}],
    }
