"""Parses what a node's script printed: one parser for `apply`, `check` and `remove`."""

from typing import Any, NamedTuple

from components.core.untrusted import json_value

_VERDICTS = ("changed", "unchanged", "converged", "drifted", "outdated", "absent")
_SERVICE_DRIFTED = {"swap": "swap is on", "time": "the time service is off", "firewall": "the firewall differs"}


class Setting(NamedTuple):
    """One kernel setting as the node has it."""

    key: str
    wanted: str
    live: str
    state: str
    """applied · raised-already · host-wide-left-alone · not-visible · drifted · refused."""


class Override(NamedTuple):
    """A line of another sysctl file, which is applied after ours and sets the same key otherwise."""

    path: str
    key: str
    value: str
    state: str
    """set-aside: commented out by us · undoes: it stands, and the next boot or `sysctl --system` undoes our value."""


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
    """`firewall`: as-written, loaded, drifted, refused or restored.

    `swap`, `time`: off, on, switched-off, switched-on, left-alone, host-wide-left-alone, not-available, drifted,
    refused; of a node that was decommissioned: restored or refused."""
    verdict: str
    """The last line: changed, unchanged, converged, drifted, outdated or absent."""
    overrides: tuple[Override, ...] = ()

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
            f"{found.path} sets {found.key} = {found.value} after our file"
            for found in self.overrides
            if found.state == "undoes"
        ]
        return tuple(settings + modules + files + services + overrides)


def parse(output: str) -> Readback:
    """The facts in a script's standard output. Raises ValueError where it is not one."""
    lines = [line for line in output.split("\n") if line]  # not splitlines: JSON may hold U+2028
    if not lines:
        raise ValueError("the node's script printed nothing")
    try:
        facts: list[dict[str, Any]] = [json_value(line) for line in lines[:-1]]
    except ValueError:
        raise ValueError(f"the node's script printed an unknown line: {lines[0][:80]}") from None
    if lines[-1] not in _VERDICTS:
        raise ValueError(f"the node's script printed no verdict: {lines[-1][:80]}")
    about = next((fact for fact in facts if "node" in fact), {})
    return Readback(
        node=about.get("node", ""),
        kernel=about.get("kernel", ""),
        in_container=about.get("container") == "true",
        at=about.get("at", ""),
        settings=tuple(
            Setting(fact["key"], fact["wanted"], fact["live"], fact["state"]) for fact in facts if "wanted" in fact
        ),
        modules={fact["module"]: fact["state"] for fact in facts if "module" in fact},
        files={fact["file"]: fact["state"] for fact in facts if "file" in fact},
        services={fact["service"]: fact["state"] for fact in facts if "service" in fact},
        verdict=lines[-1],
        overrides=tuple(
            Override(fact["override"], fact["sysctl"], fact["value"], fact["state"])
            for fact in facts
            if "override" in fact
        ),
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
