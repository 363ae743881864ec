"""Policies of a stack as a whole: what can be judged, and what holds data."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from components.core.finding import Finding
from policies.policy import GDPR, HIGH, LOW, PLATFORM, Settings, Stack, policy


@policy(
    id="stack-judged",
    title="Every object can be judged before it is made.",
    severity=LOW,
    framework=PLATFORM,
    reference="what a policy can see",
    why="In a preview of a cluster that does not exist yet, nothing has properties. Objects are then judged by their "
    "inputs. An object whose inputs were not shown either is named here, so that it does not seem to have passed.",
    remedy="Preview again when the cluster is there; the update itself judges everything.",
    mandatory=False,
)
def judged(stack: Stack, _: Settings) -> Iterator[Finding]:
    for resource in stack.unread:
        yield Finding(
            "",
            f"{resource.resource_type} {resource.name}",
            "is not judged yet: its provider is not configured, and the engine shows nothing of it",
            "preview again when the cluster is there",
            urn=resource.urn,
        )


class ProtectedSettings(Settings):
    resources: tuple[str, ...] = (
        "kubernetes:core/v1:PersistentVolume",
        "kubernetes:core/v1:PersistentVolumeClaim",
    )
    """Types, or type::name, of what must be protected; * matches anything."""


@policy(
    id="stack-protected",
    title="What holds data is protected.",
    severity=HIGH,
    framework=GDPR,
    reference="art. 32(1)(b)",
    why="A renamed resource is a deleted one, and a deleted volume is lost data.",
    remedy="Set protect in the resource's options.",
)
def protected(stack: Stack, settings: ProtectedSettings) -> Iterator[Finding]:
    for resource in stack.resources:
        names = (resource.resource_type, f"{resource.resource_type}::{resource.name}")
        matches = any(fnmatchcase(name, pattern) for name in names for pattern in settings.resources)
        if matches and not resource.opts.protect:
            yield Finding(
                "",
                f"{resource.resource_type} {resource.name}",
                "is not protected, and deleting it deletes data",
                "set protect in its resource options",
                urn=resource.urn,
            )
