"""Each alarm is raised by its fault and by nothing that looks alike. promtool evaluates the rendered rules."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from components.monitoring.alarms import GUIDE, alarms, rules
from components.monitoring.dashboard import dashboard, panels
from tests.support.monitoring import parts, run_promtool, watched, write_json
from tests.support.stacks import ROOT

MINUTES = 45
SPEC, OSLO = parts(watched())
CONTEXT = OSLO._replace(backup_minutes=10)
Series = dict[str, str]


class Case(NamedTuple):
    """Series in promtool's notation, one value a minute."""

    fault: Series
    quiet: Series
    firing: int = 1


def traefik(slow: int, fast: int, *, errors: int = 0) -> Series:
    """Requests a minute: `slow` take a second, `fast` ten milliseconds."""
    name, total = "traefik_entrypoint_request_duration_seconds_bucket", slow + fast
    return {
        f'{name}{{le="0.025"}}': f"0+{fast}x{MINUTES}",
        f'{name}{{le="0.2"}}': f"0+{fast}x{MINUTES}",
        f'{name}{{le="1.2"}}': f"0+{total}x{MINUTES}",
        f'{name}{{le="+Inf"}}': f"0+{total}x{MINUTES}",
        'traefik_entrypoint_requests_total{code="200"}': f"0+{total - errors}x{MINUTES}",
        'traefik_entrypoint_requests_total{code="502"}': f"0+{errors}x{MINUTES}",
    }


def fsync(slow: int, fast: int) -> Series:
    name = "etcd_disk_wal_fsync_duration_seconds_bucket"
    return {
        f'{name}{{node="a",le="0.004"}}': f"0+{fast}x{MINUTES}",
        f'{name}{{node="a",le="0.032"}}': f"0+{fast + slow}x{MINUTES}",
        f'{name}{{node="a",le="+Inf"}}': f"0+{fast + slow}x{MINUTES}",
    }


def steady(**series: float) -> Series:
    """Each metric of node a with one value all the time."""
    return {f'{name}{{node="a"}}': f"{value}x{MINUTES}" for name, value in series.items()}


def path(up: int, full: int) -> Series:
    return {
        'vds_path_up{node="a",peer="b"}': f"{up}x{MINUTES}",
        'vds_path_full_size{node="a",peer="b"}': f"{full}x{MINUTES}",
    }


def steal(percent: float) -> Series:
    """Of one processor, in seconds a minute."""
    name, stolen = "node_cpu_seconds_total", 60 * percent / 100
    return {
        f'{name}{{node="a",cpu="0",mode="steal"}}': f"0+{stolen}x{MINUTES}",
        f'{name}{{node="a",cpu="0",mode="idle"}}': f"0+{60 - stolen}x{MINUTES}",
    }


def disk(available: int) -> Series:
    labels = '{node="a",mountpoint="/",fstype="ext4"}'
    return {
        f"node_filesystem_avail_bytes{labels}": f"{available}x{MINUTES}",
        f"node_filesystem_size_bytes{labels}": f"100x{MINUTES}",
    }


def dropped(a_minute: int) -> Series:
    labels = '{reason="POLICY_DENIED",source="kart-prod",destination="butikk-prod"}'
    return {f"hubble_drop_total{labels}": f"0+{a_minute}x{MINUTES}"}


FAR, SOON = 86400 * 90, 86400 * 20  # promtool's clock begins in 1970
CASES = {
    "AlarmsNotSent": Case(
        {'alertmanager_notifications_failed_total{reason="other"}': f"0+1x{MINUTES}"},
        {'alertmanager_notifications_failed_total{reason="other"}': f"3x{MINUTES}"},
    ),
    "BackupOld": Case(steady(vds_backup_taken_timestamp_seconds=60), {"vds_backup_taken_timestamp_seconds": "0+60x45"}),
    "CertificateEnds": Case(
        steady(vds_certificate_end_timestamp_seconds=SOON), steady(vds_certificate_end_timestamp_seconds=FAR)
    ),
    "DnsDown": Case(steady(vds_dns_up=0), steady(vds_dns_up=1)),
    "DnsSlow": Case(steady(vds_dns_seconds=0.15), steady(vds_dns_seconds=0.08)),
    "EtcdDisk": Case(fsync(5, 95), fsync(0, 100)),
    "EtcdLeader": Case(steady(etcd_server_has_leader=0), steady(etcd_server_has_leader=1)),
    "FactsOld": Case(
        steady(vds_facts_timestamp_seconds=60), {'vds_facts_timestamp_seconds{node="a"}': f"0+60x{MINUTES}"}
    ),
    "GatewayErrors": Case(traefik(0, 600, errors=60), traefik(0, 600, errors=6)),
    "GatewayLatency": Case(traefik(60, 540), traefik(3, 600)),
    "NodeConntrack": Case(
        steady(node_nf_conntrack_entries=80, node_nf_conntrack_entries_limit=100),
        steady(node_nf_conntrack_entries=70, node_nf_conntrack_entries_limit=100),
    ),
    "NodeDisk": Case(disk(9), disk(11)),
    "NodeDown": Case({'up{job="kubelet",node="a"}': f"0x{MINUTES}"}, {'up{job="kubelet",node="a"}': f"1x{MINUTES}"}),
    "NodeDrift": Case(steady(vds_node_drifted_settings=1), steady(vds_node_drifted_settings=0)),
    "NodeSoftnetDrops": Case(
        {'node_softnet_dropped_total{node="a",cpu="0"}': f"0+900x{MINUTES}"},
        {'node_softnet_dropped_total{node="a",cpu="0"}': f"0+300x{MINUTES}"},
    ),
    "NodeSteal": Case(steal(0.8), steal(0.3)),
    "PathDown": Case(path(0, 0), path(1, 0)),
    "PathMtu": Case(path(1, 0), path(1, 1)),
    "PolicyDrops": Case(dropped(120), dropped(30)),
    "TargetDown": Case(
        {'up{job="coredns",instance="x"}': f"0x{MINUTES}"}, {'up{job="coredns",instance="x"}': f"1x{MINUTES}"}
    ),
}
ALSO_QUIET = {
    # A gateway without requests has no latency, and a slow request of one in a minute is no fault of it.
    "GatewayLatency": traefik(1, 0),
    # A path that is down is not a black hole: PathDown says it.
    "PathMtu": path(0, 0),
    "FactsOld": {
        **steady(vds_facts_timestamp_seconds=60 * MINUTES),
        'up{job="node-exporter",node="a"}': f"1x{MINUTES}",
    },
}
ALSO_FIRING = {
    # A node whose timer has never run.
    "FactsOld": {'up{job="node-exporter",node="a"}': f"1x{MINUTES}"},
    "BackupOld": {"up": f"1x{MINUTES}"},
}


