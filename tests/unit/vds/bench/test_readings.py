"""What real iperf3 printed (3.12, loopback, two seconds each), and what a kubelet may leave of it."""

import json

import pytest

from tests.support.bench_api import REFUSED, TCP, TRIPS, UDP
from vds.bench.readings import UnreadableError, latency, loss, throughput


def test_throughput_is_what_the_receiver_counted():
    reading = throughput(TCP)
    assert reading.gbps == pytest.approx(17.072, abs=0.001)
    assert reading.retransmits == 16
    assert (reading.rtt_mean_ms, reading.rtt_max_ms) == (0.078, 0.078)
    assert reading.sender_cpu_percent == pytest.approx(80.58, abs=0.01)


def test_loss_is_counted_in_packets():
    reading = loss(UDP)
    assert (reading.lost, reading.packets, reading.percent) == (0, 763, 0.0)
    assert reading.mbps == pytest.approx(100, abs=0.1)
    lossy = json.loads(UDP)
    lossy["end"]["sum"] |= {"lost_packets": 9, "packets": 750}
    assert loss(json.dumps(lossy)).percent == pytest.approx(1.2)


def test_no_packet_at_all_is_not_a_path_without_loss():
    silent = json.loads(UDP)
    silent["end"]["sum"] |= {"lost_packets": 0, "packets": 0}
    assert loss(json.dumps(silent)).percent == 100


def test_latency_is_the_pingers():
    assert latency(TRIPS).p99_ms == 0.9


def test_a_recorded_result_fits_a_termination_message():
    assert max(len(TCP), len(UDP)) < 4096


@pytest.mark.parametrize("text", [TCP, UDP])
def test_the_last_part_of_a_result_is_enough(text):
    read = throughput if text == TCP else loss
    assert read(text[200:]) == read(text)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (REFUSED, "unable to connect to server: Connection refused"),
        ("", "left no result"),
        (TCP[:900], "no JSON object"),
        (TCP[: TCP.index('"sum_received"')], "cut off"),
        ("iperf3: not found", "iperf3: not found"),
        ('{"start": {}, "end": {}}', "before its time"),
        ('{"end": {"streams": [], "sum_sent": {}}}', "sum_received"),
    ],
)
def test_what_is_no_result_says_why(message, says):
    with pytest.raises(UnreadableError, match=says):
        throughput(message)


@pytest.mark.parametrize("message", ["[]", "{}", '{"round_trips": "many"}', '{"error": "timed out"}'])
def test_a_pinger_that_failed_is_no_latency(message):
    with pytest.raises(UnreadableError):
        latency(message)


def test_a_tcp_result_is_no_loss():
    with pytest.raises(UnreadableError, match="UDP test"):
        loss(TCP)
