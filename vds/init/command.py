"""`vds init`: asks a few questions and writes a first stack file, which `vds validate` takes."""

import hashlib
import re
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal

import typer

from components.core.finding import Finding
from vds.init.template import Answers, Bundle, MadeCluster, Server, stack_file
from vds.shared.errors import IncompleteError, OperationError

_DAYS = 365
"""For which public chart and image repositories are let through: an exception has an end."""
_KUBERNETES = {"kubeadm": "1.36.3", "existing": "1.36"}
_RELEASE_KEY = "https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key"
_GATEWAY_API = "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.1/standard-install.yaml"
_AUTHORITY = Path("authority.crt")
_OPTIONS = {
    "metallb": "--pool",
    "network.nodeCidr": "--node-cidr",
    "network.apiServer": "--api-server",
    "nodes": "--control-plane or --worker",
    "residency.allowedCountries": "--country",
    "residency.places": "--country, --provider, --provider-country or --state",
    "ssh": "--known-hosts",
    "gateway.crds": "--gateway-crds",
    "gateway.issuer": "--authority",
    "gateway": "--domain",
    "cluster.kubernetesVersion": "--kubernetes",
    "cluster.containerd": "--containerd",
    "cluster.packages.signingKey": "--signing-key",
    "cluster.caCertificate": "--ca-certificate",
    "environment": "STACK",
}
"""The option whose answer becomes a part of the stack file. The first that fits is the one."""
_LONGEST_NAME = 32
_NAME = re.compile(rf"[a-z0-9-]{{1,{_LONGEST_NAME}}}")
"""It is also the cluster's name to its peers, for which Cilium takes 32 characters."""


def init(
    stack: Annotated[str, typer.Argument(help="The stack's name, as in oslo: writes Pulumi.<stack>.yaml.")],
    *,
    control_plane: Annotated[
        list[str] | None, typer.Option(help="NAME=ADDRESS of a control plane; can be repeated.")
    ] = None,
    worker: Annotated[list[str] | None, typer.Option(help="NAME=ADDRESS of a worker; can be repeated.")] = None,
    known_hosts: Annotated[
        Path | None,
        typer.Option(help="The servers' host keys, as ssh-keyscan prints them. Default: STACK.known_hosts."),
    ] = None,
    provider: Annotated[str | None, typer.Option(help="The company that rents the servers out.")] = None,
    provider_country: Annotated[str | None, typer.Option(help="Whose law it is under. Default: --country.")] = None,
    country: Annotated[str, typer.Option(help="Where the servers are, as in NO.")] = "NO",
    node_cidr: Annotated[str | None, typer.Option(help="The servers' network. Default: the /24 of the first.")] = None,
    api_server: Annotated[
        str | None,
        typer.Option(help="Name or address in front of the control planes. Default: the only one's address."),
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Addresses of load balancers, as in 192.0.2.200-192.0.2.220.")
    ] = None,
    domain: Annotated[str | None, typer.Option(help="The domain below which the tenants' hosts are.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Host that keeps Pulumi's state, as in state.example.no; localhost for files.")
    ] = None,
    cluster: Annotated[
        Literal["kubeadm", "existing"], typer.Option(help="Whether the platform makes the cluster, or it exists.")
    ] = "kubeadm",
    kubernetes: Annotated[
        str | None, typer.Option(help="Version of Kubernetes. Default: 1.36.3, or 1.36 of an existing cluster.")
    ] = None,
    containerd: Annotated[
        str | None, typer.Option(help="kubeadm: version of the servers' package, as `apt-cache madison` prints it.")
    ] = None,
    containerd_package: Annotated[
        Literal["containerd", "containerd.io"],
        typer.Option(help="kubeadm: the distribution's package, or the one of Docker's repository."),
    ] = "containerd",
    signing_key: Annotated[Path, typer.Option(help="kubeadm: file with the key of the Kubernetes packages.")] = Path(
        "Release.key"
    ),
    ca_certificate: Annotated[
        Path, typer.Option(help="kubeadm: file with the certificate of the cluster's authority.")
    ] = Path("ca.crt"),
    gateway_crds: Annotated[
        Path, typer.Option(help="File with Gateway API's CRDs. An existing cluster may have them without it.")
    ] = Path("standard-install.yaml"),
    authority: Annotated[
        Path | None,
        typer.Option(
            help="File with the certificate of the authority that signs the gateway's certificates. Default: "
            "authority.crt if it is there, else the certificates are the stack's secret."
        ),
    ] = None,
) -> None:
    """Asks for the missing options on a terminal.

    Exit code 0: the file is written. Exit code 1: an answer is wrong. Exit code 2: an option is missing, or the file
    exists already.
    """
    if not _NAME.fullmatch(stack):
        raise OperationError(
            f"{stack[:_LONGEST_NAME]!r} is no name of a stack: use at most {_LONGEST_NAME} lower-case letters, digits "
            "and '-', as in oslo"
        )
    file = Path(f"Pulumi.{stack}.yaml")
    if file.exists():
        raise OperationError(f"{file} is there already: name another stack, or delete the file")
    ask = _Questions(interactive=sys.stdin.isatty())
    control_planes = control_plane or ask.list("--control-plane", "Control planes, as NAME=ADDRESS with blanks between")
    workers = worker if worker is not None or not ask.interactive else ask.list("", "Workers, in the same way")
    provider = provider or ask.text("--provider", "The company that rents the servers out")
    if not api_server and len(control_planes) != 1:
        api_server = ask.text("--api-server", "Name or address in front of the control planes")
    pool = pool or ask.text("--pool", "Addresses of load balancers, as in 192.0.2.200-192.0.2.220")
    domain = domain or ask.text("--domain", "Domain of the tenants' hosts, as in example.no")
    state = state or ask.text("--state", "Host that keeps Pulumi's state, as in state.example.no")
    if cluster == "kubeadm":
        containerd = containerd or ask.text("--containerd", "Version of the servers' package containerd")
    ask.complete()
    servers = [_server(text, "control-plane") for text in control_planes]
    servers += [_server(text, "worker") for text in workers or ()]
    answers = Answers(
        stack,
        country,
        provider,
        provider_country or country,
        servers,
        node_cidr or _segment(servers[0]),
        api_server or servers[0].address,
        pool,
        domain,
        str(known_hosts or f"{stack}.known_hosts"),
        state,
        (date.today() + timedelta(days=_DAYS)).isoformat(),
        kubernetes or _KUBERNETES[cluster],
        _made(containerd_package, containerd or "", signing_key, ca_certificate) if cluster == "kubeadm" else None,
        _bundle(gateway_crds, required=cluster == "kubeadm"),
        _authority(authority),
        date.today().isoformat(),
    )
    _write(file, answers)


