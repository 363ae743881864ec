"""The stack file's `monitoring`: Prometheus, Alertmanager and node-exporter in the cluster."""

from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from components.core.model import Spec
from components.core.types import DnsLabel, RefusedError
from components.images.model import ImageMirror

NODE_EXPORTER_PORT = 9100
"""Of node-exporter on every node: its own default."""
CILIUM_PORT, HUBBLE_PORT = 9962, 9965
"""Of Cilium's agents on every node: the chart's own, `prometheus.port` and `hubble.metrics.port`."""
ALERT_SECRET = "alertToken"  # noqa: S105  the name of a secret
"""The secret that Alertmanager shows the receiver, as `Authorization: Bearer`."""
_VERSION = r"^[0-9]+\.[0-9]+\.[0-9]+$"


class Versions(Spec):
    """Releases of the programs, without their `v`."""

    prometheus: str = Field(default="3.15.1", pattern=_VERSION)
    """Of Prometheus."""
    alertmanager: str = Field(default="0.35.0", pattern=_VERSION)
    """Of Alertmanager."""
    node_exporter: str = Field(default="1.12.1", pattern=_VERSION)
    """Of node-exporter."""


class Storage(Spec):
    """A volume for what Prometheus keeps."""

    class_name: DnsLabel
    """A StorageClass of the cluster."""
    gibibytes: int = Field(ge=2, le=2000)
    """Size of the volume."""


class Receiver(Spec):
    """Where Alertmanager sends alarms: an HTTP server that takes its webhook.

    The secret `vds-platform:alertToken`, if it is set, is shown to it.
    """

    url: str = Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$")
    """Its address, without a user, a password or a query. A server outside the cluster must be in
    `residency.places`, with the purpose telemetry, and is called by HTTPS."""
    repeat_hours: int = Field(default=4, ge=1, le=168)
    """Hours until an alarm that goes on is sent again."""

    @property
    def host(self) -> str:
        """The server's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def inside(self) -> bool:
        """Whether it is a Service of the cluster."""
        return self.host.endswith((".svc", ".svc.cluster.local"))

    @model_validator(mode="after")
    def _is_encrypted(self) -> "Receiver":
        if not self.inside and not self.url.startswith("https://"):
            raise RefusedError(
                "is called without encryption", "write https://, or a Service: http://name.namespace.svc"
            )
        return self


class Thresholds(Spec):
    """Limits that differ between environments. All others are those of the node checks."""

    gateway_milliseconds: int = Field(default=200, ge=10, le=5000)
    """99 of 100 requests through the gateway are answered faster; Traefik counts in classes, so the nearest counts."""
    gateway_errors_percent: float = Field(default=5, gt=0, le=100)
    """Share of requests that the gateway answers with 5xx."""
    policy_drops_per_second: float = Field(default=1, gt=0, le=100_000)
    """Packets to or from one namespace that network policies drop."""


class MonitoringSpec(Spec):
    """Prometheus, Alertmanager, node-exporter and a timer on every node that measures what is the platform's own.

    What they collect stays in the cluster, unless a receiver is named.
    """

    retention_days: int = Field(default=15, ge=1, le=400)
    """How long samples are kept, at most."""
    retention_gibibytes: int = Field(default=8, ge=1, le=1900)
    """How much of the disk they may have: the oldest are deleted first."""
    storage: Storage | None = None
    """Left out: the disk of Prometheus' node, and samples are lost when the pod goes to another one."""
    receiver: Receiver | None = None
    """Left out: alarms are shown by Alertmanager and sent nowhere."""
    readers: tuple[DnsLabel, ...] = ()
    """Namespaces whose pods may query Prometheus, such as a Grafana's. No tenant's."""
    thresholds: Thresholds = Thresholds()
    versions: Versions = Versions()

    @model_validator(mode="after")
    def _fits(self) -> "MonitoringSpec":
        if self.storage and self.retention_gibibytes >= self.storage.gibibytes:
            raise RefusedError(
                "retentionGibibytes is not smaller than storage.gibibytes",
                "leave Prometheus room for its log: write at most four fifths of the volume",
            )
        return self


class MonitoringContext(NamedTuple):
    """Facts from other parts of the stack file."""

    images: ImageMirror | None = None
    """The mirror for images, if there is one."""
    on_cilium: bool = False
    """Whether this stack installs Cilium, which has metrics, and policies that can name nodes."""
    hubble: bool = False
    """Whether Cilium's agents have Hubble's metrics."""
    metallb: bool = False
    """Whether this stack installs MetalLB."""
    gateway_namespace: str = ""
    """Where Traefik's pods are; empty where the platform runs none."""
    api_port: int = 6443
    """TCP port of each control plane's own API server."""
    api_ports: tuple[int, ...] = (6443,)
    """TCP ports of the API server, as pods reach it."""
    has_etcd: bool = False
    """Whether kubeadm made the cluster, so that control planes have etcd's metrics and certificates."""
    backup_minutes: int = 0
    """Minutes between two snapshots of etcd; 0 without a backup."""
