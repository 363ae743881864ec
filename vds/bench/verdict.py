"""Compares measurements with published values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from vds.bench.readings import Latency, Loss, Throughput

Comparison = Literal["like dedicated", "between", "like shared", "not measured"]

SOURCE = (
    "published: 'Surviving the Packet Storm: A Kubernetes Networking Deep Dive for Nordic Ops' (CoolVDS), "
    "iperf3 between two pods on different nodes"
)
CAVEAT = (
    "the article does not say how it took its p99, and iperf3 reports none: ours is of single 64-byte requests over "
    "TCP on a path without other load of ours"
)


@dataclass(frozen=True)
class Published:
    """One row of the article's table."""

    item: str
    unit: str
    shared: float
    """On a standard shared VPS."""
    dedicated: float
    """On a VDS with dedicated cores."""
    digits: int
    """Decimals that the table gives: ours is compared as it would be printed there."""

    def compare(self, value: float) -> Comparison:
        """Which published value it reaches."""
        sign = 1 if self.dedicated > self.shared else -1
        shown = sign * round(value, self.digits)
        if shown >= sign * self.dedicated:
            return "like dedicated"
        return "like shared" if shown <= sign * self.shared else "between"


PUBLISHED = (
    Published("throughput", "Gbps", shared=0.8, dedicated=9.2, digits=1),
    Published("latency p99", "ms", shared=145, dedicated=12, digits=0),
    Published("loss", "%", shared=1.2, dedicated=0.0, digits=1),
)


@dataclass(frozen=True)
class Measured:
    """The measurements. A text says why there is none."""

    throughput: Throughput | str
    latency: Latency | str
    loss: Loss | str


@dataclass(frozen=True)
class Row:
    """One measurement and its published value."""

    published: Published
    value: float | None
    comparison: Comparison
    note: str

    @property
    def good(self) -> bool:
        """Whether it was measured and is better than the article's value of a shared VPS."""
        return self.comparison in ("like dedicated", "between")


def rows(measured: Measured) -> tuple[Row, ...]:
    """In the order of the published table."""
    return tuple(_row(published, *found) for published, found in zip(PUBLISHED, _found(measured), strict=True))


def document_of(rows: Sequence[Row], measured: Measured) -> Mapping[str, Any]:
    """The result as JSON."""
    return {
        "ok": all(row.good for row in rows),
        "rows": [
            {
                "item": row.published.item,
                "unit": row.published.unit,
                "measured": row.value,
                "shared": row.published.shared,
                "dedicated": row.published.dedicated,
                "comparison": row.comparison,
                "note": row.note,
            }
            for row in rows
        ],
        "details": {
            name: {"not_measured": value} if isinstance(value, str) else asdict(value)
            for name, value in vars(measured).items()
        },
        "source": SOURCE,
        "caveat": CAVEAT,
    }


def _row(published: Published, value: float | None, note: str) -> Row:
    return Row(published, value, "not measured" if value is None else published.compare(value), note)


def _found(measured: Measured) -> tuple[tuple[float | None, str], ...]:
    throughput, latency, loss = measured.throughput, measured.latency, measured.loss
    return (
        (None, throughput) if isinstance(throughput, str) else (throughput.gbps, _of_stream(throughput)),
        (None, latency)
        if isinstance(latency, str)
        else (latency.p99_ms, f"{latency.round_trips} round trips, p50 {latency.p50_ms:.3g}, max {latency.max_ms:.3g}"),
        (None, loss)
        if isinstance(loss, str)
        else (loss.percent, f"{loss.lost} of {loss.packets} UDP packets at {loss.mbps:.4g} Mbps"),
    )


def _of_stream(stream: Throughput) -> str:
    parts = [f"1 TCP stream, {stream.retransmits} retransmits", f"sender's CPU {stream.sender_cpu_percent:.0f} %"]
    if stream.rtt_mean_ms is not None and stream.rtt_max_ms is not None:
        parts.append(f"RTT under load {stream.rtt_mean_ms:.3g} ms, max {stream.rtt_max_ms:.3g}")
    return ", ".join(parts)
