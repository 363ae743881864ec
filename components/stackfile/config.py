"""The only reader of Pulumi's configuration: the spec, and the secrets beside it."""

import base64
import os
import secrets
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pulumi
from pulumi.runtime.config import CONFIG

from components.core.finding import Finding
from components.core.names import PROJECT
from components.gateway.bundle import Bundle
from components.gateway.certificates import (
    CERTIFICATES,
    DNS_KEY,
    certificate_problems,
    issuer_problems,
    last_day,
    names_by_secret,
    secrets_of,
    served,
)
from components.gateway.issuers import PrivateCa, Secrets
from components.gateway.model import CrdBundle
from components.gateway.signing import KeyPair
from components.kubeadm.backup.credentials import ACCESS_KEY
from components.kubeadm.credentials import CA_KEY, Credentials, credential_problems, secret_names
from components.kubeadm.model import Kubeadm
from components.kubeadm.rules import authority_period_problems, expired_exceptions
from components.kubeadm.security.encryption import ENCRYPTION_KEYS
from components.monitoring.model import ALERT_SECRET
from components.nodes.connection import agent_problem
from components.nodes.preflight import facts
from components.nodes.preflight.facts import Kept
from components.residency.model import StateStore
from components.residency.state_store import state_store
from components.stackfile.defaults import DefaultsError, merged, read_defaults
from components.stackfile.installed_charts import from_mirror
from components.stackfile.keys import OF_ISSUERS, SPEC, key_findings, plain_secrets
from components.stackfile.parsing import SpecError, StackFile, parse, read_stack_file, read_text
from components.stackfile.passphrase import passphrase_problems
from components.stackfile.referenced_files import bundle, chart_problems, why_unreadable
from components.stackfile.releases import release_advice
from components.stackfile.rules import accepts
from components.stackfile.spec import PlatformSpec


class Access(NamedTuple):
    """What the program needs beside the spec, and what must never be in a model."""

    kubeconfig: pulumi.Output[str] | None
    """None where the program makes the cluster. A preview without secrets has one that leads nowhere."""
    credentials: Credentials | None
    """Drawn for this run; None where the cluster exists."""
    ca_key: pulumi.Output[str] | None
    """The key of the cluster's authority; None if the configuration does not have it any more."""
    encryption_keys: pulumi.Output[str] | None
    """The keys for Secrets in etcd, the one that encrypts first; None where the cluster exists."""
    backup_key: pulumi.Output[str] | None
    """The access key of the bucket for snapshots of etcd; None without one."""
    alert_token: pulumi.Output[str] | None
    """What Alertmanager shows its receiver; None where that asks for nothing."""
    ssh_private_key: pulumi.Output[str]
    reading_key: str | None
    """The private key for reading nodes from this process; None if `readNodes: false`."""
    state: StateStore
    """Where the engine keeps the stack, as far as a program can know."""
    certificates: dict[str, pulumi.Output[KeyPair]]
    """By name of the Secret, what HTTPS listeners are served with; empty where others bring them."""
    certificate_ends: dict[str, str]
    """By name of the Secret, the day on which the certificate ends."""
    dns_key: pulumi.Output[str] | None
    """The TSIG key for ACME's DNS-01; None where no name server asks for one."""
    reading_kubeconfig: str | None
    """The kubeconfig for reading an existing cluster from this process; None where nodes are not read either."""
    facts: Kept | None
    """What `factsFile` says, for a preview that may not reach the nodes; None without one."""
    today: date
    """The day of this run, for what is accepted until a day."""


