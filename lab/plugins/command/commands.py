"""Create, update and delete of a command resource."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pulumi.provider.experimental import provider as sdk

from lab.plugins.command.output import LOGGING, Output
from lab.plugins.command.ssh import CREDENTIALS, DEFAULTS, credentials
from lab.plugins.resource_server import DiffRequest, respond
from lab.plugins.values import UNKNOWN, Properties, Unknown, plain_map, secret_texts, wrap

Run = Callable[[Mapping[str, Any], str, Mapping[str, str], Output], Awaitable[None]]
Show = Callable[[str, str], None]
"""Shows a line under the resource of a URN."""

_PREVIOUS = {"stdout": "PULUMI_COMMAND_STDOUT", "stderr": "PULUMI_COMMAND_STDERR"}
# Inputs that may appear in the output. If one is secret, the output is secret.
_SOURCES = ("create", "update", "stdin", "environment")
_NOT_HERE = ("assetPaths", "archivePaths")


class Commands:
    """`remote:Command` or `local:Command`: they differ in where they run."""

    def __init__(self, run: Run, show: Show, *, remote: bool) -> None:
        self._run = run
        self._show = show
        self._remote = remote

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        inputs = dict(request.new_inputs)
        failures: list[sdk.CheckFailure] = []
        if self._remote:
            inputs["connection"], failures = with_defaults(inputs.get("connection"))
        given = plain_map(inputs)
        failures += [
            sdk.CheckFailure(name, f"this stand-in has no {name}: install the official plugin")
            for name in _NOT_HERE
            if given.get(name)
        ]
        logging = given.get("logging")
        if isinstance(logging, str) and logging not in LOGGING:
            failures.append(sdk.CheckFailure("logging", f"{logging!r}: choose from {', '.join(sorted(LOGGING))}"))
        return sdk.CheckResponse(inputs, failures or None)

    async def diff(self, request: DiffRequest) -> sdk.DiffResponse:
        old, new = plain_map(request.old_inputs), plain_map(request.new_inputs)
        return respond(old, new, lambda path: path[0] == "triggers")

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        command = plain_map(request.properties).get("create")
        if request.preview:
            return sdk.CreateResponse(None, _foretold(request.properties))
        outputs = await self._outcome(request.urn, request.properties, command, {}, {})
        return sdk.CreateResponse(request.name + secrets.token_hex(4), outputs)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        given = plain_map(request.news)
        command = given.get("update") or given.get("create")
        if request.preview:
            return sdk.UpdateResponse(_foretold(request.news) if command else dict(request.news))
        olds = plain_map(request.olds)
        previous = _previous(olds) if given.get("addPreviousOutputInEnv", True) else {}
        return sdk.UpdateResponse(await self._outcome(request.urn, request.news, command, previous, olds))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """With the connection and the command of the state: the program may not know them any more."""
        given = plain_map(request.properties)
        if given.get("delete"):
            output = self._output(request.urn, request.properties)
            await self._run(given, given["delete"], _previous(given), output)

    async def _outcome(
        self,
        urn: str,
        inputs: Properties,
        command: Any,
        previous: Mapping[str, str],
        olds: Mapping[str, Any],
    ) -> dict[str, Any]:
        if not command:
            return {**inputs, **{name: wrap(olds.get(name, "")) for name in _PREVIOUS}}
        output = self._output(urn, inputs)
        await self._run(plain_map(inputs), command, previous, output)
        return {
            **inputs,
            "stdout": _secret_like(inputs, output.stdout),
            "stderr": _secret_like(inputs, output.stderr),
        }

    def _output(self, urn: str, properties: Properties) -> Output:
        return Output(
            lambda line: self._show(urn, line),
            plain_map(properties).get("logging"),
            _to_blot_out(properties),
            given_secrets=_given_secrets(properties),
        )


def with_defaults(value: Any) -> tuple[Any, list[sdk.CheckFailure]]:
    """The connection with the official defaults in it, and what is wrong with it."""
    if value is None:
        return wrap({}), [sdk.CheckFailure("connection", "a remote resource needs a connection")]
    if isinstance(value.value, Mapping):
        filled = {name: wrap(default) for name, default in DEFAULTS.items()} | dict(value.value)
        filled |= {name: filled[name].with_secret(True) for name in CREDENTIALS if name in filled}
        proxy = filled.get("proxy")
        if proxy is not None and isinstance(proxy.value, Mapping):
            filled["proxy"] = with_defaults(proxy)[0]
        failures = [] if filled.get("host") else [sdk.CheckFailure("connection.host", "which host?")]
        return value.with_value(filled), failures
    return value, []


def _previous(outputs: Mapping[str, Any]) -> dict[str, str]:
    return {variable: str(outputs[name]) for name, variable in _PREVIOUS.items() if outputs.get(name)}


def _secret_like(inputs: Properties, text: str) -> Any:
    return wrap(text).with_secret(_given_secrets(inputs))


def _given_secrets(inputs: Properties) -> bool:
    return any(inputs[name].contains_secret() for name in _SOURCES if name in inputs)


def _to_blot_out(inputs: Properties) -> set[str]:
    """Secrets that no shown line may contain; of the connection, which the SDK makes secret whole, its credentials."""
    shown = {name: value for name, value in inputs.items() if name != "connection"}
    connection = plain_map(inputs).get("connection")
    return secret_texts(shown) | (credentials(connection) if isinstance(connection, Mapping) else set())


def _foretold(inputs: Properties) -> dict[str, Any]:
    unset: dict[str, Unknown] = dict.fromkeys(_PREVIOUS, UNKNOWN)
    return {**inputs, **{name: wrap(value) for name, value in unset.items()}}
