"""Cyclonus: tests NetworkPolicy with connections between nine pods, and compares the results with a model."""

from __future__ import annotations

from xml.etree import ElementTree

from lab.conformance.suite import Counts, Result, Run, Suite

# A case takes half a minute on two cores, and there are more than two hundred. These tags select Kubernetes' own
# end-to-end cases, and one case of each other kind.
_INCLUDED = ("upstream-e2e", "deny-all", "allow-all", "update-policy", "set-namespace-labels", "set-pod-labels")


def _arguments(run: Run) -> list[str]:
    return [
        "generate",
        f"--include={','.join(_INCLUDED)}",
        "--exclude=example",  # otherwise its default list, which lacks the end-to-end cases
        "--server-protocol=TCP,UDP",  # Cilium's SCTP is off by default, and not every kernel has SCTP
        # By address, because with egress denied a name lookup takes a minute before the probe fails.
        "--destination-type=service-ip",
        "--job-timeout-seconds=2",
        "--pod-creation-timeout-seconds=180",
        f"--junit-results-file={run.report}",
    ]


def _read(text: str) -> Result:
    root = ElementTree.fromstring(text)  # noqa: S314 (written a moment ago by a program that the lab has built)
    cases = {str(case.get("name")): case.find("failure") is None for case in root.iter("testcase")}
    failed = frozenset(name for name, passed in cases.items() if not passed)
    return Result({"cases": Counts(len(cases) - len(failed), len(failed))}, failed)


SUITE = Suite(
    name="network-policy",
    tool="cyclonus",
    report="network-policy.xml",
    minutes=40,
    namespaces=r"x|y|z|y-2",  # fixed names; they are part of its cases
    arguments=_arguments,
    read=_read,
)
