"""A dashboard of Grafana: one panel for each story that an alarm tells. Its JSON is the same for the same stack."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from components.monitoring.model import MonitoringContext

_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 7
"""Of Grafana's grid; three panels stand beside each other."""


class Panel(NamedTuple):
    """One graph."""

    row: str
    title: str
    unit: str
    """Grafana's name of it."""
    series: tuple[tuple[str, str], ...]
    """PromQL, and its name in the legend."""


def panels(context: MonitoringContext) -> Iterator[Panel]:
    """What applies to this stack."""
    if context.gateway_namespace:
        yield from _gateway()
    yield from _nodes()
    yield from _network(context)
    yield from _control_planes(context)


def _gateway() -> Iterator[Panel]:
    requests = "traefik_entrypoint_requests_total"
    buckets = "sum by (le) (rate(traefik_entrypoint_request_duration_seconds_bucket[5m]))"
    yield Panel("Gateway", "Requests", "reqps", ((f"sum by (code) (rate({requests}[5m]))", "{{code}}"),))
    yield Panel(
        "Gateway",
        "Time to answer",
        "s",
        tuple((f"histogram_quantile({share}, {buckets})", f"{share}") for share in (0.5, 0.9, 0.99)),
    )
    yield Panel(
        "Gateway",
        "Open connections",
        "short",
        (("sum by (pod) (traefik_open_connections)", "{{pod}}"),),
    )


def _nodes() -> Iterator[Panel]:
    yield Panel(
        "Nodes",
        "Processors in use",
        "percent",
        (('100 - 100 * avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[5m]))', "{{node}}"),),
    )
    yield Panel(
        "Nodes",
        "Processors taken by other machines (steal)",
        "percent",
        (('100 * avg by (node) (rate(node_cpu_seconds_total{mode="steal"}[10m]))', "{{node}}"),),
    )
    yield Panel(
        "Nodes",
        "Memory in use",
        "percent",
        (("100 - 100 * node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "{{node}}"),),
    )
    yield Panel(
        "Nodes",
        "Conntrack table in use",
        "percent",
        (("100 * node_nf_conntrack_entries / node_nf_conntrack_entries_limit", "{{node}}"),),
    )
    yield Panel(
        "Nodes",
        "Packets dropped by softnet",
        "pps",
        (("sum by (node) (rate(node_softnet_dropped_total[5m]))", "{{node}}"),),
    )
    yield Panel("Nodes", "Settings that were changed by hand", "short", (("vds_node_drifted_settings", "{{node}}"),))


def _network(context: MonitoringContext) -> Iterator[Panel]:
    yield Panel(
        "Network",
        "Paths that carry full packets",
        "short",
        (("sum by (node) (vds_path_full_size)", "{{node}}"),),
    )
    yield Panel("Network", "Round trip between nodes", "s", (("max by (node) (vds_path_seconds)", "{{node}}"),))
    yield Panel("Network", "DNS, asked by nodes", "s", (("vds_dns_seconds", "{{node}}"),))
    if context.on_cilium:
        yield Panel(
            "Network",
            "Packets dropped by Cilium",
            "pps",
            (("sum by (reason) (rate(cilium_drop_count_total[5m]))", "{{reason}}"),),
        )
    if context.hubble:
        yield Panel(
            "Network",
            "Packets dropped by policies",
            "pps",
            (
                (
                    'sum by (source, destination) (rate(hubble_drop_total{reason="POLICY_DENIED"}[5m]))',
                    "{{source}} to {{destination}}",
                ),
            ),
        )


def _control_planes(context: MonitoringContext) -> Iterator[Panel]:
    row = "Control planes"
    if context.has_etcd:
        fsync = "sum by (node, le) (rate(etcd_disk_wal_fsync_duration_seconds_bucket[10m]))"
        yield Panel(row, "etcd's disk (fsync, 99 of 100)", "s", ((f"histogram_quantile(0.99, {fsync})", "{{node}}"),))
        ends = "(min by (node) (vds_certificate_end_timestamp_seconds) - time()) / 86400"
        yield Panel(row, "Days until the first certificate expires", "short", ((ends, "{{node}}"),))
    yield Panel(
        row, "Requests to the API server", "reqps", (("sum by (code) (rate(apiserver_request_total[5m]))", "{{code}}"),)
    )
    if context.backup_minutes:
        age = "time() - max(vds_backup_taken_timestamp_seconds)"
        yield Panel(row, "Age of etcd's newest snapshot", "s", ((age, "age"),))


def dashboard(context: MonitoringContext) -> dict[str, Any]:
    """The JSON that Grafana imports. It asks for the data source when it does."""
    return {
        "title": "vds-platform",
        "uid": "vds-platform",
        "tags": ["vds-platform"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_placed(context)),
    }


def _placed(context: MonitoringContext) -> Iterator[dict[str, Any]]:
    row, x, y, number = "", 0, -_HEIGHT, 0
    for panel in panels(context):
        number += 1
        if panel.row != row:
            row, x, y = panel.row, 0, y + _HEIGHT
            yield {
                "id": number,
                "type": "row",
                "title": row,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
            }
            y, number = y + 1, number + 1
        elif x == _COLUMNS:
            x, y = 0, y + _HEIGHT
        yield {
            "id": number,
            "type": "timeseries",
            "title": panel.title,
            "datasource": _SOURCE,
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT},
            "targets": [
                {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
                for index, (expression, legend) in enumerate(panel.series)
            ],
        }
        x += _WIDTH


_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
