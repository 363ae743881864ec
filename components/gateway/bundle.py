"""A release of Gateway API's CRDs as its project publishes it: one file, read and judged."""

from functools import lru_cache
from typing import NamedTuple

from components.core.labels import PATCH_FORCE
from components.core.manifests import Manifest
from components.core.types import RefusedError
from components.core.untrusted import YamlError, yaml_documents
from components.core.versions import parse

VERSION = "gateway.networking.k8s.io/bundle-version"
CHANNEL = "gateway.networking.k8s.io/channel"
GROUPS = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")
"""Of standard and experimental kinds; a bundle of anything else is another file."""

_CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_GUARDS = {
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
}  # since 1.5: no downgrade, no experimental over standard


class BundleError(RefusedError):
    """The file is no bundle that can be applied: why, and what to do."""


class Bundle(NamedTuple):
    """Gateway API's CRDs of one release and channel."""

    version: str
    """As in `1.6.1`."""
    channel: str
    """`standard` or `experimental`."""
    crds: tuple[Manifest, ...]
    """Sorted by name."""
    guards: tuple[Manifest, ...]
    """The bundle's own admission policy and its binding; none before 1.5."""


@lru_cache(maxsize=4)
def read_bundle(text: str) -> Bundle:
    """The bundle in a file's text. Raises BundleError.

    Without `status`, which published files carry and only the API server may write.
    """
    try:
        documents = [item for item in yaml_documents(text) if item is not None]
        kinds = [(str(item["apiVersion"]), str(item["kind"])) for item in documents]
        found = list(zip(kinds, map(_clean, documents), strict=True))
        crds = [item for kind, item in found if kind == _CRD]
        guards = [item for kind, item in found if kind in _GUARDS]
        others = [kind for kind in kinds if kind != _CRD and kind not in _GUARDS]
        foreign = [item["metadata"]["name"] for item in crds if item["spec"]["group"] not in GROUPS]
        marks = {(mark(item, VERSION), mark(item, CHANNEL)) for item in crds}  # 1.5.1's policy says v1.5.0-dev
    except (YamlError, KeyError, TypeError, AttributeError):
        raise BundleError("is not a YAML file of Kubernetes objects", "download the release's file again") from None
    if not crds:
        raise BundleError("has no CustomResourceDefinition", "write the path of the release's standard-install.yaml")
    if others or foreign:
        what = ", ".join([*(kind for _, kind in others), *foreign])
        raise BundleError(f"has objects besides Gateway API's CRDs and their admission policy ({what})", "remove them")
    if len(marks) > 1:
        said = ", ".join(sorted(f"{version or 'none'} {channel or 'none'}" for version, channel in marks))
        raise BundleError(f"has several releases or channels ({said})", "use one release's file as it is")
    [(version, channel)] = marks
    return Bundle(_release(version), _channel(channel), _sorted(crds), _sorted(guards))


def taken_over(item: Manifest) -> Manifest:
    """The object, written over one that an earlier life of the stack left behind: they stay when a stack goes, with
    their fields in the name of who wrote them, and another writer is refused them otherwise."""
    metadata = item["metadata"]
    return {
        **item,
        "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), PATCH_FORCE: "true"}},
    }


def mark(item: Manifest, name: str) -> str:
    """An annotation of an object, live or new; empty if it has none."""
    return str((item["metadata"].get("annotations") or {}).get(name) or "")


def _release(text: str) -> str:
    try:
        if len(parse(text).release) == 3 and "-" not in text:
            return text.removeprefix("v")
    except ValueError:
        pass
    raise BundleError(f"its {VERSION} is '{text}'", "use a release, not a candidate")


def _channel(text: str) -> str:
    if text not in ("standard", "experimental"):
        raise BundleError(f"its {CHANNEL} is '{text}'", "use a file of the standard or the experimental channel")
    return text


def _clean(item: Manifest) -> Manifest:
    metadata = {key: value for key, value in item["metadata"].items() if value is not None}
    return {key: metadata if key == "metadata" else value for key, value in item.items() if key != "status"}


def _sorted(items: list[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sorted(items, key=lambda item: (item["kind"], item["metadata"]["name"])))
