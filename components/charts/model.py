"""The stack file's `charts`: a mirror for networks from which no public repository can be reached."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.core.model import Spec


def _folder(value: str) -> str:
    if not value.strip() or "://" in value:
        raise ValueError("write a folder's path, relative to the project, as in 'mirror/charts'")
    return value.rstrip("/") or value


class OciMirror(Spec):
    """A registry that holds every chart under one path, tagged by its version, as `helm push` puts it there."""

    kind: Literal["oci"]
    registry: Annotated[str, Field(pattern=r"^oci://[^\s@?#]+$")]
    """As in `oci://registry.example.no/charts`: a chart's name is added. Credentials are Helm's business."""


class FolderMirror(Spec):
    """A folder of packed charts, `<name>-<version>.tgz` each, as `helm pull` and `helm package` name them."""

    kind: Literal["folder"]
    path: Annotated[str, AfterValidator(_folder)]
    """Relative to the project: the state holds it as written, so that every operator's machine agrees."""


Mirror = Annotated[OciMirror | FolderMirror, Field(discriminator="kind")]


class ChartsSpec(Spec):
    """The stack file's `charts`."""

    mirror: Mirror | None = None
    """Every chart comes from there; left out: from each `install.repository`, the projects' own by default."""
