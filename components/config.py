"""The stack file: its root model, the checks between its parts, and the only reader of Pulumi's configuration."""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pulumi
from pydantic import Field, ValidationError, create_model

from components.base import EnvironmentName, Spec, Violation, version_tuple
from components.charts.lock import FILE as CHART_LOCK
from components.charts.lock import WantedChart, folder_problems, lock_problems, read_lock
from components.charts.model import ChartsSpec
from components.cluster.credentials import BY_KIND, Credentials, credential_problems, secret_names
from components.cluster.model import Bootstrap, Cluster, Kubeadm
from components.cluster.rules import cluster_problems
from components.cni.advice import cni_advice
from components.cni.kube_proxy import kube_proxy_advice
from components.cni.lattice import untested
from components.cni.lattice_table import Combination
from components.cni.model import Cilium, Cni, NetworkSpec
from components.cni.needs import foreign_sources, same_segment, tcp_ports, udp_ports
from components.cni.rules import cni_problems, kernel_floor, network_problems
from components.cni.unmanaged_rules import policy_problems
from components.cni.upgrades import upgrade_problems
from components.compatibility import compatibility_problems, together
from components.gateway.bundle import Bundle, BundleError, read_bundle
from components.gateway.controllers import controller_problems
from components.gateway.model import CrdBundle, GatewaySpec
from components.gateway.rules import gateway_problems
from components.installs import from_mirror, mirror_problems, wanted_charts
from components.metallb.by_cilium import announcements
from components.metallb.model import Helm as MetalLbHelm
from components.metallb.model import MetalLbSpec
from components.metallb.ownership import ownership_problems
from components.metallb.rules import metallb_problems
from components.names import PROJECT
from components.nodes import facts
from components.nodes.facts import Survey
from components.nodes.known_hosts import host_keys, key_for
from components.nodes.model import Demands, NodeSpec, PortNeed, PreflightSpec, SshSpec
from components.nodes.rules import fleet_problems, node_problems
from components.problems import violations
from components.processing.model import Processing
from components.processing.rules import processing_problems
from components.residency.model import Residency, StateStore
from components.residency.rules import residency_problems
from components.residency.store import state_store
from components.tenancy.model import TenantSpec
from components.tenancy.rules import tenancy_problems

KUBELET = (10250, "the kubelet")  # logs, exec and metrics go through it on every node


class PlatformSpec(Spec):
    """Everything about one environment that is not a secret."""

    environment: EnvironmentName
    """Its name; also the cluster's name to its peers, for which Cilium takes 32 characters."""
    residency: Residency
    ssh: SshSpec = SshSpec()
    cluster: Cluster
    network: NetworkSpec
    nodes: tuple[NodeSpec, ...] = Field(min_length=1)
    preflight: PreflightSpec = PreflightSpec()
    cni: Cni
    metallb: MetalLbSpec
    gateway: GatewaySpec
    charts: ChartsSpec = ChartsSpec()
    tenants: tuple[TenantSpec, ...] = ()
    processing: Processing = Processing()

    @property
    def demands(self) -> Demands:
        """What this cluster asks of every node."""
        floor, reason = kernel_floor(self.cni)
        own = self.cluster.kernel_floor
        if own and version_tuple(own) > version_tuple(floor):
            floor, reason = own, "cluster.kernelFloor of the stack file"
        tcp = (*tcp_ports(self.cni), KUBELET, *self.metallb.tcp_ports)
        udp = (*udp_ports(self.cni), *self.metallb.udp_ports)
        return Demands(
            self.cni.service_proxy,
            floor,
            reason,
            kubernetes=self.cluster.kubernetes_version,
            underlay_mtu=self.network.underlay_mtu,
            ports=(
                *(PortNeed(port, "tcp", why) for port, why in tcp),
                *(PortNeed(port, "udp", why) for port, why in udp),
            ),
            same_segment=same_segment(self.cni),
            foreign_sources=foreign_sources(self.cni),
            announcements=self._announcements,
            pod_source=str(self.network.pod_cidr.broadcast_address - 1),
            preflight=self.preflight,
        )

    @property
    def _announcements(self) -> str:
        owner = "Cilium" if self.metallb.install.kind == "cilium" else "MetalLB"
        return f"{owner}'s layer-2 pools" if self.metallb.announces_by_arp else ""

    @property
    def cilium_version(self) -> str | None:
        """Whose kinds its operator makes; None for another CNI."""
        return self.cni.version if self.cni.kind == "cilium" else None

    @property
    def announces(self) -> frozenset[str]:
        """What the CNI announces of the pools: `l2`, `bgp`; empty where it is MetalLB's business."""
        return announcements(self.metallb)

    @property
    def advice(self) -> tuple[str, ...]:
        """What is not wrong and will not last, for the operator to read at preview."""
        kubernetes = self.cluster.kubernetes_version
        found = (
            kube_proxy_advice(self.cni.service_proxy, kubernetes),
            untested(together(self.cni, kubernetes=kubernetes)),
            *cni_advice(self.cni, self.network.underlay_mtu),
        )
        return tuple(text for text in found if text)

    @property
    def wanted_charts(self) -> list[WantedChart]:
        """What Helm installs, and where each chart is from."""
        return wanted_charts(self, self.charts.mirror)

    @property
    def bootstrap(self) -> Bootstrap | None:
        """What kubeadm makes of the nodes; None where the cluster exists."""
        if not isinstance(self.cluster, Kubeadm):
            return None
        return Bootstrap(self.cluster, self.environment, self.network, self.cni.service_proxy, self.nodes, self.ssh)


