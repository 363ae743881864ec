"""The whole program under Pulumi's mocks: no engine, no servers, and everything it would have declared."""

import asyncio
import json
import logging
import os
import runpy
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any, NamedTuple, cast

import pulumi
import pulumi_kubernetes as kubernetes
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc, settings, stack

from components.kubeadm.kubeconfig import read_command
from components.residency.component import Residency as ResidencyComponent
from components.residency.model import Residency, StateStore
from components.residency.registered_egress import registered_record
from components.stackfile.keys import SECRETS as SECRET_KEYS
from components.tenancy.registration.component import RegisteredTenant
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import Registration
from tests.support import bootstraps
from tests.support.certificates import made
from tests.support.kubeconfigs import kubeconfig
from tests.support.stacks import ROOT, stack_data

_PRIVATE = {"server": "https://10.0.0.10:6443"}
SECRETS = {"kubeconfig": kubeconfig(_PRIVATE), "sshPrivateKey": "a private key"}
ADMIN = kubeconfig(_PRIVATE, user={"token": "the administrator's"})
"""The kubeconfig that the first control plane prints."""
READBACK = '{"node": "n", "kernel": "6.18.44", "container": "true", "at": "2026-11-20T22:41:07Z"}\nunchanged\n'

MEMBERSHIP = '{"node": "n"}\nchanged\n'


def encrypted(password: str, text: str) -> str:
    """As a control plane prints its kubeconfig: the program's own command, on another file."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(text)
        file.flush()
        command = read_command("1.36.3").replace("/etc/kubernetes/admin.conf", file.name)
        done = subprocess.run(["sh", "-c", command], input=password, capture_output=True, text=True, check=True)
    return done.stdout


class Declared(NamedTuple):
    """One resource as the program declared it."""

    urn: str
    type: str
    name: str
    parent: str
    provider: str
    custom: bool
    depends_on: frozenset[str]
    ignore_changes: tuple[str, ...]
    secret_outputs: frozenset[str]
    protected: bool
    retained: bool
    """Whether it stays where it is when it is no longer declared."""
    before_create: tuple[str, ...]
    """Hooks that the engine calls before it makes it."""
    on_error: tuple[str, ...]
    """Hooks that the engine calls when it fails."""
    wait: str
    """How long its creation may take, as in `720s`; empty where the provider's default holds."""
    inputs: dict[str, Any]
    secret_inputs: frozenset[str]
    """Paths of inputs that the state will hold encrypted."""


class Program(NamedTuple):
    """What a run declared and exported."""

    resources: dict[str, Declared]
    """By URN."""
    outputs: dict[str, Any]
    secret_exports: frozenset[str]
    """Paths of exports that the state will hold encrypted."""
    log: tuple[str, ...]

    def of(self, kind: str) -> list[Declared]:
        """Resources whose type ends so, as in `remote:Command`."""
        return [item for item in self.resources.values() if item.type.endswith(kind)]

    @property
    def decommissions(self) -> list[Declared]:
        """The commands by which nodes leave."""
        return [item for item in self.of("local:Command") if item.name.endswith("-decommission")]

    def needed_by(self, urn: str) -> set[str]:
        """Every resource that the engine deletes after this one: what it depends on, parents and providers too."""
        needed: set[str] = set()
        waiting = [urn]
        while waiting:
            item = self.resources[waiting.pop()]
            found = {item.parent, item.provider.rpartition("::")[0], *item.depends_on} & self.resources.keys() - needed
            needed |= found
            waiting += found
        return needed


