"""Parses what a node's script printed: one parser for `apply`, `check` and `remove`."""

from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import TypeAdapter

from components.core.untrusted import Line, Untrusted, printable

_VERDICTS = ("changed", "unchanged", "converged", "drifted", "outdated", "absent")
_SERVICE_DRIFTED = {
    "swap": "swap is on",
    "time": "the time service is off",
    "firewall": "the firewall differs",
    "os-updates": "unattended-upgrades or its timers are off, or another file of apt.conf.d changes them",
}


class _About(Untrusted):
    node: Line
    kernel: Line
    container: Line
    at: Line


class Setting(Untrusted):
    """One kernel setting as the node has it."""

    key: Line
    wanted: Line
    live: Line
    state: Line
    """applied · raised-already · host-wide-left-alone · not-visible · drifted · refused."""


class Restored(Untrusted):
    """One kernel setting of a node that was decommissioned."""

    key: Line
    before: Line
    live: Line
    state: Line
    """restored · refused."""


class Override(Untrusted):
    """A line of another sysctl file, which is applied after ours and sets the same key otherwise."""

    override: Line
    """The file's path."""
    sysctl: Line
    value: Line
    state: Line
    """set-aside: commented out by us · undoes: it stands, and the next boot or `sysctl --system` undoes our value."""


class _Module(Untrusted):
    module: Line
    state: Line


class _File(Untrusted):
    file: Line
    state: Line


class _Service(Untrusted):
    service: Literal["firewall", "os-updates", "swap", "time"]
    state: Line


_LINE: TypeAdapter[Any] = TypeAdapter(_About | Setting | Restored | Override | _Module | _File | _Service)
T = TypeVar("T")


class Readback(NamedTuple):
    """One run of the script."""

    node: str
    kernel: str
    in_container: bool
    at: str
    """The node's own clock, RFC 3339 in UTC."""
    settings: tuple[Setting, ...]
    modules: dict[str, str]
    files: dict[str, str]
    services: dict[str, str]
    """`firewall`: as-written, loaded, drifted, refused or restored. `os-updates`: on, switched-on, drifted, refused or
    restored.

    `swap`, `time`: off, on, switched-off, switched-on, left-alone, host-wide-left-alone, not-available, drifted,
    refused; of a node that was decommissioned: restored or refused."""
    verdict: str
    """The last line: changed, unchanged, converged, drifted, outdated or absent."""
    overrides: tuple[Override, ...] = ()
    restored: tuple[Restored, ...] = ()

    @property
    def drifted(self) -> tuple[str, ...]:
        """What differs from the last run, for an operator."""
        settings = [
            f"{setting.key} is {setting.live}, wanted {setting.wanted}"
            for setting in self.settings
            if setting.state == "drifted"
        ]
        modules = [f"module {name} is gone" for name, state in self.modules.items() if state == "drifted"]
        files = [f"{path} {state}" for path, state in self.files.items() if state in ("missing", "differs")]
        services = [_SERVICE_DRIFTED[name] for name, state in self.services.items() if state == "drifted"]
        overrides = [
            f"{found.override} sets {found.sysctl} = {found.value} after our file"
            for found in self.overrides
            if found.state == "undoes"
        ]
        return tuple(settings + modules + files + services + overrides)


def parse(output: str) -> Readback:
    """The facts in a script's standard output. Raises ValueError where it is not one."""
    lines = [line for line in output.split("\n") if line]  # not splitlines: JSON may hold U+2028
    if not lines:
        raise ValueError("the node's script printed nothing")
    facts = []
    for line in lines[:-1]:
        try:
            facts.append(_LINE.validate_json(line))
        except ValueError:
            raise ValueError(f"the node's script printed an unknown line: {printable(line[:80])}") from None
    if lines[-1] not in _VERDICTS:
        raise ValueError(f"the node's script printed no verdict: {printable(lines[-1][:80])}")

    def of(kind: type[T]) -> tuple[T, ...]:
        return tuple(fact for fact in facts if isinstance(fact, kind))

    about = next(iter(of(_About)), None) or _About(node="", kernel="", container="", at="")
    return Readback(
        node=about.node,
        kernel=about.kernel,
        in_container=about.container == "true",
        at=about.at,
        settings=of(Setting),
        modules={fact.module: fact.state for fact in of(_Module)},
        files={fact.file: fact.state for fact in of(_File)},
        services={fact.service: fact.state for fact in of(_Service)},
        verdict=lines[-1],
        overrides=of(Override),
        restored=of(Restored),
    )


def summary(output: str) -> dict[str, Any]:
    """A node's read-back as the stack exports it: the last run's live values, each with its state."""
    facts = parse(output)
    return {
        "kernel": facts.kernel,
        "inContainer": facts.in_container,
        "settings": {
            setting.key: {"wanted": setting.wanted, "live": setting.live, "state": setting.state}
            for setting in facts.settings
        },
        "modules": facts.modules,
        "services": facts.services,
    }