def unit(name: str, series: Series, firing: int) -> dict[str, Any]:
    """One test of promtool: how many alarms of a name are raised at the end."""
    asked = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {"expr": asked, "eval_time": f"{MINUTES}m", "exp_samples": [{"labels": "{}", "value": firing}]}
        ],
    }


def evaluated(folder: Path, tests: list[dict[str, Any]]) -> str:
    """What promtool finds; empty if every test passes."""
    rendered = write_json(folder, "rules.json", rules(SPEC, CONTEXT))
    document = {"rule_files": [rendered], "evaluation_interval": "1m", "tests": tests}
    done = run_promtool("test", "rules", write_json(folder, "tests.json", document), folder=folder)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_alarm_has_a_fault_and_a_quiet_case() -> None:
    assert set(CASES) == {one.name for one in alarms(SPEC, CONTEXT)}


def test_each_fault_raises_its_alarm_and_what_looks_alike_does_not(tmp_path: Path) -> None:
    tests = [unit(name, case.fault, case.firing) for name, case in CASES.items()]
    tests += [unit(name, case.quiet, 0) for name, case in CASES.items()]
    tests += [unit(name, series, 0) for name, series in ALSO_QUIET.items()]
    tests += [unit(name, series, 1) for name, series in ALSO_FIRING.items()]
    assert evaluated(tmp_path, tests) == ""


def test_these_tests_can_fail(tmp_path: Path) -> None:
    found = evaluated(tmp_path, [unit(name, case.quiet, 1) for name, case in CASES.items()])
    assert re.findall(r'alertname=\\"(\w+)', found) == list(CASES)


def test_an_alarm_is_not_raised_before_its_time(tmp_path: Path) -> None:
    test = unit("PathMtu", {**path(1, 1), 'vds_path_full_size{node="a",peer="b"}': f"1x{MINUTES - 2} 0 0"}, 0)
    assert evaluated(tmp_path, [test]) == ""


def test_annotations_name_the_node_and_its_value(tmp_path: Path) -> None:
    test = unit("NodeConntrack", CASES["NodeConntrack"].fault, 1)
    [alarm] = [one for one in alarms(SPEC, CONTEXT) if one.name == "NodeConntrack"]
    summary = "The conntrack table of a is 80 % full. A full one refuses connections."
    said = {"summary": summary, "remedy": alarm.remedy, "runbook_url": f"{GUIDE}#nodeconntrack"}
    expected = {"exp_labels": {"severity": "critical", "node": "a"}, "exp_annotations": said}
    test["alert_rule_test"] = [{"eval_time": "10m", "alertname": "NodeConntrack", "exp_alerts": [expected]}]
    assert evaluated(tmp_path, [test]) == ""


def test_the_guide_has_a_section_for_each_alarm() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / GUIDE).read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(CASES)


def test_every_expression_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    records = [{"record": "x", "expr": expression} for one in panels(CONTEXT) for expression, _ in one.series]
    assert len(records) >= 15
    file = write_json(tmp_path, "rules.json", {"groups": [{"name": "g", "rules": records}]})
    done = run_promtool("check", "rules", "--lint=none", file, folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_panels_do_not_overlap_and_have_their_own_numbers() -> None:
    made = dashboard(CONTEXT)["panels"]
    assert len({one["id"] for one in made}) == len(made)
    fields = [
        (x, y)
        for one in made
        for x in range(one["gridPos"]["x"], one["gridPos"]["x"] + one["gridPos"]["w"])
        for y in range(one["gridPos"]["y"], one["gridPos"]["y"] + one["gridPos"]["h"])
    ]
    assert len(set(fields)) == len(fields)
    assert max(x for x, _ in fields) < 24