class _Questions:
    """Asks on a terminal; elsewhere it gathers the options that are missing."""

    def __init__(self, *, interactive: bool) -> None:
        self.interactive = interactive
        self.missing: list[str] = []

    def text(self, option: str, question: str) -> str:
        if self.interactive:
            return str(typer.prompt(question, err=True))
        self.missing.append(option)
        return ""

    def list(self, option: str, question: str) -> list[str]:
        if self.interactive and not option:
            return str(typer.prompt(question, default="", show_default=False, err=True)).split()
        return self.text(option, question).split()

    def complete(self) -> None:
        if self.missing:
            raise OperationError(f"{', '.join(self.missing)}: give what there is no terminal to ask for")


def _server(text: str, role: str) -> Server:
    name, equals, address = text.partition("=")
    if not equals:
        raise OperationError(f"{text!r} is no server: write NAME=ADDRESS, as in osl-1=192.0.2.11")
    return Server(name, address, role)


def _segment(server: Server) -> str:
    try:
        return str(IPv4Network(f"{server.address}/24", strict=False))
    except ValueError:
        raise OperationError(
            f"{server.name}={server.address} has no IPv4 address: write one, as in 192.0.2.11"
        ) from None


def _made(package: str, containerd: str, signing_key: Path, ca_certificate: Path) -> MadeCluster:
    from components.core.types import RefusedError  # half a second: not for `--help`
    from components.kubeadm.signing import fingerprint

    make_key = f"curl -fsSLo {signing_key} {_RELEASE_KEY}"
    armoured = _read(signing_key, "--signing-key", f"run `{make_key}`, and compare the key's fingerprint")
    authority = _read(ca_certificate, "--ca-certificate", "make it as docs/howto/first-environment.md shows")
    try:
        found = fingerprint(armoured.decode("utf-8", "replace"))
    except RefusedError as error:
        raise OperationError(f"--signing-key {signing_key} {error.reason}: {error.remedy}") from None
    except ValueError as error:
        raise OperationError(f"--signing-key {signing_key} is no armoured key: {error}") from None
    return MadeCluster(package, containerd, armoured.decode(), found, authority.decode("utf-8", "replace"))


def _bundle(file: Path, *, required: bool) -> Bundle | None:
    if not required and not file.is_file():
        return None
    content = _read(file, "--gateway-crds", f"run `curl -fsSLo {file} {_GATEWAY_API}`")
    return Bundle(str(file), hashlib.sha256(content).hexdigest())


def _authority(file: Path | None) -> str | None:
    if file is None and not _AUTHORITY.is_file():
        return None
    content = _read(file or _AUTHORITY, "--authority", "make it as docs/howto/serve-https.md shows")
    return content.decode("utf-8", "replace")


def _read(file: Path, option: str, remedy: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OperationError(f"{option} {file} can't be read ({error.strerror}): {remedy}") from None


def _option(subject: str) -> str:
    """The option that an answer was given with; the subject itself, if no answer became it."""
    return next((option for part, option in _OPTIONS.items() if subject.startswith(part)), subject)


def _by_option(found: Iterable[Finding], answers: Answers) -> list[Finding]:
    """Every finding at its option, and each only once: an answer becomes many places of the file."""
    countries = {answers.provider_country: "--provider-country", answers.country: "--country"}
    once: dict[Finding, None] = {}
    for one in found:
        of_country = "countr" in one.subject.rpartition(".")[2].lower()
        option = countries.get(one.value) if of_country else None
        once[Finding(one.rule, option or _option(one.subject), one.message, one.remedy)] = None
    return list(once)


def _write(file: Path, answers: Answers) -> None:
    from components.stackfile.parsing import check_file  # half a second: not for `--help`

    if not Path(answers.known_hosts).is_file():
        scan = (
            f"ssh-keyscan -t ed25519 {' '.join(server.address for server in answers.servers)} > {answers.known_hosts}"
        )
        raise OperationError(
            f"there is no {answers.known_hosts}: run `{scan}`, and compare each key with the provider's console"
        )
    text = stack_file(answers)
    found = check_file(text, str(file), file.parent, date.today()).findings
    wrong = _by_option([one for one in found if not one.advice], answers)
    if wrong:
        raise IncompleteError("nothing was written, because of the answers", *map(str, wrong))
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise OperationError(f"{file} can't be written ({error.strerror}): run it in the project's folder") from None
    print(f"{file} is written. Next: `pulumi stack init {answers.environment}`, and the secrets that")
    print(f"`vds validate {file}` names.")
    print("Register a tenant when the environment runs: `vds tenant new`.")
    if answers.made:
        print(f"Packages must be signed by the key {answers.made.fingerprint}: compare it with another source.")
