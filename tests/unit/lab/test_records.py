"""What is written down of a node's pods can be read at any moment, and does not outlive the node."""

from __future__ import annotations

import threading
from pathlib import Path

from lab.node import records


def test_a_record_is_never_read_half_written(tmp_path: Path) -> None:
    (tmp_path / "pods" / "u1").mkdir(parents=True)
    pod = {"name": "p" * 100_000}
    records.write(tmp_path, "u1", pod)
    done = threading.Event()

    def write_again_and_again() -> None:
        while not done.is_set():
            records.write(tmp_path, "u1", pod)

    writer = threading.Thread(target=write_again_and_again)
    writer.start()
    try:
        assert all(records.read(tmp_path) == {"u1": pod} for _ in range(200))
    finally:
        done.set()
        writer.join()


def test_a_pod_that_ended_is_forgotten_and_twice_is_fine(tmp_path: Path) -> None:
    (tmp_path / "pods" / "u1").mkdir(parents=True)
    records.write(tmp_path, "u1", {"name": "p"})
    records.forget(tmp_path, "u1")
    records.forget(tmp_path, "u1")
    assert records.read(tmp_path) == {}


def test_a_node_that_starts_again_knows_no_pods_of_before(tmp_path: Path) -> None:
    (tmp_path / "pods" / "u1").mkdir(parents=True)
    records.write(tmp_path, "u1", {"name": "p"})
    records.forget_all(tmp_path)
    assert records.read(tmp_path) == {}
