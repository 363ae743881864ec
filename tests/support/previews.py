"""Previews as the engine wrote them, and more of the same kind.

`tests/golden/events` holds event logs of engine 3.259 on this program, made with `--event-log` from the lab's stack
file. Taken out of them: debug messages, outputs, and the middle of values that are longer than 200 characters.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.golden import FILES
from vds.preview_comment.events import Preview, read
from vds.preview_comment.report import Preflight, StackReport
from vds.preview_comment.residency import of_changes

EVENTS = FILES.parent / "events"


def log(name: str) -> list[str]:
    """The lines of a recorded event log."""
    return (EVENTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()


def recorded(name: str) -> Preview:
    return read(log(name))


def report(preview: Preview, *, stack: str = "lab", preflight: Preflight | None = None) -> StackReport:
    """What the command would render of a preview."""
    return StackReport(
        stack, (f"Pulumi.{stack}.yaml",), preview, residency=of_changes(preview.changes), preflight=preflight
    )


def many_tenants(count: int, cpu_of: Callable[[int], int], *, op: str = "update") -> list[str]:
    """An event log in which every one of `count` tenants gets another CPU quota, or (`create`) is new."""
    lines = log("no-change")
    steps = [json.loads(line) for line in lines]
    tenants = [
        step for step in steps if "index:Tenant" in step.get("resourcePreEvent", {}).get("metadata", {}).get("urn", "")
    ]
    others = [line for line, step in zip(lines, steps, strict=True) if step not in tenants]
    made = [line for number in range(count) for line in _tenant(tenants, number, cpu_of(number), op)]
    return [*others[:-1], *made, others[-1]]


def _tenant(steps: list[dict[str, Any]], number: int, cpu: int, op: str) -> Iterator[str]:
    name = f"agency-{number:03}"
    for step in steps:
        copy = json.loads(json.dumps(step).replace("butikk", name))
        metadata = copy["resourcePreEvent"]["metadata"]
        if op == "create":
            metadata |= {"op": "create", "old": None}
        elif metadata["type"].endswith(":ResourceQuota"):
            metadata |= {"op": "update", "diffs": ["spec"]}
            metadata["detailedDiff"] = {'spec.hard["requests.cpu"]': {"diffKind": "update", "inputDiff": True}}
            metadata["new"]["inputs"]["spec"]["hard"]["requests.cpu"] = str(cpu)
        yield json.dumps(copy)
