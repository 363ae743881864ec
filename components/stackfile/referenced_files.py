"""Files that a stack file names: read, compared, and put where they belong. What can't be read is a violation."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from components.charts.lock import FILE as CHART_LOCK
from components.charts.lock import WantedChart, folder_problems, lock_problems, read_lock
from components.core.finding import Finding
from components.core.types import RefusedError
from components.gateway.bundle import Bundle, BundleError, read_bundle
from components.gateway.model import CrdBundle
from components.nodes.known_hosts import KnownHostsError, key_for, known_hosts
from components.residency.address_registry import (
    LARGEST_BYTES,
    RegistryFile,
    read_registry,
    registry_problems,
    wanted_addresses,
)
from components.stackfile.spec import PlatformSpec


def chart_problems(wanted: Sequence[WantedChart], *, base_dir: Path) -> list[Finding]:
    """What `charts.lock.yaml` in `base_dir` says against charts; a folder's are read and compared."""

    def digest(path: str) -> str:
        with (base_dir / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    try:
        lock, problems = read_lock((base_dir / CHART_LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        lock, problems = read_lock("")
    except (OSError, ValueError) as error:
        return [Finding("charts-lock", CHART_LOCK, f"can't be read ({why_unreadable(error)})", "correct it")]
    return [*problems, *lock_problems(lock, wanted), *folder_problems(lock, wanted, digest)]


def with_host_keys(spec: PlatformSpec, base_dir: Path) -> tuple[PlatformSpec, list[Finding]]:
    """The spec with the keys of `ssh.knownHostsFile` at nodes that carry none themselves."""
    if spec.ssh.known_hosts_file is None:
        return spec, []
    name = spec.ssh.known_hosts_file
    try:
        entries = known_hosts((base_dir / name).read_text(encoding="utf-8"))
    except KnownHostsError as error:
        return spec, [Finding("stack-file", "ssh.knownHostsFile", f"{name!r}: {error.reason}", error.remedy)]
    except (OSError, ValueError) as error:
        said = f"{name!r} can't be read ({why_unreadable(error)})"
        remedy = "correct it: a path is relative to the project"
        value = name if name.isprintable() else ""
        return spec, [Finding("stack-file", "ssh.knownHostsFile", said, remedy, value=value)]
    nodes = tuple(
        node
        if node.host_key
        else node.model_copy(
            update={
                "host_key": key_for(entries, name=node.name, address=node.ssh_host, port=node.ssh_port or spec.ssh.port)
            }
        )
        for node in spec.nodes
    )
    return spec.model_copy(update={"nodes": nodes}), []


def with_bundle_version(spec: PlatformSpec, base_dir: Path) -> tuple[PlatformSpec, list[Finding]]:
    """The spec with the version of the bundle that it applies, so that its compatibility is checked."""
    if not isinstance(spec.gateway.crds, CrdBundle):
        return spec, []
    found = bundle(spec.gateway.crds, base_dir)
    if isinstance(found, Finding):
        return spec, [found]
    written = spec.gateway.bundle_version
    if written not in (None, found.version):
        said = f"{written}, and the bundle of gateway.crds is {found.version}"
        return spec, [Finding("gateway-crds", "gateway.bundleVersion", said, "remove it")]
    return spec.model_copy(update={"gateway": spec.gateway.model_copy(update={"bundle_version": found.version})}), []


def bundle(crds: CrdBundle, base_dir: Path) -> Bundle | Finding:
    """The Gateway API bundle, or what is wrong with its file."""
    try:
        content = (base_dir / crds.path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest == crds.sha256:
            return read_bundle(content.decode())
        said, remedy = f"has SHA-256 {digest}, not {crds.sha256}", "fetch it anew, or correct gateway.crds.sha256"
    except UnicodeDecodeError:
        said, remedy = "is no text", "fetch the release's file anew"
    except BundleError as error:
        said, remedy = error.reason, error.remedy
    except (OSError, ValueError) as error:
        said, remedy = f"can't be read ({why_unreadable(error)})", "correct it"
    return Finding("gateway-crds", "gateway.crds.path", f"{crds.path!r} {said}", remedy)


def registered_elsewhere(spec: PlatformSpec, base_dir: Path) -> list[Finding]:
    """Addresses that the registries' files give to another country than the stack file does."""
    if not spec.residency.address_registries:
        return []
    wanted = wanted_addresses(spec.nodes, spec.metallb, spec.residency)
    files: list[RegistryFile] = []
    problems: list[Finding] = []
    for name in spec.residency.address_registries:
        try:
            if (base_dir / name).stat().st_size > LARGEST_BYTES:
                raise RefusedError(f"is larger than {LARGEST_BYTES // 10**6} MB", "name a registry's file")
            text = (base_dir / name).read_text(encoding="utf-8")
            files.append(read_registry(text, [one.block for one in wanted]))
        except RefusedError as error:
            problems.append(_registry_file(name, error.reason, error.remedy))
        except (OSError, ValueError) as error:
            remedy = "correct it: a path is relative to the project"
            problems.append(_registry_file(name, f"can't be read ({why_unreadable(error)})", remedy))
    return problems or [*registry_problems(wanted, files, spec.residency.allowed_countries)]


def _registry_file(name: str, reason: str, remedy: str) -> Finding:
    value = name if name.isprintable() else ""
    return Finding("residency-address", "residency.addressRegistries", f"{name!r} {reason}", remedy, value=value)


def why_unreadable(error: OSError | ValueError) -> str:
    """Why a file can't be read: a ValueError is of a path with a NUL, or of bytes that are no text."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else "its path has a character that none has"
