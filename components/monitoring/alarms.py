"""The alarms: one table, rendered into Prometheus' rules. A limit that a node check has too is that check's."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from components.core.manifests import Manifest
from components.monitoring.model import MonitoringContext, MonitoringSpec
from components.nodes.preflight.checks import (
    CONNTRACK_PERCENT,
    ETCD_SYNC_MILLISECONDS,
    LOOKUP_MILLISECONDS,
    SOFTNET_DROPS_PER_SECOND,
    STEAL_PERCENT,
)

GUIDE = "docs/howto/watch-a-cluster.md"
"""Has a section for each alarm, whose heading is the alarm's name."""
CERTIFICATE_DAYS = 30
"""As the doctor advises: the timer renews 60 days before the end, so it has failed for a month."""
DISK_PERCENT = 10
"""Free space on a node's disk; the kubelet evicts pods below 10 % (its nodefs.available)."""
FACTS_SECONDS = 300
"""Five runs of the timer."""


class Alarm(NamedTuple):
    """One alarm."""

    name: str
    expression: str
    """PromQL; each series that it returns is one alarm."""
    minutes: int
    """How long it must be true."""
    summary: str
    """What is wrong, with the series' labels."""
    remedy: str
    severity: Literal["critical", "warning"] = "warning"
    """critical: users notice it, or soon will."""


def alarms(spec: MonitoringSpec, context: MonitoringContext) -> list[Alarm]:
    """What applies to this stack."""
    found = [*_of_nodes(), *_of_paths(), *_of_dns(), *_of_monitoring()]
    if context.gateway_namespace:
        found += _of_gateway(spec)
    if context.has_etcd:
        found += _of_control_planes()
    if context.backup_minutes:
        found.append(_of_backup(context.backup_minutes))
    if context.hubble:
        found.append(_of_policies(spec))
    return sorted(found)


def _of_gateway(spec: MonitoringSpec) -> Iterator[Alarm]:
    limits = spec.thresholds
    requests = "traefik_entrypoint_requests_total"
    buckets = "sum by (le) (rate(traefik_entrypoint_request_duration_seconds_bucket[5m]))"
    yield Alarm(
        "GatewayLatency",
        f"histogram_quantile(0.99, {buckets}) > {limits.gateway_milliseconds / 1000:g} "
        f"and on() sum(rate({requests}[5m])) > 1",
        5,
        "One of 100 requests through the gateway takes more than {{ $value | humanizeDuration }}.",
        "See which backend is slow (dashboard, Gateway), then whether NodeSteal, PathMtu or DnsSlow is raised too.",
        "critical",
    )
    yield Alarm(
        "GatewayErrors",
        f'100 * sum(rate({requests}{{code=~"5.."}}[5m])) / sum(rate({requests}[5m])) '
        f"> {limits.gateway_errors_percent:g}",
        5,
        "{{ $value | humanize }} % of the gateway's answers are errors (5xx).",
        "Find the backend in the dashboard; if a canary runs, run `vds canary abort`.",
        "critical",
    )


def _of_nodes() -> Iterator[Alarm]:
    yield Alarm(
        "NodeDown",
        'up{job="kubelet"} == 0',
        3,
        "The kubelet of {{ $labels.node }} does not answer.",
        "Run `kubectl get nodes` and `vds doctor`; docs/howto/recover-from-a-fault.md.",
        "critical",
    )
    yield Alarm(
        "NodeSteal",
        f'100 * avg by (node) (rate(node_cpu_seconds_total{{mode="steal"}}[10m])) > {STEAL_PERCENT}',
        10,
        "Other machines take {{ $value | humanize }} % of the processors of {{ $labels.node }}.",
        "Ask the provider for dedicated processors, or move the node.",
    )
    yield Alarm(
        "NodeConntrack",
        f"100 * node_nf_conntrack_entries / node_nf_conntrack_entries_limit > {CONNTRACK_PERCENT}",
        2,
        "The conntrack table of {{ $labels.node }} is {{ $value | humanize }} % full. A full one refuses connections.",
        "Add the profile large-cluster to the node, or find who opens the connections.",
        "critical",
    )
    yield Alarm(
        "NodeSoftnetDrops",
        f"sum by (node) (rate(node_softnet_dropped_total[5m])) > {SOFTNET_DROPS_PER_SECOND}",
        5,
        "The kernel of {{ $labels.node }} drops {{ $value | humanize }} packets a second before it reads them.",
        "Add the profile high-throughput to the node; more receive queues, if the provider has them.",
    )
    yield Alarm(
        "NodeDisk",
        '100 * node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes '
        f"< {DISK_PERCENT}",
        5,
        "{{ $labels.mountpoint }} of {{ $labels.node }} has {{ $value | humanize }} % left.",
        "Delete images with `crictl rmi --prune` there, or rent a larger disk.",
        "critical",
    )
    yield Alarm(
        "NodeDrift",
        "vds_node_drifted_settings > 0",
        2,
        "Settings of {{ $labels.node }} were changed by hand: {{ $value }}.",
        "Run `vds doctor` to see which, and `pulumi up` to correct them.",
    )


