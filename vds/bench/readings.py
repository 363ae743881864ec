"""Reads the results of the pods: the JSON of iperf3 and of the pinger."""

import json
import re
from dataclasses import dataclass
from typing import Any

from components.core.untrusted import json_value


class UnreadableError(Exception):
    """A pod left no result; the text has what it left instead."""


@dataclass(frozen=True)
class Throughput:
    """One TCP stream, as the receiver counted it."""

    gbps: float
    """10⁹ bits a second of payload."""
    retransmits: int
    rtt_mean_ms: float | None
    """The kernel's smoothed round-trip time of the loaded stream, not of a quiet network. None: not reported."""
    rtt_max_ms: float | None
    sender_cpu_percent: float
    """Of one core; near 100 the sender is the limit and not the network."""


@dataclass(frozen=True)
class Loss:
    """UDP at a bounded rate."""

    percent: float
    lost: int
    packets: int
    mbps: float
    """What was really sent, 10⁶ bits a second."""
    jitter_ms: float


@dataclass(frozen=True)
class Latency:
    """Round trips of a small TCP request and its answer, one at a time, with nothing else from us on the network."""

    round_trips: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def throughput(message: str) -> Throughput:
    """Raises UnreadableError."""
    end = _iperf_end(message)
    try:
        sender = (end.get("streams") or [{}])[0].get("sender") or {}
        return Throughput(
            gbps=end["sum_received"]["bits_per_second"] / 1e9,
            retransmits=int(end["sum_sent"].get("retransmits", 0)),
            rtt_mean_ms=_milliseconds(sender.get("mean_rtt")),
            rtt_max_ms=_milliseconds(sender.get("max_rtt")),
            sender_cpu_percent=float(end["cpu_utilization_percent"]["host_total"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableError(f"iperf3's result has no {error}: is it a TCP test of iperf3 3.1 or newer?") from None


def loss(message: str) -> Loss:
    """Raises UnreadableError."""
    end = _iperf_end(message)
    try:
        total = end["sum"]
        packets, lost = int(total["packets"]), int(total["lost_packets"])
        return Loss(
            percent=100 * lost / packets if packets else 100.0,
            lost=lost,
            packets=packets,
            mbps=float(total["bits_per_second"]) / 1e6,
            jitter_ms=float(total["jitter_ms"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableError(f"iperf3's result has no {error}: is it a UDP test of iperf3 3.1 or newer?") from None


def latency(message: str) -> Latency:
    """Raises UnreadableError."""
    result = _object(message)
    if "error" in result:
        raise UnreadableError(str(result["error"]))
    try:
        return Latency(int(result["round_trips"]), *(float(result[key]) for key in ("p50_ms", "p99_ms", "max_ms")))
    except (KeyError, TypeError, ValueError):
        raise UnreadableError(f"the pinger left {message[:200]!r}") from None


def _iperf_end(message: str) -> dict[str, Any]:
    """The summary. A kubelet keeps a message's last 4096 bytes: where the beginning is lost, the end is enough."""
    try:
        result = _object(message)
    except UnreadableError:
        found = re.search(r'"end":\s*(?=\{)', message)  # an interval's `end` is a number
        if not found:
            raise
        try:
            result = {"end": json.JSONDecoder().raw_decode(message[found.end() :])[0]}
        except ValueError:
            raise UnreadableError(f"iperf3's result was cut off: it ends with {message[-100:]!r}") from None
    if result.get("error"):
        raise UnreadableError(str(result["error"]))
    end = result.get("end")
    if not isinstance(end, dict) or not end:
        raise UnreadableError("iperf3's result has no summary: it was ended before its time")
    return end


def _object(message: str) -> dict[str, Any]:
    if not message.strip():
        raise UnreadableError("it left no result")
    try:
        result = json_value(message)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        raise UnreadableError(f"what it left is no JSON object: {message.strip()[-300:]}")
    return result


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
