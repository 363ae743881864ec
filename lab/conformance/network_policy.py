"""Cyclonus: NetworkPolicy as Kubernetes defines it, probed between nine pods and compared with a model of it."""

from __future__ import annotations

from xml.etree import ElementTree

from lab.conformance.suite import Counts, Result, Run, Suite

# A case takes half a minute on two cores, and there are more than two hundred. These tags take in Kubernetes' own
# end-to-end cases and one case of each kind that they lack.
_INCLUDED = ("upstream-e2e", "deny-all", "allow-all", "update-policy", "set-namespace-labels", "set-pod-labels")


def _arguments(run: Run) -> list[str]:
    return [
        "generate",
        f"--include={','.join(_INCLUDED)}",
        "--exclude=example",  # else its own list, which leaves out the end-to-end cases
        "--server-protocol=TCP,UDP",  # Cilium's SCTP is off by default, and not every kernel has SCTP
        # Not by name: where egress is denied, a name is looked up for a minute before its probe may fail.
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
    namespaces=r"x|y|z|y-2",  # its own names; they are part of its cases
    arguments=_arguments,
    read=_read,
)