class SpecError(pulumi.RunError):
    """A stack file with problems, all of them, one a line. The engine shows the text and stops: nothing changed."""

    def __init__(self, problems: Sequence[Violation]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"the stack file has {count}; nothing was changed:{lines}")


class Access(NamedTuple):
    """What the program needs beside the spec, and what must never be in a model."""

    kubeconfig: pulumi.Output[str] | None
    """None where the program makes the cluster."""
    credentials: pulumi.Output[Credentials] | None
    """None where the cluster exists."""
    ssh_private_key: pulumi.Output[str]
    reading_key: str | None
    """The private key for reading nodes from this process; None where nobody may (`readNodes: false`)."""
    state: StateStore
    """Where the engine keeps the stack, as far as a program can know."""
    facts: tuple[Survey, ...]
    """What `factsFile` says of the nodes, for a preview that may not reach them; empty without one."""


def load() -> PlatformSpec:
    """The spec of the stack that the engine runs. Raises SpecError with every problem in it."""
    config = pulumi.Config(PROJECT)
    data = config.get_object("spec")
    names = (*secret_names(data), "sshPrivateKey")
    given = {name: value for name in names if (value := config.get(name)) is not None}
    missing = [
        Violation("stack-file", f"{PROJECT}:{name}", f"is missing: run `pulumi config set --secret {PROJECT}:{name}`")
        for name in names
        if name not in given
    ]
    if data is None:
        raise SpecError([Violation("stack-file", f"{PROJECT}:spec", "is missing: copy Pulumi.oslo.yaml"), *missing])
    try:
        spec = parse(data, base_dir=Path.cwd())  # the engine starts programs in their project
    except SpecError as error:
        raise SpecError([*error.problems, *credential_problems(given, None), *missing]) from None
    charts = chart_problems(spec.wanted_charts, base_dir=Path.cwd())
    if problems := [*credential_problems(given, spec.cluster), *missing, *charts]:
        raise SpecError(problems)
    for advice in spec.advice:
        pulumi.log.warn(advice)
    return spec.model_copy(update=from_mirror(spec, spec.charts.mirror))