def _of_paths() -> Iterator[Alarm]:
    yield Alarm(
        "PathMtu",
        "vds_path_up == 1 and vds_path_full_size == 0",
        2,
        "Full packets from {{ $labels.node }} to {{ $labels.peer }} are lost, and small ones are not.",
        "Run `vds doctor` for the path's MTU, and correct the link or network.underlayMtu.",
        "critical",
    )
    yield Alarm(
        "PathDown",
        "vds_path_up == 0",
        3,
        "{{ $labels.node }} does not reach {{ $labels.peer }}.",
        "Is the other node up? Otherwise examine the provider's network and firewall.",
        "critical",
    )


def _of_dns() -> Iterator[Alarm]:
    yield Alarm(
        "DnsSlow",
        f"avg_over_time(vds_dns_seconds[5m]) > {LOOKUP_MILLISECONDS / 1000:g}",
        3,
        "The cluster's DNS takes {{ $value | humanizeDuration }} to answer {{ $labels.node }}.",
        "Look at CoreDNS' pods and at the name servers that they ask (dashboard, DNS).",
    )
    yield Alarm(
        "DnsDown",
        "vds_dns_up == 0",
        2,
        "The cluster's DNS does not answer {{ $labels.node }}.",
        "Run `kubectl -n kube-system get pods -l k8s-app=kube-dns`, and `vds inspect`.",
        "critical",
    )


def _of_control_planes() -> Iterator[Alarm]:
    fsync = "etcd_disk_wal_fsync_duration_seconds_bucket"
    yield Alarm(
        "EtcdDisk",
        f"histogram_quantile(0.99, sum by (node, le) (rate({fsync}[10m]))) > {ETCD_SYNC_MILLISECONDS / 1000:g}",
        10,
        "One of 100 writes of etcd on {{ $labels.node }} takes {{ $value | humanizeDuration }} to reach the disk.",
        "Use this server's own NVMe storage for the control plane.",
    )
    yield Alarm(
        "EtcdLeader",
        "etcd_server_has_leader == 0",
        2,
        "etcd on {{ $labels.node }} has no leader: the cluster can't be changed.",
        "Are most control planes up? Otherwise docs/howto/restore-a-cluster.md.",
        "critical",
    )
    yield Alarm(
        "CertificateEnds",
        f"(vds_certificate_end_timestamp_seconds - time()) / 86400 < {CERTIFICATE_DAYS}",
        10,
        "{{ $labels.certificate }} of {{ $labels.node }} expires in {{ $value | humanize }} days.",
        "Its timer should have renewed it: run `systemctl status vds-platform-certificates` there.",
    )


def _of_backup(minutes: int) -> Alarm:
    return Alarm(
        "BackupOld",
        f"time() - max(vds_backup_taken_timestamp_seconds) > {2 * minutes * 60} "
        "or absent(vds_backup_taken_timestamp_seconds)",
        10,
        f"etcd's newest snapshot is older than {2 * minutes} minutes, or there is none.",
        "Run `vds backup status`.",
        "critical",
    )


def _of_policies(spec: MonitoringSpec) -> Alarm:
    limit = spec.thresholds.policy_drops_per_second
    drops = 'hubble_drop_total{reason="POLICY_DENIED"}'
    return Alarm(
        "PolicyDrops",
        f"sum by (source, destination) (rate({drops}[5m])) > {limit:g}",
        10,
        "Network policies drop {{ $value | humanize }} packets a second from {{ $labels.source }} to "
        "{{ $labels.destination }}.",
        "`vds reach` says which policy denies it. The tenant corrects its calls, or its registration.",
    )


def _of_monitoring() -> Iterator[Alarm]:
    yield Alarm(
        "TargetDown",
        'up{job!="kubelet"} == 0',
        5,
        "{{ $labels.job }} at {{ $labels.instance }} can't be collected.",
        "Look at its pod, and at the network policies of its namespace.",
    )
    yield Alarm(
        "FactsOld",
        f"time() - vds_facts_timestamp_seconds > {FACTS_SECONDS} "
        'or up{job="node-exporter"} == 1 unless on(node) vds_facts_timestamp_seconds',
        5,
        "The facts of {{ $labels.node }} are not measured any more.",
        "Run `systemctl status vds-platform-facts` there; `pulumi up --refresh` installs its timer again.",
    )
    yield Alarm(
        "AlarmsNotSent",
        "rate(alertmanager_notifications_failed_total[5m]) > 0 or rate(prometheus_notifications_errors_total[5m]) > 0",
        5,
        "Alarms don't reach their receiver.",
        "Read `kubectl -n monitoring-system logs deployment/alertmanager`.",
    )


def rules(spec: MonitoringSpec, context: MonitoringContext) -> Manifest:
    """Prometheus' file of rules."""
    return {"groups": [{"name": "vds-platform", "rules": [_rule(one) for one in alarms(spec, context)]}]}


def _rule(alarm: Alarm) -> dict[str, Any]:
    return {
        "alert": alarm.name,
        "expr": alarm.expression,
        "for": f"{alarm.minutes}m",
        "labels": {"severity": alarm.severity},
        "annotations": {
            "summary": alarm.summary,
            "remedy": alarm.remedy,
            "runbook_url": f"{GUIDE}#{alarm.name.lower()}",
        },
    }
