"""Cyclonus: tests NetworkPolicy with connections between nine pods, and compares the results with a model."""

import re
from xml.etree import ElementTree

from lab.conformance.suite import Counts, Result, Run, Suite

# A case takes half a minute on two cores, and there are more than two hundred. These tags select Kubernetes' own
# end-to-end cases, and one case of each other kind.
_INCLUDED = ("upstream-e2e", "deny-all", "allow-all", "update-policy", "set-namespace-labels", "set-pod-labels")

# Before each case it sets every pod's labels, by an update that fails where somebody else has written the pod since it
# was read, and it tries no second time. The kubelet of Kubernetes 1.36 writes each pod's status once more, 60 to 90
# seconds after the pod's start: then it first reads the limits of the pod's cgroup, and cgroup v1 has a number where
# there is none. Started again, cyclonus uses the pods that it has made, and the kubelet writes nothing more.
_CONFLICT = re.compile(r"Operation cannot be fulfilled on pods [^:]+: the object has been modified")


def _arguments(run: Run) -> list[str]:
    return [
        "generate",
        f"--include={','.join(_INCLUDED)}",
        "--exclude=example",  # otherwise its default list, which lacks the end-to-end cases
        "--server-protocol=TCP,UDP",  # Cilium's SCTP is off by default, and not every kernel has SCTP
        # By address, because with egress denied a name lookup takes a minute before the probe fails.
        "--destination-type=service-ip",
        "--ignore-loopback",  # of a pod with itself, which no policy can deny; its model denies that
        # Cilium waits up to 30 seconds before a policy follows a pod's changed labels (identity-max-jitter), and a
        # probe is made anew only where its result is not as the model says.
        "--retries=7",
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
    minutes=45,
    namespaces=r"x|y|z|y-2",  # fixed names; they are part of its cases
    arguments=_arguments,
    read=_read,
    again=_CONFLICT,
)
