"""Packages, images, charts and CRDs that the site serves, made from source, and a record of them."""

import json
from pathlib import Path

from lab import fabric, images, packages
from lab.layout import OPERATOR, SITE, Layout
from lab.machines import host
from lab.progress import Progress
from lab.services import certificates, start
from lab.toolchain.build import Tools


def ensure(layout: Layout, tools: Tools, progress: Progress) -> None:
    """Make what is missing, serve it, and write down versions and digests for the stack file."""
    certificates.ensure(layout)
    images.prepare(tools, progress)
    repository = packages.build(tools, progress, restrict_oom=host.lacks_sys_resource())
    start.ensure(layout, tools, repository.folder)
    registry = f"https://{SITE.address}"
    with fabric.inside(OPERATOR):
        digests = images.push_all(tools, registry, layout.authority, progress)
    _write(layout.gateway_crds, gateway_crds(tools.module_dir("gateway-api")))
    made = {
        "signingKey": {"fingerprint": repository.fingerprint, "armoured": repository.armoured_key},
        "revision": repository.versions.revision,
        "criTools": repository.versions.cri_tools,
        "kubernetesCni": repository.versions.kubernetes_cni,
        "containerd": repository.versions.containerd,
        "images": {name.rpartition(":")[0]: digest for name, digest in digests.items() if name[:7] != "charts/"},
    }
    if earlier := tools.earlier():
        made |= {"kubernetes": earlier.version("kubeadm"), "cilium": earlier.version("cilium-agent")}
    _write(layout.supplies, json.dumps(made, indent=1, sort_keys=True))


def gateway_crds(module: Path) -> str:
    """The standard channel's CRDs in one file, as the release's `standard-install.yaml` has them."""
    files = sorted((module / "config" / "crd" / "standard").glob("*.yaml"))
    return "\n---\n".join(file.read_text().strip() for file in files) + "\n"


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text)
    draft.replace(path)
