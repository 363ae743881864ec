"""Finds the Python interpreter of a program, and its installed packages."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


class NoInterpreterError(Exception):
    """The virtual environment that the project names is not one; the text says what to do."""


@dataclass(frozen=True)
class Package:
    """An installed SDK that brings a Pulumi plugin."""

    name: str
    version: str
    server: str


def interpreter(options: Mapping[str, object], root: Path) -> Path:
    """The Python of the environment in the runtime option `virtualenv`, or this process's own.

    `root` is the folder of Pulumi.yaml or PulumiPolicy.yaml, to which the option is relative.
    """
    named = options.get("virtualenv")
    if not named:
        return Path(sys.executable)
    environment = root / str(named)
    python = environment / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise NoInterpreterError(
            f"runtime option virtualenv is {named!r}, but {environment} is not a virtual environment: "
            "create it and install the project's requirements, or correct the option"
        )
    return python


def packages(python: Path) -> list[Package]:
    """The SDKs beside `python` that need a plugin, read from their pulumi-plugin.json."""
    found = []
    for folder in _site_packages(python):
        for description in sorted(folder.glob("*/pulumi-plugin.json")):
            plugin = json.loads(description.read_text())
            if plugin.get("resource"):
                name = plugin.get("name") or description.parent.name.removeprefix("pulumi_").replace("_", "-")
                found.append(Package(name, plugin.get("version", ""), plugin.get("server", "")))
    return found


def distributions(python: Path) -> list[tuple[str, str]]:
    """Name and version of everything installed beside `python`."""
    found = []
    for folder in _site_packages(python):
        for information in folder.glob("*.dist-info"):
            name, _, version = information.name.removesuffix(".dist-info").rpartition("-")
            found.append((name, version))
    return sorted(found)


def _site_packages(python: Path) -> Iterator[Path]:
    # Not resolved, because python in a virtual environment is a link to the system's.
    yield from sorted((python.parent.parent / "lib").glob("python3*/site-packages"))
