"""All content of the lab's registry."""

from pathlib import Path

from lab.images import charts, recipes
from lab.images.push import push
from lab.images.registry import Registry
from lab.progress import Progress
from lab.toolchain.build import Tools


def prepare(tools: Tools, progress: Progress) -> None:
    """Fetch and make, once, what images and charts need beside the tools.

    Raises:
        LabError: something could not be had.
    """
    recipes.images(tools, progress)
    charts.ensure(tools, progress)


def push_all(tools: Tools, registry_url: str, ca: Path | None, progress: Progress) -> dict[str, str]:
    """Send what the registry lacks; returns name and tag of each image and chart → the digest of its manifest.

    Raises:
        LabError: something could not be had, or the registry refused it.
    """
    with Registry(registry_url, ca) as registry:
        pushed = {image.reference: push(registry, image, progress) for image in recipes.images(tools, progress)}
        for chart in charts.ensure(tools, progress):
            pushed[chart.reference] = charts.push(tools, registry, ca, chart, progress)
    return pushed
