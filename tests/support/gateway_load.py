"""Requests to the lab's gateway from outside, for as long as a test changes something."""

import datetime
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab.asking import Facts, ask, from_host
from lab.layout import CLIENT

_SECONDS = 10  # of one start of the client


@contextmanager
def load(asked: Facts) -> Iterator[Counter[str]]:
    """Requests one after the other, for as long as the block takes; what became of them: `answered`, or the failure.

    Prints when requests failed.
    """
    found: Counter[str] = Counter()
    ended = threading.Event()

    def send() -> None:  # what it raises fails the test: requests that were not counted are not answered
        while not ended.is_set():
            [said] = ask(from_host(CLIENT), [asked | {"ask": "load", "seconds": _SECONDS}])
            found.update(answered=said["answered"], **said["failures"])
            if said["failures"]:
                print(f"until {datetime.datetime.now():%T}: {said['failures']}")

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            yield found
        finally:
            ended.set()
        sending.result()
