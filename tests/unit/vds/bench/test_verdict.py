"""Measurements beside the published table."""

import pytest

from vds.bench.readings import Latency, Loss, Throughput
from vds.bench.verdict import PUBLISHED, Measured, document_of, rows

THROUGHPUT = Throughput(gbps=4.2, retransmits=3, rtt_mean_ms=0.4, rtt_max_ms=1.1, sender_cpu_percent=97)
LATENCY = Latency(round_trips=8000, p50_ms=0.2, p99_ms=0.9, max_ms=14)
LOSS = Loss(percent=0.01, lost=9, packets=86000, mbps=100, jitter_ms=0.02)


@pytest.mark.parametrize(
    ("item", "value", "comparison"),
    [
        ("throughput", 9.2, "like dedicated"),
        ("throughput", 25.0, "like dedicated"),
        ("throughput", 0.94, "between"),
        ("throughput", 0.84, "like shared"),  # 0.8 in the table's own digits
        ("throughput", 0.1, "like shared"),
        ("latency p99", 12.4, "like dedicated"),
        ("latency p99", 13, "between"),
        ("latency p99", 145, "like shared"),
        ("latency p99", 900, "like shared"),
        ("loss", 0.04, "like dedicated"),
        ("loss", 0.06, "between"),
        ("loss", 1.2, "like shared"),
        ("loss", 100.0, "like shared"),
    ],
)
def test_each_value_is_compared_with_the_table(item, value, comparison):
    [published] = [row for row in PUBLISHED if row.item == item]
    assert published.compare(value) == comparison


def test_better_than_a_shared_vps_in_all_is_good():
    found = rows(Measured(THROUGHPUT, LATENCY, LOSS))
    assert [row.comparison for row in found] == ["between", "like dedicated", "like dedicated"]
    assert document_of(found, Measured(THROUGHPUT, LATENCY, LOSS))["ok"]


def test_what_was_not_measured_is_not_good_and_says_why():
    measured = Measured(THROUGHPUT, "the image needs python3", LOSS)
    found = rows(measured)
    assert [row.good for row in found] == [True, False, True]
    document = document_of(found, measured)
    assert not document["ok"]
    assert document["rows"][1]["measured"] is None
    assert document["details"]["latency"] == {"not_measured": "the image needs python3"}


def test_a_sender_that_is_the_limit_is_seen():
    [stream, *_] = rows(Measured(THROUGHPUT, LATENCY, LOSS))
    assert stream.note == "1 TCP stream, 3 retransmits, sender's CPU 97 %, RTT under load 0.4 ms, max 1.1"