_AGENT = "SSH_AUTH_SOCK"
WITHOUT_SECRETS = "withoutSecrets"
NOT_READ = "(a secret, not read for this preview)"
"""Stands for each secret in a preview without secrets: the same in every run, so that it changes nothing."""
_NO_KEY = base64.b64encode(NOT_READ.encode()).decode()
_NO_AUTHORITY = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJNRENCMTZBREFnRUNBZ0VCTUFvR0NDcUdTTTQ5QkFNQ01CVXhFekFSQmdO"
    "VkJBTU1DbTV2SUdOc2RYTjAKWlhJd0lCY05Nall3TVRBeE1EQXdNREF3V2hnUE1qRXlOakF4TURFd01EQXdNREJhTUJVeEV6QVJC"
    "Z05WQkFNTQpDbTV2SUdOc2RYTjBaWEl3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVNLZEJnOFJjTVhsUVMrCm9O"
    "SHJ2N2VYOGMvT1RsSnZVcVFrTWFFcFppL0ZNaHRCVWJnbmJaUnVSUmlpVXRmOHFqbHdZdlhqZHlWcXBkekkKblpKa1pNS2FveFl3"
    "RkRBU0JnTlZIUk1CQWY4RUNEQUdBUUgvQWdFQU1Bb0dDQ3FHU000OUJBTUNBMGdBTUVVQwpJQlNiYjMvZmJIYW9IYzhGczNMM1lx"
    "SWRyYjgwUFRJQ05RVkxtdGp6Y1hPUkFpRUEzRlhYTDhqSDhkY3pUTXd2CnN4NVpTUENZcFRXbERyYW05Yy9LTExBdnQwVT0KLS0t"
    "LS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
)
"""A certificate whose key nobody has: a kubeconfig must have one."""
NO_CLUSTER = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: CA}}]
users: [{name: none, user: {token: none}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
""".replace("CA", _NO_AUTHORITY)
"""Port 1 of the own machine refuses each connection at once: the provider then compares without a cluster."""


class RefusedStackError(SpecError, pulumi.RunError):
    """The engine shows the text of a RunError, without a traceback, and stops."""


def load() -> PlatformSpec:
    """The spec of the stack that the engine runs. Raises RefusedStackError with every problem in it."""
    config = pulumi.Config(PROJECT)
    data = config.get_object("spec")
    source = _source(data)
    if (file := config.get("defaults")) is not None:
        try:
            shared = read_defaults(file, lambda name: read_text(Path(name)))
        except DefaultsError as error:
            raise _refused(error.findings, source) from None
        data, source = merged(data or {}, shared.value), source.over(shared) if source else None
    public = _without_secrets(config)
    names = () if public else (*secret_names(data), "sshPrivateKey")
    given = {name: value for name in (*names, CA_KEY) if (value := config.get(name)) is not None}
    beside = [
        Finding("stack-file", f"{PROJECT}:{name}", "is missing", f"run `pulumi config set --secret {PROJECT}:{name}`")
        for name in names
        if name not in given
    ]
    beside += key_findings(CONFIG.get())
    beside += plain_secrets([key for key in CONFIG.get() if not pulumi.runtime.is_config_secret(key)])
    beside += passphrase_problems(_salt())
    if not public and (said := agent_problem(os.environ.get(_AGENT, ""))):
        message = f"names an SSH agent that does not answer ({said}), and Pulumi's command provider would fail"
        beside.append(Finding("ssh-agent", _AGENT, message, f"run `unset {_AGENT}`, or start the agent"))
    if data is None:
        raise _refused([Finding("stack-file", SPEC, "is missing", "copy Pulumi.oslo.yaml"), *beside], source)
    if pulumi.runtime.is_config_secret(SPEC):
        said = "has an encrypted value"
        raise _refused(
            [Finding("stack-file", SPEC, said, "write it in clear: secrets have keys of their own"), *beside], source
        )
    try:
        # The engine starts programs in their project.
        spec = parse(data, base_dir=Path.cwd(), source=source, stack=pulumi.get_stack())
    except SpecError as error:
        beside += credential_problems(given, None)
        if (text := config.get(CERTIFICATES)) is not None:
            beside += certificate_problems(text, None, time.time())
        raise _refused([*error.problems, *beside], source) from None
    if not public:
        beside += credential_problems(given, spec.cluster)
        beside += issuer_problems(_of_issuers(config), spec.gateway, time.time())
    period = authority_period_problems(spec.cluster, time.time())
    beside += [one for one in period if not one.advice]
    beside += expired_exceptions(spec.cluster, date.today())
    beside += chart_problems(spec.wanted_charts, base_dir=Path.cwd())
    if beside:
        raise _refused(beside, source)
    shown = [*period, *spec.advice, *release_advice(spec.combination.versions, date.today(), accepts(spec))]
    for advice in shown:  # the period's problems have stopped the run above
        pulumi.log.warn(str(source.located(advice) if source else advice))
    return spec.model_copy(update=from_mirror(spec, spec.charts.mirror))


def _salt() -> str:
    try:
        return read_stack_file(read_text(Path(f"Pulumi.{pulumi.get_stack()}.yaml")), "").salt
    except (OSError, SpecError):
        return ""


def _source(data: Any) -> StackFile | None:
    """The file that the engine has read, for line numbers; None for another one, which `--config-file` names."""
    name = f"Pulumi.{pulumi.get_stack()}.yaml"
    try:
        source = read_stack_file(read_text(Path(name)), name)
    except (OSError, SpecError):
        return None
    return source if source.config.value.get(SPEC) == data else None


def _refused(problems: Sequence[Finding], source: StackFile | None = None) -> RefusedStackError:
    return RefusedStackError([source.located(one) for one in problems] if source else problems)


def access(spec: PlatformSpec) -> Access:
    """The stack's secrets and who may use them, after `load` has found them there. Raises RefusedStackError."""
    config = pulumi.Config(PROJECT)
    if _without_secrets(config):
        return _public_access(spec)
    file = config.get("factsFile")
    if file is not None and not pulumi.runtime.is_dry_run():
        remedy = f"run `pulumi config rm {PROJECT}:factsFile`"
        said = "is for previews, and an update reads the nodes themselves before it changes one"
        raise _refused([Finding("stack-file", f"{PROJECT}:factsFile", said, remedy)])
    may_read = config.get_bool("readNodes") is not False and file is None
    if not may_read and not pulumi.runtime.is_dry_run():
        said = f"{PROJECT}:readNodes is false: no check of the preflight is made, and no drift is found"
        pulumi.log.warn(f"{said}; write true for updates")
    bootstraps = isinstance(spec.cluster, Kubeadm)
    pairs = served(_of_issuers(config), spec.gateway, time.time())
    dns_key = config.get_secret(DNS_KEY)
    return Access(
        None if bootstraps else config.require_secret("kubeconfig"),
        Credentials.drawn(secrets.choice) if bootstraps else None,
        config.get_secret(CA_KEY) if bootstraps else None,
        config.require_secret(ENCRYPTION_KEYS) if bootstraps else None,
        config.get_secret(ACCESS_KEY) if bootstraps else None,
        config.get_secret(ALERT_SECRET),
        config.require_secret("sshPrivateKey"),
        config.require("sshPrivateKey") if may_read else None,
        state_store(Path.cwd(), pulumi.get_stack(), os.environ),
        # An output of a tuple loses its class.
        {name: pulumi.Output.secret(list(pair)).apply(lambda parts: KeyPair(*parts)) for name, pair in pairs.items()},
        {name: last_day(pair) for name, pair in pairs.items()},
        dns_key,
        config.require("kubeconfig") if may_read and not bootstraps else None,
        _facts(Path(file), config.get("factsSha256"), spec) if file is not None else None,
        date.today(),
    )


def _without_secrets(config: pulumi.Config) -> bool:
    if not config.get_bool(WITHOUT_SECRETS):
        return False
    if not pulumi.runtime.is_dry_run():
        said, remedy = (
            "is for previews, and an update needs the secrets",
            f"run `pulumi config rm {PROJECT}:{WITHOUT_SECRETS}`",
        )
        raise _refused([Finding("stack-file", f"{PROJECT}:{WITHOUT_SECRETS}", said, remedy)])
    return True


def _public_access(spec: PlatformSpec) -> Access:
    """What a preview is given that opens nothing of production: no secret, no node, no cluster, no facts."""
    secret = pulumi.Output.secret(NOT_READ)
    bootstraps = isinstance(spec.cluster, Kubeadm)
    bring = names_by_secret(spec.gateway) if isinstance(spec.gateway.issuer, (Secrets, PrivateCa)) else ()
    pair = pulumi.Output.secret([NOT_READ, NOT_READ]).apply(lambda both: KeyPair(*both))
    return Access(
        kubeconfig=pulumi.Output.secret(NO_CLUSTER),
        credentials=Credentials(*[NOT_READ] * len(Credentials._fields)) if bootstraps else None,
        ca_key=secret if bootstraps else None,
        encryption_keys=pulumi.Output.secret(_NO_KEY) if bootstraps else None,
        backup_key=secret if bootstraps else None,
        # In no stack file: only an update knows whether there is one.
        alert_token=None,
        ssh_private_key=secret,
        reading_key=None,
        state=state_store(Path.cwd(), pulumi.get_stack(), os.environ),
        certificates=dict.fromkeys(bring, pair),
        certificate_ends=dict.fromkeys(bring, "not known"),
        dns_key=secret if DNS_KEY in secrets_of(spec.gateway) else None,
        reading_kubeconfig=None,
        facts=None,
        today=date.today(),
    )


def _of_issuers(config: pulumi.Config) -> dict[str, str]:
    return {name: value for name in OF_ISSUERS if (value := config.get(name)) is not None}


def _facts(file: Path, sha256: str | None, spec: PlatformSpec) -> Kept:
    try:
        text = file.read_text(encoding="utf-8")
        hours = spec.preflight.max_facts_hours
        kept = facts.load(text, environment=spec.environment, now=time.time(), max_hours=hours, sha256=sha256)
        pulumi.log.info(f"the nodes are judged by '{file}', not asked: an update will refuse {PROJECT}:factsFile")
        for name in [node.name for node in spec.nodes if node.name not in {survey.node for survey in kept.surveys}]:
            pulumi.log.warn(f"node {name} is not judged: '{file}' does not have it; make the file while it answers")
        if kept.cluster is None and spec.bootstrap is None:
            pulumi.log.warn(f"the cluster is not judged: '{file}' does not have it; make the file while it answers")
        return kept
    except facts.FactsError as error:
        said, remedy = f"'{file}' {error.reason}", error.remedy
    except (OSError, ValueError) as error:
        remedy = "correct it, or remove it to read the nodes themselves"
        said = f"'{file}' can't be read ({why_unreadable(error)})"
    raise _refused([Finding("stack-file", f"{PROJECT}:factsFile", said, remedy)])


def gateway_crds(spec: PlatformSpec) -> tuple[Bundle, ...]:
    """The bundle that the platform applies, read and compared anew; none where somebody else does.

    Raises RefusedStackError.
    """
    if not isinstance(spec.gateway.crds, CrdBundle):
        return ()
    found = bundle(spec.gateway.crds, Path.cwd())
    if isinstance(found, Finding):
        raise _refused([found])
    return (found,)