def chart_problems(wanted: Sequence[WantedChart], *, base_dir: Path) -> list[Violation]:
    """What `charts.lock.yaml` in `base_dir` says against charts; a folder's are read and compared."""

    def digest(path: str) -> str:
        with (base_dir / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    try:
        lock, problems = read_lock((base_dir / CHART_LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        lock, problems = read_lock("")
    except (OSError, ValueError) as error:
        return [Violation("charts-lock", CHART_LOCK, f"can't be read ({_reason(error)}): correct it")]
    return [*problems, *lock_problems(lock, wanted), *folder_problems(lock, wanted, digest)]


def _reason(error: OSError | ValueError) -> str:
    """Why a file can't be read: a ValueError is of a path with a NUL, or of bytes that are no text."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else "its path has a character that none has"


def access(spec: PlatformSpec) -> Access:
    """The stack's secrets and who may use them, after `load` has found them there. Raises SpecError."""
    config = pulumi.Config(PROJECT)
    file = config.get("factsFile")
    if file is not None and not pulumi.runtime.is_dry_run():
        remedy = f"run `pulumi config rm {PROJECT}:factsFile`"
        said = f"is for previews, and an update reads the nodes themselves before it changes one: {remedy}"
        raise SpecError([Violation("stack-file", f"{PROJECT}:factsFile", said)])
    may_read = config.get_bool("readNodes") is not False and file is None
    bootstraps = secret_names(config.get_object("spec")) == BY_KIND["kubeadm"]
    parts = [config.require_secret(name) for name in BY_KIND["kubeadm"]] if bootstraps else []
    return Access(
        None if bootstraps else config.require_secret("kubeconfig"),
        pulumi.Output.all(*parts).apply(lambda values: Credentials(*values)) if bootstraps else None,
        config.require_secret("sshPrivateKey"),
        config.require("sshPrivateKey") if may_read else None,
        state_store(Path.cwd(), pulumi.get_stack(), os.environ),
        _facts(Path(file), config.get("factsSha256"), spec) if file is not None else (),
    )


def _facts(file: Path, sha256: str | None, spec: PlatformSpec) -> tuple[Survey, ...]:
    try:
        text = file.read_text(encoding="utf-8")
        hours = spec.preflight.max_facts_hours
        surveys = facts.load(text, environment=spec.environment, now=time.time(), max_hours=hours, sha256=sha256)
        pulumi.log.info(f"the nodes are judged by '{file}', not asked: an update will refuse {PROJECT}:factsFile")
        for name in [node.name for node in spec.nodes if node.name not in {survey.node for survey in surveys}]:
            pulumi.log.warn(f"node {name} is not judged: '{file}' does not have it; make the file while it answers")
        return surveys
    except facts.FactsError as error:
        said = f"'{file}' {error}"
    except (OSError, ValueError) as error:
        said = f"'{file}' can't be read ({_reason(error)}): correct it, or take it out to read the nodes themselves"
    raise SpecError([Violation("stack-file", f"{PROJECT}:factsFile", said)])


def parse(data: Mapping[str, Any], *, base_dir: Path) -> PlatformSpec:
    """A stack file's `vds-platform:spec` as a spec. Raises SpecError with every problem in it.

    Files that it names are relative to `base_dir`.
    """
    try:
        spec, sound = PlatformSpec.model_validate(data), set(PlatformSpec.model_fields)
        problems = []
    except ValidationError as error:
        spec, sound = _sound_parts(data, error)
        problems = violations(error, data)
    sound |= {f"some {name}" for name in _LISTS & sound}
    if {"ssh", "some nodes"} <= sound:
        spec, unreadable = _with_host_keys(spec, base_dir)
        problems += unreadable
    if "gateway" in sound:
        spec, unread = _with_bundle_version(spec, base_dir)
        problems += unread
    problems += platform_problems(spec, sound)
    if problems:
        raise SpecError(problems)
    return spec


def _sound_parts(data: Any, error: ValidationError) -> tuple[PlatformSpec, set[str]]:
    """Only those parts of a broken spec that are right by themselves, and their names: one typo hides no problem.

    A list with broken items is there without them, as `some nodes`.
    """
    construct: Callable[..., PlatformSpec] = PlatformSpec.model_construct  # its checked signature wants every part
    if not isinstance(data, Mapping):
        return construct(), set()
    places = [detail["loc"] for detail in error.errors() if detail["loc"]]
    broken = {place[0] for place in places}
    given = {alias: value for alias, value in data.items() if isinstance(alias, str) and alias not in broken}
    for name in _LISTS & broken:
        wrong = {place[1] if len(place) > 1 else None for place in places if place[0] == name}
        kept = [item for index, item in enumerate(data[name]) if index not in wrong] if None not in wrong else []
        if kept:
            given[name] = kept
    sound: Any = {
        name: (field.annotation, field)
        for name, field in PlatformSpec.model_fields.items()
        if field.alias not in broken or field.alias in given
    }
    parts = create_model("SoundParts", __base__=Spec, **sound).model_validate(given)
    return construct(**{name: getattr(parts, name) for name in sound}), {
        f"some {name}" if name in broken else name for name in sound
    }


def _with_host_keys(spec: PlatformSpec, base_dir: Path) -> tuple[PlatformSpec, list[Violation]]:
    """The spec with the keys of `ssh.knownHostsFile` at nodes that carry none themselves."""
    if spec.ssh.known_hosts_file is None:
        return spec, []
    name = spec.ssh.known_hosts_file
    try:
        keys = host_keys((base_dir / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        said = f"{name!r} can't be read ({_reason(error)}): correct it"
        return spec, [Violation("stack-file", "ssh.knownHostsFile", said)]
    nodes = tuple(
        node
        if node.host_key
        else node.model_copy(
            update={"host_key": key_for(keys, name=node.name, address=str(node.address), port=spec.ssh.port)}
        )
        for node in spec.nodes
    )
    return spec.model_copy(update={"nodes": nodes}), []


def gateway_crds(spec: PlatformSpec) -> tuple[Bundle, ...]:
    """The bundle that the platform applies, read and compared anew; none where somebody else does. Raises SpecError."""
    if not isinstance(spec.gateway.crds, CrdBundle):
        return ()
    found = _bundle(spec.gateway.crds, Path.cwd())
    if isinstance(found, Violation):
        raise SpecError([found])
    return (found,)


def _with_bundle_version(spec: PlatformSpec, base_dir: Path) -> tuple[PlatformSpec, list[Violation]]:
    """The spec with the version of the bundle that it applies, so that it is held against all that works with it."""
    if not isinstance(spec.gateway.crds, CrdBundle):
        return spec, []
    found = _bundle(spec.gateway.crds, base_dir)
    if isinstance(found, Violation):
        return spec, [found]
    written = spec.gateway.bundle_version
    if written not in (None, found.version):
        said = f"{written}, and the bundle of gateway.crds is {found.version}: take it out"
        return spec, [Violation("gateway-crds", "gateway.bundleVersion", said)]
    return spec.model_copy(update={"gateway": spec.gateway.model_copy(update={"bundle_version": found.version})}), []


def _bundle(crds: CrdBundle, base_dir: Path) -> Bundle | Violation:
    try:
        content = (base_dir / crds.path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest == crds.sha256:
            return read_bundle(content.decode())
        said = f"has SHA-256 {digest}, not {crds.sha256}: fetch it anew, or correct gateway.crds.sha256"
    except UnicodeDecodeError:
        said = "is no text: fetch the release's file anew"
    except BundleError as error:
        said = str(error)
    except (OSError, ValueError) as error:
        said = f"can't be read ({_reason(error)}): correct it"
    return Violation("gateway-crds", "gateway.crds.path", f"{crds.path!r} {said}")


def platform_problems(spec: PlatformSpec, sound: Collection[str]) -> list[Violation]:
    """Everything that is wrong between the parts of a spec that are right by themselves."""
    return [problem for needs, check in _CHECKS if needs <= set(sound) for problem in check(spec)]


def _each_node(spec: PlatformSpec) -> list[Violation]:
    allowed, segment = spec.residency.allowed_countries, spec.network.node_cidr
    return [problem for node in spec.nodes for problem in node_problems(node, allowed, segment)]


def _together(spec: PlatformSpec) -> Combination:
    return together(
        spec.cni,
        kubernetes=spec.cluster.kubernetes_version,
        gateway_api=spec.gateway.bundle_version,
        metallb=spec.metallb.install.version if isinstance(spec.metallb.install, MetalLbHelm) else None,
    )


_LISTS = {"nodes", "tenants"}

_CHECKS: tuple[tuple[set[str], Callable[[PlatformSpec], list[Violation]]], ...] = (
    ({"residency"}, lambda spec: residency_problems(spec.residency)),
    ({"network"}, lambda spec: network_problems(spec.network)),
    ({"cni", "network"}, lambda spec: cni_problems(spec.cni, spec.network)),
    ({"cni"}, lambda spec: upgrade_problems(spec.cni) if isinstance(spec.cni, Cilium) else []),
    (
        {"cluster", "cni", "gateway", "metallb"},
        lambda spec: compatibility_problems(_together(spec), by_bundle=isinstance(spec.gateway.crds, CrdBundle)),
    ),
    (
        {"cni", "some tenants"},
        lambda spec: policy_problems(spec.cni, [tenant.name for tenant in spec.tenants]),
    ),
    ({"nodes"}, lambda spec: fleet_problems(spec.nodes)),
    (
        {"cluster", "network", "nodes", "residency"},
        lambda spec: cluster_problems(spec.cluster, spec.network, spec.nodes, spec.residency.allowed_countries),
    ),
    ({"metallb", "network", "some nodes"}, lambda spec: metallb_problems(spec.metallb, spec.network, spec.nodes)),
    (
        {"metallb", "cni", "gateway"},
        lambda spec: ownership_problems(
            spec.metallb, spec.cni, keeps_clients_address=spec.gateway.install.kind == "helm"
        ),
    ),
    ({"some nodes", "network", "residency"}, _each_node),
    ({"cni", "gateway"}, lambda spec: controller_problems(spec.gateway, spec.cni)),
    ({"gateway", "tenants"}, lambda spec: gateway_problems(spec.gateway, spec.tenants)),
    ({"some tenants", "gateway"}, lambda spec: tenancy_problems(spec.tenants, platform=[spec.gateway.namespace])),
    ({"charts", "cni", "metallb", "gateway"}, lambda spec: mirror_problems(spec, spec.charts.mirror)),
    ({"processing", "tenants"}, lambda spec: processing_problems(spec.processing, spec.tenants)),
)
"""Which parts a check looks at, and the check: the predicates are the slices' own, as the policies use them.

What a check says of `some` nodes stays true when the broken ones are put right; a count would not.
"""
