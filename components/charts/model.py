"""The stack file's `charts`: a mirror for closed networks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.core.model import Spec


def _folder(value: str) -> str:
    if not value.strip() or "://" in value:
        raise ValueError("write a folder's path, relative to the project, as in 'mirror/charts'")
    return value.rstrip("/") or value


class OciMirror(Spec):
    """A registry with every chart under one path, tagged with its version, as `helm push` writes it."""

    kind: Literal["oci"]
    registry: Annotated[str, Field(pattern=r"^oci://[^\s@?#]+$")]
    """For example `oci://registry.example.no/charts`; the chart's name is added. Log in with Helm."""


class FolderMirror(Spec):
    """A folder of chart archives named `<name>-<version>.tgz`, as `helm pull` writes them."""

    kind: Literal["folder"]
    path: Annotated[str, AfterValidator(_folder)]
    """Relative to the project, so it is the same on every operator's machine."""


Mirror = Annotated[OciMirror | FolderMirror, Field(discriminator="kind")]


class ChartsSpec(Spec):
    """The stack file's `charts`."""

    mirror: Mirror | None = None
    """Source of every chart. Default: each `install.repository`, which is the project's own."""
