"""What the lab takes of the machine: memory, disk and processor time; and how a measurement is printed."""

import os
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path


def available_mib() -> int:
    """Memory that programs could still have; what the kernel only keeps of files counts as free."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:"))


def disk_mib(folder: Path) -> int:
    """What a folder's files take on the disk, each counted once; 0 where there is none."""
    if not folder.exists():
        return 0
    # Exit 1 is a file that went away meanwhile: containerd's are many.
    done = subprocess.run(["du", "-sx", "--block-size=1M", folder], capture_output=True, text=True)
    return int(done.stdout.split()[0])


def busy_seconds() -> float:
    """Seconds that all cores together have worked since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, _cpu_line().split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _cpu_line() -> str:
    return Path("/proc/stat").read_text().splitlines()[0]


def print_line(what: str, values: Sequence[float], unit: str) -> None:
    """One line: the median and the range."""
    print(f"{what:42} {statistics.median(values):8.1f} {unit:4} ({min(values):.1f} to {max(values):.1f})")