class _Answers(mocks.Mocks):
    def __init__(self, changed: Collection[str]) -> None:
        self.changed = changed

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        stdout = READBACK
        if args.name.endswith("-membership"):
            stdout = MEMBERSHIP
        elif args.name.endswith("-kubeconfig"):
            stdout = encrypted(_plain(args.inputs)["stdin"], ADMIN)
        outputs: dict[str, Any] = {"stdout": stdout} if args.typ == "command:remote:Command" else {}
        if args.typ.endswith(":Release"):
            outputs = {"status": {"revision": 7}}
        if args.name in self.changed:  # at preview the engine knows no output of what it would run
            outputs = {}
        return f"{args.name}-id", {**_plain(args.inputs), **outputs}

    def call(self, _args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        return {}, None


class _Recorder(mocks.MockMonitor):
    def __init__(self, changed: Collection[str]) -> None:
        super().__init__(_Answers(changed))
        self.declared: dict[str, Declared] = {}
        self.outputs: dict[str, Any] = {}
        self.secret_exports: frozenset[str] = frozenset()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the SDK's name
        response = super().RegisterResource(request)
        self.declared[response.urn] = Declared(
            urn=response.urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            provider=request.provider,
            custom=request.custom,
            depends_on=frozenset(request.dependencies),
            ignore_changes=tuple(request.ignoreChanges),
            secret_outputs=frozenset(request.additionalSecretOutputs),
            protected=request.protect,
            retained=request.retainOnDelete,
            before_create=tuple(request.hooks.before_create),
            on_error=tuple(request.hooks.on_error),
            wait=request.customTimeouts.create,
            inputs=_plain(rpc.deserialize_properties(request.object)),
            secret_inputs=frozenset(_secrets(json_format.MessageToDict(request.object))),
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  the SDK's name
        if "::pulumi:pulumi:Stack::" in request.urn:  # a part of it has it before a `$`
            self.outputs = _plain(rpc.deserialize_properties(request.outputs))
            self.secret_exports = frozenset(_secrets(json_format.MessageToDict(request.outputs)))
        return super().RegisterResourceOutputs(request)


class _Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, _level: str) -> Any:
        return self.lines.append


def _plain(value: Any) -> Any:
    """The value without the marks that make parts of it secret."""
    value = rpc.unwrap_rpc_secret(value) if rpc.is_rpc_secret(value) else value
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _secrets(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            yield path
            return
        for key, inner in value.items():
            yield from _secrets(inner, f"{path}.{key}" if path else key)


async def run_foreign(program: Callable[[], None]) -> Program:
    """A program that is not ours, without configuration."""
    return await _run("foreign", {}, program)


def _ours() -> None:
    runpy.run_path(str(ROOT / "__main__.py"))


async def _run(
    name: str,
    config: dict[str, str],
    program: Callable[[], None] = _ours,
    *,
    preview: bool = False,
    changed: Collection[str] = (),
    in_clear: Collection[str] = (),
) -> Program:
    """Settings, configuration and the event loop are the run's own: whatever it does, the next one starts afresh."""
    recorder, log = _Recorder(changed), _Log()
    settings.reset_options()
    settings.configure(
        mocks.MockSettings(
            monitor=recorder,
            monitor_features=set(recorder.GetDeploymentInfo(None).supportedFeatures),
            engine=mocks.MockEngine(cast(logging.Logger, log)),
            project="vds-platform",
            stack=name,
            dry_run=preview,
            organization=None,
            callbacks=None,
        )
    )
    settings.SETTINGS.outputs.clear()
    pulumi.runtime.set_all_config(config, [f"vds-platform:{key}" for key in {*SECRET_KEYS, *SECRETS} - set(in_clear)])
    await stack.run_in_stack(program)
    return Program(recorder.declared, recorder.outputs, recorder.secret_exports, tuple(log.lines))


def secrets(spec: dict[str, Any]) -> dict[str, str]:
    """The secrets that a stack file asks for: those of its kind of cluster, the key to its nodes, and a certificate."""
    cluster = spec.get("cluster")
    if not isinstance(cluster, dict) or cluster.get("kind") != "kubeadm":
        return {**SECRETS, **certificates(spec)}
    return {"sshPrivateKey": SECRETS["sshPrivateKey"], **bootstraps.SECRETS, **certificates(spec)}


def certificates(spec: dict[str, Any]) -> dict[str, str]:
    """What listeners are served with, unless the stack file names another issuer."""
    gateway = spec.get("gateway")
    if not isinstance(gateway, dict) or "issuer" in gateway:
        return {}
    listeners = [one for one in gateway.get("listeners") or () if isinstance(one, dict)]
    found = {}
    for one in listeners:
        if name := one.get("certificateSecret"):
            certificate, key = made(str(one.get("hostname", "*.example.no")))
            found[str(name)] = {"certificate": certificate, "key": key}
    return {"certificates": json.dumps(found)} if found else {}


BACKEND = {"lab": "file:///var/lib/vds/state", "oslo": "s3://vds-state?endpoint=state.example.no"}
"""Where the committed stacks' files say that their state is kept."""


def run_program(
    name: str,
    data: dict[str, Any] | None = None,
    *,
    backend: str | None = None,
    preview: bool = False,
    changed: Collection[str] = (),
    in_clear: Collection[str] = (),
    **config: str | None,
) -> Program:
    """`__main__.py` on a committed stack, or on `data` in its place. Nodes are read only with `readNodes=true`.

    A value of None leaves its key out. `changed`: names of commands whose output a preview does not know.
    `in_clear`: secrets that are plain configuration.
    """
    spec = stack_data(name) if data is None else data
    values = {"spec": json.dumps(spec), "readNodes": "false", **secrets(spec), **config}
    before = os.environ.get("PULUMI_BACKEND_URL")
    os.environ["PULUMI_BACKEND_URL"] = backend or BACKEND[name]
    try:
        given = {f"vds-platform:{key}": value for key, value in values.items() if value is not None}
        return asyncio.run(_run(name, given, preview=preview, changed=changed, in_clear=in_clear))
    finally:
        del os.environ["PULUMI_BACKEND_URL"]
        if before is not None:
            os.environ["PULUMI_BACKEND_URL"] = before


def run_registered(registration: Registration, environment: Environment, residency: Residency, backend: str) -> Program:
    """What the program in `tenants/` declares for a registration, without the cluster that it reads."""

    def program() -> None:
        state = StateStore(backend=backend, secrets_provider="passphrase")
        ResidencyComponent("residency", registered_record(registration, residency), state)
        cluster = kubernetes.Provider("cluster", kubeconfig=pulumi.Output.secret(ADMIN))
        RegisteredTenant(registration, environment, kubeconfig=ADMIN, provider=cluster)

    return asyncio.run(_run(registration.tenant, {}, program))


@cache
def committed(name: str) -> Program:
    """`__main__.py` on a committed stack, run once for all tests of a process: for reading, not for changing."""
    return run_program(name)
