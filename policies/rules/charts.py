"""Policies of charts: what a Helm Release makes is known before it is made."""

from collections.abc import Iterator

from components.charts.reference import chart_name
from components.core.finding import Finding
from components.residency.rules import UNDECIDED
from policies.policy import HIGH, PLATFORM, Object, Settings, Stack, policy
from policies.releases import RELEASE, inside_of, is_chart


@policy(
    id="charts-rendered",
    title="Every chart can be rendered, so that the policies see the objects that it makes.",
    severity=HIGH,
    framework=PLATFORM,
    reference="docs/adr/0015-charts-are-rendered-by-helm.md",
    why="A Release is one resource with values. Its Services, pods and images are known only after Helm has rendered "
    "it, and no other policy can judge them where that is not possible.",
    remedy="Run the command in the message, or write the value that it names.",
    kinds=(RELEASE,),
    patches=False,
)
def rendered(release: Object, _: Settings) -> Iterator[Finding]:
    found = inside_of(release.resource)
    if found.problem:
        subject = f"Release {release.resource.name} of chart {_chart(release)}"
        message = found.problem if found.decided else f"{UNDECIDED}: {found.problem}"
        yield Finding("", subject, message, found.remedy, decided=found.decided, urn=release.urn)


@policy(
    id="charts-shown",
    title="Every Chart shows its objects, so that the policies see them.",
    severity=HIGH,
    framework=PLATFORM,
    reference="docs/adr/0015-charts-are-rendered-by-helm.md",
    why="The objects of a Chart are resources of the program. While one of its inputs, or the cluster, is not known, "
    "the Kubernetes provider makes none of them, and no policy can judge what is not shown.",
    remedy="Write its values as plain values and preview when the cluster is there, or use a Release, whose chart is "
    "rendered.",
)
def shown(stack: Stack, _: Settings) -> Iterator[Finding]:
    resources = [*stack.resources, *stack.unread]
    parents = {resource.parent.urn for resource in resources if resource.parent}
    for resource in resources:
        if is_chart(resource) and resource.urn not in parents:
            message = "none of its objects is shown, so nothing that it makes was judged"
            remedy = "write its values as plain values and preview when the cluster is there, or use a Release"
            yield Finding("", f"Chart {resource.name}", message, remedy, urn=resource.urn)


def _chart(release: Object) -> str:
    written = release.raw.get("chart") if "chart" in release else ""
    return chart_name(written) if isinstance(written, str) and written else "?"
